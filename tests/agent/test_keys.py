import ssl
import sys

import pytest
from click.testing import CliRunner

from edgerig.agent.keys import make_keys
from edgerig.cli.agent_command import command
from edgerig.errors import MissingExtraError, SpecError, StorageError
from edgerig.install import install_command
from edgerig.wire.tls import device_context, host_context


def test_first_call_makes_a_ca_and_later_ones_use_it(tmp_path):
    first = make_keys(tmp_path, ["pi", "10.0.0.3", "fe80::1"], ["desk"])
    assert first.new_ca
    ca = (tmp_path / "ca" / "ca.pem").read_bytes()
    second = make_keys(tmp_path, ["jetson"], ["ci"])
    assert not second.new_ca
    assert (tmp_path / "ca" / "ca.pem").read_bytes() == ca
    for name in ("agent-pi", "agent-jetson"):
        device_context(tmp_path / name)
    for name in ("client-desk", "client-ci"):
        host_context(tmp_path / name)


def test_nobody_else_may_read_a_key_and_the_key_of_the_ca_leaves_its_folder_never(tmp_path):
    make_keys(tmp_path, ["pi"], ["desk"])
    secret = (tmp_path / "ca" / "key.pem").read_text()
    for folder in ("ca", "agent-pi", "client-desk"):
        assert (tmp_path / folder).stat().st_mode & 0o777 == 0o700
        assert (tmp_path / folder / "key.pem").stat().st_mode & 0o777 == 0o600
        assert folder == "ca" or secret not in "".join(p.read_text() for p in (tmp_path / folder).iterdir())


def test_certificates_say_what_they_are_for(tmp_path):
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    make_keys(tmp_path, ["pi", "10.0.0.3"], ["desk"], days=10)
    device = x509.load_pem_x509_certificate((tmp_path / "agent-pi" / "cert.pem").read_bytes())
    host = x509.load_pem_x509_certificate((tmp_path / "client-desk" / "cert.pem").read_bytes())
    names = device.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["pi"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.3"]
    assert list(device.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]
    assert list(host.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    assert (device.not_valid_after_utc - device.not_valid_before_utc).days == 11


def test_keys_that_are_there_are_not_overwritten(tmp_path):
    make_keys(tmp_path, ["pi"], ["desk"])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.pem")}
    for hosts, clients in ((["pi"], []), ([], ["desk"]), (["new"], ["desk"])):
        with pytest.raises(StorageError, match="already"):
            make_keys(tmp_path, hosts, clients)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.pem")} == before


@pytest.mark.parametrize("name", ["", "..", "../evil", "a/b", "pi:7433", "a b", "-x", "x" * 80, "a\nb", "é"])
def test_names_that_are_none_are_refused_and_nothing_is_written(tmp_path, name):
    for hosts, clients in (([name], []), ([], [name])):
        with pytest.raises(SpecError):
            make_keys(tmp_path / "lab", hosts, clients)
    assert not (tmp_path / "lab").exists()


def test_ca_that_cannot_be_read_is_told(tmp_path):
    make_keys(tmp_path, [], ["desk"])
    (tmp_path / "ca" / "key.pem").write_text("no key")
    with pytest.raises(StorageError, match="CA"):
        make_keys(tmp_path, ["pi"], [])


def test_without_the_library_the_pip_command_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingExtraError) as caught:
        make_keys(tmp_path, ["pi"], [])
    assert caught.value.hint == install_command("secure")


def test_using_keys_needs_no_library(tmp_path, monkeypatch):
    make_keys(tmp_path, ["pi"], ["desk"])
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert device_context(tmp_path / "agent-pi").minimum_version == ssl.TLSVersion.TLSv1_3
    assert host_context(tmp_path / "client-desk").check_hostname


def test_folder_without_keys_says_how_to_make_some(tmp_path):
    with pytest.raises(SpecError, match=r"no ca\.pem") as caught:
        host_context(tmp_path)
    assert "edgerig agent keys" in caught.value.hint


def test_certificate_and_key_that_do_not_fit_are_refused(tmp_path):
    make_keys(tmp_path, ["pi"], ["desk"])
    (tmp_path / "agent-pi" / "key.pem").write_bytes((tmp_path / "client-desk" / "key.pem").read_bytes())
    with pytest.raises(SpecError, match="cannot be used"):
        device_context(tmp_path / "agent-pi")


def test_command_makes_keys_for_this_machine_by_default(tmp_path):
    done = CliRunner().invoke(command, ["keys", str(tmp_path / "lab"), "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    assert {path.name for path in (tmp_path / "lab").iterdir()} == {"ca", "agent-localhost", "client-host"}
    assert '"new_ca": true' in done.stdout
