# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What DaemonSets and StatefulSets have in common: they own their pods, and their revisions are ControllerRevisions."""

from __future__ import annotations

from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.fields import Object, field
from ansible_collections.restartx.core.plugins.module_utils.rollout.kinds.kind import FAILED, Kind, Patch, Verdict

NOT_ROLLING = Verdict(FAILED, "rollout status is only available for RollingUpdate strategy type")


class WithControllerRevisions(Kind):
    history = "ControllerRevision"
    history_plural = "controllerrevisions"
    hash_label = "controller-revision-hash"

    def revision_shown(self, workload: Object) -> str | None:
        found: str | None = field(workload, "status.updateRevision")
        return found

    def revision_number(self, held: Object) -> int | None:
        return held.get("revision")

    def revision_template(self, held: Object) -> Object:
        template: Object = field(held, "data.spec.template", {})
        return template

    def undo_patch(self, workload: Object, held: Object, template: Object, template_only: bool) -> Patch:
        """A ControllerRevision contains the patch itself, which replaces the template."""
        version = workload["metadata"]["resourceVersion"]
        return Patch("strategic", {**held["data"], "metadata": {"resourceVersion": version}})
