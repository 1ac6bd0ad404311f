"""Processes of this machine on its cores: which one they are held on, and how long they have computed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from edgerig.targets.base import Session


def hold_on_core(sessions: Sequence[Session], number: int) -> int | None:
    """Pin single-threaded processes of this machine to one core; returns the core, or None if they are not pinned."""
    pids = [session.pid for session in sessions]
    if None in pids or any(session.load_report.threads != 1 for session in sessions):
        return None
    try:
        cores = sorted(os.sched_getaffinity(0))
        core = cores[number % len(cores)]
        for pid in pids:
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), {core})
    except (AttributeError, OSError):
        # The system has no such call, or a thread has just ended: leave the cores to the scheduler.
        return None
    return core


def cpu_time_ns(pid: int | None) -> int | None:
    """Time that all threads of a process of this machine have spent on processors, in ns; None where not known.

    Linux counts it by its scheduler's clock (``/proc/<pid>/task/*/schedstat``), to the nanosecond.
    """
    if pid is None:
        return None
    try:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())
    except (OSError, ValueError, IndexError):
        return None
