"""Contents of a store in this machine's cache, each under its hash and checked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import msgspec

from edgerig import files
from edgerig.datasets.samples import content_sum
from edgerig.datasets.stored.pin import Pinned, store_of
from edgerig.errors import DatasetError, storing
from edgerig.progress import Progress
from edgerig.store import Store
from edgerig.store.parallel import in_parallel


class Wanted(msgspec.Struct, frozen=True):
    """A content to have in the cache.

    Attributes:
        sha256: Its hash.
        size: Its bytes; None where they are not known.
        name: Its file gets the ending of this name.
    """

    sha256: str
    size: int | None
    name: str


def cached_path(sha256: str, name: str) -> Path:
    """Where the content of an entry lies in the cache: under its hash, with the ending of its name."""
    suffix = PurePosixPath(name).suffix.lower()
    return files.cache_folder() / "store" / "objects" / sha256[:2] / f"{sha256}{suffix if suffix.isascii() else ''}"


def fetch(pinned: Pinned, wanted: Sequence[Wanted], progress: Progress) -> list[Path]:
    """The files of contents in the cache, in their order; those that are not there whole are fetched.

    Raises:
        DamagedObjectError: An object is missing, truncated or changed; names it.
        StoreError: The store is not there.
    """
    paths = [cached_path(each.sha256, each.name) for each in wanted]
    lacking = dict(zip(paths, wanted, strict=True))
    with progress.task("checking what is in the cache", len(lacking)) as task:
        answers = in_parallel(lambda pair: (pair[0], _is_whole(*pair)), list(lacking.items()), os.cpu_count() or 1)
        for path, whole in answers:
            if whole:
                del lacking[path]
            task.advance()
    if lacking:
        store = store_of(pinned)
        for folder in {path.parent for path in lacking}:
            with storing(folder):
                folder.mkdir(parents=True, exist_ok=True)
        with progress.task(f"fetching {pinned.address}", len(lacking)) as task:
            for _ in in_parallel(lambda pair: _fetch(store, *pair), lacking.items()):
                task.advance()
    return paths


def _fetch(store: Store, path: Path, wanted: Wanted) -> None:
    store.objects.fetch(wanted.sha256, path, wanted.size or 0)


def _is_whole(path: Path, wanted: Wanted) -> bool:
    try:
        if not path.is_file() or wanted.size not in (None, path.stat().st_size):
            return False
        # Read once in this process: the fingerprint of samples needs the same sum.
        return content_sum(path) == wanted.sha256
    except (OSError, DatasetError):
        return False
