# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes a gate from its options."""

from __future__ import annotations

import base64
import typing as t
from pathlib import Path

from ansible_collections.restartx.core.plugins.module_utils.cluster import web
from ansible_collections.restartx.core.plugins.module_utils.gates import judgement
from ansible_collections.restartx.core.plugins.module_utils.gates.expression import Expression
from ansible_collections.restartx.core.plugins.module_utils.gates.gate import Gate
from ansible_collections.restartx.core.plugins.module_utils.gates.http import HttpGate
from ansible_collections.restartx.core.plugins.module_utils.gates.objects import JobGate, ObjectGate
from ansible_collections.restartx.core.plugins.module_utils.gates.prometheus import Bounds, PrometheusGate
from ansible_collections.restartx.core.plugins.module_utils.gates.provider import GateError, Provider
from ansible_collections.restartx.core.plugins.module_utils.gates.tcp import Tcp
from ansible_collections.restartx.core.plugins.module_utils.rollout import kinds
from ansible_collections.restartx.core.plugins.module_utils.schedule import gating, values
from ansible_collections.restartx.core.plugins.module_utils.schedule.errors import ScheduleError

Values = t.Mapping[str, t.Any]
R = t.TypeVar("R")
BOUNDS = ("max", "min", "equals")


def gate_of(given: Values, namespace: str | None = None) -> Gate:
    """The gate that these options describe. `namespace` is that of objects which name none.

    Raises ScheduleError that names the option.
    """
    provider = gating.provider_of(given)
    limits = judgement.Limits(
        timeout=_read(given, "timeout", values.deadline, judgement.TIMEOUT),
        interval=_read(given, "interval", values.deadline, judgement.INTERVAL),
        hold=_read(given, "for", values.duration, 0.0),
        on_timeout=_read(given, "on_timeout", values.choice(*gating.ON_TIMEOUT), judgement.FAIL),
    )
    if limits.hold >= limits.timeout:
        raise ScheduleError("for: is not shorter than timeout, so the gate could never open; give a longer timeout")
    return Gate(MAKERS[provider](given, namespace), limits)


def _prometheus(given: Values, namespace: str | None) -> Provider:
    if "url" not in given:
        raise ScheduleError("url: is missing; give the address of Prometheus, such as http://prometheus:9090")
    if not any(name in given for name in BOUNDS):
        raise ScheduleError("the gate compares with nothing; give max, min or equals")
    bounds = Bounds(*(_read(given, name, gating.number, None) for name in BOUNDS))
    site = _site(given, _read(given, "url", gating.url, ""))
    return PrometheusGate(_read(given, "prometheus", values.text, ""), site, bounds)


def _http(given: Values, namespace: str | None) -> Provider:
    return HttpGate(
        site=_site(given, _read(given, "http", gating.url, "")),
        statuses=_read(given, "status", values.many(gating.status), (200,)),
        matches=_read(given, "matches", gating.pattern, None),
        that=_expression(given),
        max_latency=_read(given, "max_latency", values.deadline, None),
        certificate_for=_read(given, "certificate", values.duration, None),
    )


def _object(given: Values, namespace: str | None) -> Provider:
    wanted = given["object"]
    if not isinstance(wanted, t.Mapping):
        raise ScheduleError("object: is not a mapping of api_version, kind, name and namespace")
    for option in wanted:
        if option not in gating.OBJECT_ROWS:
            raise ScheduleError(f"object.{option}: unknown option{values.closest(str(option), gating.OBJECT_ROWS)}")
    for option in ("kind", "name"):
        if option not in wanted:
            raise ScheduleError(f"object.{option}: is missing")
    that = _expression(given)
    if that is None:
        raise ScheduleError("that: is missing; give a JMESPath expression that must be true of the object")
    kind = _read(wanted, "kind", values.text, "", "object.")
    if "api_version" not in wanted and kind not in kinds.KINDS:
        raise ScheduleError(f'object.api_version: is missing; give the one of the kind "{kind}", such as v1')
    own = _read(wanted, "namespace", values.namespace, None, "object.")
    version = _read(wanted, "api_version", values.text, "apps/v1", "object.")
    return ObjectGate(version, kind, _read(wanted, "name", values.text, "", "object."), own or namespace, that)


def _job(given: Values, namespace: str | None) -> Provider:
    own, name = _read(given, "job", gating.job, (None, ""))
    found = own or namespace
    if found is None:
        raise ScheduleError(f"job: give the namespace too, as NAMESPACE/{name}")
    return JobGate(found, name)


def _tcp(given: Values, namespace: str | None) -> Provider:
    return Tcp(*_read(given, "tcp", gating.address, ("", 0)))


MAKERS: t.Mapping[str, t.Callable[[Values, str | None], Provider]] = {
    "prometheus": _prometheus,
    "http": _http,
    "object": _object,
    "job": _job,
    "tcp": _tcp,
}


def _read(given: Values, option: str, reader: t.Callable[[t.Any], R], missing: t.Any, path: str = "") -> R:
    if option not in given:
        return t.cast(R, missing)
    try:
        return reader(given[option])
    except ScheduleError as error:
        raise ScheduleError(f"{path}{option}: {error}") from error


def _expression(given: Values) -> Expression | None:
    return expression(_read(given, "that", values.text, "")) if "that" in given else None


def expression(written: str) -> Expression:
    """The expression of the option `that`. Raises ScheduleError."""
    try:
        return Expression(written)
    except GateError as error:
        raise ScheduleError(f"that: {error}") from error


def _site(given: Values, url: str) -> web.Site:
    auth = given.get("auth") or {}
    token, username, password = (auth.get(name) for name in ("token", "username", "password"))
    if token and (username or password):
        raise ScheduleError("auth: token and username contradict each other; give one of them")
    if bool(username) != bool(password):
        raise ScheduleError("auth: username and password belong together; give both, or neither")
    authorization = f"Bearer {token}" if token else None
    if username:
        authorization = f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"
    authority = None
    if auth.get("ca_cert"):
        path = Path(auth["ca_cert"]).expanduser()
        try:
            authority = path.read_bytes()
        except OSError as error:
            raise ScheduleError(f"auth.ca_cert: {path} cannot be read: {error.strerror}") from error
    validate = auth.get("validate_certs")
    return web.Site(url, authority, validate is not False, authorization)
