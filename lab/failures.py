# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Failures on demand: from now on, new pods that match a selector fail."""

from __future__ import annotations

import hashlib
import json

from lab.api import Api, ApiError, Object
from lab.errors import LabError
from lab.poll import wait_until

# What a pod can do; stages.py says how it then looks.
FAILURES = ("image-pull", "crash-loop", "slow-start", "never-ready", "oom", "fail-later", "never-ends", "by-hand")

LABEL = "lab.restartx.io/failure"
_SELECTOR = "lab.restartx.io/selector"
_MARK = "lab.restartx.io/"  # with a policy's name: the annotation by which one knows it acted
_GROUP = "/apis/admissionregistration.k8s.io/v1"
_POLICIES = f"{_GROUP}/mutatingadmissionpolicies"
_BINDINGS = f"{_GROUP}/mutatingadmissionpolicybindings"

# Policies take a moment to work. They are tried out in this namespace, where nobody
# keeps pods, so that no quota or pod security of the real one is in the way.
_TRIAL = "kube-node-lease"


def fail(
    api: Api,
    selector: dict[str, str],
    failure: str,
    namespace: str | None = None,
    annotations: dict[str, str] | None = None,
) -> None:
    """Let new pods with the labels `selector` (a dict) fail; running ones stay as they are.

    Without `namespace` in all of them. Works when it returns. The same selector and
    namespace again changes the failure. `annotations` are set on those pods, too, whatever
    their template says.
    """
    if failure not in FAILURES:
        raise LabError(f'There is no failure "{failure}"; choose one of {", ".join(FAILURES)}.')
    if not selector:
        raise LabError("An empty selector would fail every pod; name at least one label.")
    policy = _policy(selector, failure, namespace, annotations or {})
    name = policy["metadata"]["name"]
    binding = {
        "apiVersion": policy["apiVersion"],
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": policy["metadata"],
        "spec": {"policyName": name},
    }
    _end(api, name, selector)
    api.request("POST", _POLICIES, policy)
    api.request("POST", _BINDINGS, binding)
    wait_until(
        lambda: _tried(api, name, selector),
        f"the API server to apply the failure {failure} to new pods",
    )


def heal(api: Api, selector: dict[str, str] | None = None) -> None:
    """End what `fail` began for `selector`, or for all; works when it returns.

    Pods that already fail go on failing: like in life they have to be replaced.
    """
    for policy in api.request("GET", _POLICIES)["items"]:
        text = policy["metadata"].get("annotations", {}).get(_SELECTOR)
        if text and selector in (None, json.loads(text)):
            _end(api, policy["metadata"]["name"], json.loads(text))


def _policy(selector: dict[str, str], failure: str, namespace: str | None, annotations: dict[str, str]) -> Object:
    key = json.dumps([selector, namespace], sort_keys=True)
    constraints: Object = {
        "matchPolicy": "Equivalent",
        "objectSelector": {"matchLabels": selector},
        "resourceRules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "resources": ["pods"],
                "operations": ["CREATE"],
            }
        ],
    }
    if namespace:
        constraints["namespaceSelector"] = {
            "matchExpressions": [
                {
                    "key": "kubernetes.io/metadata.name",
                    "operator": "In",
                    "values": [namespace, _TRIAL],
                }
            ]
        }
    name = "restartx-lab-" + hashlib.sha256(key.encode()).hexdigest()[:10]
    marks = json.dumps({**annotations, f"{_MARK}{name}": failure})
    expression = f'Object{{metadata: Object.metadata{{labels: {{"{LABEL}": "{failure}"}}, annotations: {marks}}}}}'
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {
            "name": name,
            "annotations": {_SELECTOR: json.dumps(selector)},
        },
        "spec": {
            "matchConstraints": constraints,
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "mutations": [
                {
                    "patchType": "ApplyConfiguration",
                    "applyConfiguration": {"expression": expression},
                }
            ],
        },
    }


def _tried(api: Api, name: str, selector: dict[str, str]) -> bool:
    """Whether policy `name` acts on a pod with these labels now."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "trial", "labels": selector},
        "spec": {"containers": [{"name": "trial", "image": "trial"}]},
    }
    answer = api.request("POST", f"/api/v1/namespaces/{_TRIAL}/pods?dryRun=All", pod)
    return _MARK + name in answer["metadata"].get("annotations", {})


def _end(api: Api, name: str, selector: dict[str, str]) -> None:
    for path in (_BINDINGS, _POLICIES):
        try:
            api.request("DELETE", f"{path}/{name}")
        except ApiError as error:
            if error.code != 404:
                raise
    wait_until(lambda: not _tried(api, name, selector), "the API server to stop failing new pods")
