# Copyright: restartx contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keys and certificates of one cluster, all signed by its own authority."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)


class Authority:
    """A certificate authority that lives in a folder, with everything it has signed."""

    def __init__(self, directory: str | Path):
        """Take up the authority of `directory`, or found one there."""
        self.directory = Path(directory)
        self.certificate_path = self.directory / "ca.crt"
        key_path = self.directory / "ca.key"
        if not self.certificate_path.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            key = ec.generate_private_key(ec.SECP256R1())
            name = _name("restartx-lab")
            builder = _builder(name, name, key.public_key(), _DAY * 3650).add_extension(
                x509.BasicConstraints(ca=True, path_length=None), critical=True
            )
            _write_key(key_path, key)
            self.certificate_path.write_bytes(_pem(builder.sign(key, hashes.SHA256())))
        loaded = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
        self._key = cast(ec.EllipticCurvePrivateKey, loaded)
        self._certificate = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())

    def issue(
        self,
        file_name: str,
        user: str,
        groups: Iterable[str] = (),
        hosts: Sequence[str] = (),
        expired: bool = False,
    ) -> tuple[Path, Path]:
        """Sign a certificate for `user` of `groups`, as Kubernetes reads them from the subject.

        `hosts` are the names and addresses of a server certificate; without any it is a
        client's. An `expired` one ended an hour ago. Returns the paths (certificate, key)
        in the authority's folder.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        validity = -datetime.timedelta(hours=1) if expired else _DAY * 365
        usage = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = _builder(_name(user, groups), self._certificate.subject, key.public_key(), validity).add_extension(
            x509.ExtendedKeyUsage([usage]), critical=False
        )
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False
            )
        certificate_path = self.directory / f"{file_name}.crt"
        key_path = self.directory / f"{file_name}.key"
        _write_key(key_path, key)
        certificate_path.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        return certificate_path, key_path

    def service_account_key(self) -> Path:
        """Path of the RSA key that signs service account tokens; made on first use."""
        path = self.directory / "service-account.key"
        if not path.exists():
            _write_key(path, rsa.generate_private_key(public_exponent=65537, key_size=2048))
        return path


def _name(user: str, groups: Iterable[str] = ()) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, validity: datetime.timedelta
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + validity)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
