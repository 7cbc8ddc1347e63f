# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The least that a restart with a verdict takes: one list, a patch for each Deployment, one watch until all are done.

Reads JSON from stdin (`server`, `authority` (a path), `token`, `namespace`, `selector`) and prints the seconds it
took, from the first request on. No care is taken of anything: neither errors, nor conflicts, nor broken connections.
"""

from __future__ import annotations

import datetime
import http.client
import json
import ssl
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

CONNECTIONS = 8  # as many as restartx has
USER_AGENT = "floor/1"
MAX_WAIT = 300  # seconds without a Deployment that is done


class Floor:
    """One restart of all that a selector selects; `run` may be called once."""

    def __init__(self, server: str, authority: str, token: str, namespace: str, selector: str):
        self._address = urlsplit(server).netloc  # host and port
        self._tls = ssl.create_default_context(cafile=authority)
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": USER_AGENT}
        self._path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        self._selector = quote(selector)
        self._own = threading.local()
        self._generations: dict[str, int] = {}  # what each controller must have observed
        self._seen: dict[str, dict] = {}
        self._waiting: set[str] = set()
        self._turn = threading.Condition()

    def run(self) -> float:
        """Restart, wait until all are rolled out, and return the seconds that took."""
        began = time.monotonic()
        listing = json.loads(self._ask("GET", f"{self._path}?labelSelector={self._selector}").read())
        self._waiting = {item["metadata"]["name"] for item in listing["items"]}
        threading.Thread(target=self._watch, args=[listing["metadata"]["resourceVersion"]], daemon=True).start()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(self._restart, sorted(self._waiting)))
        with self._turn:
            while self._waiting:
                if not self._turn.wait(MAX_WAIT):
                    sys.exit(f"{len(self._waiting)} are not rolled out, and nothing happens any more")
        return time.monotonic() - began

    def _ask(self, method: str, path: str, body: dict | None = None) -> http.client.HTTPResponse:
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPSConnection(self._address, context=self._tls)
        kind = {"Content-Type": "application/strategic-merge-patch+json"} if body else {}
        data = json.dumps(body).encode() if body else None
        self._own.connection.request(method, path, data, {**self._headers, **kind})
        answer = self._own.connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.read().decode()}")
        return answer

    def _restart(self, name: str) -> None:
        at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        template = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": at}}}
        answer = self._ask("PATCH", f"{self._path}/{name}", {"spec": {"template": template}})
        generation = json.loads(answer.read())["metadata"]["generation"]
        with self._turn:
            self._generations[name] = generation
            self._judge(name)

    def _watch(self, version: str) -> None:
        query = f"watch=true&labelSelector={self._selector}&resourceVersion={version}&timeoutSeconds=3600"
        for line in self._ask("GET", f"{self._path}?{query}"):
            changed = json.loads(line)["object"]
            with self._turn:
                self._seen[changed["metadata"]["name"]] = changed
                self._judge(changed["metadata"]["name"])

    def _judge(self, name: str) -> None:
        if name not in self._seen or name not in self._generations:
            return
        status, wanted = self._seen[name]["status"], self._seen[name]["spec"]["replicas"]
        counts = {status.get(count, 0) for count in ("updatedReplicas", "replicas", "availableReplicas")}
        if status.get("observedGeneration", 0) >= self._generations[name] and counts == {wanted}:
            self._waiting.discard(name)
            self._turn.notify()


if __name__ == "__main__":
    print(Floor(**json.load(sys.stdin)).run())
