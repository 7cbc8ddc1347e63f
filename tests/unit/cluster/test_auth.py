# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of options and environment counts, and what in them is secret."""

from __future__ import annotations

import pytest

from ansible_collections.restartx.core.plugins.module_utils.cluster.auth import VARIABLES, resolve, secrets_of

ENVIRONMENT = {
    "K8S_AUTH_HOST": "https://env:6443",
    "K8S_AUTH_API_KEY": "env-token",
    "K8S_AUTH_CONTEXT": "env",
    "K8S_AUTH_VERIFY_SSL": "false",
    "K8S_AUTH_PROXY": "http://env:3128",
    "K8S_AUTH_NO_PROXY": "other.example",
    "K8S_AUTH_IMPERSONATE_USER": "env-user",
    "K8S_AUTH_PROXY_HEADERS_USER_AGENT": "env-agent",
}
# What says how a cluster is reached, and not which.
WAY = {"proxy": "http://env:3128", "no_proxy": "other.example", "proxy_headers": {"user_agent": "env-agent"}}


@pytest.mark.parametrize(
    ("options", "environ", "expected"),
    [
        ({}, {}, {}),
        ({"host": "a", "api_key": "b"}, {}, {"host": "a", "api_key": "b"}),
        ({"host": "a"}, {"K8S_AUTH_HOST": "env", "K8S_AUTH_API_KEY": "t"}, {"host": "a", "api_key": "t"}),
        ({"host": "", "context": None, "proxy_headers": {}}, {"K8S_AUTH_HOST": "env"}, {"host": "env"}),
        ({}, {"K8S_AUTH_HOST": ""}, {}),
        ({"name": "api", "namespace": "shop"}, {}, {}),
        ({"context": "prod"}, ENVIRONMENT, {"context": "prod", **WAY}),
        ({"kubeconfig": "/k"}, ENVIRONMENT | {"K8S_AUTH_KUBECONFIG": "/env"}, {"kubeconfig": "/k", **WAY}),
        (
            {"context": "prod", "proxy": "http://own:1"},
            ENVIRONMENT,
            {"context": "prod", **WAY, "proxy": "http://own:1"},
        ),
        ({"context": "prod"}, {"K8S_AUTH_KUBECONFIG": "/env"}, {"context": "prod", "kubeconfig": "/env"}),
        ({"context": "prod", "host": "a"}, ENVIRONMENT, {"context": "prod", "host": "a", **WAY}),
        ({"validate_certs": True}, {"K8S_AUTH_VERIFY_SSL": "no"}, {"validate_certs": True}),
        ({"validate_certs": False}, {}, {"validate_certs": False}),
        (
            {"proxy_headers": {"basic_auth": "a:b", "user_agent": None}},
            {"K8S_AUTH_PROXY_HEADERS_USER_AGENT": "c"},
            {"proxy_headers": {"basic_auth": "a:b"}},
        ),
        ({}, {"K8S_AUTH_PROXY_HEADERS_PROXY_BASIC_AUTH": "a:b"}, {"proxy_headers": {"proxy_basic_auth": "a:b"}}),
        ({}, {"K8S_AUTH_IMPERSONATE_GROUPS": "dev, ops,"}, {"impersonate_groups": ["dev", "ops"]}),
    ],
)
def test_options_beat_variables_and_a_context_or_kubeconfig_option_beats_the_whole_group(options, environ, expected):
    assert resolve(options, environ) == expected


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("validate_certs", ["VALIDATE_CERTS", "VERIFY_SSL"]),
        ("ca_cert", ["CA_CERT", "SSL_CA_CERT"]),
        ("client_cert", ["CLIENT_CERT", "CERT_FILE"]),
        ("client_key", ["CLIENT_KEY", "KEY_FILE"]),
        *[(name, [name.upper()]) for name in ("kubeconfig", "context", "host", "username", "password", "api_key")],
        *[(name, [name.upper()]) for name in ("proxy", "no_proxy", "persist_config", "impersonate_user")],
    ],
)
def test_every_spelling_of_a_variable_is_read(name, variables):
    for variable in variables:
        assert name in resolve({}, {f"K8S_AUTH_{variable}": "x"})
    assert list(VARIABLES[name]) == [f"K8S_AUTH_{variable}" for variable in variables]


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", False), ("false", False), ("No", False), ("FALSE", False), ("1", True), ("yes", True), ("off", True)],
)
def test_certificates_are_validated_unless_the_variable_says_no(text, value):
    assert resolve({}, {"K8S_AUTH_VERIFY_SSL": text}) == {"validate_certs": value}


KUBECONFIG = {
    "users": [
        {"name": "a", "user": {"token": "tok-1", "password": "pass-1", "client-key-data": "key-1", "username": "ann"}},
        {"name": "b", "user": {"auth-provider": {"name": "oidc", "config": {"id-token": "id-1", "client-id": "app"}}}},
        {"name": "c", "user": {"exec": {"env": [{"name": "API_TOKEN", "value": "long-enough"}]}}},
        {
            "name": "d",
            "user": {"exec": {"env": [{"name": "TOKEN_LIFE", "value": "1"}, {"name": "X", "value": "plain-value"}]}},
        },
        {"name": "e", "user": None},
        "rubbish",
    ]
}


@pytest.mark.parametrize(
    ("options", "environ", "secrets"),
    [
        ({"api_key": "t", "password": "p", "username": "ann"}, {}, {"t", "p"}),
        ({}, {"K8S_AUTH_API_KEY": "t"}, {"t"}),
        ({"context": "prod"}, {"K8S_AUTH_API_KEY": "t"}, set()),
        ({"proxy": "http://ann:p%40ss@proxy:3128"}, {}, {"p%40ss", "p@ss"}),
        ({"proxy": "http://a-token-of-20-letters@proxy"}, {}, {"a-token-of-20-letters"}),
        ({"proxy": "http://ann@proxy:3128"}, {}, set()),
        ({"host": "https://ann:hush@server"}, {}, {"hush"}),
        ({"client_key": "-----BEGIN KEY"}, {}, {"-----BEGIN KEY"}),
        ({"proxy": "http://[bad"}, {}, set()),
        (
            {"proxy_headers": {"basic_auth": "a:b", "proxy_basic_auth": "c:d", "user_agent": "e"}},
            {},
            {"a:b", "c:d", "b", "d"},
        ),
        ({"kubeconfig": KUBECONFIG}, {}, {"tok-1", "pass-1", "key-1", "id-1", "long-enough"}),
        ({"kubeconfig": "/some/path"}, {}, set()),
    ],
)
def test_secrets_are_found_in_options_environment_and_a_kubeconfig_given_as_data(options, environ, secrets):
    assert secrets_of(options, environ) == secrets
