"""Content-addressed stages: the same inputs, options and versions are built once."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edgerig import files
from edgerig.errors import storing


class StageCache:
    """A folder of finished stages, each under the hash of everything it depends on.

    A stage is a folder. It appears by one rename, so it is whole or not there, and two processes that build the
    same stage at once do no harm.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or files.cache_folder() / "stages"

    @staticmethod
    def key(kind: str, **depends_on: Any) -> str:
        """The key of a stage: SHA-256 over its kind and everything that its content depends on."""
        return files.digest({"kind": kind, **depends_on})

    def folder(self, key: str) -> Path:
        """Where the stage of that key lies, or would lie."""
        return self.root / key[:2] / key

    def get_or_build(self, key: str, build: Callable[[Path], None], *, resumable: bool = False) -> tuple[Path, bool]:
        """The stage's folder, and whether it was there already.

        Args:
            key: From `key`.
            build: Fills the folder that it is given. If it raises, nothing of it is kept, unless ``resumable``.
            resumable: Keep what an interrupted build left, and give it to the next one.
        """
        final = self.folder(key)
        if final.is_dir():
            return final, True
        with self._lock(key):
            if final.is_dir():
                return final, True
            with self._workspace(key, resumable) as work:
                build(work)
                with storing(final):
                    _sync(work)
                    final.parent.mkdir(parents=True, exist_ok=True)
                    work.rename(final)
        return final, False

    @contextlib.contextmanager
    def _workspace(self, key: str, resumable: bool) -> Iterator[Path]:
        with storing(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            if resumable:
                work = self.root / f"partial-{key}"
                work.mkdir(exist_ok=True)
            else:
                work = Path(tempfile.mkdtemp(prefix="tmp-", dir=self.root))
        try:
            yield work
        finally:
            if not resumable:
                shutil.rmtree(work, ignore_errors=True)

    @contextlib.contextmanager
    def _lock(self, key: str) -> Iterator[None]:
        """One builder a stage at a time; others wait and then find it built."""
        with storing(self.root):
            (self.root / "locks").mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root / "locks" / key, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
