"""What addresses say, and which are refused."""

from __future__ import annotations

import pytest

from edgerig.errors import StoreError, UsageError
from edgerig.store import DatasetAddress, open_store, parse_address


@pytest.mark.parametrize(
    ("text", "store", "name", "version"),
    [
        ("s3://lab/street@7", "s3://lab", "street", 7),
        ("s3://lab/a/b/street", "s3://lab/a/b", "street", None),
        ("set://dataset/street@12", "set://dataset", "street", 12),
        ("data/street@2", "data", "street", 2),
        ("street", ".", "street", None),
        ("./street", ".", "street", None),
        ("/street", "/", "street", None),
        ("/data/with space/street", "/data/with space", "street", None),
        ("home@work/street", "home@work", "street", None),
        ("memory://street", "memory://", "street", None),
        ("memory://a/street@1", "memory://a", "street", 1),
    ],
)
def test_an_address_is_taken_apart(text: str, store: str, name: str, version: int | None) -> None:
    address = parse_address(text)
    assert address == DatasetAddress(store, name, version)
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("s3://lab", "names no dataset"),
        ("s3:///street", "no name of a bucket"),
        ("s3://lab/../street", "not valid"),
        ("s3://lab//street", "not valid"),
        ("s3://lab/street@0", "no version"),
        ("s3://lab/street@latest", "no version"),
        ("s3://lab/street@-1", "no version"),
        ("gs://lab/street", "begin with gs://"),
        ("s3:/lab/street", "lacks a slash"),
        ("https://lab/street", "begin with https://"),
        ("data/.hidden", "cannot be called"),
        ("data/a b", "cannot be called"),
        ("data/Objects", "cannot be called"),
        ("data/..", "cannot be called"),
    ],
)
def test_what_is_no_address_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_address(text)


@pytest.mark.parametrize("text", ["s3://AKIA:hush@lab/street", "s3://hush@lab/street", "s3://lab:hush/x"])
def test_an_address_with_keys_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError, match="do not belong there") as failure:
        parse_address(text)
    assert "hush" not in str(failure.value)


def test_a_folder_that_is_not_there_is_made_for_writing_alone(tmp_path) -> None:
    with pytest.raises(StoreError, match="There is no folder"):
        open_store(str(tmp_path / "new"))
    open_store(str(tmp_path / "new" / "deep"), writing=True)
    assert (tmp_path / "new" / "deep").is_dir()


def test_stores_in_memory_are_told_apart_by_name() -> None:
    open_store("memory://first", writing=True).put("x", b"1")
    assert open_store("memory://first").get("x") == b"1"
    assert open_store("memory://second").size("x") is None
