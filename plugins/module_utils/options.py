# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options that modules share, as dicts to merge. plugins/doc_fragments documents each group."""

from __future__ import annotations

CONNECTION = {
    "kubeconfig": {"type": "raw", "no_log": False},
    "context": {"type": "str"},
    "host": {"type": "str"},
    "api_key": {"type": "str", "no_log": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "validate_certs": {"type": "bool", "aliases": ["verify_ssl"]},
    "ca_cert": {"type": "path", "aliases": ["ssl_ca_cert"]},
    "client_cert": {"type": "path", "aliases": ["cert_file"]},
    "client_key": {"type": "path", "aliases": ["key_file"], "no_log": False},
    "proxy": {"type": "str"},
    "no_proxy": {"type": "str"},
    "proxy_headers": {
        "type": "dict",
        "options": {
            "proxy_basic_auth": {"type": "str", "no_log": True},
            "basic_auth": {"type": "str", "no_log": True},
            "user_agent": {"type": "str"},
        },
    },
    "persist_config": {"type": "bool"},
    "impersonate_user": {"type": "str"},
    "impersonate_groups": {"type": "list", "elements": "str"},
    "cluster_uid": {"type": "str"},
    "controller": {"type": "str"},
    "progress": {"type": "str"},
}

SELECTION = {
    "api_version": {"type": "str", "default": "apps/v1", "choices": ["apps/v1"], "aliases": ["api", "version"]},
    "kind": {"type": "list", "elements": "str", "default": ["Deployment"]},
    "name": {"type": "list", "elements": "str"},  # no default: an empty list is a mistake
    "name_pattern": {"type": "list", "elements": "str"},
    "namespace": {"type": "list", "elements": "str", "default": []},
    "all_namespaces": {"type": "bool", "default": False},
    "label_selectors": {"type": "list", "elements": "str", "default": []},
    "field_selectors": {"type": "list", "elements": "str", "default": []},
    "select": {"type": "str"},
    "uses": {"type": "list", "elements": "str"},
    "service_account": {"type": "list", "elements": "str"},
    "image": {"type": "list", "elements": "str"},
    "only": {"type": "dict", "options": {"started_before": {"type": "str", "required": True}}},
    "exclude": {
        "type": "dict",
        "options": {
            "name": {"type": "list", "elements": "str"},
            "name_pattern": {"type": "list", "elements": "str"},
            "label_selectors": {"type": "list", "elements": "str"},
            "uses": {"type": "list", "elements": "str"},
            "service_account": {"type": "list", "elements": "str"},
            "image": {"type": "list", "elements": "str"},
        },
    },
    "allow_empty": {"type": "bool", "default": False},
}

WAITING = {
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "str"},
    "timeout": {"type": "str", "default": "10m"},
    "grace": {"type": "str", "default": "5m"},
    "logs": {"type": "bool", "default": True},
}

PACING = {
    "max_parallel": {"type": "int"},
    "stagger": {"type": "str", "default": "0s"},
    "settle": {"type": "str", "default": "0s"},
    "failure_budget": {"type": "str", "default": "0"},
    "fail_fast": {"type": "bool", "default": False},
}

CHANGING = {
    "field_manager": {"type": "str", "default": "restartx"},
    "allow_owned": {"type": "bool", "default": False},
}


def but(options: dict, **changes: dict) -> dict:
    """A group of options with some changes: `but(WAITING, wait={"default": False})`."""
    return {name: {**option, **changes.get(name, {})} for name, option in options.items()}
