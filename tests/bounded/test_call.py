"""When work is done by a child, and by which."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.bounded import work

from edgerig.bounded import Limits, bounded, call, isolated
from edgerig.errors import CompileError, UsageError


def test_outside_of_the_block_work_is_done_at_once() -> None:
    assert isolated("The work", CompileError, work.process_id) == os.getpid()


def test_within_the_block_one_child_does_all_work() -> None:
    with bounded():
        first, second = (isolated("The work", CompileError, work.process_id) for _ in range(2))
    with bounded():
        third = isolated("The work", CompileError, work.process_id)
    assert first == second == third != os.getpid()


def test_after_a_crash_there_is_another_child() -> None:
    with bounded():
        first = isolated("The work", CompileError, work.process_id)
        with pytest.raises(CompileError, match="SIGSEGV"):
            isolated("The work", CompileError, work.die, "")
        assert isolated("The work", CompileError, work.process_id) not in (first, os.getpid())


def test_a_child_that_died_while_it_was_idle_is_replaced() -> None:
    with bounded():
        first = isolated("The work", CompileError, work.process_id)
        os.kill(first, signal.SIGKILL)
        assert call._shared is not None
        call._shared.process.wait()
        assert isolated("The work", CompileError, work.process_id) != first


@pytest.mark.parametrize("ends", ["done", "stopped", "killed", "crashed"])
def test_temporary_files_of_a_child_go_with_it_however_it_ends(
    ends: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    call.end_worker()
    with bounded(Limits(silence=0.5)):
        if ends == "done":
            assert isolated("The work", CompileError, work.temporary, 0).startswith(str(tmp_path))
        elif ends == "stopped":
            with pytest.raises(CompileError, match="no progress"):
                isolated("The work", CompileError, work.temporary, 60)
        else:
            child = isolated("The work", CompileError, work.process_id)
            isolated("The work", CompileError, work.temporary, 0)
            if ends == "killed":
                os.kill(child, signal.SIGKILL)
            else:
                with pytest.raises(CompileError, match="SIGSEGV"):
                    isolated("The work", CompileError, work.die, "")
        assert list(tmp_path.iterdir()) == [] or ends in ("done", "killed")
        call.end_worker()
    assert list(tmp_path.iterdir()) == []


def test_work_of_another_thread_does_not_wait() -> None:
    with bounded():
        isolated("The work", CompileError, work.process_id)
        assert call._busy.acquire(blocking=False)
        try:
            assert call._shared is not None
            assert isolated("The work", CompileError, work.process_id) not in (call._shared.process.pid, os.getpid())
        finally:
            call._busy.release()


def test_a_block_within_a_block_keeps_its_limits() -> None:
    with bounded(Limits(silence=0.5)), bounded(), pytest.raises(CompileError, match=r"no progress for 0\.5 s"):
        isolated("The work", CompileError, work.hang)


def test_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGERIG_STAGE_TIMEOUT", "0.5")
    with bounded(), pytest.raises(CompileError, match=r"no progress for 0\.5 s"):
        isolated("The work", CompileError, work.hang)
    for variable in ("EDGERIG_STAGE_TIMEOUT", "EDGERIG_STAGE_MEMORY"):
        for text in ("soon", "0", "-3", "inf", "nan"):
            with monkeypatch.context() as patch:
                patch.setenv(variable, text)
                with pytest.raises(UsageError, match=f"{variable} is '{text}'"), bounded():
                    pass


def test_memory_is_limited_to_what_is_there() -> None:
    import psutil

    assert 0 < Limits().memory_bytes() < psutil.virtual_memory().available
    assert Limits(memory=5).memory_bytes() == 5


@pytest.mark.slow
def test_a_killed_program_leaves_no_child() -> None:
    code = (
        "from edgerig.bounded import *; from edgerig.errors import *; from tests.bounded import work\n"
        "with bounded():\n"
        "    print(isolated('x', CompileError, work.process_id), flush=True)\n"
        "    isolated('x', CompileError, work.hang)\n"
    )
    program = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    child = int(program.stdout.readline())
    program.kill()
    program.wait()
    program.stdout.close()
    for _ in range(500):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    raise AssertionError("the child lives on")


def test_threads_have_no_block_of_their_own() -> None:
    found: list[int] = []
    with bounded():
        thread = threading.Thread(target=lambda: found.append(isolated("x", CompileError, work.process_id)))
        thread.start()
        thread.join()
    assert found == [os.getpid()]
