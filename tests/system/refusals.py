# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Objects because of which an API server refuses pods with the label `refuse`, and volumes that pods cannot use."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

ADMISSION = "admissionregistration.k8s.io/v1"


def policy(name, label, group, resources, message):
    """A ValidatingAdmissionPolicy that refuses what has the label, and its binding."""
    rules = [{"apiGroups": [group], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [resources]}]
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"objectSelector": {"matchLabels": {"refuse": label}}, "resourceRules": rules},
        "validations": [{"expression": "false", "message": message}],
    }
    bound = {"policyName": name, "validationActions": ["Deny"]}
    kinds = {"ValidatingAdmissionPolicy": spec, "ValidatingAdmissionPolicyBinding": bound}
    return [
        {"apiVersion": ADMISSION, "kind": kind, "metadata": {"name": name}, "spec": one} for kind, one in kinds.items()
    ]


def _webhook(name, label, client):
    hook = {
        "name": name,
        "clientConfig": client,
        "objectSelector": {"matchLabels": {"refuse": label}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "failurePolicy": "Fail",
        "timeoutSeconds": 1,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    metadata = {"name": name}
    return {"apiVersion": ADMISSION, "kind": "ValidatingWebhookConfiguration", "metadata": metadata, "webhooks": [hook]}


def unreachable(name, label):
    """A webhook at which nobody answers."""
    return _webhook(name, label, {"url": "https://127.0.0.1:1/"})


class Webhook:
    """A webhook that refuses all pods with the label, as a context manager."""

    def __init__(self, authority, name, label, message):
        self._server = HTTPServer(("127.0.0.1", 0), _refusing(message))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, authority.issue("webhook", "webhook", hosts=["127.0.0.1"])))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        url = f"https://127.0.0.1:{self._server.server_port}/"
        bundle = base64.b64encode(authority.certificate_path.read_bytes()).decode()
        self.configuration = _webhook(name, label, {"url": url, "caBundle": bundle})

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error):
        self._server.shutdown()
        self._server.server_close()


def _refusing(message):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = {"uid": asked["request"]["uid"], "allowed": False, "status": {"message": message}}
            body = json.dumps({**asked, "request": None, "response": answer}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words):
            """Say nothing."""

    return Handler


def quota(name, hard, priority):
    """A quota for pods of a priority class."""
    scope = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": [priority]}]}
    spec = {"hard": hard, "scopeSelector": scope}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": spec}


def limits(name, **most):
    """The most that a container may request."""
    spec = {"limits": [{"type": "Container", "max": most}]}
    return {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": name}, "spec": spec}


def volume(namespace, name, zone):
    """A claim, and its volume, in a zone if one is given; for one pod at a time if not."""
    modes = ["ReadWriteOnce" if zone else "ReadWriteOncePod"]
    size = {"storage": "1Gi"}
    spec = {"accessModes": modes, "storageClassName": "", "resources": {"requests": size}}
    key = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}
    place = {"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [key]}]}}} if zone else {}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {**spec, "volumeName": f"{name}-{namespace}"},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"{name}-{namespace}"},
            "spec": {
                "capacity": size,
                "accessModes": modes,
                "hostPath": {"path": "/none"},
                "claimRef": {"namespace": namespace, "name": name},
                **place,
            },
        },
    ]
