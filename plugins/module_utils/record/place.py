# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Commands that repair what was left on a cluster."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

DEFAULT_NAMESPACE = "restartx-system"


@dataclass(frozen=True)
class Place:
    """Where it was left, for commands: the context of the cluster, and the namespace of the journals."""

    context: str | None = None
    namespace: str = DEFAULT_NAMESPACE
    field_manager: str = "restartx"

    def playbook(self, name: str, **variables: str) -> str:
        """The command of a playbook, to paste."""
        other = {} if self.namespace == DEFAULT_NAMESPACE else {"restartx_journal_namespace": self.namespace}
        pairs = [part for name, value in {**variables, **other}.items() for part in ("-e", f"{name}={value}")]
        return shlex.join(["ansible-playbook", "-i", "inventory", f"restartx.core.{name}", *pairs])

    def module(self, name: str, **options: str | None) -> str:
        """The ad-hoc command of a module, to paste."""
        given = " ".join(f"{name}={shlex.quote(value)}" for name, value in options.items() if value)
        return shlex.join(["ansible", "localhost", "-m", f"restartx.{name}", "-a", given])
