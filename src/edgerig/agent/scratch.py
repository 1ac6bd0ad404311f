"""The folder of an agent: it has one owner, and what a killed one left in it is removed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edgerig.errors import UsageError, storing
from edgerig.files import HELD_PREFIX, locked

_LOCK = "agent.lock"


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
    if not locked(descriptor):
        os.close(descriptor)
        raise UsageError(f"Another agent uses {folder}.", "Stop that one, or give this one a --folder of its own.")
    for left in folder.glob(HELD_PREFIX + "*"):
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
