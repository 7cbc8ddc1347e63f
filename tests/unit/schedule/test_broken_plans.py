# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans that are wrong: for each exactly one sentence, with its path, and nothing else."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import PlanError
from ansible_collections.restartx.core.plugins.module_utils.schedule.plan import check

API = "{id: api, name: api}"


def plan(workloads=f"[{API}]", more="", defaults="{namespace: shop}"):
    return f"{{version: 1, name: rotate, defaults: {defaults}, workloads: {workloads}, {more}}}"


def entries(*texts):
    return plan(f"[{', '.join(texts)}]")


def entry(text):
    return entries(f"{{id: api, {text}}}")


def defaults(text):
    return plan(defaults=f"{{namespace: shop, {text}}}")


def window(text):
    return plan(more=f"window: {{{text}}}")


BERLIN = "timezone: Europe/Berlin"
NOT_DURATION = 'is not a duration; write "90s", "15m", "3h", "1h30m" or a number of seconds'
BOOLEAN = "is a boolean, which YAML makes of on, off, yes and no; put it in quotes"
NOT_FREEZE = (
    "is not a freeze; write 2026-12-20/2027-01-06 (both included), one date, "
    "or two instants as 2026-12-24T18:00:00+01:00/2026-12-27T06:00:00+01:00"
)
OBJECT_NAME = 'is not the name of an object: lower-case letters, digits, "-" and "."; for patterns there is select'
NOT_HOURS = 'is not a range of hours; write it as "22:00-01:00"'
NOT_DAY = "is not a day of the week: mon, tue, wed, thu, fri, sat, sun"
NOT_KIND = "is not one of the kinds Deployment, DaemonSet, StatefulSet"
NEVER_CLOSES = ": never closes; give days, hours or freezes, or leave the window out"
UNKNOWN_ZONE = "is not a time zone known on this machine"
WITHOUT_QUOTES = 'without quotes; write a range in quotes, as "22:00-01:00"'
ZONE_DATA = "IANA names come from the system's zone data or the Python package tzdata"

