# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The TLS context of a connection: trusted CAs and the client certificate."""

from __future__ import annotations

import os
import ssl
import tempfile

from ansible_collections.restartx.core.plugins.module_utils.cluster.certificate import certificates_in
from ansible_collections.restartx.core.plugins.module_utils.cluster.credential import Credential
from ansible_collections.restartx.core.plugins.module_utils.cluster.errors import ConfigError
from ansible_collections.restartx.core.plugins.module_utils.cluster.libraries import IS_URLLIB3_1


def tls_context(authority: bytes | None, validate: bool, credential: Credential, where: str) -> ssl.SSLContext:
    """A client's TLS context; `authority` is PEM (None: what the system trusts), `where` names the origin in messages.

    `ssl.create_default_context` does not serve: from Python 3.13 on it refuses CAs that kubectl accepts, such as those
    without an authority key identifier.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if IS_URLLIB3_1:
        context.check_hostname = False  # it compares the names itself, also addresses, which it does not tell OpenSSL
    if not validate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif authority is None:
        context.load_default_certs()
    else:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an intermediate CA is enough, as for kubectl
        try:
            context.load_verify_locations(cadata="\n".join(certificates_in(authority)))
        except (ssl.SSLError, ValueError):  # ValueError: empty
            raise ConfigError(f"the CA certificate of {where} is not a PEM certificate: correct it") from None
    if credential.certificate:
        _load_pair(context, credential.certificate, credential.key or b"", where)
    return context


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes, where: str) -> None:
    """Load certificate and key. OpenSSL reads them only from a file, so a file exists for that moment."""
    with tempfile.TemporaryDirectory(prefix="restartx-") as folder:
        path = os.path.join(folder, "pair.pem")
        with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(certificate + b"\n" + key)
        try:
            context.load_cert_chain(path, password="")  # an encrypted key fails at once, without a prompt
        except ssl.SSLError:
            raise ConfigError(
                f"client certificate and key of {where} cannot be used: "
                "give a matching pair in PEM, the key not encrypted"
            ) from None
