"""Files of this machine to a store and back: several at a time, only what is not there whole, each byte checked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import msgspec

from edgerig import files
from edgerig.errors import StoreError, storing
from edgerig.progress import Progress
from edgerig.store.names import collisions
from edgerig.store.objects import Stored
from edgerig.store.parallel import in_parallel
from edgerig.store.store import Store
from edgerig.store.types import Entry, Version
from edgerig.text import counted

#: Threads that compute hashes: more than this a disk does not feed.
_HASHERS = 4


class LocalFile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A file that is to become an entry.

    Attributes:
        path: Where it lies.
        name: What the entry is called.
        split, label, extra: As of `Entry`.
        annotation: Canonical JSON of the image's labels, which becomes an object of its own; None where there is none.
    """

    path: Path
    name: str
    split: str | None = None
    label: str | None = None
    annotation: bytes | None = None
    extra: dict[str, str] = {}


class Sent(msgspec.Struct, frozen=True):
    """The entries of what was sent, and how many objects went over the line with how many bytes."""

    entries: tuple[Entry, ...]
    objects: int
    bytes: int


def upload(store: Store, local: Sequence[LocalFile], progress: Progress, *, repair: bool = False) -> Sent:
    """Bring files into a store, of which those that are there with all of their bytes are not sent again.

    Where it is stopped, what was sent stays, and the next call goes on there.

    Args:
        repair: Read what is there, and send again what is not what its hash says.

    Raises:
        StoreError: A file cannot be read or was changed meanwhile, or the store refuses.
    """
    entries: list[Entry] = []
    sources: dict[Stored, Path | bytes] = {}
    with progress.task(f"Reading {counted(len(local), 'file')}", len(local)) as task:
        for file, content in in_parallel(lambda file: (file, _hash(file.path)), local, _HASHERS):
            sources[content] = file.path
            annotation = None
            if file.annotation is not None:
                annotation = Stored(files.sha256(file.annotation), len(file.annotation))
                sources[annotation] = file.annotation
            entries.append(_entry(file, content, annotation))
            task.advance()
    there = _present(store, sources, progress, repair)
    missing = [(stored, source) for stored, source in sources.items() if stored.sha256 not in there]
    with progress.task(f"Sending {counted(len(missing), 'file')} to {store.address}", len(missing)) as task:
        for _ in in_parallel(lambda pair: _send(store, *pair), missing):
            task.advance()
    return Sent(
        tuple(sorted(entries, key=lambda entry: entry.name)), len(missing), sum(stored.size for stored, _ in missing)
    )


def download(store: Store, entries: Sequence[Entry], folder: Path, progress: Progress) -> int:
    """Write the files of entries into a folder, of which those that are there with the same content stay.

    Returns:
        How many were written.

    Raises:
        DamagedObjectError: An object is missing, truncated or changed; names it. What is whole was written.
        StoreError: Names are one file on this disk, or lead out of the folder by a link that is there.
    """
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    _make_folders(entries, folder)
    written = 0
    with progress.task(f"Fetching {counted(len(entries), 'file')} from {store.address}", len(entries)) as task:
        for new in in_parallel(lambda entry: _fetch(store, entry, folder / entry.name), entries):
            written += new
            task.advance()
    return written


def copy_objects(
    source: Store, target: Store, needed: Iterable[Stored], progress: Progress, *, repair: bool = False
) -> int:
    """Bring contents from one store to another, each checked on the way; those that are there are not sent again.

    Args:
        repair: See `upload`.

    Returns:
        How many were sent.
    """
    wanted = list(dict.fromkeys(needed))
    there = _present(target, wanted, progress, repair)
    missing = [stored for stored in wanted if stored.sha256 not in there]
    with progress.task(f"Copying {counted(len(missing), 'object')} to {target.address}", len(missing)) as task:
        for _ in in_parallel(lambda stored: target.objects.copy_from(source.objects, stored), missing):
            task.advance()
    return len(missing)


def _present(store: Store, needed: Collection[Stored], progress: Progress, repair: bool) -> set[str]:
    there = store.objects.present(needed)
    return store.objects.whole(there, progress) if repair else there


def contents_of(version: Version, store: Store) -> list[Stored]:
    """The objects that a version needs: the bytes of its entries, and their annotations with the sizes that these have
    in ``store``; a missing one with 0."""
    annotations = {entry.annotation for entry in version.entries if entry.annotation is not None}
    sizes = store.objects.sizes(annotations)
    files_ = (Stored(entry.sha256, entry.size) for entry in version.entries)
    return [*files_, *(Stored(name, sizes.get(name, 0)) for name in sorted(annotations))]


def _hash(path: Path) -> Stored:
    try:
        return Stored(files.sha256_file(path), path.stat().st_size)
    except OSError as error:
        raise StoreError(f"Cannot read {path}: {error.strerror}.") from None


def _entry(file: LocalFile, content: Stored, annotation: Stored | None) -> Entry:
    return Entry(
        name=file.name,
        sha256=content.sha256,
        size=content.size,
        split=file.split,
        label=file.label,
        annotation=annotation.sha256 if annotation is not None else None,
        extra=file.extra,
    )


def _send(store: Store, stored: Stored, source: Path | bytes) -> None:
    if isinstance(source, Path):
        store.objects.send(source, stored)
    else:
        store.objects.replace(stored, source)


def _fetch(store: Store, entry: Entry, path: Path) -> bool:
    if path.is_file() and path.stat().st_size == entry.size and files.sha256_file(path) == entry.sha256:
        return False
    store.objects.fetch(entry.sha256, path, entry.size)
    return True


def _make_folders(entries: Sequence[Entry], folder: Path) -> None:
    """Make the folders of files; refuse names that are one file on this disk, and links that lead elsewhere."""
    root = folder.resolve()
    for parent in sorted({(folder / entry.name).parent for entry in entries}):
        if not parent.resolve().is_relative_to(root):
            raise StoreError(f"{parent} leads out of {folder}.", "Remove that link, or choose another folder.")
        with storing(parent):
            parent.mkdir(parents=True, exist_ok=True)
    pairs = collisions(entry.name for entry in entries)
    if pairs and _ignores_case(folder):
        first, second = pairs[0]
        raise StoreError(f"{first!r} and {second!r} are one file on this disk.", "Rename one, or take another disk.")


def _ignores_case(folder: Path) -> bool:
    with storing(folder):
        probe = folder / ".edgerig-Case"
        probe.write_bytes(b"")
        try:
            return (folder / ".edgerig-cASE").exists()
        finally:
            probe.unlink()
