# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The auth-provider section of a kubeconfig user (OIDC and others), which the kubernetes package knows how to ask."""

from __future__ import annotations

import os

from ansible_collections.restartx.core.plugins.module_utils.cluster.credential import REREAD, Credential, Source
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import CredentialPlugin
from ansible_collections.restartx.core.plugins.module_utils.cluster.kubeconfig import Chosen
from ansible_collections.restartx.core.plugins.module_utils.cluster.libraries import OAuth2Error, kubernetes, urllib3


def provider_source(chosen: Chosen, persist: bool) -> Source:
    """The source that asks the provider, again and again, for it alone knows when a token must be refreshed.

    With `persist`, refreshed tokens are written to the kubeconfig file; else they live in our copy of the section.
    """
    provider = chosen.user["auth-provider"]
    name = f'auth-provider "{provider.get("name")}" of {chosen.whose}'
    only = {  # this one context, so that nothing else of the file is touched
        "contexts": [{"name": "only", "context": {"cluster": "only", "user": "only"}}],
        "clusters": [{"name": "only", "cluster": {"server": chosen.cluster["server"]}}],
        "users": [{"name": "only", "user": {"auth-provider": provider}}],
    }

    def load(configuration) -> None:
        if persist and chosen.paths:
            paths = os.pathsep.join(chosen.paths)
            kubernetes.config.load_kube_config(
                paths, context=chosen.context, client_configuration=configuration, persist_config=True
            )
        else:
            kubernetes.config.load_kube_config_from_dict(
                only, context="only", client_configuration=configuration, persist_config=False
            )

    def read() -> Credential:
        configuration = kubernetes.client.Configuration()
        try:
            load(configuration)
        except (
            kubernetes.config.ConfigException,
            kubernetes.client.ApiException,
            urllib3.exceptions.HTTPError,
            OAuth2Error,
            OSError,  # all errors of requests are OSErrors
            ValueError,
            KeyError,
        ) as error:
            raise CredentialPlugin(
                f"{name} gave no token ({type(error).__name__}): log in anew with the program that wrote the kubeconfig"
            ) from None
        header = configuration.api_key.get("BearerToken") or configuration.api_key.get("authorization")
        if not header:
            raise CredentialPlugin(f"{name} gave no token: use a credential plugin (exec) in its place, or api_key")
        return Credential(header)

    return Source(chosen.whose, read, renewable=True, max_age=REREAD)
