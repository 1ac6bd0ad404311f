"""One run at a time in a folder, also while the folder is moved aside.

Two locks, both of ``flock`` and so gone with the process that holds them:

- ``<folder>/.lock`` is held as long as a run writes there. It is a file in the folder, and so moves away with it.
- ``.<name>.lock`` beside the folder is held for the moment in which a folder is made and locked, moved, or moved back.
  Whoever wants the folder meanwhile waits, and never finds the gap between the old folder and the new one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from edgerig.errors import StorageError, UsageError, storing

#: Name of the lock in the folder.
LOCK = ".lock"
#: Seconds in which a folder is moved, even on a slow disk; who has to wait longer is told that it is in use.
LONGEST_MOVE = 10.0
#: Seconds between two looks whether the move is over.
PAUSE = 0.01
#: Times that a run which ends may take the folder or its lock away from under one that wants it.
LOCK_TRIES = 5
#: Characters of a folder's name in that of the lock beside it, so that it fits any file system.
LONGEST_NAME = 200


class FolderLock:
    """The right of one run to write into a folder.

    Args:
        path: The folder, which need not exist. Where it is a link, what that leads to is locked and moved; the link
            stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object keeps others out."""
        return self._handle is not None

    def acquire(self) -> None:
        """Make the folder, if need be, and keep every other run out of it until `release` or the process' end.

        Raises:
            UsageError: Another run is at work here.
            StorageError: The folder cannot be made, or leads to itself.
        """
        if self._handle is not None:
            return
        folder = self.target()
        with storing(self.path):
            folder.parent.mkdir(parents=True, exist_ok=True)
        with self._moving(folder):
            self._handle = self._lock(folder)

    def release(self) -> None:
        """Let others in again."""
        if self._handle is not None:
            (self.path / LOCK).unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    def move_aside(self) -> Path:
        """Move the folder to ``<path>.1``, ``.2`` and so on, and lock a new, empty one in its place.

        Returns:
            Where the old one is.

        Raises:
            UsageError: Another run is at work here.
            StorageError: It cannot be moved; it is as it was, and locked.
        """
        self.acquire()
        folder = self.target()
        with self._moving(folder):
            number = 1
            while os.path.lexists(old := folder.with_name(f"{folder.name}.{number}")):
                number += 1
            with storing(old):
                folder.rename(old)
            old_handle = self._handle
            try:
                self._handle = self._lock(folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    folder.rmdir()
                old.rename(folder)
                raise
            (old / LOCK).unlink(missing_ok=True)
            assert old_handle is not None
            os.close(old_handle)
        return old

    def move_back(self, old: Path) -> bool:
        """Undo `move_aside`, if nothing has come into the folder since; tells whether it did.

        The folder is not locked any more, in either case.
        """
        folder = self.target()
        with self._moving(folder):
            self.release()
            try:
                folder.rmdir()
                old.rename(folder)
            except OSError:
                return False
        return True

    def target(self) -> Path:
        """The folder itself, where ``path`` may be a link.

        Raises:
            StorageError: The link leads to itself.
        """
        try:
            return self.path.resolve()
        except (OSError, RuntimeError) as error:  # Python 3.12 and older raise RuntimeError for a circle
            raise StorageError(f"{self.path} is a link that leads to itself.", "Choose another --out.") from error

    def _lock(self, folder: Path) -> int:
        """Lock ``folder``, which nobody moves meanwhile; returns the file descriptor that holds the lock."""
        for _ in range(LOCK_TRIES):
            with storing(self.path):
                folder.mkdir(parents=True, exist_ok=True)
                try:
                    handle = _locked(folder / LOCK)
                except FileNotFoundError:
                    continue  # a run that ended just now took the folder away
            if handle is None:
                break
            if _is_same(handle, folder / LOCK):
                return handle
            os.close(handle)  # a run that ended just now took the file away
        raise self._in_use()

    @contextlib.contextmanager
    def _moving(self, folder: Path) -> Iterator[None]:
        """Nobody else makes, locks or moves ``folder`` meanwhile.

        Raises:
            UsageError: Another process does so for longer than a move takes.
        """
        beside = folder.with_name(f".{folder.name[:LONGEST_NAME]}.lock")
        deadline = time.monotonic() + LONGEST_MOVE
        handle = _locked_beside(beside)
        while handle is None and os.access(folder.parent, os.W_OK):
            if time.monotonic() > deadline:
                raise self._in_use()
            time.sleep(PAUSE)
            handle = _locked_beside(beside)
        try:
            yield
        finally:
            if handle is not None:
                beside.unlink(missing_ok=True)
                os.close(handle)

    def _in_use(self) -> UsageError:
        return UsageError(
            f"{self.path} is in use: Another run is writing to it.", "Wait for it, or choose another --out."
        )


def _locked(path: Path) -> int | None:
    """Open and lock the file ``path``, which is made if it is not there; None if another process has it locked.

    Raises:
        OSError: It cannot be opened or locked.
    """
    handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return None
        raise
    return handle


def _locked_beside(path: Path) -> int | None:
    """The same of a file that its owner unlinks at the end; None also where nobody may make one.

    Where nobody may write beside a folder, nobody may move it either.

    Raises:
        StorageError: It cannot be made for another reason, such as a full disk.
    """
    try:
        handle = _locked(path)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return None
        raise StorageError(f"Could not write {path}: {error.strerror}.", "Choose another --out.") from error
    if handle is not None and not _is_same(handle, path):
        os.close(handle)
        return None
    return handle


def _is_same(handle: int, path: Path) -> bool:
    """Whether an open file is the one at ``path``."""
    try:
        at_path = path.stat()
    except OSError:
        return False
    own = os.fstat(handle)
    return (own.st_dev, own.st_ino) == (at_path.st_dev, at_path.st_ino)
