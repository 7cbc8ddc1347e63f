# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pause and resume."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import pause
from ansible_collections.restartx.core.plugins.module_utils.rollout.errors import RolloutError
from tests.unit.rollout.objects import workload


@pytest.mark.parametrize(
    "now, wanted, body",
    [
        (None, True, {"spec": {"paused": True}}),
        (False, True, {"spec": {"paused": True}}),
        (True, True, None),
        (True, False, {"spec": {"paused": None}}),
        (False, False, None),
        (None, False, None),
    ],
)
def test_only_what_is_not_so_already_is_patched(now, wanted, body):
    assert pause.patch(workload(spec={"paused": now}), wanted) == body


@pytest.mark.parametrize("kind, words", [("DaemonSet", 'daemon set "api"'), ("StatefulSet", 'statefulset "api"')])
@pytest.mark.parametrize("paused, verb", [(True, "pausing"), (False, "resuming")])
def test_other_kinds_are_refused_in_kubectls_words(kind, words, paused, verb):
    with pytest.raises(RolloutError) as error:
        pause.patch(workload(kind), paused)
    rest = f'{words} in namespace "shop" is not a Deployment, and only Deployments can be paused'
    assert str(error.value) == f"{verb} is not supported: {rest}"
