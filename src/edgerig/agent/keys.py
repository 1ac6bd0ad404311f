"""Keys for a lab: a small certificate authority (CA), and certificates for devices and hosts.

``DIR/ca`` stays on the machine where it was made. ``DIR/agent-NAME`` goes to a device, ``DIR/client-NAME`` to a host.
Each of them holds ``ca.pem``, ``cert.pem`` and ``key.pem``, as `edgerig.wire.tls` reads them. The library
``cryptography`` is needed to make keys, not to use them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgerig.errors import MissingExtraError, SpecError, StorageError, storing
from edgerig.files import write_bytes
from edgerig.wire.tls import CA, CERTIFICATE, KEY

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

#: Days that a certificate is good for. The CA's own is good for ten years, or longer if a certificate is.
DAYS = 825
CA_DAYS = 3650
#: Certificates are valid from so long ago: the clocks of boards without a battery may be behind.
_EARLIER = timedelta(days=1)
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


class KeyFolders(msgspec.Struct, frozen=True):
    """The folders of the CA and of each certificate, and when the certificates expire (ISO 8601)."""

    ca: str
    new_ca: bool
    agents: tuple[str, ...]
    clients: tuple[str, ...]
    expires: str


def make_keys(folder: Path, hosts: Sequence[str], clients: Sequence[str], days: int = DAYS) -> KeyFolders:
    """Make a CA in ``folder`` unless there is one, a certificate for a device, and one for each host.

    Args:
        hosts: Names and addresses of one device, as its hosts call it; none for no device.
        clients: Names of hosts.

    Raises:
        MissingExtraError: ``cryptography`` is not installed.
        SpecError: A name cannot be one. StorageError: A key is there already, or cannot be written.
    """
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("edgerig agent keys", "secure", "cryptography") from error
    for name in (*hosts, *clients):
        _check_name(name)
    folders = [folder / f"agent-{_folder_name(hosts[0])}"] if hosts else []
    folders += [folder / f"client-{name}" for name in clients]
    for key_folder in folders:
        if (key_folder / KEY).exists():
            raise StorageError(f"There are keys in {key_folder} already.", "Move them away if you want new ones.")
    new = not (folder / "ca" / KEY).exists()
    ca = _new_ca(folder / "ca", max(days, CA_DAYS)) if new else _load_ca(folder / "ca")
    until = datetime.now(UTC) + timedelta(days=days)
    if hosts:
        _issue(ca, folders[0], hosts[0], hosts, until)
    for name, key_folder in zip(clients, folders[len(folders) - len(clients) :], strict=True):
        _issue(ca, key_folder, name, (), until)
    paths = [str(key_folder) for key_folder in folders]
    count = 1 if hosts else 0
    return KeyFolders(
        str(folder / "ca"), new, tuple(paths[:count]), tuple(paths[count:]), until.isoformat(timespec="seconds")
    )


class _Ca(msgspec.Struct, frozen=True):
    key: object
    certificate: object


def _new_ca(folder: Path, days: int) -> _Ca:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = _subject(f"edgerig lab {datetime.now(UTC):%Y-%m-%d %H:%M}")
    builder = (
        _builder(name, name, key, datetime.now(UTC) + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    certificate = _sign(builder, key, key)
    _store(folder, {KEY: _pem_key(key), CA: _pem(certificate)})
    return _Ca(key, certificate)


def _load_ca(folder: Path) -> _Ca:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key((folder / KEY).read_bytes(), None)
        certificate = x509.load_pem_x509_certificate((folder / CA).read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise StorageError(f"The CA in {folder} cannot be read: {error}.", "Choose another folder.") from error
    if certificate.not_valid_after_utc < datetime.now(UTC):
        raise StorageError(f"The CA in {folder} has expired.", "Make a new one in another folder.")
    return _Ca(key, certificate)


def _issue(ca: _Ca, folder: Path, name: str, hosts: Sequence[str], until: datetime) -> None:
    """Put a certificate into ``folder``: for a device if it has ``hosts``, else for a host."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    assert isinstance(ca.certificate, x509.Certificate)
    assert isinstance(ca.key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    # A certificate is not trusted longer than its CA.
    until = min(until, ca.certificate.not_valid_after_utc)
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(_subject(name), ca.certificate.subject, key, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False)
    )
    if hosts:
        names = [_alternative(host) for host in hosts]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = _sign(builder, ca.key, key)
    _store(folder, {KEY: _pem_key(key), CERTIFICATE: _pem(certificate), CA: _pem(ca.certificate)})


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, until: datetime
) -> x509.CertificateBuilder:
    from cryptography import x509

    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=datetime.now(UTC) - _EARLIER,
        not_valid_after=until,
    )


def _sign(
    builder: x509.CertificateBuilder, by: EllipticCurvePrivateKey, key: EllipticCurvePrivateKey
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return builder.add_extension(identifier, critical=False).sign(by, hashes.SHA256())


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(name: str) -> x509.Name:
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name[:64])])


def _alternative(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _pem_key(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _store(folder: Path, files: dict[str, bytes]) -> None:
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # Permissions are set before the key is written, so that it is never readable by others.
        folder.chmod(0o700)
    for name, data in files.items():
        write_bytes(folder / name, data, 0o600 if name == KEY else None)


def _check_name(name: str) -> None:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        if not _NAME.fullmatch(name) or ".." in name:
            raise SpecError(
                f"{name!r} is no name or address of a machine.", "Letters, digits, '.', '-' and '_'; no port."
            ) from None


def _folder_name(host: str) -> str:
    return host.replace(":", "_")
