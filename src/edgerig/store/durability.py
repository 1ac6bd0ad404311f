"""Files of a folder that must outlast a power cut: on its disk before anything names them.

A file that was written and renamed is in the system's memory at first, and may be there empty after a power cut.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from edgerig.errors import storing
from edgerig.files import sync_folder
from edgerig.store.parallel import in_parallel

#: Files that a thread takes up at a time: handing over one costs as much as bringing it to a fast disk.
_AT_ONCE = 16


def sync_files(root: Path, keys: Iterable[str]) -> None:
    """Bring files, and the folders that they are in, to the disk; those that are not there are left out.

    In many threads: file systems write what is asked for at the same time in one go, so that this takes a small part of
    the time that one file after the other takes.

    Args:
        root: The folder of a store.
        keys: Of the files, relative to it, with ``/``.

    Raises:
        StorageError: The disk is full or broken.
    """
    paths = [root / key for key in keys]
    folders = {folder for path in paths for folder in path.parents if folder.is_relative_to(root)}
    for sync, each in ((_sync_file, paths), (sync_folder, sorted({*folders, root.parent}))):
        for _ in in_parallel(lambda part, sync=sync: [sync(path) for path in part], _parts(each)):  # type: ignore[misc]
            pass


def _parts(paths: Sequence[Path]) -> Iterator[Sequence[Path]]:
    return (paths[start : start + _AT_ONCE] for start in range(0, len(paths), _AT_ONCE))


def _sync_file(path: Path) -> None:
    with storing(path), suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
