"""What a worker's process is started with."""

import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from edgerig.agent.worker_process import WorkerProcess, environment
from edgerig.environments.interpreter import Interpreter


def test_numpy_starts_no_threads_in_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "4")
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    code = (
        "import os, numpy; numpy.ones((300, 300)) @ numpy.ones((300, 300)); print(len(os.listdir('/proc/self/task')))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]


@pytest.mark.parametrize("way", ["end", "kill"])
def test_temporary_files_of_a_worker_go_with_its_folder(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Engines unpack, compile and profile there, and are ended in the midst of it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    program, temporary = tmp_path / "python", tmp_path / "temporary"
    temporary.mkdir()
    program.write_text("#!/bin/sh\nmkdir $TMPDIR/edgerig-network\necho x > $TMPDIR/edgerig-network/network.so\n")
    program.chmod(0o755)
    interpreter = Interpreter(executable=str(program), version="3.11", prefix=str(tmp_path), packages={})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        worker = WorkerProcess(theirs, parent_folder=temporary, interpreter=interpreter)
        worker.process.wait(60)
        assert (worker.folder / "edgerig-network" / "network.so").exists()
        getattr(worker, way)()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["python", "temporary"]
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("way", ["end", "kill"])
def test_what_a_worker_has_started_ends_when_it_has_ended(way: str, tmp_path: Path) -> None:
    started, program = tmp_path / "started", tmp_path / "python"
    program.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {started}\n")
    program.chmod(0o755)
    interpreter = Interpreter(executable=str(program), version="3.11", prefix=str(tmp_path), packages={})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        worker = WorkerProcess(theirs, parent_folder=tmp_path, interpreter=interpreter)
        worker.process.wait(60)
        left = psutil.Process(int(started.read_text()))
        assert left.is_running()
        getattr(worker, way)()
    psutil.wait_procs([left], timeout=60)
    assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE
