"""A bundle that others write to, that is moved, and that comes from a stranger."""

import io
import json
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.results.conftest import begin

from edgerig.errors import StorageError
from edgerig.results import reading
from edgerig.results.bundle import Bundle, Header
from edgerig.results.reading import read_arrays, read_document
from edgerig.results.types import BUNDLE_VERSION


def test_a_path_may_be_text(tmp_path: Path) -> None:
    begin(tmp_path / "run")
    assert Bundle(str(tmp_path / "run")).header().name == "n"


# ---- moving aside


def test_moving_aside_moves_what_a_link_leads_to_and_leaves_the_link(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    begin(disk / "real")
    link = tmp_path / "out"
    link.symlink_to(disk / "real")
    bundle = Bundle(link)
    old = bundle.archive()
    assert old == disk / "real.1"
    assert (old / "bundle.json").is_file()
    assert link.is_symlink()
    assert link.resolve() == disk / "real"
    assert list((disk / "real").iterdir()) == [disk / "real" / ".lock"]
    bundle.unlock()
    assert bundle.put_back(old)
    assert (link / "bundle.json").is_file()
    assert not old.exists()


def test_a_link_to_nothing_is_followed(tmp_path: Path) -> None:
    link = tmp_path / "out"
    link.symlink_to(tmp_path / "later")
    bundle = Bundle(link)
    bundle.lock()
    bundle.unlock()
    assert (tmp_path / "later").is_dir()


def test_a_link_that_leads_to_itself_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "out"
    link.symlink_to(link)
    with pytest.raises(StorageError, match="leads to itself"):
        Bundle(link).lock()
    with pytest.raises(StorageError, match="leads to itself"):
        Bundle(link).result()
    bundle = begin(tmp_path / "run")
    (bundle.cell("a")).mkdir(parents=True)
    (bundle.cell("a") / "result.json").symlink_to(bundle.cell("a") / "loop")
    (bundle.cell("a") / "loop").symlink_to(bundle.cell("a") / "result.json")
    cells, failures = bundle.read_cells(["a"])
    assert (cells, [failure.id for failure in failures]) in (([], []), ([], ["a"]))


def test_a_name_that_no_folder_can_have_is_refused(tmp_path: Path) -> None:
    for use in (lambda bundle: bundle.exists, lambda bundle: bundle.finished, lambda bundle: bundle.result()):
        with pytest.raises(StorageError, match="cannot be a folder: File name too long"):
            use(Bundle(tmp_path / ("x" * 300)))


# ---- from a stranger


def document(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "bundle.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


HEADER = {
    "version": 1,
    "name": "n",
    "edgerig": "0",
    "created": "",
    "plan_hash": "",
    "rig": {},
    "cells": [],
}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({**HEADER, "name": 3}),
        json.dumps({**HEADER, "cells": "abc"}),
        json.dumps({**HEADER, "version": "1"}),
        json.dumps({**HEADER, "rig": {"n": 10**40}}),
        json.dumps({**HEADER, "rig": {"n": 1e300}}),
        json.dumps({**HEADER, "rig": 0}).replace("0}", "NaN}"),
        json.dumps({**HEADER, "rig": 0}).replace("0}", '{"a": 1e999}}'),
        '{"rig": ' + "[" * 500_000,
        '{"version": 1, "rig": ' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}",
        b"\xff\xfe",
        "",
    ],
)
def test_what_is_no_document_of_ours_is_refused_with_the_reason(tmp_path: Path, text: str | bytes) -> None:
    path = document(tmp_path, text)
    with pytest.raises(StorageError, match=r"bundle\.json is damaged"):
        read_document(path, Header, tmp_path)


def test_a_document_is_not_read_beyond_what_a_run_writes(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a terabyte of zeros, with holes
    with pytest.raises(StorageError, match="no run of edgerig writes"):
        read_document(path, Header, tmp_path)


def test_links_out_of_a_bundle_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps(HEADER))
    bundle = tmp_path / "bundle"
    (bundle / "cells").mkdir(parents=True)
    (bundle / "bundle.json").symlink_to(secret)
    np.savez(tmp_path / "samples.npz", times_ns=np.zeros(1, np.int64))
    (bundle / "cells" / "a").symlink_to(tmp_path)
    with pytest.raises(StorageError, match="leads out of the bundle"):
        Bundle(bundle).header()
    with pytest.raises(StorageError, match="leads out of the bundle"):
        Bundle(bundle).samples("a")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "bundle.json")
    with pytest.raises(StorageError, match="not a plain file"):
        read_document(tmp_path / "bundle.json", Header, tmp_path)


