# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Prometheus that fails in the middle of a run, for each place of a plan in which it is asked: nothing starts, what waits
says why, and the run goes on when Prometheus is back."""

from __future__ import annotations

import json
import os
import select
import threading

import pytest
from house import RUN, Namespace, outcomes, workload

from lab.errors import LabError
from lab.poll import wait_until

GOOD = 'errors{pods="all"} 0\n'
GONE, NO_VALUE, NO_NUMBER = "it could not be asked: cannot reach", "has no value", "which cannot be compared"
REPLICAS = 3
PLACES = ("before", "after", "between", "canary", "compare")
LONG = 180  # seconds
DONE = {"restarted", "already_restarted"}


def stop(prometheus):
    prometheus.stop()


def freeze(prometheus):
    """It accepts connections, and its answer comes later than any timeout."""
    prometheus.freeze()


def forget(prometheus):
    """What it scrapes no longer has the metric."""
    prometheus.metrics = "other 1\n"
    prometheus.shows("errors")


def divide_by_zero(prometheus):
    prometheus.metrics = GOOD.replace(" 0", " NaN")
    prometheus.shows("errors", "NaN")


def get_stale(prometheus):
    """What it scrapes gives no answer any more."""
    prometheus.metrics = None
    prometheus.shows("errors")


FAULTS = {stop: GONE, freeze: GONE, forget: NO_VALUE, divide_by_zero: NO_NUMBER, get_stale: NO_VALUE}


@pytest.fixture
def well(prometheus):
    """A Prometheus that is well before and after."""

    def heal():
        prometheus.metrics = GOOD
        prometheus.thaw() if prometheus.running else prometheus.start()
        prometheus.shows("errors", "0")

    prometheus.heal = heal
    heal()
    yield prometheus
    heal()


class Told:
    """What the module says in its progress of each workload, as the table of a terminal would show it."""

    def __init__(self, path):
        os.mkfifo(path)
        self.address = f"{path}:eu-west"
        self._texts: dict[str, set[str]] = {}
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exception):
        self._stopped.set()
        self._thread.join()
        os.close(self._fd)

    def of(self, name):
        """All that was said of a workload, as one text."""
        return "\n".join(sorted(self._texts.get(name, ())))

    def _read(self):
        rest = b""
        while not self._stopped.is_set():
            if select.select([self._fd], [], [], 0.2)[0]:
                *lines, rest = (rest + os.read(self._fd, 1 << 16)).split(b"\n")
                for line in map(json.loads, lines):
                    if line["event"] == "task":
                        self._texts.setdefault(line["name"].rpartition("/")[2], set()).add(line["text"])


def plan_of(namespace, url):
    """First one workload, and then one for each place, and one after that."""
    asked = {"prometheus": "errors", "max": 1, "url": url, "interval": "1s", "timeout": "30m"}
    ratio = {"prometheus": 'errors{pods!~"$canary|$stable"}', "max_ratio": 1, "url": url}
    entries = [
        {"id": "first", "name": "first", "gates": {"before": ["first"]}},
        {"id": "before", "name": "before", "gates": {"before": ["before"]}},
        {"id": "after", "name": "after", "gates": {"after": ["after"]}},
        {
            "id": "between",
            "kind": "StatefulSet",
            "name": "between",
            "between_pods": {"order": "ordinal", "gates": ["between"]},
        },
        {"id": "canary", "name": "canary", "canary": {"hold": "1s", "gates": ["canary"]}},
        {"id": "compare", "name": "compare", "canary": {"hold": "1s", "compare": ratio}},
        {"id": "last", "name": "last"},
    ]
    for entry in entries[1:]:
        entry["after"] = ["after"] if entry["id"] == "last" else ["first"]
    return {
        "version": 1,
        "name": namespace.name,
        "defaults": {"namespace": namespace.name},
        "workloads": entries,
        "gates": dict.fromkeys(("first", *PLACES[:-1]), asked),
        "failure_budget": len(entries),
    }


@pytest.fixture
def prepared(namespace):
    """All workloads of the plan. The new pod of the first one does not get ready until it is let."""
    kinds = {"between": "StatefulSet"}
    names = ("first", *PLACES, "last")
    namespace.create(*(workload(kinds.get(name, "Deployment"), name, REPLICAS, delay="1s") for name in names))
    namespace.cluster.fail({"app": "first"}, "never-ready", namespace.name)
    yield namespace
    namespace.cluster.heal({"app": "first"})


def new_pods(namespace, name):
    pods = namespace.list("pods", f"app={name}")
    return [pod for pod in pods if RUN in pod["metadata"].get("annotations", {})]


def waits_for(namespace):
    """Why something waits, by the gate, as the journal has it for people in another shell."""
    journals = Namespace(namespace.cluster, None, "restartx-system")
    held = journals.list("configmaps", f"restartx.io/plan={namespace.name}")
    return json.loads(held[0]["data"]["journal.json"]).get("waits_for") or {} if held else {}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_nothing_starts_while_prometheus_does_not_answer_and_the_run_goes_on_after_that(
    prepared, operator, well, tmp_path, fault
):
    run = {"plan": plan_of(prepared, well.url), "run_id": "r1"}
    with Told(tmp_path / "progress") as told:
        first = operator.start("k8s_rollout_restart", **run, journal={"clusters": ["eu-west"]}, progress=told.address)

        def await_pod():
            assert first.process.poll() is None, first.result()["msg"]
            return new_pods(prepared, "first")

        wait_until(await_pod, "the first restart, before which Prometheus was well", LONG)
        fault(well)
        prepared.cluster.heal({"app": "first"})
        prepared.come_up("first")

        def reasons():
            closed = waits_for(prepared)
            return {place: closed.get(place, "") + told.of(place) for place in PLACES}

        why = FAULTS[fault]
        try:
            wait_until(lambda: all(why in said for said in reasons().values()), f'"{why}" in each place', LONG)
        except LabError as error:
            pytest.fail(f"{error} {json.dumps(reasons(), indent=2)}")
        begun = {name: len(new_pods(prepared, name)) for name in (*PLACES, "last")}
        assert begun == {"before": 0, "after": REPLICAS, "between": 1, "canary": 1, "compare": 1, "last": 0}
        assert first.process.poll() is None
        well.heal()
        result = first.result(LONG)
    assert {name: outcome for name, outcome in outcomes(result).items() if name != "compare"} == dict.fromkeys(
        ("first", *PLACES[:-1], "last"), "restarted"
    ), result
    if outcomes(result)["compare"] != "restarted":  # a comparison is given up after a minute, which may have been over
        result = operator.run("k8s_rollout_restart", **run, journal={"clusters": ["eu-west"]})
    assert outcomes(result)["compare"] in DONE, result
    assert {gate["name"]: gate["state"] for gate in result["gates"] if gate["state"] != "not_asked"}.get("after") in (
        "open",
        None,
    )
    assert all(len(new_pods(prepared, name)) == REPLICAS for name in (*PLACES, "last"))
