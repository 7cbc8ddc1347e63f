# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The sample shop and the sample plan of a checkout belong together."""

from __future__ import annotations

from pathlib import Path

import yaml

from ansible_collections.restartx.core.plugins.module_utils.record.journal import labels_of
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import check
from lab.demo import place, shop

VARIABLES = yaml.safe_load((Path(__file__).parents[3] / "inventory" / "group_vars" / "clusters.yml").read_text())
PLAN = check(VARIABLES["restart_plan"])


def meant(entry, service):
    labels = {f"{key}={value}" for key, value in service.labels.items()}
    return (
        service.kind in entry.kinds
        and service.namespace in entry.namespaces
        and (not entry.names or service.name in entry.names)
        and set(entry.label_selectors) <= labels
    )


def test_every_service_is_in_the_plan_once():
    assert {service.name: sum(meant(entry, service) for entry in PLAN.entries) for service in shop.SERVICES} == {
        service.name: 1 for service in shop.SERVICES
    }


def test_something_depends_on_what_the_demo_breaks():
    broken = next(entry.id for entry in PLAN.entries if "payment" in entry.names)
    assert any(broken in entry.after for entry in PLAN.entries)


def test_the_demo_forgets_the_journals_of_its_own_plan():
    label, _equals, value = place.JOURNALS_OF_PLAN.partition("=")
    assert labels_of(PLAN.name, "r1")[label] == value


def test_new_pods_of_payment_need_its_account():
    (payment,) = [
        item for item in shop.objects() if item["metadata"]["name"] == "payment" and item["kind"] == "Deployment"
    ]
    assert payment["spec"]["template"]["spec"]["serviceAccountName"] == shop.account()["metadata"]["name"]
