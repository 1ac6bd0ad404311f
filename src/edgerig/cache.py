"""Content-addressed stages: built once for equal inputs, options and versions, and checked when used again."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from edgerig import files
from edgerig.errors import StorageError, storing

_logger = logging.getLogger(__name__)

#: Name of the file in each stage that lists the others.
MANIFEST = ".stage.json"
#: What the names of folders begin with that stages are built in.
_TEMPORARY = "tmp-"


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of a finished stage: SHA-256 of every file by its path, and the digest of it all with the key."""

    key: str
    files: dict[str, str]
    sum: str


class StageCache:
    """A folder of finished stages, each under the hash of everything it depends on.

    A stage is a folder. It is created by one rename, so it is never incomplete, and two processes may build the
    same stage at once. Its manifest has a checksum of every file; a stage that differs from it (a file changed,
    missing or added) is built again.
    """

    def __init__(self, root: Path | None = None, checksum: Callable[[Path], str] = files.sha256_file) -> None:
        """``checksum``: of a file, its SHA-256; one that remembers saves reading files twice that are hashed anyway."""
        self.root, self._checksum = root or files.cache_folder() / "stages", checksum

    @staticmethod
    def key(kind: str, **depends_on: Any) -> str:
        """The key of a stage: SHA-256 over its kind and everything that its content depends on."""
        return files.digest({"kind": kind, **depends_on})

    def folder(self, key: str) -> Path:
        """The path of the stage of that key, whether it exists or not."""
        return self.root / key[:2] / key

    def get_or_build(
        self,
        key: str,
        build: Callable[[Path], None],
        *,
        resumable: bool = False,
        damaged: Callable[[str], None] = lambda reason: None,
    ) -> tuple[Path, bool]:
        """The stage's folder, every file of it checked, and whether it existed already.

        Args:
            key: From `key`.
            build: Fills the folder that is passed to it. If it raises, its files are removed, unless ``resumable``.
            resumable: Keep the files of an interrupted build, and pass them to the next one.
            damaged: Called with the fault of an existing stage that is damaged; it is built again.

        Raises:
            StorageError: The cache cannot be written, or the disk is full.
        """
        final = self.folder(key)
        if final.is_dir() and self.fault(key) is None:
            _logger.debug("%s is there already", final)
            return final, True
        _logger.debug("%s is not there, or not whole: it is built", final)
        with self._lock(key):
            # Another process may have built or repaired it meanwhile.
            if os.path.lexists(final):
                fault = self.fault(key)
                if fault is None:
                    return final, True
                damaged(fault)
                self._remove(final)
            with self._workspace(key, resumable) as work:
                with _full_disk_as_storage_error(final):
                    build(work)
                with storing(final):
                    _seal(work, key)
                    final.parent.mkdir(parents=True, exist_ok=True)
                    work.rename(final)
        return final, False

    def forget(self, key: str) -> None:
        """Remove a stage, if it is there, so that it is built again: where what it depends on is gone elsewhere."""
        with self._lock(key):
            if os.path.lexists(self.folder(key)):
                self._remove(self.folder(key))

    def fault(self, key: str) -> str | None:
        """The fault of an existing stage, in words; None if every file is as it was written."""
        folder = self.folder(key)
        try:
            manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
        except OSError:
            return "it has no list of its files"
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return "the list of its files is damaged"
        if manifest.key != key or manifest.sum != _sum(key, manifest.files):
            return "the list of its files is damaged"
        present = {str(path.relative_to(folder)) for path in _contents(folder)} - {MANIFEST}
        for name in sorted(present ^ manifest.files.keys()):
            return f"{name} is {'missing' if name in manifest.files else 'not one of its files'}"
        for name, expected in manifest.files.items():
            try:
                if (folder / name).is_symlink() or self._checksum(folder / name) != expected:
                    return f"{name} was changed"
            except OSError as error:
                return f"{name} cannot be read: {error.strerror}"
        return None

    def _remove(self, final: Path) -> None:
        """Rename a stage, so that no process finds half of it, then delete it."""
        with storing(final):
            aside = self._temporary(final.name)
            final.rename(aside / "damaged")
        shutil.rmtree(aside, ignore_errors=True)

    @contextlib.contextmanager
    def _workspace(self, key: str, resumable: bool) -> Iterator[Path]:
        with storing(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            if resumable:
                work = self.root / f"partial-{key}"
                work.mkdir(exist_ok=True)
            else:
                self._sweep(key)
                work = self._temporary(key)
        try:
            yield work
        finally:
            if not resumable:
                shutil.rmtree(work, ignore_errors=True)

    def _temporary(self, key: str) -> Path:
        """A folder for the builder of a stage, who has its lock."""
        return Path(tempfile.mkdtemp(prefix=f"{_TEMPORARY}{key}-", dir=self.root))

    def _sweep(self, own: str) -> None:
        """Remove the folders of builders that were killed: nobody has the lock of their stage, or this one, of ``own``,
        has."""
        for left in self.root.glob(f"{_TEMPORARY}*"):
            key = left.name.removeprefix(_TEMPORARY).rpartition("-")[0]
            with contextlib.ExitStack() as held, contextlib.suppress(StorageError, BlockingIOError):
                if key != own:
                    held.enter_context(self._lock(key, wait=False))
                shutil.rmtree(left, ignore_errors=True)

    @contextlib.contextmanager
    def _lock(self, key: str, *, wait: bool = True) -> Iterator[None]:
        """Allows one builder per stage at a time; others wait and then find it built, or `BlockingIOError` is raised
        without ``wait``."""
        with storing(self.root):
            (self.root / "locks").mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root / "locks" / key, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            yield
        finally:
            os.close(handle)


@contextlib.contextmanager
def _full_disk_as_storage_error(where: Path) -> Iterator[None]:
    """Turn the errors that a full disk causes in a build into a `StorageError`; other errors are the build's own."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO):
            raise
        with storing(where):
            raise


def _seal(folder: Path, key: str) -> None:
    """Flush all files to disk, and write their manifest."""
    sums = {}
    for path in _contents(folder):
        name = str(path.relative_to(folder))
        if name == MANIFEST:
            continue
        sums[name] = files.sha256_file(path)
        with path.open("rb") as file:
            os.fsync(file.fileno())
    files.write_json(folder / MANIFEST, Manifest(key=key, files=sums, sum=_sum(key, sums)))


def _contents(folder: Path) -> list[Path]:
    """All files below a folder, links among them, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())


def _sum(key: str, sums: dict[str, str]) -> str:
    return files.digest([key, sums])
