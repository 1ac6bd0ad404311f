"""``edgerig data``: import, log, diff, get, push and check, on object storage and folders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.data_calls import Call, data_call, served
from tests.pictures import row_of
from tests.store.small_server import SmallServer

from edgerig.store import open_store
from edgerig.store.objects import key_of


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallServer]:
    with served(monkeypatch) as state:
        yield state


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    return data_call(capfd, tmp_path, monkeypatch)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("car/1.png", "car/2 é.png", "bus/1.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(row_of(b"picture " + name.encode()))
    return tmp_path / "photos"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("to", ["s3://lab/deep/street", "store/street"])
def test_a_folder_goes_there_and_back(call: Call, small: SmallServer, photos: Path, tmp_path: Path, to: str) -> None:
    code, out, err = call("import", "photos", "--to", to, "--note", "the first")
    assert (code, out) == (0, f"{to}@1: 3 files, 3 added, 0 changed, 0 removed (3 objects sent, 90 bytes)\n"), err
    assert call("get", to, "--to", "back")[1] == f"{to}@1: 3 files written to back\n"
    assert tree(tmp_path / "back") == tree(photos)
    assert call("get", f"{to}@1", "--to", "back")[1] == f"{to}@1: 0 files written to back, 3 were there\n"
    code, out, _ = call("check", to)
    assert (code, out) == (0, f"{to}: 3 objects, 90 bytes, all as they should be\n")
    header = json.loads(call("log", to, "--json")[1])[0]
    assert (header["version"], header["classes"], header["note"]) == (1, ["bus", "car"], "the first")


@pytest.mark.slow
def test_a_relabel_of_one_file_of_a_thousand_sends_one_manifest(call: Call, small: SmallServer, tmp_path: Path) -> None:
    for number in range(1000):
        path = tmp_path / "many" / "car" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(row_of(b"%d" % number))
    (tmp_path / "many" / "bus").mkdir()
    (tmp_path / "many" / "bus" / "b.png").write_bytes(row_of(b"bus"))
    assert call("import", "many", "--to", "s3://lab/street")[0] == 0
    assert len(small.puts("/objects/")) == 1001
    small.requests.clear()
    (tmp_path / "many" / "car" / "17.png").rename(tmp_path / "many" / "bus" / "17.png")
    code, out, _ = call("import", "many", "--to", "s3://lab/street", "--replace")
    assert code == 0
    assert "1 added, 0 changed, 1 removed (0 objects sent, 0 bytes)" in out
    assert small.puts("street") == ["lab/street/v000002.json"]
    assert small.puts("/objects/") == []
    assert len([key for method, key in small.requests if method != "PUT"]) < 20, (
        "what is there is not asked for one by one"
    )
    small.requests.clear()
    (tmp_path / "many" / "car" / "18.png").write_bytes(row_of(b"another"))
    assert call("import", "many", "--to", "s3://lab/street")[0] == 0
    assert [key.split("/")[1] for key in small.puts() if "probe" not in key] == ["objects", "street"]


def test_what_is_not_in_the_folder_stays_unless_it_is_replaced(call: Call, photos: Path) -> None:
    call("import", "photos", "--to", "store/street")
    (photos / "car" / "1.png").unlink()
    (photos / "car" / "3.png").write_bytes(row_of(b"new"))
    _, out, _ = call("import", "photos", "--to", "store/street")
    assert "4 files, 1 added, 0 changed, 0 removed" in out
    assert "1 of them are not among these files, and stay (--replace)" in out
    _, out, _ = call("import", "folder", "photos", "--to", "store/street", "--replace")
    assert "3 files, 0 added, 0 changed, 1 removed (0 objects sent, 0 bytes)" in out
    assert "nothing is new" in call("import", "photos", "--to", "store/street")[1]


def test_broken_pictures_are_named_and_refused_or_left_out_and_counted(
    call: Call, photos: Path, tmp_path: Path
) -> None:
    whole = (photos / "car" / "1.png").read_bytes()
    (photos / "car" / "1.png").write_bytes(whole[:-1])
    assert "Or leave it out: --skip-bad." in call("import", "photos", "--to", "store/street")[2]
    (photos / "bus" / "1.png").write_bytes(b"")
    code, _, err = call("import", "photos", "--to", "store/street")
    assert code == 2
    assert "2 pictures cannot be used" in err
    assert "photos/bus/1.png is not a usable image: no image that Pillow knows" in err
    assert "photos/car/1.png is not a usable image" in err
    assert "--skip-bad" in err
    assert not (tmp_path / "store").exists(), "nothing is sent before all is checked"
    code, out, err = call("import", "photos", "--to", "store/street", "--skip-bad")
    assert (code, out) == (0, "store/street@1: 1 file, 1 added, 0 changed, 0 removed (1 object sent, 32 bytes)\n")
    assert "(!) Left out as unusable: 2 pictures. photos/bus/1.png is" in err
    assert json.loads(call("log", "store/street", "--json")[1])[0]["classes"] == ["car"]
    (photos / "car" / "2 é.png").unlink()
    code, _, err = call("import", "photos", "--to", "store/street", "--skip-bad")
    assert code == 2
    assert "photos has no picture that can be used" in err


def test_files_that_are_no_pictures_are_not_decoded(call: Call, tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "1.wav").write_bytes(b"RIFF")
    assert call("import", "sounds", "--to", "store/sounds", "--all-files")[0] == 0


def test_a_difference_says_what_differs(call: Call, photos: Path) -> None:
    call("import", "photos", "--to", "store/street")
    (photos / "car" / "1.png").write_bytes(row_of(b"another"))
    (photos / "bus" / "1.png").rename(photos / "bus" / "9.png")
    call("import", "photos", "--to", "store/street", "--replace", "--split", "test")
    code, out, _ = call("diff", "store/street@1", "store/street@2")
    assert code == 0
    assert out.splitlines() == [
        "+ bus/9.png (bus)",
        "- bus/1.png (bus)",
        "~ car/1.png: other content, split none -> test",
        "~ car/2 é.png: split none -> test",
        "1 added, 1 removed, 2 changed",
    ]
    document = json.loads(call("diff", "store/street@1", "store/street", "--json")[1])
    assert [entry["name"] for entry in document["added"]] == ["bus/9.png"]
    assert [old["name"] for old, _ in document["changed"]] == ["car/1.png", "car/2 é.png"]
    code, out, _ = call("log", "store/street")
    assert [line.split()[0] for line in out.splitlines()] == ["version", "2", "1"]
    assert call("log", "store")[1].startswith("store/street@2  3 files  ")


@pytest.mark.parametrize("damage", [b"", row_of(b"Picture car/1.png"), None])
def test_a_damaged_object_is_named_by_check_and_never_fetched(
    call: Call, photos: Path, tmp_path: Path, damage: bytes | None
) -> None:
    call("import", "photos", "--to", "store/street")
    from edgerig.files import sha256

    name = sha256(row_of(b"picture car/1.png"))
    store = open_store("store", writing=True)
    store.delete(key_of(name)) if damage is None else store.put(key_of(name), damage)
    code, out, err = call("check", "store/street")
    assert code == 1
    assert name in out
    assert "needed by car/1.png" in out
    assert "1 of 3 objects" in err
    code, _, err = call("get", "store/street", "--to", "back")
    assert code == 1
    assert name in err
    assert "car/1.png" not in tree(tmp_path / "back")
    if damage != row_of(b"Picture car/1.png"):
        assert "(1 object sent" in call("import", "photos", "--to", "store/street")[1], (
            "what is truncated is sent again"
        )
    else:
        assert "(0 objects sent" in call("import", "photos", "--to", "store/street")[1], "nobody looks into it"
        assert "--repair" in err
        assert "(1 object sent" in call("import", "photos", "--to", "store/street", "--repair")[1]
    assert call("check", "store/street")[0] == 0


def test_what_is_damaged_in_a_copy_is_sent_again_by_a_push_that_repairs(
    call: Call, small: SmallServer, photos: Path
) -> None:
    call("import", "photos", "--to", "store/street")
    call("push", "store/street", "--to", "s3://lab/copy")
    key = next(key for key in small.objects if "/objects/" in key)
    small.objects[key] = bytes(len(small.objects[key]))
    assert "0 objects sent" in call("push", "store/street", "--to", "s3://lab/copy")[1]
    assert call("check", "s3://lab/copy")[0] == 1
    assert "0 versions copied, 1 object sent" in call("push", "store/street", "--to", "s3://lab/copy", "--repair")[1]
    assert call("check", "s3://lab/copy")[0] == 0


def test_a_dataset_is_pushed_with_its_versions(call: Call, small: SmallServer, photos: Path) -> None:
    call("import", "photos", "--to", "store/street")
    (photos / "car" / "1.png").write_bytes(row_of(b"another"))
    call("import", "photos", "--to", "store/street")
    assert (
        call("push", "store/street@1", "--to", "s3://lab/copy")[1]
        == "s3://lab/copy: 1 version copied, 3 objects sent\n"
    )
    assert (
        call("push", "store/street", "--to", "s3://lab/copy")[1] == "s3://lab/copy: 1 version copied, 1 object sent\n"
    )
    assert (
        call("push", "store/street", "--to", "s3://lab/copy")[1] == "s3://lab/copy: 0 versions copied, 0 objects sent\n"
    )
    for number in (1, 2):
        stored = open_store("store").get(f"street/v{number:06d}.json")
        assert small.objects[f"lab/copy/v{number:06d}.json"] == stored
    assert call("check", "s3://lab/copy", "--all")[0] == 0


def test_datasets_that_have_grown_apart_are_not_overwritten(call: Call, photos: Path) -> None:
    call("import", "photos", "--to", "store/street")
    call("push", "store/street", "--to", "other/street")
    (photos / "car" / "1.png").write_bytes(row_of(b"here"))
    call("import", "photos", "--to", "store/street")
    (photos / "car" / "1.png").write_bytes(row_of(b"long there"))
    call("import", "photos", "--to", "other/street")
    before = open_store("other").get("street/v000002.json")
    code, _, err = call("push", "store/street", "--to", "other/street")
    assert code == 1
    assert "other/street has another version 2 than store/street" in err
    assert open_store("other").get("street/v000002.json") == before


def test_files_are_never_written_outside_of_the_folder(call: Call, photos: Path, tmp_path: Path) -> None:
    call("import", "photos", "--to", "store/street")
    (tmp_path / "back").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "back" / "car").symlink_to(tmp_path / "elsewhere")
    code, _, err = call("get", "store/street", "--to", "back")
    assert code == 1
    assert "back/car leads out of back" in err
    assert tree(tmp_path / "elsewhere") == {}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("import", "none", "--to", "store/street"), 2, "There is no folder none"),
        (("import", "photos", "--to", "gs://x/street"), 2, "begin with gs://"),
        (("import", "photos"), 2, "Missing option '--to'"),
        (("log", "store/street"), 2, "There is no folder store"),
        (("log", "photos/street@0"), 2, "'0' in 'photos/street@0' is no version of a dataset"),
        (("log", "s3://lab/street@x"), 2, "'x' in 's3://lab/street@x' is no version of a dataset"),
        (("log", "photos/street"), 2, "There is no dataset 'street' in photos"),
        (("get", "photos/street@3", "--to", "x"), 2, "There is no dataset 'street' in photos"),
        (("check", "photos/street@0"), 2, "no version of a dataset"),
        (("push", "photos/street", "--to", "store/street@2"), 2, "versions keep their numbers"),
        (("fetch", "photos/street"), 2, "Unknown command of edgerig data: 'fetch'"),
    ],
)
def test_what_cannot_be_is_said(call: Call, photos: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    actual, _, err = call(*arguments)
    assert (actual, said in err) == (code, True), err
    assert "Traceback" not in err


def test_help_of_every_command_teaches_by_example(call: Call) -> None:
    for command in ("import", "log", "diff", "get", "push", "check"):
        code, out, _ = call(command, "--help")
        assert code == 0
        assert f"edgerig data {command} " in out
    assert "folder" in call("import", "--help")[1]
    assert "--replace" in call("import", "folder", "--help")[1]


def test_scripts_get_what_was_made_as_one_document(call: Call, photos: Path) -> None:
    """`address` is the version, and the other names are those of `data log --json`."""

    def document(*words: str) -> dict[str, Any]:
        code, out, err = call(*words, "--json")
        assert code == 0, err
        answer: dict[str, Any] = json.loads(out)
        return answer

    made = document("import", "photos", "--to", "store/street")
    (header,) = json.loads(call("log", "store/street", "--json")[1])
    shared = ("version", "count", "size", "added", "changed", "removed")
    assert {name: made[name] for name in shared} == {name: header[name] for name in shared}
    assert (made["address"], made["new"]) == ("store/street@1", True)
    assert document("import", "photos", "--to", "store/street")["new"] is False
    fetched = document("get", "store/street", "--to", "there")
    assert fetched == {
        "address": "store/street@1",
        "folder": "there",
        "count": header["count"],
        "written": header["count"],
    }
    assert document("get", "store/street", "--to", "there")["written"] == 0
    pushed = document("push", "store/street", "--to", "second/street")
    assert (pushed["address"], pushed["versions"]) == ("second/street", [1])
    whole = document("check", "store/street")
    assert (whole["versions"], whole["bytes"], whole["damages"]) == ([1], header["size"], [])
    stored = next(path for path in (photos.parent / "store" / "objects").rglob("*") if path.is_file())
    stored.write_bytes(stored.read_bytes()[:-1])
    code, out, err = call("check", "store/street", "--json")
    assert code == 1, err
    (damage,) = json.loads(out)["damages"]
    assert damage["sha256"] == stored.name
