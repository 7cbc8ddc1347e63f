# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Quantities, and what a pod needs, against values computed by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ansible_collections.restartx.core.plugins.module_utils.preflight import quantity
from ansible_collections.restartx.core.plugins.module_utils.preflight.pods import claims_of, needs

SUFFIXES = {
    "n": "0.000000001",
    "u": "0.000001",
    "m": "0.001",
    "": "1",
    "k": "1000",
    "M": "1000000",
    "G": "1000000000",
    "T": "1000000000000",
    "P": "1000000000000000",
    "E": "1000000000000000000",
    "Ki": "1024",
    "Mi": "1048576",
    "Gi": "1073741824",
    "Ti": "1099511627776",
    "Pi": "1125899906842624",
    "Ei": "1152921504606846976",
}


@pytest.mark.parametrize("suffix, factor", SUFFIXES.items())
def test_every_suffix_of_the_api(suffix, factor):
    assert quantity.parse(f"3{suffix}") == 3 * Decimal(factor)
    assert quantity.parse(f"0.5{suffix}") == Decimal(factor) / 2


@pytest.mark.parametrize(
    "text, amount",
    [
        (2, "2"),
        (0.5, "0.5"),
        ("100m", "0.1"),
        ("1500m", "1.5"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("12e-3", "0.012"),
        ("1.5Gi", "1610612736"),
        ("128974848", "128974848"),
        ("129e6", "129000000"),
        ("129M", "129000000"),
        ("123Mi", "128974848"),
        (" 1 ", "1"),
        ("+5", "5"),
        (".5", "0.5"),
        ("many", "0"),
        ("", "0"),
        (None, "0"),
    ],
)
def test_quantities(text, amount):
    assert quantity.parse(text) == Decimal(amount)


@pytest.mark.parametrize(
    "name, amount, text",
    [
        ("requests.cpu", "0.25", "250m"),
        ("cpu", "2", "2"),
        ("cpu", "1.5", "1500m"),
        ("memory", "536870912", "512Mi"),
        ("requests.memory", "1610612736", "1536Mi"),
        ("limits.memory", "2147483648", "2Gi"),
        ("requests.storage", "1073741824", "1Gi"),
        ("memory", "2048", "2Ki"),
        ("memory", "1000", "1000"),
        ("memory", "1000000000", "953Mi"),
        ("pods", "3", "3"),
    ],
)
def test_amounts_for_people(name, amount, text):
    assert quantity.text(name, Decimal(amount)) == text


def test_sums_and_maxima_are_of_each_resource():
    one, other = {"cpu": Decimal(1), "memory": Decimal(5)}, {"cpu": Decimal(2), "pods": Decimal(1)}
    assert quantity.total([one, other]) == {"cpu": 3, "memory": 5, "pods": 1}
    assert quantity.largest([one, other]) == {"cpu": 2, "memory": 5, "pods": 1}
    assert quantity.total([]) == {} and quantity.amounts(None) == {}


def of(cpu, **more):
    return {"name": "c", "resources": {"requests": {"cpu": cpu}}, **more}


def sidecar(cpu):
    return of(cpu, restartPolicy="Always")


@pytest.mark.parametrize(
    "spec, cpu",
    [
        ({"containers": [of("100m"), of("250m")]}, "0.35"),
        ({"containers": [{"name": "c"}]}, None),
        ({"containers": [{"name": "c", "resources": {"limits": {"cpu": "2"}}}]}, "2"),
        ({"containers": [{"name": "c", "resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}}]}, "1"),
        ({"containers": [of("100m")], "initContainers": [of("500m"), of("400m")]}, "0.5"),
        ({"containers": [of("600m")], "initContainers": [of("500m")]}, "0.6"),
        ({"containers": [of("100m")], "initContainers": [sidecar("200m")]}, "0.3"),
        # The init container runs beside the sidecar before it, not beside the one after it.
        ({"containers": [of("100m")], "initContainers": [sidecar("200m"), of("500m")]}, "0.7"),
        ({"containers": [of("100m")], "initContainers": [of("500m"), sidecar("200m")]}, "0.5"),
        ({"containers": [of("100m")], "initContainers": [sidecar("200m"), of("500m"), sidecar("700m")]}, "1"),
        ({"containers": [of("100m")], "resources": {"requests": {"cpu": "1"}}}, "1"),
        ({"containers": [of("2")], "resources": {"requests": {"cpu": "1"}}}, "1"),
        ({"containers": [of("2")], "resources": {"requests": {"memory": "1Gi"}}}, "2"),
        ({"containers": [of("100m")], "overhead": {"cpu": "50m"}}, "0.15"),
        ({"containers": [of("1")], "resources": {"requests": {"cpu": "2"}}, "overhead": {"cpu": "1"}}, "3"),
    ],
)
def test_what_a_pod_needs(spec, cpu):
    found = needs({"spec": spec})
    assert found.get("cpu") == (None if cpu is None else Decimal(cpu))
    assert found["pods"] == 1


def test_the_claims_of_a_pod():
    volumes = [{"name": "a", "emptyDir": {}}, {"name": "b", "persistentVolumeClaim": {"claimName": "data"}}]
    assert claims_of({"spec": {"volumes": volumes}}) == ["data"]
    assert claims_of({"spec": {}}) == []
