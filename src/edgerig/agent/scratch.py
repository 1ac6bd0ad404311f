"""Folders of agents and their sessions: each has one owner, and those of killed processes are removed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from functools import cache
from pathlib import Path

from edgerig.errors import UsageError, storing

#: What the name of a session's folder begins with.
PREFIX = "edgerig-"
_LOCK = "agent.lock"
_HELD = "held"
#: A folder younger than this may not have got its lock yet.
_YOUNG_SECONDS = 60.0


def own_folder(folder: Path | None) -> int | None:
    """Lock ``folder`` for this agent, and remove what a killed agent left there; the descriptor that holds the lock.

    Raises:
        UsageError: Another agent has it. StorageError: It cannot be used.
    """
    if folder is None:
        return None
    with storing(folder):
        _make_private(folder)
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not _locked(descriptor):
        os.close(descriptor)
        raise UsageError(f"Another agent uses {folder}.", "Stop that one, or give this one a --folder of its own.")
    for left in folder.glob(PREFIX + "*"):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
    return descriptor


def _make_private(folder: Path) -> None:
    """Make ``folder`` private to its owner: it holds leases, networks and the output of engines."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # A folder with other content, such as a home, keeps its permissions; files in it get their own.
    ours = folder.stat().st_uid == os.getuid()
    if ours and ((folder / _LOCK).exists() or not any(folder.iterdir())):
        folder.chmod(0o700)


def session_folder(parent: Path | None) -> tuple[Path, int]:
    """A new folder for a session, and the descriptor of a lock that marks it as in use.

    Raises:
        StorageError: There is no room, or no permission.
    """
    with storing(parent or tempfile.gettempdir()):
        if parent is None:
            _sweep(Path(tempfile.gettempdir()))
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        held = os.open(folder / _HELD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    _locked(held)
    return folder, held


@cache
def _sweep(temporary: Path) -> None:
    """Remove the folders there of sessions whose process was killed together with the one that started it."""
    for left in temporary.glob(PREFIX + "*"):
        try:
            if left.lstat().st_uid != os.getuid() or time.time() - left.lstat().st_mtime < _YOUNG_SECONDS:
                continue
            descriptor = os.open(left / _HELD, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            if _locked(descriptor):
                shutil.rmtree(left, ignore_errors=True)
        finally:
            os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
