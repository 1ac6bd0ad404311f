"""Object storage over TLS: a certificate is checked unless a file of credentials says otherwise."""

from __future__ import annotations

import datetime
import ipaddress
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.store.small_server import SmallServer, small_server

from edgerig.errors import StoreError
from edgerig.store import open_store


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """The PEM files of an authority, and of a certificate by it for 127.0.0.1 and its key."""
    folder = tmp_path_factory.mktemp("tls")
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in ("authority", "server")]
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in names]
    now = datetime.datetime.now(datetime.UTC)

    def signed(index: int, *extensions: x509.ExtensionType) -> x509.Certificate:
        builder = x509.CertificateBuilder(names[0], names[index], keys[index].public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
        builder = builder.not_valid_after(now + datetime.timedelta(hours=1))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(keys[0], hashes.SHA256())

    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    authority = signed(0, x509.BasicConstraints(ca=True, path_length=None))
    server = signed(1, address, x509.BasicConstraints(ca=False, path_length=None))
    pem = serialization.Encoding.PEM
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths = (folder / "authority.pem", folder / "server.pem", folder / "key.pem")
    contents = (authority.public_bytes(pem), server.public_bytes(pem), keys[1].private_bytes(pem, form, none))
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


@pytest.fixture(scope="module")
def secure(certificate: tuple[Path, Path, Path]) -> Iterator[SmallServer]:
    with small_server(certificate[1], certificate[2]) as state:
        yield state


def credentials(path: Path, server: SmallServer, **fields: object) -> str:
    row = {"name": "lab", "address": f"127.0.0.1:{server.port}", "access key": "a", "secret key": "s", "tls": True}
    path.write_text(json.dumps({"s3": [{**row, **fields}]}))
    path.chmod(0o600)
    return str(path)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgerig.store.s3._PATIENCE", 0.2)


def test_a_certificate_of_a_named_authority_is_trusted(
    secure: SmallServer, certificate, tmp_path: Path, caplog
) -> None:
    path = credentials(tmp_path / "creds.json", secure, cert_verify=True, cert_path=str(certificate[0]))
    with caplog.at_level(logging.WARNING):
        store = open_store("s3://lab/tls", writing=True, credentials=path)
    store.put("x", b"1")
    assert store.get("x") == b"1"
    assert caplog.text == ""


def test_a_certificate_of_a_stranger_is_refused_and_nothing_is_sent(secure: SmallServer, tmp_path: Path) -> None:
    before = list(secure.requests)
    with pytest.raises(StoreError, match=r"certificate is not trusted\.\nName the certificate of its authority"):
        open_store("s3://lab/tls", writing=True, credentials=credentials(tmp_path / "creds.json", secure))
    assert secure.requests == before


@pytest.mark.parametrize("key", ["cert_verify", "cert verify"])
def test_a_certificate_that_need_not_be_checked_is_not_and_that_is_said(
    secure: SmallServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    path = credentials(tmp_path / "creds.json", secure, **{key: False})
    with caplog.at_level(logging.WARNING):
        open_store("s3://lab/tls", credentials=path).put("y", b"1")
    assert f"The certificate of https://127.0.0.1:{secure.port} is not checked" in caplog.text


def test_the_environments_authority_is_trusted(
    secure: SmallServer, certificate: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**secure.environment, "AWS_CA_BUNDLE": str(certificate[0])}.items():
        monkeypatch.setenv(name, value)
    open_store("s3://lab/tls").put("z", b"1")
    assert secure.objects["lab/tls/z"] == b"1"


def test_plain_http_to_a_server_of_tls_is_no_way_in(secure: SmallServer, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="failed"):
        open_store("s3://lab/tls", credentials=credentials(tmp_path / "creds.json", secure, tls=False))
