# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A real kubelet pulls an image from a registry of the test's own before a restart, and says how long it took."""

from __future__ import annotations

import hashlib
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from house import RBAC
from shop import IMAGE, workload

from lab.apps import image
from lab.poll import wait_until

HOST = "registry.test"  # the node is told where it is
SERVED, REFUSED = f"{HOST}/shop:1", "gone.test/shop:1"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


def parts():
    """The parts of an image like that of the sample application, as a registry has them: the manifest, and what it refers
    to."""
    with tarfile.open(image.build()) as archive:
        listed = json.loads(archive.extractfile("manifest.json").read())
        (entry,) = [one for one in listed if one["RepoTags"] == [image.SHOP]]
        config, layer = (archive.extractfile(name).read() for name in (entry["Config"], *entry["Layers"]))
    # An image of its own: of one that was pulled, a kubelet no longer takes another name for one that nobody may pull.
    config = json.dumps({**json.loads(config), "author": HOST}).encode()

    def described(kind, content):
        return {"mediaType": kind, "digest": digest(content), "size": len(content)}

    body = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": described(_CONFIG, config)}
    return json.dumps({**body, "layers": [described(_LAYER, layer)]}).encode(), [config, layer]


def digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def registry(cluster):
    """A registry on loopback that has one image; the paths that it was asked for."""
    manifest, blobs = parts()
    held = {f"/v2/shop/blobs/{digest(one)}": ("application/octet-stream", one) for one in blobs}
    held |= {f"/v2/shop/manifests/{name}": (_MANIFEST, manifest) for name in ("1", digest(manifest))}
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.partition("?")[0]
            asked.append(path)
            kind, content = held.get(path, ("text/plain", b""))
            self.send_response(200 if content or path == "/v2/" else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Docker-Content-Digest", digest(content))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, *args):
            """Not into the output of the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    known = cluster.directory / "node" / "containerd" / "registries" / HOST
    known.mkdir()
    address = f"http://127.0.0.1:{server.server_port}"
    (known / "hosts.toml").write_text(f'server = "{address}"\n[host."{address}"]\ncapabilities = ["pull", "resolve"]\n')
    yield asked
    (known / "hosts.toml").unlink()
    known.rmdir()
    server.shutdown()
    server.server_close()


def outcomes(result):
    return {one["image"]: one["outcome"] for one in result["images"]}


def lacking(namespace):
    """The workloads of which the preflight says that nodes lack an image."""
    found = namespace.run("preflight", stop_on="never")["findings"]
    return {one["object"].split('"')[1] for one in found if one["code"] == "image_pull"}


def test_a_kubelet_pulls_an_image_and_the_preflight_says_what_is_still_missing(cluster, namespace, registry):
    cluster.apply((RBAC / "pre_pull.yml").read_text())
    subject = "--serviceaccount=restartx-system:restartx"
    namespace.kubectl("create", "rolebinding", "restartx-pre-pull", "--clusterrole=restartx-pre-pull", subject)
    huge = {
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "1000"}},
    }  # their own pods pull nothing
    for name, wanted in (("api", SERVED), ("gone", REFUSED), ("there", IMAGE)):
        namespace.create(workload("Deployment", name, **huge, image=wanted), ready=False)
    # A kubelet reports the images of its node only now and then.
    wait_until(lambda: lacking(namespace) == {"api", "gone"}, "the images of the node", timeout=180, interval=2)
    assert registry == []

    result = namespace.run("pre_pull")
    assert outcomes(result) == {SERVED: "pulled", REFUSED: "failed", IMAGE: "present"}, result
    (pulled,) = [one for one in result["images"] if one["image"] == SERVED]
    events = [one["message"] for one in namespace.list("events") if one["reason"] == "Pulled"]
    (told,) = [one for one in events if SERVED in one and "Successfully pulled" in one]
    assert "Successfully pulled image" in told and 0 <= pulled["seconds"] < result["duration"]
    assert "/v2/shop/manifests/1" in registry
    assert f"{REFUSED} on node real (" in result["msg"] and "connection refused" in result["msg"]
    wait_until(lambda: not namespace.list("pods", "restartx.io/pre-pull"), "the pods that pulled to be gone")

    wait_until(lambda: lacking(namespace) == {"gone"}, "the node to report the image", timeout=180, interval=2)
    assert outcomes(namespace.run("pre_pull")) == {SERVED: "present", REFUSED: "failed", IMAGE: "present"}