# What was written, the path below restart_plan, and the sentence.
BROKEN = [
    # The plan as a whole.
    ("", "", ": null is not a mapping of options"),
    ("[]", "", ": [] is not a mapping of options"),
    ("restart prod", "", ': "restart prod" is not a mapping of options'),
    ("{name: a, workloads: [{id: a, namespace: b}]}", ".version", "is required"),
    (
        "{version: 2, name: a, workloads: [{id: a, namespace: b}]}",
        ".version",
        "2 is not known here; this collection reads version 1",
    ),
    (
        "{version: v1, name: a, workloads: [{id: a, namespace: b}]}",
        ".version",
        '"v1" is not a whole number of at least 0',
    ),
    ("{version: 1, workloads: [{id: a, namespace: b}]}", ".name", "is required"),
    (
        "{version: 1, name: Rotate CA, workloads: [{id: a, namespace: b}]}",
        ".name",
        '"Rotate CA" is not a name: lower-case letters, digits and "-", at most 63',
    ),
    (
        "{version: 1, name: 2026-11-24, workloads: [{id: a, namespace: b}]}",
        ".name",
        "2026-11-24 is a date; put it in quotes",
    ),
    ("{version: 1, name: a}", ".workloads", "is required"),
    (plan("[]"), ".workloads", "[] is not a list with at least one entry"),
    (plan("{id: api}"), ".workloads", '{"id": "api"} is not a list with at least one entry'),
    (plan("null"), ".workloads", "has no value; give one, or leave the option out"),
    (plan(more="failure_budgt: 1"), ".failure_budgt", 'unknown option; did you mean "failure_budget"?'),
    (plan(more="colour: red"), ".colour", "unknown option"),
    (plan(more="failure_budget: -1"), ".failure_budget", "-1 is not a whole number of at least 0"),
    (plan(more="failure_budget: 10%"), ".failure_budget", '"10%" is not a whole number of at least 0'),
    (plan(more="failure_budget: 1.5"), ".failure_budget", "1.5 is not a whole number of at least 0"),
    (plan(more="failure_budget: yes"), ".failure_budget", "true is not a whole number of at least 0"),
    (plan(more="on_failure: undo"), ".on_failure", "unknown here; it is one of the defaults"),
    (plan(more="timeout: 5m"), ".timeout", "unknown here; it is one of the defaults"),
    (plan(more="after: api"), ".after", "unknown here; it is an option of an entry of workloads"),
    (plan(more="freezes: []"), ".freezes", "unknown here; it is an option of the window"),
    # YAML 1.1 makes a boolean of the key `on`.
    (
        plan(more="on: monday"),
        "",
        ": the key true is not text; YAML makes booleans of on, off, yes and no; put them in quotes",
    ),
    # Defaults.
    (plan("[{id: a, namespace: shop}]", defaults="shop"), ".defaults", '"shop" is not a mapping of options'),
    (defaults("failure_budget: 1"), ".defaults.failure_budget", "unknown here; it is an option of the plan itself"),
    (defaults("max_parallel: 0"), ".defaults.max_parallel", "0 is not a whole number of at least 1"),
    (defaults("max_parallel: three"), ".defaults.max_parallel", '"three" is not a whole number of at least 1'),
    (defaults("on_failure: retry"), ".defaults.on_failure", '"retry" is not one of stop, continue, undo'),
    (defaults("timeout: 10 minutes"), ".defaults.timeout", f'"10 minutes" {NOT_DURATION}'),
    (defaults("timeout: -1"), ".defaults.timeout", f"-1 {NOT_DURATION}"),
    (defaults("timeout: 0s"), ".defaults.timeout", '"0s" leaves no time; write a duration of more than 0'),
    (defaults("settle: [30s]"), ".defaults.settle", f'["30s"] {NOT_DURATION}'),
    (defaults("stagger: -5s"), ".defaults.stagger", f'"-5s" {NOT_DURATION}'),
    (
        plan(defaults="{namespace: Shop}"),
        ".defaults.namespace",
        '"Shop" is not the name of a namespace: lower-case letters, digits and "-", at most 63',
    ),
    (defaults("name: api"), ".defaults.name", "unknown here; it is an option of an entry of workloads"),
    # Entries, one by one.
    (entries(API, "web"), ".workloads[1]", '"web" is not a mapping of options'),
    (entries(API, "{name: web, after: api}"), ".workloads[1].id", "is required"),
    (entries("{id: on, name: api}"), ".workloads[0].id", f"true {BOOLEAN}"),
    (entries("{id: no, name: api}", "{id: web, name: web, after: api}"), ".workloads[0].id", f"false {BOOLEAN}"),
    (entries("{id: 7, name: api}"), ".workloads[0].id", "7 is a number; put it in quotes"),
    (
        entries("{id: the api, name: api}"),
        ".workloads[0].id",
        '"the api" is not an id: letters, digits, "-", "_" and ".", at most 63',
    ),
    (entry("kind: Pod"), ".workloads[0].kind", f'"Pod" {NOT_KIND}'),
    (entry("kind: [Deployment, CronJob]"), ".workloads[0].kind", f'"CronJob" {NOT_KIND}'),
    (entry("name: 0123"), ".workloads[0].name", "83 is a number; put it in quotes"),
    (entry("name: [api, 1.5]"), ".workloads[0].name", "1.5 is a number; put it in quotes"),
    (entry("name: api-*"), ".workloads[0].name", f'"api-*" {OBJECT_NAME}'),
    (entry('name: "api, web"'), ".workloads[0].name", f'"api, web" {OBJECT_NAME}'),
    (entry("name: [api, api]"), ".workloads[0].name", '"api" is listed twice'),
    (entry("name: []"), ".workloads[0].name", "is an empty list; name at least one, or leave the option out"),
    (entry("name:"), ".workloads[0].name", "has no value; give one, or leave the option out"),
    (entry('name: ""'), ".workloads[0].name", "is empty text"),
    (entry("name: {first: api}"), ".workloads[0].name", '{"first": "api"} is not text'),
    (entry("namespace: 2026-11-24"), ".workloads[0].namespace", "2026-11-24 is a date; put it in quotes"),
    (entry("label_selectors: {tier: web}"), ".workloads[0].label_selectors", '{"tier": "web"} is not text'),
    (entry("optional: maybe"), ".workloads[0].optional", '"maybe" is not true or false'),
    (entry("select: true"), ".workloads[0].select", f"true {BOOLEAN}"),
    (entry("max_parallel: 50%"), ".workloads[0].max_parallel", '"50%" is not a whole number of at least 1'),
    (entry("name: api, names: web"), ".workloads[0].names", 'unknown option; did you mean "name"?'),
    (entry("on_failure: stop"), ".workloads[0].on_failure", "unknown here; it is one of the defaults"),
    (
        plan("[{id: api, name: api}]", defaults="{}"),
        ".workloads[0].namespace",
        "is required, here or as a default, unless all_namespaces is true",
    ),
    (
        entry("all_namespaces: true"),
        ".workloads[0].all_namespaces",
        "would select everything; add one of name, label_selectors, field_selectors, select",
    ),
    (
        entry("all_namespaces: true, namespace: shop, name: api"),
        ".workloads[0].all_namespaces",
        "contradicts namespace beside it; keep one of the two",
    ),
    (
        plan("[{id: api, all_namespaces: maybe}]", defaults="{}"),
        ".workloads[0].all_namespaces",
        '"maybe" is not true or false',
    ),
    # Entries among each other.
    (
        entries("{id: cache, name: a}", "{id: b, name: b}", "{id: c, name: c, after: [cach]}"),
        ".workloads[2].after",
        'no workload "cach"; did you mean "cache"?',
    ),
    (entries(API, "{id: web, name: web, after: database}"), ".workloads[1].after", 'no workload "database"'),
    (entries(API, "{id: web, name: web, after: [api, api]}"), ".workloads[1].after", '"api" is listed twice'),
    (entries("{id: api, name: api, after: api}"), ".workloads[0].after", "goes in a circle: api -> api"),
    (
        entries("{id: a, name: a, after: b}", "{id: b, name: b, after: c}", "{id: c, name: c, after: a}"),
        ".workloads[0].after",
        "goes in a circle: a -> b -> c -> a",
    ),
    (entries(API, "{id: api, name: web}"), ".workloads[1].id", '"api" is the id of restart_plan.workloads[0] already'),
    (
        entries(API, "{id: web, name: [web, api]}"),
        ".workloads[1].name",
        'Deployment "api" in namespace "shop" is named by restart_plan.workloads[0] already',
    ),
    # The window.
    (plan(more='window: "22:00-01:00"'), ".window", '"22:00-01:00" is not a mapping of options'),
    (plan(more="window:"), ".window", "has no value; give one, or leave the option out"),
    (window("days: tue"), ".window.timezone", "is required"),
    (window(BERLIN), ".window", NEVER_CLOSES),
    (window(f"{BERLIN}, freezes: []"), ".window", NEVER_CLOSES),
    (
        window("days: tue, timezone: Europe/Berln"),
        ".window.timezone",
        f'"Europe/Berln" {UNKNOWN_ZONE}; did you mean "Europe/Berlin"? {ZONE_DATA}',
    ),
    (window("days: tue, timezone: Middle/Earth"), ".window.timezone", f'"Middle/Earth" {UNKNOWN_ZONE}; {ZONE_DATA}'),
    (
        window("days: tue, timezone: ../../etc/passwd"),
        ".window.timezone",
        f'"../../etc/passwd" {UNKNOWN_ZONE}; {ZONE_DATA}',
    ),
    (window("days: tue, timezone: +1"), ".window.timezone", "1 is a number; put it in quotes"),
    (window(f"days: [tue, thr], {BERLIN}"), ".window.days", f'"thr" {NOT_DAY}'),
    (window(f"days: mon-fri, {BERLIN}"), ".window.days", f'"mon-fri" {NOT_DAY}'),
    (window(f"days: [], {BERLIN}"), ".window.days", "is an empty list; name at least one, or leave the option out"),
    (window(f"days: [tue, Tuesday], {BERLIN}"), ".window.days", '"tue" is listed twice'),
    (window(f"hours: 22:00, {BERLIN}"), ".window.hours", f"1320 is what YAML makes of 22:00 {WITHOUT_QUOTES}"),
    (window(f"hours: [1:30], {BERLIN}"), ".window.hours", f"90 is what YAML makes of 1:30 {WITHOUT_QUOTES}"),
    (window(f"hours: 22-1, {BERLIN}"), ".window.hours", f'"22-1" {NOT_HOURS}'),
    (window(f"hours: 22:00-25:00, {BERLIN}"), ".window.hours", f'"22:00-25:00" {NOT_HOURS}'),
    (window(f"hours: 24:00-01:00, {BERLIN}"), ".window.hours", f'"24:00-01:00" {NOT_HOURS}'),
    (window(f"hours: 10:60-11:00, {BERLIN}"), ".window.hours", f'"10:60-11:00" {NOT_HOURS}'),
    (
        window(f"hours: 22:00-22:00, {BERLIN}"),
        ".window.hours",
        '"22:00-22:00" is no time at all; the whole day is "00:00-24:00"',
    ),
    (window(f"hour: 22:00-23:00, days: tue, {BERLIN}"), ".window.hour", 'unknown option; did you mean "hours"?'),
    (
        window(f"freezes: 2026-12-24/2026-12-20, {BERLIN}"),
        ".window.freezes",
        '"2026-12-24/2026-12-20" ends before it starts',
    ),
    (
        window(f"freezes: 2026-12-20/9999-12-31, {BERLIN}"),
        ".window.freezes",
        '"2026-12-20/9999-12-31" lies outside the years 2000 to 2999',
    ),
    (window(f"freezes: 0001-01-01, {BERLIN}"), ".window.freezes", '"0001-01-01" lies outside the years 2000 to 2999'),
    (window(f"freezes: Christmas, {BERLIN}"), ".window.freezes", f'"Christmas" {NOT_FREEZE}'),
    (window(f"freezes: 2026-02-30/2026-03-01, {BERLIN}"), ".window.freezes", f'"2026-02-30/2026-03-01" {NOT_FREEZE}'),
    (
        window(f"freezes: 2026-12-20/2026-12-21/2026-12-22, {BERLIN}"),
        ".window.freezes",
        f'"2026-12-20/2026-12-21/2026-12-22" {NOT_FREEZE}',
    ),
    (
        window(f"freezes: 2026-12-24T18:00:00/2026-12-27T06:00:00, {BERLIN}"),
        ".window.freezes",
        f'"2026-12-24T18:00:00/2026-12-27T06:00:00" {NOT_FREEZE}',
    ),
    (
        window(f"freezes: 2026-12-20/2026-12-27T06:00:00Z, {BERLIN}"),
        ".window.freezes",
        '"2026-12-20/2026-12-27T06:00:00Z" mixes a date and an instant; write two dates or two instants',
    ),
    (
        window(f"freezes: [2026-12-24T18:00:00Z], {BERLIN}"),
        ".window.freezes",
        "2026-12-24T18:00:00+00:00 is one instant; a freeze has a start and an end, with / between",
    ),
]


IDS = [f"{index}:{path or 'plan'}" for index, (_written, path, _sentence) in enumerate(BROKEN)]


@pytest.mark.parametrize("written, path, sentence", BROKEN, ids=IDS)
def test_a_broken_plan_gives_one_clear_sentence_with_its_path(written, path, sentence):
    with pytest.raises(PlanError) as failure:
        check(yaml.safe_load(written))
    separator = "" if sentence.startswith(":") else ": "
    assert failure.value.errors == [f"restart_plan{path}{separator}{sentence}"]


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(PlanError) as failure:
        check(yaml.safe_load("""
                version: 1
                name: rotate
                workload: []
                defaults: {max_parallel: none}
                workloads:
                  - {id: core, name: core, namespace: shop, after: cach}
                  - {id: cache, name: 7}
                window: {days: tue, hours: 22:00, timezone: Europe/Berlin}
                """))
    assert str(failure.value).splitlines() == failure.value.errors
    assert [error.split(":")[0] for error in failure.value.errors] == [
        "restart_plan.workload",
        "restart_plan.defaults.max_parallel",
        "restart_plan.workloads[1].name",
        "restart_plan.window.hours",
        "restart_plan.workloads[1].namespace",
        "restart_plan.workloads[0].after",
    ]
