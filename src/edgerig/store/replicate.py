"""A dataset from one store to another: the same versions, with the same numbers and hashes."""

from __future__ import annotations

import msgspec

from edgerig.errors import StoreError
from edgerig.progress import Progress
from edgerig.store.transfer import contents_of, copy_objects
from edgerig.store.versions import Versions, hashes_of
from edgerig.text import counted


class Replicated(msgspec.Struct, frozen=True):
    """What was copied: the numbers of the versions that are new there, and how many objects went over the line."""

    versions: tuple[int, ...]
    objects: int


def replicate(
    source: Versions, target: Versions, upto: int | None, progress: Progress, *, repair: bool = False
) -> Replicated:
    """Copy all versions of a dataset up to one to another store, where there may be the first of them.

    Contents first, and each version when all of its contents are there: where it is stopped, what is there is whole.

    Args:
        upto: The number of the last version to copy; None for all.
        repair: Read the contents of the versions that are there already, and send again what is damaged.

    Raises:
        StoreError: The target has other versions of its own; names the first that differs.
        DamagedObjectError: An object is missing, truncated or changed; nothing of its version is committed.
    """
    numbers = source.numbers()
    if upto is not None:
        numbers = [number for number in numbers if number <= upto]
    if not numbers or (upto is not None and numbers[-1] != upto):
        source.read(upto)  # says what there is
    there = target.numbers()
    other = _first_other(source, target, [number for number in there if number <= numbers[-1]])
    if other is not None:
        raise StoreError(
            f"{target.address} has another version {other} than {source.address}.",
            "They have grown apart: push to another name, or fetch the files (data get) and import them.",
        )
    new = [number for number in numbers if number not in there]
    objects, named = 0, frozenset[str]()
    if repair:
        old = [source.read(number) for number in numbers if number in there]
        needed = dict.fromkeys(stored for version in old for stored in contents_of(version, source.store))
        objects += copy_objects(source.store, target.store, needed, progress, repair=True)
    for number in new:
        version = source.read(number)
        progress.log(f"{source.address}@{number}: {counted(len(version.entries), 'file')}")
        objects += copy_objects(source.store, target.store, contents_of(version, source.store), progress)
        hashes = hashes_of(version.entries)
        target.store.objects.sync(hashes - named)
        named |= hashes
        target.create(number, source.read_bytes(number))
    return Replicated(tuple(new), objects)


def _first_other(source: Versions, target: Versions, there: list[int]) -> int | None:
    """The first version of the target that the source does not have, of those up to its last; None where there is none.
    Their sizes are compared, and the bytes of the last of them, which was made from the others."""
    sizes, other_sizes = source.sizes(), target.sizes()
    for number in there:
        if sizes.get(number) != other_sizes[number]:
            return number
    if there and source.read_bytes(there[-1]) != target.read_bytes(there[-1]):
        return next(number for number in there if source.read_bytes(number) != target.read_bytes(number))
    return None
