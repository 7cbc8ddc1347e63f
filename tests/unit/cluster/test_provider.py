# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tokens of an auth-provider are used, refreshed in long runs, and missed in a sentence."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from ansible_collections.restartx.core.plugins.module_utils.cluster.credential import Credentials
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import CredentialPlugin
from ansible_collections.restartx.core.plugins.module_utils.cluster.kubeconfig import choose, load
from ansible_collections.restartx.core.plugins.module_utils.cluster.provider import provider_source
from tests.unit.cluster.server import Reply
from tests.unit.cluster.test_certificate import token

OLD, NEW = token({"exp": 1}), token({"exp": time.time() + 3600})


def config(issuer="http://127.0.0.1:1", name="oidc", **changes):
    provider = {
        "client-id": "app",
        "client-secret": "hush",
        "id-token": OLD,
        "refresh-token": "r-1",
        "idp-issuer-url": issuer,
        **changes,
    }
    return {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://c"}}],
        "users": [{"name": "dev", "user": {"auth-provider": {"name": name, "config": provider}}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "dev"}}],
    }


@pytest.fixture
def issuer(serve, monkeypatch):
    """An issuer that answers every refresh with NEW."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    answers = {"id_token": NEW, "refresh_token": "r-2", "access_token": "a", "token_type": "Bearer"}
    server = serve(Reply(body=answers))
    server.script[0] = Reply(body={**answers, "token_endpoint": f"{server.url}/token"})
    return server


def test_a_token_that_still_lasts_is_used_as_it_is(issuer):
    source = provider_source(choose(load(config(issuer.url, **{"id-token": NEW})), None), persist=False)
    assert source.fetch().authorization == f"Bearer {NEW}"
    assert issuer.seen == []


def test_a_token_that_ended_is_refreshed_once_and_asked_about_again_in_long_runs(issuer):
    source = provider_source(choose(load(config(issuer.url)), None), persist=False)
    now = [1000.0]
    credentials = Credentials(source, lambda: now[0], lambda call: call())
    assert credentials.current()[1].authorization == f"Bearer {NEW}"
    asked = len(issuer.seen)
    now[0] += 61
    generation, credential = credentials.current()
    assert (generation, credential.authorization) == (2, f"Bearer {NEW}")
    assert len(issuer.seen) == asked == 2  # the first refresh is remembered, though not in any file


def test_a_refreshed_token_is_written_back_where_that_is_wanted(issuer, tmp_path):
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config(issuer.url)))
    for persist, kept in ((False, OLD), (True, NEW)):
        provider_source(choose(load(str(path)), "c"), persist).fetch()
        user = yaml.safe_load(Path(path).read_text())["users"][0]["user"]
        assert user["auth-provider"]["config"]["id-token"] == kept


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (config(), "MaxRetryError"),
        (config(**{"id-token": None}), "ConfigException"),
    ],
)
def test_one_that_gives_no_token_is_named_with_the_way_out(content, reason):
    source = provider_source(choose(load(content), None), persist=False)
    with pytest.raises(CredentialPlugin) as caught:
        source.fetch()
    assert str(caught.value) == (
        f'auth-provider "oidc" of user "dev" of the kubeconfig option gave no token ({reason}): '
        "log in again with the program that wrote the kubeconfig"
    )


def test_a_provider_nobody_knows_any_more_is_named():
    source = provider_source(choose(load(config(name="azure")), None), persist=False)
    with pytest.raises(
        CredentialPlugin, match='auth-provider "azure" .* gave no token: use a credential plugin .exec.'
    ):
        source.fetch()
