"""Several files as one run of bytes: equal for equal files, whole again on the other side, never out of the folder."""

import io
import struct
from pathlib import Path

import msgspec
import pytest

from edgerig.errors import ModelError, UsageError
from edgerig.formats.payload import LARGEST_INDEX, MAGIC, MOST_FILES, content_size, pack, unpack

CONTENTS = {"net.xml": b"<net/>", "weights.bin": bytes(range(256)) * 5000, "deep/er/empty": b""}


@pytest.fixture
def members(tmp_path: Path) -> list[tuple[str, Path]]:
    for name, content in CONTENTS.items():
        path = tmp_path / "given" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return [(name, tmp_path / "given" / name) for name in CONTENTS]


def read(folder: Path) -> dict[str, bytes]:
    return {item.relative_to(folder).as_posix(): item.read_bytes() for item in folder.rglob("*") if not item.is_dir()}


def made(index: object, content: bytes = b"") -> bytes:
    encoded = index if isinstance(index, bytes) else msgspec.json.encode(index)
    return MAGIC + struct.pack("<I", len(encoded)) + encoded + content


def test_files_come_out_as_they_went_in(members, tmp_path: Path) -> None:
    data = pack(members)
    entries = unpack(io.BytesIO(data), tmp_path / "out")
    assert [entry.name for entry in entries] == list(CONTENTS)
    assert read(tmp_path / "out") == CONTENTS
    assert content_size(data) == sum(map(len, CONTENTS.values()))


def test_the_bytes_are_those_of_the_documented_layout(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"xyz")
    (tmp_path / "b").write_bytes(b"12")
    assert pack([("a", tmp_path / "a"), ("b", tmp_path / "b")]) == (
        b'edgerig files 1\n\x11\x00\x00\x00[["a",3],["b",2]]xyz12'
    )


def test_dates_and_permissions_change_nothing(members) -> None:
    before = pack(members)
    for _, path in members:
        path.chmod(0o400)
        path.touch()
    assert pack(members) == before


@pytest.mark.parametrize(
    "name",
    ["../out", "/etc/passwd", "a/../../b", "", ".", "a//b", "a/", "C:\\x", "a\\b", "a\0b", "a\nb", "x" * 256, "\ud800"],
)
def test_a_name_that_leads_elsewhere_is_refused_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    index = f'[["{name}",1]]'.encode("utf-8", "surrogatepass") if name == "\ud800" else [[name, 1]]
    with pytest.raises(ModelError):
        unpack(io.BytesIO(made(index, b"x")), tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"edgerig files 2\n\0\0\0\0",
        MAGIC,
        MAGIC + struct.pack("<I", LARGEST_INDEX + 1),
        made(b"[["),
        made(b"{}"),
        made([]),
        made([["a", -1]]),
        made([["a", 1], ["a", 1]], b"xx"),
        made([["a", 1], ["a/b", 1]], b"xx"),
        made([["a", 2]], b"x"),
        made([["a", 1]], b"xx"),
        made([["a", 2**60]], b"x"),
        made([[f"f{n}", 0] for n in range(MOST_FILES + 1)]),
    ],
)
def test_what_is_damaged_is_refused_and_nothing_is_left(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        unpack(io.BytesIO(data), tmp_path / "out")
    assert caught.value.hint
    assert not list(tmp_path.iterdir())


def test_the_same_network_is_replaced_and_a_stranger_s_folder_is_left_alone(members, tmp_path: Path) -> None:
    data, out = pack(members), tmp_path / "out"
    unpack(io.BytesIO(data), out)
    (out / "weights.bin").write_bytes(b"damaged")
    (out / "net.xml.json").write_text("its description")
    unpack(io.BytesIO(data), out)
    assert read(out) == CONTENTS
    (out / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"mine\.txt"):
        unpack(io.BytesIO(data), out)
    assert (out / "mine.txt").read_text() == "mine"
    assert {item.name for item in tmp_path.iterdir()} == {"given", "out"}
