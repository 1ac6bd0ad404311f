import errno
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgerig.cache import MANIFEST, StageCache
from edgerig.errors import StorageError


def test_a_stage_is_built_once(tmp_path: Path) -> None:
    cache, built = StageCache(tmp_path), []

    def build(work: Path) -> None:
        built.append(work)
        (work / "a").write_text("content")

    first, cached_first = cache.get_or_build("ab12", build)
    second, cached_second = cache.get_or_build("ab12", build)
    assert (cached_first, cached_second) == (False, True)
    assert first == second
    assert (second / "a").read_text() == "content"
    assert len(built) == 1


def test_keys_differ_with_anything_they_depend_on() -> None:
    keys = {
        StageCache.key("compile", parent="a", options={"x": 1}),
        StageCache.key("compile", parent="b", options={"x": 1}),
        StageCache.key("compile", parent="a", options={"x": 2}),
        StageCache.key("train", parent="a", options={"x": 1}),
    }
    assert len(keys) == 4
    assert StageCache.key("t", a=1, b=2) == StageCache.key("t", b=2, a=1)


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    cache = StageCache(tmp_path)

    def build(work: Path) -> None:
        (work / "half").write_text("half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cache.get_or_build("ab12", build)
    assert not cache.folder("ab12").exists()
    assert not list(tmp_path.rglob("half"))


def test_a_resumable_build_finds_what_was_left(tmp_path: Path) -> None:
    cache = StageCache(tmp_path)

    def break_off(work: Path) -> None:
        (work / "checkpoint").write_text("epoch 1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.get_or_build("ab12", break_off, resumable=True)
    seen: list[str] = []
    folder, cached = cache.get_or_build(
        "ab12", lambda work: seen.append((work / "checkpoint").read_text()), resumable=True
    )
    assert seen == ["epoch 1"]
    assert not cached
    assert folder == cache.folder("ab12")


def _build_slowly(root: str, counter: str) -> None:
    def build(work: Path) -> None:
        with Path(counter).open("a") as file:
            file.write("x")
        time.sleep(0.2)
        (work / "a").write_text("a")

    StageCache(Path(root)).get_or_build("ab12", build)


def in_three_processes(function: Callable[[str, str], None], *paths: Path) -> None:
    """Runs ``function`` in three processes at once."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=function, args=tuple(map(str, paths))) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0


@pytest.mark.slow
def test_two_processes_build_it_once(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    in_three_processes(_build_slowly, tmp_path / "cache", counter)
    assert counter.read_text() == "x"


@pytest.mark.parametrize("key", ["ab12", "cd34"])
def test_what_a_killed_builder_left_goes_with_the_next_build_and_a_live_one_keeps_its_own(
    tmp_path: Path, key: str
) -> None:
    code = (
        "import sys, time; from pathlib import Path; from edgerig.cache import StageCache\n"
        "def build(work):\n"
        "    (work / 'half').write_text('half'); print('building', flush=True); time.sleep(60)\n"
        f"StageCache(Path({str(tmp_path)!r})).get_or_build(sys.argv[1], build)\n"
    )
    builders = [
        subprocess.Popen([sys.executable, "-c", code, name], stdout=subprocess.PIPE, text=True)
        for name in ("ab12", "ef56")
    ]
    for builder in builders:
        with builder.stdout or sys.stdin as output:
            assert output.readline() == "building\n"
    killed, live = builders
    killed.kill()
    killed.wait()
    try:
        StageCache(tmp_path).get_or_build(key, lambda work: (work / "whole").write_text("x") and None)
        (left,) = tmp_path.glob("tmp-*")
        assert left.name.startswith("tmp-ef56")
        assert (left / "half").exists()
    finally:
        live.kill()
        live.wait()


def test_a_builder_killed_in_the_middle_leaves_no_stage(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from edgerig.cache import StageCache\n"
        "def build(work):\n"
        "    (work / 'half').write_text('half'); print('building', flush=True); time.sleep(60)\n"
        f"StageCache(Path({str(tmp_path)!r})).get_or_build('ab12', build)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "building\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    folder, cached = StageCache(tmp_path).get_or_build("ab12", lambda work: (work / "whole").write_text("x") and None)
    assert not cached
    assert sorted(path.name for path in folder.iterdir()) == [".stage.json", "whole"]


def write_two(work: Path) -> None:
    (work / "deeper").mkdir()
    (work / "scores.npy").write_bytes(b"right")
    (work / "deeper" / "net").write_bytes(b"bytes")


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a flipped bit": (lambda folder: flip(folder / "scores.npy"), "scores.npy was changed"),
    "another file": (lambda folder: (folder / "scores.npy").write_bytes(b"wrong"), "scores.npy was changed"),
    "deeper": (lambda folder: flip(folder / "deeper" / "net"), "deeper/net was changed"),
    "cut": (lambda folder: os.truncate(folder / "scores.npy", 2), "scores.npy was changed"),
    "gone": (lambda folder: (folder / "scores.npy").unlink(), "scores.npy is missing"),
    "one more": (lambda folder: (folder / "more").write_bytes(b""), "more is not one of its files"),
    "a link": (lambda folder: _as_link(folder / "scores.npy"), "scores.npy was changed"),
    "no list": (lambda folder: (folder / MANIFEST).unlink(), "no list of its files"),
    "list not JSON": (lambda folder: (folder / MANIFEST).write_bytes(b"{"), "list of its files is damaged"),
    "list flipped": (lambda folder: flip(folder / MANIFEST), "list of its files is damaged"),
    "empty": (lambda folder: [shutil.rmtree(folder), folder.mkdir()], "no list of its files"),
}


def _as_link(path: Path) -> None:
    other = path.parent.parent / "elsewhere"
    path.rename(other)
    path.symlink_to(other)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_stage_that_is_not_as_it_was_written_is_built_anew_and_that_is_said(tmp_path: Path, damage: str) -> None:
    cache = StageCache(tmp_path)
    folder, _ = cache.get_or_build("ab12", write_two)
    change, said = DAMAGE[damage]
    change(folder)
    heard: list[str] = []
    again, cached = cache.get_or_build("ab12", write_two, damaged=heard.append)
    assert not cached
    assert len(heard) == 1
    assert said in heard[0]
    assert (again / "scores.npy").read_bytes() == b"right"
    assert cache.get_or_build("ab12", write_two) == (folder, True)
    assert not list(tmp_path.glob("tmp-*"))


def test_the_stage_of_another_key_is_not_taken(tmp_path: Path) -> None:
    cache = StageCache(tmp_path)
    folder, _ = cache.get_or_build("ab12", write_two)
    cache.folder("cd34").parent.mkdir()
    shutil.copytree(folder, cache.folder("cd34"))
    assert cache.fault("cd34") == "the list of its files is damaged"


def _mend_slowly(root: str, counter: str) -> None:
    def build(work: Path) -> None:
        with Path(counter).open("a") as file:
            file.write("x")
        time.sleep(0.2)
        (work / "a").write_text("a")

    folder, _ = StageCache(Path(root)).get_or_build("ab12", build)
    assert (folder / "a").read_text() == "a"


@pytest.mark.slow
def test_processes_that_find_a_damaged_stage_mend_it_once(tmp_path: Path) -> None:
    cache, counter = StageCache(tmp_path / "cache"), tmp_path / "counter"
    folder, _ = cache.get_or_build("ab12", lambda work: (work / "a").write_text("a") and None)
    (folder / "a").write_text("b")
    in_three_processes(_mend_slowly, tmp_path / "cache", counter)
    assert counter.read_text() == "x"


@pytest.mark.parametrize("resumable", [False, True])
def test_a_full_disk_in_the_middle_is_said_and_leaves_no_stage(tmp_path: Path, resumable: bool) -> None:
    def build(work: Path) -> None:
        (work / "half").write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    cache = StageCache(tmp_path)
    with pytest.raises(StorageError, match="No space left"):
        cache.get_or_build("ab12", build, resumable=resumable)
    assert not cache.folder("ab12").exists()
    assert bool(list(tmp_path.rglob("half"))) == resumable


def test_a_disk_that_fills_while_a_stage_is_sealed_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from edgerig.cache import StageCache; from edgerig.errors import StorageError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "def build(work):\n"
        "    (work / 'a').write_bytes(b'x' * 1000)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"  # not even the list of files can be written now
        f"try: StageCache(Path({str(tmp_path)!r})).get_or_build('ab12', build)\n"
        "except StorageError: sys.exit(7)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 7
    assert not StageCache(tmp_path).folder("ab12").exists()
    assert not list(tmp_path.glob("tmp-*"))
