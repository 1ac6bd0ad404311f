"""Run a job in a process of its own, within bounds of time and memory."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from edgerig.bounded.worker import resident_bytes
from edgerig.environments.source import module_path
from edgerig.files import TEMPORARY
from edgerig.suites.conversion_grid.child import JOB, LONGEST, OUTCOME, STAGE, Job, Outcome

_LAST_LINES = 3
_TICK = 0.05


class Bounds(msgspec.Struct, frozen=True):
    """Seconds and bytes of resident memory that a process may take."""

    seconds: float = 120.0
    memory: int = 4 << 30


class Ended(NamedTuple):
    """How a process ended: ``done`` with an outcome, or not, with what was said last."""

    how: Literal["done", "crashed", "hung", "memory"]
    outcome: Outcome
    message: str = ""


def run_job(
    job: Job, work: Path, bounds: Bounds, python: str | None = None, stopped: Callable[[], bool] = lambda: False
) -> Ended:
    """Do ``job``, with files in the empty folder ``work``.

    Args:
        job: What to do. work: Gets its files.
        bounds: After which it is killed.
        python: Another interpreter than this one.
        stopped: Asked again and again: whether it is to be killed, since nobody waits for it any more.

    A process that takes too much, or that this one leaves for any reason, is killed with all that it started.
    """
    (work / JOB).write_bytes(msgspec.json.encode(job))
    module, parent = "edgerig.suites.conversion_grid.child", str(os.getpid())
    command = [python or sys.executable, "-P", "-m", module, str(work / JOB), parent]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", TEMPORARY: str(work)}
    environment["PYTHONPATH"] = module_path() if python else os.pathsep.join(filter(None, sys.path))
    with (work / "output").open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
        )
        try:
            how = _wait(process, bounds, stopped)
        finally:
            _kill(process)
    if how == "done" and (work / OUTCOME).is_file():
        return Ended("done", msgspec.json.decode((work / OUTCOME).read_bytes(), type=Outcome))
    stage = (work / STAGE).read_text() if (work / STAGE).is_file() else "starting"
    why = {
        "hung": f"given up after {bounds.seconds:g} s",
        "memory": f"given up at {bounds.memory / 1e9:.1f} GB of memory",
    }.get(how, _ending(process.returncode))
    words = _last_words(work / "output")
    return Ended("crashed" if how == "done" else how, Outcome(stage=stage), f"{stage}: {why}{words}"[:LONGEST])


def _wait(
    process: subprocess.Popen[bytes], bounds: Bounds, stopped: Callable[[], bool]
) -> Literal["done", "hung", "memory"]:
    end = time.monotonic() + bounds.seconds
    while process.poll() is None:
        if time.monotonic() > end or stopped():
            return "hung"
        if resident_bytes(process.pid) > bounds.memory:
            return "memory"
        time.sleep(_TICK)
    return "done"


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill it and what it started, which has its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _ending(code: int) -> str:
    try:
        return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    except ValueError:
        return f"died of signal {-code}"


def _last_words(path: Path) -> str:
    lines = [line.strip() for line in path.read_bytes()[-4000:].decode(errors="replace").splitlines()]
    words = " | ".join([line for line in lines if line][-_LAST_LINES:])
    return f"; its last words: {words}" if words else ""
