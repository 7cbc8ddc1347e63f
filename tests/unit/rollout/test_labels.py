# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Label selectors of the API, and the requirements of node selectors."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.rollout.labels import matches, meets

LABELS = {"app": "api", "tier": "", "cores": "8"}


def by(key, operator, *values):
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    "requirement, met",
    [
        (by("app", "In", "web", "api"), True),
        (by("app", "In", "web"), False),
        (by("zone", "In", ""), False),
        (by("app", "NotIn", "web"), True),
        (by("app", "NotIn", "api"), False),
        (by("zone", "NotIn", "a"), True),
        (by("tier", "Exists"), True),
        (by("zone", "Exists"), False),
        (by("tier", "DoesNotExist"), False),
        (by("zone", "DoesNotExist"), True),
        (by("cores", "Gt", "7"), True),
        (by("cores", "Gt", "8"), False),
        (by("cores", "Lt", "10"), True),  # as numbers: as text 10 is less
        (by("cores", "Lt", "8"), False),
        (by("app", "Gt", "1"), False),
        (by("zone", "Lt", "1"), False),
        (by("cores", "Gt"), False),
    ],
)
def test_each_operator(requirement, met):
    assert meets(LABELS, requirement) is met


@pytest.mark.parametrize(
    "selector, selected",
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {}}, True),
        ({"matchLabels": None, "matchExpressions": None}, True),
        ({"matchLabels": {"app": "api"}}, True),
        ({"matchLabels": {"app": "api", "cores": "4"}}, False),
        ({"matchLabels": {"app": "api"}, "matchExpressions": [by("zone", "Exists")]}, False),
        ({"matchExpressions": [by("app", "Exists"), by("zone", "DoesNotExist")]}, True),
    ],
)
def test_selectors(selector, selected):
    assert matches(selector, LABELS) is selected
