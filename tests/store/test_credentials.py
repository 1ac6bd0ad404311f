"""Where keys come from, what a file of them may say, and what is refused."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from tests.store.servers import Server

from edgerig.errors import EdgerigError, UsageError
from edgerig.store import Versions, dataset_names, open_dataset, open_store
from edgerig.store.credentials import find_access, find_set

SECRET = "the-secret-of-the-tests"


def entry(**fields: Any) -> dict[str, Any]:
    return {"name": "lab", "address": "minio.lab:9000", "access key": "AKIA1", "secret key": SECRET, **fields}


def write(path: Path, *entries: dict[str, Any]) -> str:
    path.write_text(json.dumps({"s3": list(entries), "argo": [{"name": "argo"}]}))
    path.chmod(0o600)
    return str(path)


def sets(bucket: str = "lab", dataset_filter: str = "") -> dict[str, Any]:
    return {"dataset": {"bucket": bucket, "prefix": "data", "dataset_filter": dataset_filter}}


@pytest.mark.parametrize(
    ("fields", "endpoint"),
    [
        ({}, "https://minio.lab:9000"),
        ({"tls": True}, "https://minio.lab:9000"),
        ({"tls": False}, "http://minio.lab:9000"),
        ({"address": "http://minio.lab:9000/"}, "http://minio.lab:9000"),
        ({"address": "https://minio.lab", "tls": True}, "https://minio.lab"),
    ],
)
def test_the_server_is_reached_by_tls_unless_it_is_said_otherwise(tmp_path: Path, fields: Any, endpoint: str) -> None:
    assert find_access(write(tmp_path / "creds.json", entry(**fields)), "lab").endpoint == endpoint


@pytest.mark.parametrize("space", [" ", "_"])
def test_both_spellings_of_a_key_are_read(tmp_path: Path, space: str) -> None:
    fields = {f"cert{space}verify": False, f"cert{space}path": "ca.pem"}
    row = {"name": "lab", "address": "x", f"access{space}key": "AKIA1", f"secret{space}key": SECRET, **fields}
    access = find_access(write(tmp_path / "creds.json", row), None)
    assert (access.access_key, access.secret_key, access.verify) == ("AKIA1", SECRET, False)
    assert access.certificate == str(tmp_path / "ca.pem"), "it lies beside the file"


def test_an_entry_is_chosen_by_name_or_by_its_buckets(tmp_path: Path) -> None:
    rows = [entry(name="a", sets=sets("first")), entry(name="b", sets=sets("second"), address="b.lab")]
    path = write(tmp_path / "creds.json", *rows)
    assert find_access(f"{path}:b", "first").name == "b"
    assert find_access(path, "second").name == "b"
    with pytest.raises(UsageError, match=r"several entries that fit: a, b\.\nName one: --credentials .*:NAME"):
        find_access(path, "third")
    with pytest.raises(UsageError, match="'c'"):
        find_access(f"{path}:c", "first")
    with pytest.raises(UsageError, match="several entries that fit: a, b"):
        find_set(path, "dataset")
    assert find_set(f"{path}:b", "dataset")[1].bucket == "second"
    with pytest.raises(UsageError, match="Did you mean 'dataset'"):
        find_set(path, "datasets")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"name": "lab"}, "no text as 'address'"),
        (entry(**{"secret key": 5}), "no text as 'secret key'"),
        (entry(tls="yes"), "'tls' is neither true nor false"),
        (entry(cert_verify=None, tls=1), "'tls' is neither"),
        (entry(**{"cert_verify": True, "cert verify": False}), "'cert_verify' and 'cert verify' differ"),
        (entry(address="http://x", tls=True), "'address' says http and 'tls' says true"),
        (entry(address=f"http://{SECRET}@x"), "'address' is no URL of a server"),
        (entry(address=f"ftp://{SECRET}"), "'address' is no URL of a server"),
        (entry(sets={"dataset": {"prefix": "x"}}), "'sets' is not valid"),
        (entry(cert_path=5), "'cert_path' is neither a path nor null"),
        ("text", "is no object"),
    ],
)
def test_a_file_that_is_not_valid_is_refused_without_saying_a_secret(tmp_path: Path, row: Any, reason: str) -> None:
    path = write(tmp_path / "creds.json", row)
    with pytest.raises(UsageError, match=reason) as failure:
        find_access(path, "lab")
    assert SECRET not in str(failure.value)
    assert "creds.json" in str(failure.value)


@pytest.mark.parametrize("text", ["", "{", f'{{"s3": "{SECRET}"}}', f'["{SECRET}"]', f'{{"s3": [], "x": "{SECRET}"}}'])
def test_what_is_no_file_of_credentials_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "creds.json").write_text(text)
    with pytest.raises(UsageError, match=r"creds\.json") as failure:
        find_access(str(tmp_path / "creds.json"), None)
    assert SECRET not in str(failure.value)
    with pytest.raises(UsageError, match="No such file"):
        find_access(str(tmp_path / "none.json"), None)


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two entries called 'lab'"):
        find_access(write(tmp_path / "creds.json", entry(), entry()), None)


def test_the_file_comes_before_the_environment_and_that_before_the_profile(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = P\naws_secret_access_key = p\n")
    (tmp_path / "config").write_text("[default]\nregion = eu-1\nendpoint_url = http://profile:1\n")
    variables = {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }
    profile = find_access(None, None, variables)
    assert (profile.access_key, profile.endpoint, profile.region) == ("P", "http://profile:1", "eu-1")
    variables |= {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "e", "AWS_SESSION_TOKEN": "t"}
    environment = find_access(None, None, {**variables, "AWS_ENDPOINT_URL": "http://environment:2"})
    assert (environment.access_key, environment.token, environment.endpoint) == ("E", "t", "http://environment:2")
    path = write(tmp_path / "creds.json", entry())
    from_file = find_access(None, None, {**variables, "EDGERIG_CREDENTIALS": path})
    assert (from_file.access_key, from_file.token) == ("AKIA1", None), "a token of the environment is of another key"
    assert find_access(path, None, variables).access_key == "AKIA1"


def test_a_profile_by_name_and_what_it_cannot_do(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(f"[lab]\naws_access_key_id = L\naws_secret_access_key = {SECRET}\n")
    (tmp_path / "config").write_text("[profile sso]\nsso_session = x\n")
    variables = {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }
    assert find_access(None, None, {**variables, "AWS_PROFILE": "lab"}).access_key == "L"
    with pytest.raises(UsageError, match="no profile 'none' with keys"):
        find_access(None, None, {**variables, "AWS_PROFILE": "none"})
    with pytest.raises(UsageError, match="export-credentials --profile sso --format env"):
        find_access(None, None, {**variables, "AWS_PROFILE": "sso"})
    with pytest.raises(UsageError, match=r"no credentials for object storage\.\nKeys come from"):
        find_access(None, None, variables)
    with pytest.raises(UsageError, match="AWS_SECRET_ACCESS_KEY is not set"):
        find_access(None, None, {"AWS_ACCESS_KEY_ID": "x"})
    (tmp_path / "credentials").write_text(f"{SECRET}\n")
    with pytest.raises(UsageError, match="is no file of profiles") as failure:
        find_access(None, None, variables)
    assert SECRET not in str(failure.value)


def test_keys_are_not_in_what_is_shown_of_them(tmp_path: Path) -> None:
    access = find_access(write(tmp_path / "creds.json", entry()), None)
    for text in (
        repr(access),
        str(access),
        f"{access}",
        repr([access]),
        repr({"a": access}),
        repr(access.__rich_repr__()),
    ):
        assert SECRET not in text
        assert "AKIA1" not in text


def test_a_set_is_a_bucket_a_prefix_and_a_filter(server: Server, tmp_path: Path) -> None:
    where = {"address": server.endpoint, "access key": server.access, "secret key": server.secret}
    del where["address"]
    row = entry(**where, address=server.endpoint, tls=False, sets=sets(dataset_filter="street"))
    path = write(tmp_path / "creds.json", row)
    versions, _ = open_dataset("set://dataset/mainstreet", writing=True, credentials=path)
    versions.commit([], base=None)
    plain = open_store("s3://lab/data", credentials=path)
    assert plain.size("mainstreet/v000001.json") is not None, "the set's bucket and prefix"
    Versions(open_store("s3://lab/data", writing=True, credentials=path), "other").commit([], base=None)
    assert dataset_names(plain) == ["mainstreet", "other"]
    assert dataset_names(versions.store) == ["mainstreet"]
    with pytest.raises(UsageError, match=r"'other' is none of the datasets .* hold 'street'"):
        open_dataset("set://dataset/other", credentials=path)
    with pytest.raises(UsageError, match=r"Unknown entry of .*: 'lap'\.\n.*Known: "):
        open_dataset("set://dataset/mainstreet", credentials=f"{path}:lap")
    deeper, _ = open_dataset("set://dataset/night/street", writing=True, credentials=path)
    deeper.commit([], base=None)
    assert plain.size("night/street/v000001.json") is not None
    with pytest.raises(UsageError, match="none is named"):
        open_dataset("set://dataset/street")


def test_each_server_is_asked_with_its_own_entry(server: Server, tmp_path: Path) -> None:
    good = entry(
        name="good", address=server.endpoint, tls=False, **{"access key": server.access, "secret key": server.secret}
    )
    path = write(tmp_path / "creds.json", entry(name="bad", address=server.endpoint, tls=False), good)
    assert open_store("s3://lab", credentials=f"{path}:good").folders() is not None
    with pytest.raises(EdgerigError, match="403") as failure:
        open_store("s3://lab", credentials=f"{path}:bad")
    assert SECRET not in str(failure.value)


def test_a_certificate_that_is_not_checked_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from edgerig.store.s3 import open_s3

    with caplog.at_level(logging.WARNING):
        open_s3("s3://lab", write(tmp_path / "creds.json", entry(cert_verify=False)))
    assert "The certificate of https://minio.lab:9000 is not checked" in caplog.text
    with pytest.raises(UsageError, match=r"Cannot read the certificate .*none\.pem: No such file"):
        open_s3("s3://lab", write(tmp_path / "creds.json", entry(cert_path="none.pem")))
