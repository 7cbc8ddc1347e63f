# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who else manages an object."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout import owner
from tests.unit.rollout.objects import workload

KAFKA = {"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "name": "events", "uid": "u1", "controller": True}
PLAIN = {"apiVersion": "v1", "kind": "ConfigMap", "name": "settings", "uid": "u2"}


@pytest.mark.parametrize(
    "references, named, uid",
    [
        (None, None, None),
        ([], None, None),
        ([PLAIN], None, None),
        ([{**PLAIN, "controller": False}], None, None),
        ([KAFKA], 'Kafka "events" (kafka.strimzi.io/v1)', "u1"),
        ([PLAIN, KAFKA], 'Kafka "events" (kafka.strimzi.io/v1)', "u1"),
    ],
)
def test_only_the_controller_counts(references, named, uid):
    thing = workload(ownerReferences=references)
    assert owner.controller(thing) == named
    assert owner.controller_uid(thing) == uid
