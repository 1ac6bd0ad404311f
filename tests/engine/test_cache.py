import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgerig.engine.cache import StageCache


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


def test_two_processes_build_it_once(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_build_slowly, args=(str(tmp_path / "cache"), str(counter))) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert counter.read_text() == "x"


def test_a_builder_killed_in_the_middle_leaves_no_stage(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from edgerig.engine.cache import StageCache\n"
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
    assert [path.name for path in folder.iterdir()] == ["whole"]
