# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One cluster of a lab, as its users see it."""

from __future__ import annotations

import datetime
import subprocess
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab import audit, failures, kubeconfig, nodes
from lab.api import Object
from lab.binary import build
from lab.control_plane import ControlPlane
from lab.errors import LabError
from lab.poll import wait_until


class Cluster(ControlPlane):
    """A control plane with its nodes.

    `name` is also the name of its context in the lab's kubeconfig.
    """

    def kubectl(
        self, *args: str | Path, input: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run the lab's kubectl as admin on this cluster; returns a CompletedProcess with text.

        With `check` a failure raises LabError with what kubectl said.
        """
        command: list[str | Path] = [build(), "kubectl", f"--kubeconfig={self.kubeconfig}"]
        command += [f"--context={self.context}", f"--cache-dir={self.directory}/kubectl", *args]
        done = subprocess.run(list(map(str, command)), input=input, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise LabError(f"kubectl {' '.join(map(str, args))}: {done.stderr.strip()}")
        return done

    def apply(self, yaml_text: str) -> subprocess.CompletedProcess[str]:
        """Apply the objects in `yaml_text`, as `kubectl apply` does."""
        return self.kubectl("apply", "-f", "-", input=yaml_text)

    def requests(self, user_agent: str | None = None, since: datetime.datetime | None = None) -> list[Object]:
        """What the API server was asked so far, from its audit log: see audit.requests.

        The control plane's own requests are not recorded. Everything answered before the
        call is contained.
        """
        if self.process("kube-apiserver").pid:
            marker = f"/version?marker={uuid.uuid4()}"
            self._api.request("GET", marker)
            wait_until(lambda: audit.contains(self.audit_log, marker), "the audit log")
        return audit.requests(self.audit_log, user_agent, since)

    def node_names(self) -> list[str]:
        """The names of its nodes."""
        return nodes.node_names(self._api)

    def add_nodes(self, count: int, zones: Sequence[str]) -> list[str]:
        """Add `count` KWOK nodes, spread over `zones` in turn; returns their names."""
        return nodes.add_nodes(self._api, count, zones)

    def fail(
        self,
        selector: dict[str, str],
        failure: str,
        namespace: str | None = None,
        annotations: dict[str, str] | None = None,
    ) -> None:
        """Let new pods that carry the labels `selector` fail: see failures.fail."""
        failures.fail(self._api, selector, failure, namespace, annotations)

    def heal(self, selector: dict[str, str] | None = None) -> None:
        """New pods of `selector` (or of all) are healthy again: see failures.heal."""
        failures.heal(self._api, selector)

    def service_account_kubeconfig(self, namespace: str, name: str, path: str | Path) -> Path:
        """Write a kubeconfig that speaks as an existing service account; returns its path.

        Its context has the cluster's name; its token is good for a day.
        """
        answer = self._api.request(
            "POST",
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
            {"spec": {"expirationSeconds": 86400}},
        )
        token = kubeconfig.token_user(answer["status"]["token"])
        return kubeconfig.write(path, self._entry(token))

    def certificate_kubeconfig(
        self, path: str | Path, user: str, groups: Iterable[str] = (), expired: bool = False
    ) -> Path:
        """Write a kubeconfig with a client certificate for `user`; returns its path.

        Its context has the cluster's name. An `expired` certificate ended an hour ago.
        """
        _ = self.server  # says so if there is no such cluster
        pair = self.authority.issue(f"user-{uuid.uuid4()}", user, groups, expired=expired)
        return kubeconfig.write(path, self._entry(kubeconfig.certificate_user(*pair)))

    def admin_entry(self) -> Object:
        """The kubeconfig of the admin, as data."""
        pki = self.authority.directory
        return self._entry(kubeconfig.certificate_user(pki / "admin.crt", pki / "admin.key"))

    def _entry(self, user: Object) -> Object:
        return kubeconfig.entry(self.context, self.server, self.authority.certificate_path, user)
