"""Folders that a process holds: those of killed ones are removed by the next."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgerig import files


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    files._sweep.cache_clear()
    yield tmp_path
    files._sweep.cache_clear()


def age(folder: Path) -> None:
    os.utime(folder, (time.time() - 1000,) * 2)


def test_folder_of_a_process_that_was_killed_is_removed_by_the_next(temporary):
    code = (
        "import tempfile, sys, time; tempfile.tempdir = sys.argv[1]\n"
        "from edgerig.files import held_folder\n"
        "print(held_folder(None)[0], flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(temporary)], stdout=subprocess.PIPE, text=True) as process:
        left = Path(process.stdout.readline().strip())
        (left / "network.tflite").write_bytes(b"large")
        age(left)
        first, held = files.held_folder(None)
        os.close(held)
        assert left.exists(), "it is in use"
        process.send_signal(signal.SIGKILL)
        process.wait()
    files._sweep.cache_clear()
    age(left)
    second, held = files.held_folder(None)
    os.close(held)
    assert not left.exists()
    assert first.exists(), "it is young: its owner may be about to lock it"
    assert second.exists()


def test_folders_without_our_lock_and_links_are_left_alone(temporary):
    foreign = temporary / "edgerig-notes"
    foreign.mkdir()
    (temporary / "edgerig-link").symlink_to(foreign)
    age(foreign)
    os.close(files.held_folder(None)[1])
    assert foreign.exists()
    assert (temporary / "edgerig-link").is_symlink()
