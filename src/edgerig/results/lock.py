"""One run at a time in a folder, also while the folder is moved aside.

Two locks, both of ``flock``, which the system releases when the process ends:

- ``<folder>/.lock`` is held as long as a run writes there. It is a file in the folder, and so moves with it.
- ``.<name>.lock`` beside the folder is held while a folder is created and locked, moved, or moved back. Other processes
  that want the folder wait for it, so that they never see the gap between the old folder and the new one.
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
#: Longest time to move a folder in seconds, even on a slow disk; a process that waits longer reports that it is in use.
LONGEST_MOVE = 10.0
#: Seconds between two attempts to lock while a folder is moved.
PAUSE = 0.01
#: Attempts to lock a folder that runs remove, or whose lock file they remove, as they end.
LOCK_TRIES = 5
#: Characters of a folder's name in the name of the lock beside it, so that it fits any file system.
LONGEST_NAME = 200


class FolderLock:
    """The lock that allows one run to write into a folder.

    Args:
        path: The folder, which need not exist. If it is a link, the target is locked and moved; the link stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock of the folder that is there now."""
        return self._handle is not None and _is_same(self._handle, self.path / LOCK)

    def check(self) -> None:
        """Check, before anything is written, that the folder which this object has locked is still there.

        Where nothing is locked nothing is checked.

        Raises:
            StorageError: The folder was moved or removed meanwhile; another run may have begun in its place.
        """
        if self._handle is not None and not self.held:
            raise StorageError(
                f"{self.path} was moved or removed while the run wrote to it; what is there now is left as it is.",
                "Where it was moved, go on there: --resume --out FOLDER.",
            )

    def acquire(self) -> None:
        """Create the folder, if need be, and lock it until `release` or the end of the process.

        Raises:
            UsageError: Another run is writing here.
            StorageError: The folder cannot be created, or is a link to itself.
        """
        if self._handle is not None:
            return
        folder = self.target()
        with storing(self.path):
            folder.parent.mkdir(parents=True, exist_ok=True)
        with self._moving(folder):
            self._handle = self._lock(folder)

    def release(self) -> None:
        """Release the lock."""
        if self._handle is not None:
            if self.held:
                (self.path / LOCK).unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None

    def move_aside(self) -> Path:
        """Move the folder to ``<path>.1``, ``.2`` and so on, and lock a new, empty one in its place.

        Returns:
            The new path of the old one.

        Raises:
            UsageError: Another run is writing here.
            StorageError: It cannot be moved; it is unchanged, and locked.
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
        """Undo `move_aside`, if nothing was added to the folder since; returns whether it was undone.

        The folder is unlocked in either case.
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
        """Lock ``folder``, while the lock beside it is held; returns the file descriptor that holds the lock."""
        for _ in range(LOCK_TRIES):
            with storing(self.path):
                folder.mkdir(parents=True, exist_ok=True)
                try:
                    handle = _locked(folder / LOCK)
                except FileNotFoundError:
                    continue  # a run that is ending has just removed the folder
            if handle is None:
                break
            if _is_same(handle, folder / LOCK):
                return handle
            os.close(handle)  # a run that is ending has just removed the file
        raise self._in_use()

    @contextlib.contextmanager
    def _moving(self, folder: Path) -> Iterator[None]:
        """Holds the lock beside ``folder``: no other process creates, locks or moves it within the block.

        Raises:
            UsageError: Another process holds it for longer than a move takes.
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
    """Open and lock the file ``path``, which is created if missing; None if another process has it locked.

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
    """The same for a file that its owner unlinks at the end; None also where the file may not be created.

    A process that may not write beside a folder may not move it either, so that no lock is needed.

    Raises:
        StorageError: It cannot be created for another reason, such as a full disk.
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
