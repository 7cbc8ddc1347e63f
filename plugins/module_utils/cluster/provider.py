# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The auth-provider section of a kubeconfig user (OIDC and others), which the kubernetes package supports."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.restartx.core.plugins.module_utils.cluster.credential import REREAD, Credential, Source
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import CredentialPlugin
from ansible_collections.restartx.core.plugins.module_utils.cluster.kubeconfig import Chosen
from ansible_collections.restartx.core.plugins.module_utils.cluster.libraries import urllib3

if t.TYPE_CHECKING:
    import kubernetes


def provider_source(chosen: Chosen, persist: bool) -> Source:
    """A source that asks the provider each time, because only the provider knows when a token must be refreshed.

    With `persist`, refreshed tokens are written to the kubeconfig file, otherwise only to our copy of the section.
    """
    provider = chosen.user["auth-provider"]
    name = f'auth-provider "{provider.get("name")}" of {chosen.whose}'
    only = {  # only this context, so that nothing else in the file is touched
        "contexts": [{"name": "only", "context": {"cluster": "only", "user": "only"}}],
        "clusters": [{"name": "only", "cluster": {"server": chosen.cluster["server"]}}],
        "users": [{"name": "only", "user": {"auth-provider": provider}}],
    }

    def load(configuration: kubernetes.client.Configuration) -> None:
        import kubernetes

        if persist and chosen.paths:
            paths = os.pathsep.join(chosen.paths)
            kubernetes.config.load_kube_config(
                paths, context=chosen.context, client_configuration=configuration, persist_config=True
            )
        else:
            kubernetes.config.load_kube_config_from_dict(
                only, context="only", client_configuration=configuration, persist_config=False
            )

    def fetch() -> Credential:
        import kubernetes

        configuration = kubernetes.client.Configuration()
        try:
            load(configuration)
        except (
            kubernetes.config.ConfigException,
            kubernetes.client.ApiException,
            urllib3.exceptions.HTTPError,
            _oauth_error(),
            OSError,  # all errors of requests are OSErrors
            ValueError,
            KeyError,
        ) as error:
            raise CredentialPlugin(
                f"{name} gave no token ({type(error).__name__}): log in again with the program that wrote the kubeconfig"
            ) from None
        header = configuration.api_key.get("BearerToken") or configuration.api_key.get("authorization")
        if not header:
            raise CredentialPlugin(f"{name} gave no token: use a credential plugin (exec) in its place, or api_key")
        return Credential(header)

    return Source(chosen.whose, fetch, renewable=True, max_age=REREAD, renewed=True)


def _oauth_error() -> type[Exception]:
    """The error that the kubernetes package does not catch when it uses oauthlib."""
    try:
        from oauthlib.oauth2 import OAuth2Error
    except ImportError:
        return ValueError
    return OAuth2Error
