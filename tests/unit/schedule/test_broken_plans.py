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
BOOLEAN = "is a boolean, because YAML reads on, off, yes and no as booleans; put it in quotes"
NOT_FREEZE = (
    "is not a freeze; write 2026-12-20/2027-01-06 (both included), one date, "
    "or two instants as 2026-12-24T18:00:00+01:00/2026-12-27T06:00:00+01:00"
)
NOT_NAME = 'is not the name of an object: lower-case letters, digits, "-" and "."'
NOT_USE = (
    'is not a Secret or ConfigMap; write secret/NAME or configmap/NAME, with lower-case letters, digits, "-", "." and "*" '
    "for any text in NAME"
)
NO_ZONE = "is not an instant with a time zone; write it as 2026-11-01T00:00Z or 2026-11-01T00:00+01:00"
NOT_HOURS = 'is not a range of hours; write it as "22:00-01:00"'
NOT_DAY = "is not a day of the week: mon, tue, wed, thu, fri, sat, sun"
NOT_KIND = "is not one of the kinds Deployment, DaemonSet, StatefulSet"
NEVER_CLOSES = ": never closes; give days, hours or freezes, or leave the window out"
UNKNOWN_ZONE = "is not a time zone known on this machine"
WITHOUT_QUOTES = 'without quotes; write a range in quotes, as "22:00-01:00"'
EMPTY_LIST = "is an empty list; name at least one, or leave the option out"
ZONE_DATA = "write the zone of a place, such as Europe/Berlin; IANA names come from the system's zone data or the Python package tzdata"

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
        "2 is not supported; this collection reads version 1",
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
        '"Rotate CA" is not the name of a plan: lower-case letters, digits and "-", at most 50',
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
    (
        plan(more="colour: red"),
        ".colour",
        "unknown option; the options here are version, name, defaults, workloads, window, failure_budget, max_failure_rate, "
        "last_restarts, gates, accept",
    ),
    (
        plan(more="max_failure_rate: 20"),
        ".max_failure_rate",
        "20 is not a percentage; write 0% to 99%, in whole numbers",
    ),
    (
        plan(more="max_failure_rate: 0.2"),
        ".max_failure_rate",
        "0.2 is not a percentage; write 0% to 99%, in whole numbers",
    ),
    (
        plan(more="max_failure_rate: 100%"),
        ".max_failure_rate",
        '"100%" is not a percentage; write 0% to 99%, in whole numbers',
    ),
    (
        plan(more="max_failure_rate: 1.5%"),
        ".max_failure_rate",
        '"1.5%" is not a percentage; write 0% to 99%, in whole numbers',
    ),
    (
        plan(more="max_failure_rate: -5%"),
        ".max_failure_rate",
        '"-5%" is not a percentage; write 0% to 99%, in whole numbers',
    ),
    (
        plan(more="max_failure_rate: much"),
        ".max_failure_rate",
        '"much" is not a percentage; write 0% to 99%, in whole numbers',
    ),
    (
        plan(more="max_failure_rate: ''"),
        ".max_failure_rate",
        '"" is not a percentage; write 0% to 99%, in whole numbers',
    ),
    (plan(more="gates: {}"), ".gates", "is an empty mapping; give it options, or leave it out"),
    (plan(more="gates: []"), ".gates", "[] is not a mapping of names"),
    (
        plan(more="gates: {a b: {tcp: 'db:5432'}}"),
        ".gates",
        '"a b" is not an id: letters, digits, "-", "_" and ".", at most 63',
    ),
    (
        plan(more="gates: {up: {tcp: 'db:5432'}}"),
        ".gates.up",
        "nothing waits for this gate; name it in gates.before, gates.after, a canary or between_pods, or leave it out",
    ),
    (entry("name: api, canary: {pods: 1}"), ".workloads[0].canary.hold", "is required"),
    (entry("name: api, canary: true"), ".workloads[0].canary", "true is not a mapping of options"),
    (
        entry("name: api, canary: {hold: 2m, pod: 1}"),
        ".workloads[0].canary.pod",
        'unknown option; did you mean "pods"?',
    ),
    (
        entry("name: api, canary: {hold: 2m, pods: 0}"),
        ".workloads[0].canary.pods",
        "0 is neither a whole number of at least 1 nor a percentage such as 10%",
    ),
    (
        entry("name: api, canary: {hold: 2m, pods: 00%}"),
        ".workloads[0].canary.pods",
        '"00%" is neither a whole number of at least 1 nor a percentage such as 10%',
    ),
    (
        entry("name: api, canary: {hold: 2m, gates: up}"),
        ".workloads[0].canary.gates",
        'no gate "up"; the plan has none',
    ),
    (defaults("canary: {hold: 2m, gates: up}"), ".defaults.canary.gates", 'no gate "up"; the plan has none'),
    (entry("name: api, between_pods: {settle: 5s}"), ".workloads[0].between_pods.order", "is required"),
    (
        entry("name: api, between_pods: {}"),
        ".workloads[0].between_pods",
        "is an empty mapping; give it options, or leave it out",
    ),
    (
        entry("name: db, kind: StatefulSet, between_pods: {order: name}"),
        ".workloads[0].between_pods.order",
        '"name" is not one of ordinal, age, zone',
    ),
    *(
        (
            entry(f"name: db, kind: StatefulSet, between_pods: {{order: age, max_unavailable: {written}}}"),
            ".workloads[0].between_pods.max_unavailable",
            f"{shown} is neither a whole number of at least 1 nor a percentage such as 10%",
        )
        for written, shown in (
            ("0", "0"),
            ("-1", "-1"),
            ("0%", '"0%"'),
            ("all", '"all"'),
            ("true", "true"),
            ("1.5", "1.5"),
        )
    ),
    (
        entry("name: db, kind: StatefulSet, between_pods: {order: age, gates: up}"),
        ".workloads[0].between_pods.gates",
        'no gate "up"; the plan has none',
    ),
    (
        entry("name: db, kind: StatefulSet, budgets: enforce, between_pods: {order: ordinal}"),
        ".workloads[0].between_pods",
        "cannot be combined with budgets: enforce, because between_pods says how many pods are replaced at a time; set budgets: "
        "honour for this entry",
    ),
    (
        entry("name: api, between_pods: {order: age}"),
        ".workloads[0].between_pods",
        "the pods of a Deployment are always replaced by its controller; set kind to StatefulSet or DaemonSet, or leave "
        "between_pods out",
    ),
    (
        entry("name: db, kind: [StatefulSet, DaemonSet], between_pods: {order: ordinal}"),
        ".workloads[0].between_pods.order",
        "the pods of a DaemonSet have no ordinals; write age or zone, in an entry of its own if need be",
    ),
    (
        entry("name: db, kind: StatefulSet, between_pods: {order: age, leader: {that: a}}"),
        ".workloads[0].between_pods.leader",
        "give exactly one of label, object and http",
    ),
    (
        entry(
            "name: db, kind: StatefulSet, between_pods: {order: age, leader: {label: a=b, object: {kind: A, name: a}}}"
        ),
        ".workloads[0].between_pods.leader",
        "give exactly one of label, object and http",
    ),
    (
        entry("name: db, kind: StatefulSet, between_pods: {order: age, leader: {label: a=b, that: c}}"),
        ".workloads[0].between_pods.leader.that",
        "has no effect with label; leave it out",
    ),
    (
        entry("name: db, kind: StatefulSet, between_pods: {order: age, leader: {object: {kind: A, name: a}}}"),
        ".workloads[0].between_pods.leader.that",
        "is missing; give a JMESPath expression that gives the name of the pod",
    ),
    (
        entry(
            "name: db, kind: StatefulSet, between_pods: {order: age, leader: {object: {api_version: v1, kind: Secret, name: a}, that: data.a}}"
        ),
        ".workloads[0].between_pods.leader.object",
        "messages would show what a Secret gives, so it may not name the leader; let a Lease or a ConfigMap name it, or give label",
    ),
    (
        entry("name: db, kind: StatefulSet, between_pods: {order: age, leader: {label: role}}"),
        ".workloads[0].between_pods.leader.label",
        '"role" is not a label such as role=primary',
    ),
    *(
        (
            entry(f"name: db, kind: StatefulSet, between_pods: {{order: age, snapshot: {written}}}"),
            f".workloads[0].between_pods.snapshot{path}",
            sentence,
        )
        for written, path, sentence in (
            ("{}", "", "is an empty mapping; give it options, or leave it out"),
            ("{timeout: 5m}", ".class", "is required"),
            ("{class: csi, timeout: 0}", ".timeout", "0 leaves no time; write a duration of more than 0"),
            ("csi", "", '"csi" is not a mapping of options'),
        )
    ),
    *(
        (
            entry(f"name: db, kind: StatefulSet, between_pods: {{order: age, leader: {written}}}"),
            f".workloads[0].between_pods.leader{path}",
            sentence,
        )
        for written, path, sentence in (
            ("{http: {path: /primary}}", ".http.port", "is required"),
            ("{http: {port: 0}}", ".http.port", "0 is not a whole number of at least 1"),
            ("{http: {port: 70000}}", ".http.port", "70000 is not a port; write 1 to 65535"),
            ("{http: {port: 1, path: primary}}", ".http.path", '"primary" is not a path such as /primary'),
            ("{http: {port: 1, path: /a/../b}}", ".http.path", '"/a/../b" is not a path such as /primary'),
            (
                "{http: {port: 1, path: '/a?b=c'}}",
                ".http.path",
                '"/a?b=c" has more than a path; write it without ?, # and %',
            ),
            ("{http: {port: 1, scheme: ftp}}", ".http.scheme", '"ftp" is not one of http, https'),
            ("{http: {port: 1}, status: 42}", ".status", "42 is not a whole number of at least 100"),
            ("{http: {port: 1}, label: a=b}", "", "give exactly one of label, object and http"),
            ("{label: a=b, status: 200}", ".status", "has an effect only with http; leave it out"),
        )
    ),
    (
        entry("name: db, kind: StatefulSet, between_pods: {order: age}, canary: {hold: 2m}"),
        ".workloads[0].between_pods",
        "cannot be combined with canary; take canary out of this entry, or out of the defaults",
    ),
    (
        plan(more="gates: {up: {}}"),
        ".gates.up",
        "the gate has nothing to ask; give exactly one of prometheus, http, object, job, tcp",
    ),
    (
        plan(more="gates: {up: {tcp: db}}"),
        ".gates.up.tcp",
        '"db" is not an address such as db.example.com:5432 or [::1]:5432',
    ),
    (plan(more="gates: {up: {tcp: 'db:5432', max: 1}}"), ".gates.up", "max: has no effect with tcp; leave it out"),
    (plan(more="gates: {up: {htp: 'https://shop'}}"), ".gates.up.htp", 'unknown option; did you mean "http"?'),
    (defaults("gates: {before: [up]}"), ".defaults.gates.before", 'no gate "up"; the plan has none'),
    (entry("gates: {before: [up]}"), ".workloads[0].gates.before", 'no gate "up"; the plan has none'),
    (entry("gates: {}"), ".workloads[0].gates", "is an empty mapping; give it options, or leave it out"),
    (entry("gates: {after: [up]}"), ".workloads[0].gates.after", 'no gate "up"; the plan has none'),
    (defaults("gates: {after: [up]}"), ".defaults.gates.after", 'no gate "up"; the plan has none'),
    (entry("gates: {since: [up]}"), ".workloads[0].gates.since", "unknown option; the options here are before, after"),
    (
        defaults("on_failure: undo, undo_scope: run, undo_across_gates: true"),
        ".defaults.undo_across_gates",
        "has no effect without a gate on a job and undo_scope entry or run; leave it out",
    ),
    # Entries that are gates.
    (entries("{id: a, name: a}", "{id: b, gate: up}"), ".workloads[1].gate", 'no gate "up"; the plan has none'),
    (entries("{id: a, name: a}", "{id: b, gate: []}"), ".workloads[1].gate", "[] is not text"),
    (
        entries("{id: a, name: a}", "{id: b, gate: {}}"),
        ".workloads[1].gate",
        "is an empty mapping; give it options, or leave it out",
    ),
    (
        entries("{id: a, name: a}", "{id: b, gate: {jb: shop/a}}"),
        ".workloads[1].gate.jb",
        'unknown option; did you mean "job"?',
    ),
    (
        entries("{id: a, name: a}", "{id: b, gate: {tcp: 'db:5432', max: 1}}"),
        ".workloads[1].gate",
        "max: has no effect with tcp; leave it out",
    ),
    (
        entries("{id: a, name: a}", "{id: b, gate: {tcp: 'db:5432'}, name: web}"),
        ".workloads[1].name",
        "has no effect in an entry that is a gate; leave it out",
    ),
    (
        entries("{id: a, name: a}", "{id: b, gate: {tcp: 'db:5432'}, on_failure: pause}"),
        ".workloads[1].on_failure",
        "a gate has nothing that could be held; write stop, continue or undo",
    ),
    (
        entries("{id: a, name: a}", "{id: b, gate: {tcp: 'db:5432'}, on_failure: undo}"),
        ".workloads[1].on_failure",
        "undo has no effect in an entry that is a gate, unless undo_scope is run; leave it out, or set undo_scope too",
    ),
    (
        plan(
            "[{id: a, name: a}, {id: up, gate: {tcp: 'db:1'}, after: a}, {id: b, gate: up}]",
            more="gates: {up: {tcp: 'db:5432'}}",
        ),
        ".workloads[1].id",
        '"up" is the name of a gate too; rename one of them',
    ),
    (entries("{id: b, gate: {tcp: 'db:5432'}}"), ".workloads", "all entries are gates; add one that selects workloads"),
    (
        plan(more="last_restarts: 20"),
        ".last_restarts",
        "has no effect without max_failure_rate; add it, or leave last_restarts out",
    ),
    (
        plan(more="failure_budget: -1"),
        ".failure_budget",
        "-1 is neither a whole number of at least 0 nor a percentage such as 10%",
    ),
    (
        plan(more="failure_budget: 101%"),
        ".failure_budget",
        '"101%" is not a percentage; write 0% to 100%, in whole numbers',
    ),
    (
        plan(more="failure_budget: 1.5%"),
        ".failure_budget",
        '"1.5%" is not a percentage; write 0% to 100%, in whole numbers',
    ),
    (
        plan(more="failure_budget: -5%"),
        ".failure_budget",
        '"-5%" is not a percentage; write 0% to 100%, in whole numbers',
    ),
    (
        plan(more="failure_budget: 1.5"),
        ".failure_budget",
        "1.5 is neither a whole number of at least 0 nor a percentage such as 10%",
    ),
    (
        plan(more="failure_budget: yes"),
        ".failure_budget",
        "true is neither a whole number of at least 0 nor a percentage such as 10%",
    ),
    (plan(more="on_failure: undo"), ".on_failure", "unknown here; it is one of the defaults"),
    (plan(more="timeout: 5m"), ".timeout", "unknown here; it is one of the defaults"),
    (plan(more="after: api"), ".after", "unknown here; it is an option of an entry of workloads"),
    (plan(more="freezes: []"), ".freezes", "unknown here; it is an option of the window"),
    (plan(more="namspace: shop"), ".namspace", 'unknown option; did you mean "namespace", one of the defaults?'),
    (entry("labels: {a: b}"), ".workloads[0].labels", 'unknown option; did you mean "label_selectors"?'),
    (
        entry("failure_budgets: 1"),
        ".workloads[0].failure_budgets",
        'unknown option; did you mean "failure_budget", an option of the plan itself?',
    ),
    (window("days: tue, zone: UTC, timezone: UTC"), ".window.zone", 'unknown option; did you mean "timezone"?'),
    (
        plan("[{id: api, namespace: shop}]", defaults="{}"),
        ".defaults",
        "is an empty mapping; give it options, or leave it out",
    ),
    (defaults("kind: Deploymnt"), ".defaults.kind", f'"Deploymnt" {NOT_KIND}; did you mean "Deployment"?'),
    (
        defaults("on_failure: contine"),
        ".defaults.on_failure",
        '"contine" is not one of stop, continue, undo, pause; did you mean "continue"?',
    ),
    (window(f"days: [tue, wednsday], {BERLIN}"), ".window.days", f'"wednsday" {NOT_DAY}; did you mean "wednesday"?'),
    # YAML 1.1 makes a boolean of the key `on`.
    (
        plan(more="on: monday"),
        "",
        ": the key true is not text; YAML reads on, off, yes and no as booleans; put them in quotes",
    ),
    # Defaults.
    (plan("[{id: a, namespace: shop}]", defaults="shop"), ".defaults", '"shop" is not a mapping of options'),
    (defaults("failure_budget: 1"), ".defaults.failure_budget", "unknown here; it is an option of the plan itself"),
    (defaults("max_parallel: 0"), ".defaults.max_parallel", "0 is not a whole number of at least 1"),
    (defaults("max_parallel: three"), ".defaults.max_parallel", '"three" is not a whole number of at least 1'),
    (defaults("budgets: obey"), ".defaults.budgets", '"obey" is not one of honour, enforce, report'),
    (defaults("undo_scope: all"), ".defaults.undo_scope", '"all" is not one of workload, entry, run'),
    (
        defaults("undo_scope: run"),
        ".defaults.undo_scope",
        "has no effect, because on_failure is undo nowhere; set on_failure: undo too, or leave it out",
    ),
    (defaults("on_failure: retry"), ".defaults.on_failure", '"retry" is not one of stop, continue, undo, pause'),
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
    (
        entry("name: api-*"),
        ".workloads[0].name",
        f'"api-*" {NOT_NAME}; to select names by a pattern, use name_pattern: api-*',
    ),
    (
        entry('name: "api, web"'),
        ".workloads[0].name",
        f'"api, web" {NOT_NAME}; for patterns, use name_pattern, in which * stands for any text',
    ),
    (
        entry('name_pattern: "ap?"'),
        ".workloads[0].name_pattern",
        '"ap?" is not a pattern for names: lower-case letters, digits, "-", "." and "*" for any text',
    ),
    (entry('name_pattern: "*"'), ".workloads[0].name_pattern", '"*" matches everything; leave the option out'),
    (entry("uses: internal-ca"), ".workloads[0].uses", f'"internal-ca" {NOT_USE}'),
    (entry("uses: [secret/internal-ca, pvc/data]"), ".workloads[0].uses", f'"pvc/data" {NOT_USE}'),
    (entry("uses: secret/"), ".workloads[0].uses", f'"secret/" {NOT_USE}'),
    (entry("uses: secret/a/b"), ".workloads[0].uses", f'"secret/a/b" {NOT_USE}'),
    (entry('uses: "cm/app-?"'), ".workloads[0].uses", f'"cm/app-?" {NOT_USE}'),
    (entry("uses: secret/Internal-CA"), ".workloads[0].uses", f'"secret/Internal-CA" {NOT_USE}'),
    (entry("uses: [cm/app, configmaps/app]"), ".workloads[0].uses", '"cm/app" is listed twice'),
    (entry("uses: {secret: internal-ca}"), ".workloads[0].uses", '{"secret": "internal-ca"} is not text'),
    (
        entry("service_account: 'app-*'"),
        ".workloads[0].service_account",
        f'"app-*" {NOT_NAME}; to select names by a pattern, use name_pattern: app-*',
    ),
    (
        entry("image: shop web"),
        ".workloads[0].image",
        '"shop web" is not an image; write it as in the pod template, such as shop/web or shop/web:1.2, '
        'with "*" for any text',
    ),
    (entry('image: "**"'), ".workloads[0].image", '"**" matches everything; leave the option out'),
    (entry("started_before: 30d"), ".workloads[0].started_before", "unknown here; it is an option of only"),
    (entry("only: 30d"), ".workloads[0].only", '"30d" is not a mapping of options'),
    (entry("only: {}"), ".workloads[0].only", "is an empty mapping; give it options, or leave it out"),
    (
        entry("only: {started_befor: 30d, started_before: 30d}"),
        ".workloads[0].only.started_befor",
        'unknown option; did you mean "started_before"?',
    ),
    (
        entry("only: {started_before: soon}"),
        ".workloads[0].only.started_before",
        f'"soon" {NOT_DURATION}, or an instant such as 2026-11-01T00:00Z',
    ),
    (
        entry("only: {started_before: 0}"),
        ".workloads[0].only.started_before",
        "0 leaves no time; write a duration of more than 0, or an instant such as 2026-11-01T00:00Z",
    ),
    (entry("only: {started_before: 2026-11-01}"), ".workloads[0].only.started_before", f'"2026-11-01" {NO_ZONE}'),
    (
        entry("only: {started_before: 2026-11-01T00:00:00}"),
        ".workloads[0].only.started_before",
        f'"2026-11-01T00:00:00" {NO_ZONE}',
    ),
    (
        entry("only: {started_before: '2026-02-30T00:00Z'}"),
        ".workloads[0].only.started_before",
        f'"2026-02-30T00:00Z" {NO_ZONE}',
    ),
    (entry("exclude: api"), ".workloads[0].exclude", '"api" is not a mapping of options'),
    (entry("exclude: {names: api}"), ".workloads[0].exclude.names", 'unknown option; did you mean "name"?'),
    (entry("exclude: {uses: pvc/data}"), ".workloads[0].exclude.uses", f'"pvc/data" {NOT_USE}'),
    (
        entry("exclude: {only: {started_before: 1d}}"),
        ".workloads[0].exclude.only",
        "unknown here; it is an option of an entry of workloads",
    ),
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
    (entry("on_failure: retry"), ".workloads[0].on_failure", '"retry" is not one of stop, continue, undo, pause'),
    (
        plan("[{id: api, name: api}]", defaults="{timeout: 5m}"),
        ".workloads[0].namespace",
        "is required, here or as a default, unless all_namespaces is true",
    ),
    (
        entry("all_namespaces: true"),
        ".workloads[0].all_namespaces",
        "would select everything; add one of name, name_pattern, label_selectors, field_selectors, select, uses, "
        "service_account, image",
    ),
    (
        entry("all_namespaces: true, namespace: shop, name: api"),
        ".workloads[0].all_namespaces",
        "cannot be combined with namespace; keep one of the two",
    ),
    (
        plan("[{id: api, all_namespaces: maybe}]", defaults="{timeout: 5m}"),
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
    (window(f"{BERLIN}, freezes: []"), ".window.freezes", EMPTY_LIST),
    (
        window("days: tue, timezone: Europe/Berln"),
        ".window.timezone",
        f'"Europe/Berln" {UNKNOWN_ZONE}; did you mean "Europe/Berlin"?',
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
    (window(f"hours: 22:00, {BERLIN}"), ".window.hours", f"1320 is how YAML reads 22:00 {WITHOUT_QUOTES}"),
    (window(f"hours: [1:30], {BERLIN}"), ".window.hours", f"90 is how YAML reads 1:30 {WITHOUT_QUOTES}"),
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
        check(
            yaml.safe_load("""
                version: 1
                name: rotate
                workload: []
                defaults: {max_parallel: none}
                workloads:
                  - {id: core, name: core, namespace: shop, after: cach}
                  - {id: cache, name: 7}
                window: {days: tue, hours: 22:00, timezone: Europe/Berlin}
                """)
        )
    assert str(failure.value).splitlines() == failure.value.errors
    assert [error.split(":")[0] for error in failure.value.errors] == [
        "restart_plan.workload",
        "restart_plan.defaults.max_parallel",
        "restart_plan.workloads[1].name",
        "restart_plan.window.hours",
        "restart_plan.workloads[1].namespace",
        "restart_plan.workloads[0].after",
    ]
