"""Signals that end a command: whichever it is, and whatever it does just then."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

#: A compiler whose module works for a minute when it is imported, or when the interpreter ends.
MODULE = """
import atexit, time
from edgerig.compilers.c_array import CArray
class Slow(CArray):
    \"\"\"A compiler.\"\"\"
    name = "slow"
def work():
    print("at work", flush=True)
    time.sleep(60)
{}
"""


def started(folder: Path, when: str, ignored: int | None = None) -> "subprocess.Popen[str]":
    (folder / "slow.py").write_text(MODULE.format(when))
    # pytest's own parent may ignore SIGINT, as a shell does for jobs in the background.
    code = (
        "import signal, sys; from edgerig.cli import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler); signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "[signal.signal(int(number), signal.SIG_IGN) for number in sys.argv.pop().split()]\n"
        "main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "list", "compilers", "slow:Slow", "" if ignored is None else str(int(ignored))],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert any(line == "at work\n" for line in process.stdout)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_any_command_is_stopped_in_words(tmp_path: Path, number: int) -> None:
    process = started(tmp_path, "work()")
    process.send_signal(number)
    _, words = process.communicate(timeout=30)
    assert process.returncode == 130
    assert words.split() == ["error:", "Stopped."]


def test_what_nohup_keeps_from_it_does_not_stop_a_command(tmp_path: Path) -> None:
    process = started(tmp_path, "work()", ignored=signal.SIGHUP)
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_ends_already_ends_without_a_traceback(tmp_path: Path, number: int) -> None:
    process = started(tmp_path, "atexit.register(work)")
    process.send_signal(number)
    _, words = process.communicate(timeout=30)
    assert (process.returncode, words) == (-number, "")
