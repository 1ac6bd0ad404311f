import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgerig.agent import scratch as folders
from edgerig.errors import StorageError, UsageError


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folders._sweep.cache_clear()
    yield tmp_path
    folders._sweep.cache_clear()


def age(folder: Path) -> None:
    os.utime(folder, (time.time() - 1000,) * 2)


def test_folder_of_a_process_that_was_killed_is_removed_by_the_next(temporary):
    code = (
        "import tempfile, sys, time; tempfile.tempdir = sys.argv[1]\n"
        "from edgerig.agent.scratch import session_folder\n"
        "print(session_folder(None)[0], flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(temporary)], stdout=subprocess.PIPE, text=True) as process:
        left = Path(process.stdout.readline().strip())
        (left / "network.tflite").write_bytes(b"large")
        age(left)
        first, held = folders.session_folder(None)
        os.close(held)
        assert left.exists(), "it is in use"
        process.send_signal(signal.SIGKILL)
        process.wait()
    folders._sweep.cache_clear()
    age(left)
    second, held = folders.session_folder(None)
    os.close(held)
    assert not left.exists()
    assert first.exists(), "it is young: its owner may be about to lock it"
    assert second.exists()


def test_folders_without_our_lock_and_links_are_left_alone(temporary):
    foreign = temporary / "edgerig-notes"
    foreign.mkdir()
    (temporary / "edgerig-link").symlink_to(foreign)
    age(foreign)
    os.close(folders.session_folder(None)[1])
    assert foreign.exists()
    assert (temporary / "edgerig-link").is_symlink()


def test_two_agents_cannot_have_one_folder(tmp_path):
    held = folders.own_folder(tmp_path / "own")
    with pytest.raises(UsageError, match="Another agent"):
        folders.own_folder(tmp_path / "own")
    os.close(held)
    os.close(folders.own_folder(tmp_path / "own"))


def test_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        folders.own_folder(tmp_path / "file" / "own")