def npy(dtype: str, shape: tuple[int, ...], content: bytes) -> bytes:
    """An .npy file whose header says what it wants."""
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape!r}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize(
    "members",
    [
        {"times_ns": npy("<i8", (1 << 40,), b"\0" * 800)},
        {"times_ns": npy("<i8", (100, 1 << 50), b"")},
        {"times_ns": npy("|O", (1,), b"\0" * 8)},
        {"times_ns": npy("<U900000", (1 << 20,), b"")},
        {"times_ns": b"\x93NUMPY\x02\x00" + b"\xff" * 20},
        {"times_ns": b""},
        {"strange": npy("<i8", (1,), b"\0" * 8)},
        {"../../etc/passwd": npy("<i8", (1,), b"\0" * 8)},
    ],
)
def test_arrays_that_are_not_what_they_say_are_refused(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = archive(tmp_path / "samples.npz", **members)
    with pytest.raises(StorageError):
        read_arrays(path, tmp_path)


UNPACK = """
import sys
from pathlib import Path
from edgerig.errors import StorageError
from edgerig.measure.memory import peak_rss
from edgerig.results.reading import read_arrays
before = peak_rss().value
try: read_arrays(Path(sys.argv[1]), Path(sys.argv[1]).parent)
except StorageError as error: print(error.message)
print(int(peak_rss().value - before))
"""


def deflated(beginning: bytes, megabytes: int) -> bytes:
    """A stream of `beginning` and so many MiB of zeros. Each is a block that looks back at none, so that one is
    compressed once."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    begin, block = (packer.compress(part) + packer.flush(zlib.Z_FULL_FLUSH) for part in (beginning, bytes(1 << 20)))
    return begin + block * megabytes + packer.flush()


def test_a_small_archive_that_unpacks_to_gigabytes_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "samples.npz"
    header = npy("<i8", ((2 << 30) // 8,), b"")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("times_ns.npy", deflated(header, 2 << 10))
        entry = file.getinfo("times_ns.npy")
        entry.compress_type, entry.file_size = zipfile.ZIP_DEFLATED, len(header) + (2 << 30)
    with zipfile.ZipFile(path) as file, file.open("times_ns.npy") as unpacked:
        assert unpacked.read(5 << 20) == header + bytes((5 << 20) - len(header))
    assert path.stat().st_size < 4 << 20
    done = subprocess.run([sys.executable, "-c", UNPACK, str(path)], capture_output=True, text=True, check=True)
    message, grown = done.stdout.splitlines()
    assert "would unpack to" in message
    assert int(grown) < 50e6


def test_a_long_directory_of_an_archive_is_not_read(tmp_path: Path) -> None:
    path = archive(tmp_path / "samples.npz", **{f"m{number}": b"" for number in range(2000)})
    with pytest.raises(StorageError, match="more arrays than any cell"):
        read_arrays(path, tmp_path)
    path.write_bytes(path.read_bytes() + b"behind the end")
    with pytest.raises(StorageError, match="no archive that edgerig wrote"):
        read_arrays(path, tmp_path)


def test_no_more_is_unpacked_than_is_asked_for(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "samples.npz", times_ns=np.zeros(10, np.int64), scores=np.zeros(1000, np.float32))
    (times,) = read_arrays(tmp_path / "samples.npz", tmp_path, ("times_ns",), 80 + 128).values()
    assert times.size == 10
    with pytest.raises(StorageError, match="would unpack to 208 B, and 207 B are left"):
        read_arrays(tmp_path / "samples.npz", tmp_path, ("times_ns",), 207)


@pytest.mark.slow
@pytest.mark.parametrize("value", ["{}", "[]", '""'])
def test_a_document_of_many_small_values_is_refused_before_it_is_decoded(tmp_path: Path, value: str) -> None:
    many = ",".join([value] * 20_000_001)
    text = f'{{"version": {BUNDLE_VERSION}, "rig": {{"x": [{many}]}}}}'
    assert len(text) < reading.MAX_DOCUMENT
    (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(StorageError, match="holds more values than any run"):
        Bundle(tmp_path).header()


def test_sound_arrays_come_back_and_only_those_asked_for(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {"times_ns": np.arange(5), "scores": np.ones((5, 2), np.float32)}
    np.savez_compressed(tmp_path / "samples.npz", **arrays)
    back = read_arrays(tmp_path / "samples.npz", tmp_path)
    assert all(np.array_equal(back[name], arrays[name]) for name in arrays)
    assert set(read_arrays(tmp_path / "samples.npz", tmp_path, ("times_ns",))) == {"times_ns"}


def test_an_archive_whose_sizes_lie_is_no_way_around_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_ARRAYS", 1000)
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(1000, np.int64))
    path = archive(tmp_path / "samples.npz", times_ns=buffer.getvalue())
    data = path.read_bytes()
    size = struct.pack("<I", len(buffer.getvalue()))
    path.write_bytes(data.replace(size, struct.pack("<I", 200)))
    with pytest.raises(StorageError):
        read_arrays(path, tmp_path)
