# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs an exec credential plugin: a program that prints credentials.

The kubernetes package does not serve here: it waits for the plugin without a limit, lets it read our standard input,
and only logs its failure. The protocol is https://kubernetes.io/docs/reference/config-api/client-authentication.v1/.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from datetime import datetime

from ansible_collections.restartx.core.plugins.module_utils.cluster.credential import Credential, bearer
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import CredentialPlugin
from ansible_collections.restartx.core.plugins.module_utils.cluster.files import content_of
from ansible_collections.restartx.core.plugins.module_utils.cluster.kubeconfig import Chosen
from ansible_collections.restartx.core.plugins.module_utils.cluster.redaction import hide, secrets_in

_EXTENSION = "client.authentication.k8s.io/exec"
_LONGEST_LINE = 300


class Plugin:
    """The exec section of a kubeconfig user. `timeout` is in seconds; `fetch` runs the program."""

    def __init__(self, chosen: Chosen, environ: Mapping[str, str], timeout: float) -> None:
        self._exec = chosen.user["exec"]
        self._process: subprocess.Popen | None = None
        self._timeout = timeout
        self._secrets = secrets_in(chosen.user)
        self._cluster = chosen.cluster
        self._name = f'credential plugin "{_command(self._exec)}" of {chosen.whose}'
        self._environ = dict(environ) | {
            pair["name"]: pair.get("value") or "" for pair in self._exec.get("env") or [] if pair.get("name")
        }

    def fetch(self) -> Credential:
        """Run the plugin once. Raises CredentialPlugin with the reason if it returns no credentials."""
        version = self._exec.get("apiVersion")
        if not self._exec.get("command") or not version:
            raise CredentialPlugin(f"{self._name} needs apiVersion and command in its exec section: add them")
        if self._exec.get("interactiveMode") == "Always":
            raise CredentialPlugin(
                f"{self._name} needs a terminal (interactiveMode Always), and a module has none: "
                "log in beforehand in a way that lasts, or give a token"
            )
        status = self._status_of(self._run(), version)
        token, certificate, key = (status.get(name) for name in ("token", "clientCertificateData", "clientKeyData"))
        if not token and not (certificate and key):
            raise CredentialPlugin(
                f"{self._name} gave neither a token nor a client certificate with its key: {_BY_HAND}"
            )
        return Credential(
            authorization=bearer(token, self._name) if token else None,
            certificate=certificate.encode() if certificate else None,
            key=key.encode() if key else None,
            expires=self._expiry(status.get("expirationTimestamp")),
        )

    def cancel(self) -> None:
        """End the program if it is running, so that it does not outlive the module."""
        process = self._process
        if process is not None:
            _kill(process)

    def _run(self) -> str:
        command = self._exec["command"]
        program = shutil.which(command, path=self._environ.get("PATH"))
        if program is None:
            hint = " ".join((self._exec.get("installHint") or "").split())
            raise CredentialPlugin(
                f"{self._name} is not installed here or not executable: install it, or correct its command"
                + (f" ({hint})" if hint else "")
            )
        environ = {**self._environ, "KUBERNETES_EXEC_INFO": json.dumps(self._info())}
        arguments = [program, *(self._exec.get("args") or [])]
        try:
            # In its own session it cannot prompt on our terminal, and all of its children can be killed together.
            process = subprocess.Popen(
                arguments,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                encoding="utf-8",
                errors="replace",
            )
        except (OSError, ValueError) as error:  # ValueError: invalid arguments, such as a null byte
            reason = getattr(error, "strerror", error)
            raise CredentialPlugin(f"{self._name} cannot be started ({reason}): correct its command") from None
        self._process = process
        try:
            output, complaint = process.communicate(timeout=self._timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            raise CredentialPlugin(
                f"{self._name} gave no answer within {self._timeout:g} seconds: "
                "run it by hand, it may wait for a login or for a service that does not answer"
            ) from None
        finally:
            self._process = None
        if process.returncode != 0:
            raise CredentialPlugin(
                f"{self._name} failed with exit code {process.returncode}: {self._last_line(complaint)}; {_BY_HAND}"
            )
        return output

    def _status_of(self, output: str, version: str) -> dict:
        try:
            answer = json.loads(output)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("status"), dict):
            raise CredentialPlugin(f"{self._name} did not print an ExecCredential with a status: {_BY_HAND}")
        if answer.get("apiVersion") != version:
            raise CredentialPlugin(
                f"{self._name} returned {answer.get('apiVersion')}, the kubeconfig expects {version}: "
                "update the plugin, or recreate the kubeconfig with it"
            )
        return answer["status"]

    def _info(self) -> dict:
        spec: dict = {"interactive": False}
        if self._exec.get("provideClusterInfo"):
            keys = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url")
            spec["cluster"] = {key: self._cluster[key] for key in keys if key in self._cluster}
            authority = content_of(self._cluster, "certificate-authority", self._name)
            if authority:
                spec["cluster"]["certificate-authority-data"] = base64.b64encode(authority).decode()
            for extension in self._cluster.get("extensions") or []:
                if extension.get("name") == _EXTENSION:
                    spec["cluster"]["config"] = extension.get("extension")
        return {"apiVersion": self._exec["apiVersion"], "kind": "ExecCredential", "spec": spec}

    def _expiry(self, text: object) -> float | None:
        if not text:
            return None
        try:
            return datetime.fromisoformat(str(text)).timestamp()
        except ValueError:
            raise CredentialPlugin(
                f'{self._name} gave an expirationTimestamp that is not a time, "{text}": update it'
            ) from None

    def _last_line(self, complaint: str) -> str:
        lines = [line.strip() for line in complaint.splitlines() if line.strip()]
        return hide(lines[-1], self._secrets)[:_LONGEST_LINE] if lines else "it said nothing"


_BY_HAND = "run it by hand to see why"


def _command(section: Mapping) -> str:
    """The command with its first words: `aws eks get-token`. Options are left out, because they may hold secrets."""
    words = [section.get("command") or ""]
    for argument in section.get("args") or []:
        if not re.fullmatch(r"[A-Za-z][\w-]{0,30}", argument):
            break
        words.append(argument)
    return " ".join(words)


def _end(process: subprocess.Popen) -> None:
    """Kill a plugin that hangs, with its children, and reap it."""
    _kill(process)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    process.wait()


def _kill(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
