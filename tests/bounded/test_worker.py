"""What a child does for the program, and what ends it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
import pytest
from tests.bounded import work
from tests.heard import Steps

from edgerig import plugins
from edgerig.artifact import TensorSpec
from edgerig.bounded import Limits
from edgerig.bounded.worker import Worker
from edgerig.datasets.base import Dataset
from edgerig.errors import CompileError, InferenceError, ModelError


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    # It has begun once it has done something.
    worker.call(work.process_id, (), Limits(), "The work", CompileError)
    yield worker
    if worker.alive:
        worker.close()


def call(worker: Worker, function: Any, *arguments: Any, limits: Limits | None = None) -> Any:
    return worker.call(function, arguments, limits or Limits(), "The work", CompileError)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_work_is_done_by_another_process_the_same_again_and_again(worker: Worker) -> None:
    first, second = (call(worker, work.process_id) for _ in range(2))
    assert first == second == worker.process.pid != os.getpid()


def test_values_arrays_and_structs_travel_both_ways(worker: Worker) -> None:
    values = (1, 2.5, None, "text", b"bytes", [1], {"a": {2}}, Path("x/y"), TensorSpec("x", (1, 4), "int8"))
    arrays = (np.arange(12, dtype=np.int16).reshape(3, 4), np.zeros((0, 2), np.float32), np.float32(0.5))
    found = call(worker, work.echo, *values, *arrays)
    assert found[: len(values)] == values
    for array, back in zip(arrays, found[len(values) :], strict=True):
        assert array.dtype == back.dtype
        np.testing.assert_array_equal(array, back)
    assert call(worker, work.spec, arrays[0]) == TensorSpec("x", (3, 4), "int16")


def test_a_large_array_arrives_whole(worker: Worker) -> None:
    array = np.random.default_rng(0).integers(0, 255, 9_000_000, np.uint8)
    np.testing.assert_array_equal(call(worker, work.echo, array)[0], array)


def test_each_piece_of_work_sees_the_programs_folder_environment_and_path(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for word in ("one", None):
        folder = tmp_path / str(word)
        folder.mkdir()
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(folder)
        if word is None:
            monkeypatch.delenv("EDGERIG_TEST_WORD")
        else:
            monkeypatch.setenv("EDGERIG_TEST_WORD", word)
        assert call(worker, work.where) == (str(folder), word, sys.path)


def test_an_error_on_purpose_is_the_same_error_here(worker: Worker) -> None:
    with pytest.raises(ModelError, match="It is no network") as caught:
        call(worker, work.refuse)
    assert caught.value.hint == "Take another."
    assert worker.alive


def test_a_fault_tells_where_it_happened(worker: Worker) -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError: by nought") as caught:
        call(worker, work.stumble)
    assert "in stumble" in str(caught.value.__cause__)
    assert worker.alive


def test_an_error_because_of_a_fault_brings_where_the_fault_happened(worker: Worker) -> None:
    with pytest.raises(ModelError, match="ZeroDivisionError: by nought") as caught:
        call(worker, work.convert)
    assert "in stumble" in str(caught.value.__cause__)
    with pytest.raises(ModelError) as caught:
        call(worker, work.refuse)
    assert caught.value.__cause__ is None


def test_a_crash_is_an_error_with_the_last_words(worker: Worker) -> None:
    with pytest.raises(CompileError, match=r"The work failed: its process died of SIGSEGV; its last words: .*alas"):
        call(worker, work.die, "alas\n")
    assert not worker.alive


def test_a_child_that_leaves_is_an_error(worker: Worker) -> None:
    with pytest.raises(CompileError, match="The work failed: its process ended with exit code 3"):
        call(worker, work.leave)


def test_work_without_progress_is_given_up(worker: Worker) -> None:
    with pytest.raises(InferenceError, match=r"The work was given up: it told no progress for 0\.5 s") as caught:
        worker.call(work.hang, (), Limits(silence=0.5), "The work", InferenceError)
    assert "EDGERIG_STAGE_TIMEOUT" in str(caught.value.hint)
    assert gone(worker.process.pid)


@pytest.fixture
def crowd(worker: Worker) -> Iterator[None]:
    """The worker shares its processor with four processes that are never done."""
    processor = {min(os.sched_getaffinity(0))}
    call(worker, work.process_id)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True) for _ in range(4)]
    for pid in (worker.process.pid, *(process.pid for process in busy)):
        os.sched_setaffinity(pid, processor)
    yield
    for process in busy:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.usefixtures("crowd")
@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this system does not tell of waiting processes")
def test_waiting_for_a_processor_is_no_silence(worker: Worker) -> None:
    assert call(worker, work.compute, 0.6, limits=Limits(silence=0.9)) == 0.6
    with pytest.raises(CompileError, match=r"no progress for 0\.2 s"):
        call(worker, work.compute, 60.0, limits=Limits(silence=0.2))


def test_progress_is_heard_and_counts_as_life(worker: Worker) -> None:
    heard = Steps()
    # All steps together take longer than the limit.
    assert call(worker, work.count, heard, 5, 0.8, limits=Limits(silence=3.0)) == 5
    steps = [(step + 1, f"step {step}") for step in range(5)]
    assert heard.lines == ["begins", ("count", 5), *steps, "end"]


def test_tasks_that_a_dead_child_left_open_are_ended(worker: Worker) -> None:
    heard = Steps()
    with pytest.raises(CompileError, match="given up"):
        call(worker, work.count, heard, 1, 60.0, limits=Limits(silence=2.0))
    assert heard.lines == ["begins", ("count", 1), "end"]


@pytest.mark.slow
def test_work_that_takes_too_much_memory_is_given_up(worker: Worker) -> None:
    assert call(worker, work.swallow, 1 << 20) == 1 << 20
    with pytest.raises(CompileError, match=r"took \d\.\d GB of memory, the limit is 0\.3 GB") as caught:
        call(worker, work.swallow, 16 << 30, limits=Limits(memory=300_000_000))
    assert "EDGERIG_STAGE_MEMORY" in str(caught.value.hint)
    assert gone(worker.process.pid)


def test_a_dataset_stays_here_and_is_asked_from_there(worker: Worker) -> None:
    dataset = plugins.make("dataset", "random", Dataset, {"shape": [2, 3], "classes": 4})
    about, labels, fingerprint, some_labels, raw, inputs = call(worker, work.use, dataset, 7)
    samples = dataset.split("train")
    assert about == (
        "random",
        dataset.task,
        dataset.classes,
        dataset.preprocessing,
        msgspec.to_builtins(dataset.settings),
    )
    assert fingerprint == samples.fingerprint
    np.testing.assert_array_equal(labels, samples.labels)
    np.testing.assert_array_equal(some_labels, samples.labels[[7, 0]])
    np.testing.assert_array_equal(raw, samples.raw(7))
    np.testing.assert_array_equal(inputs, samples.inputs(np.array([7, 0]), dataset.preprocessing))


def test_errors_of_the_dataset_reach_the_child(worker: Worker) -> None:
    dataset = plugins.make("dataset", "random", Dataset, {})
    assert "There is no split 'nothing'" in call(worker, work.complain, dataset)


def test_an_answer_that_would_run_code_here_is_refused(worker: Worker) -> None:
    with pytest.raises(CompileError, match=r"answered nonsense \(posix\.system has no business"):
        call(worker, work.sneak)
    assert gone(worker.process.pid)


def test_stopping_the_program_ends_the_child(worker: Worker) -> None:
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            call(worker, work.hang)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert gone(worker.process.pid)


def test_what_engines_print_fills_no_disk(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgerig.bounded.worker.MOST_WORDS", 1000)
    heard = Steps()
    os.write(worker._words.fileno(), b"x" * 5000)
    call(worker, work.count, heard, 3, 0.2)
    assert os.fstat(worker._words.fileno()).st_size <= 1000


@pytest.mark.parametrize("libraries", [logging.INFO, logging.WARNING])
def test_what_the_child_logs_is_logged_here(worker: Worker, caplog: pytest.LogCaptureFixture, libraries: int) -> None:
    """Of its libraries only where more than warnings is asked for: nobody asked for what they have to say there."""
    with caplog.at_level(libraries):
        call(worker, work.log, "a word")
    ours = [record for record in caplog.records if record.name == "edgerig.work"]
    others = [record for record in caplog.records if record.name == "a_library"]
    assert [record.getMessage() for record in ours] == ["the work says a word"] * 20
    assert {record.process for record in ours} == {worker.process.pid}
    assert len(others) == (20 if libraries == logging.INFO else 0)
    assert call(worker, work.echo, 1) == (1,), "it is ready for more"


def test_logging_is_no_progress(worker: Worker) -> None:
    with pytest.raises(CompileError, match="told no progress for 2 s"):
        call(worker, work.log_for_ever, limits=Limits(silence=2))


def test_what_the_work_has_started_ends_with_it(worker: Worker, tmp_path: Path) -> None:
    """Such as a linker, or the tools of an engine."""
    with pytest.raises(CompileError, match="told no progress"):
        call(worker, work.start_another_and_hang, tmp_path / "pid", limits=Limits(silence=1.5))
    other = int((tmp_path / "pid").read_text())
    with contextlib.suppress(psutil.NoSuchProcess):
        assert psutil.Process(other).wait(10) is not None or psutil.Process(other).status() == psutil.STATUS_ZOMBIE
