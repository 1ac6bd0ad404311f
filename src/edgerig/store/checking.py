"""All bytes of versions against their hashes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from edgerig.errors import DamagedObjectError
from edgerig.progress import Progress
from edgerig.store.parallel import in_parallel
from edgerig.store.store import Store
from edgerig.store.types import Version

#: Names of entries that a damage lists.
_LISTED = 3


class Damage(msgspec.Struct, frozen=True):
    """An object that is not what it should be: why, and the names of the entries that need it."""

    sha256: str
    reason: str
    entries: tuple[str, ...]

    def users(self) -> str:
        more = len(self.entries) - _LISTED
        return ", ".join(self.entries[:_LISTED]) + (f" and {more:,} more" if more > 0 else "")


class Checked(msgspec.Struct, frozen=True):
    """How many objects were read, how many bytes of files these are, and which are damaged."""

    objects: int
    bytes: int
    damages: tuple[Damage, ...]


def check_contents(store: Store, versions: Sequence[Version], progress: Progress) -> Checked:
    """Read all objects that versions need, and compare each with its hash.

    Raises:
        StoreError: The store is not there, or refuses; a damaged object is no error but part of the result.
    """
    users: dict[str, list[str]] = {}
    sizes: dict[str, int] = {}
    for version in versions:
        for entry in version.entries:
            users.setdefault(entry.sha256, []).append(entry.name)
            sizes[entry.sha256] = entry.size
            if entry.annotation is not None:
                users.setdefault(entry.annotation, []).append(f"{entry.name} (annotation)")
    damages: list[Damage] = []

    def check(sha256: str) -> tuple[str, str | None]:
        try:
            count = store.objects.check(sha256)
        except DamagedObjectError as error:
            return sha256, error.message
        wrong = count != sizes.get(sha256, count)
        return sha256, f"The object {sha256} has {count:,} bytes, not {sizes[sha256]:,}." if wrong else None

    with progress.task(f"Reading {store.address}", len(users)) as task:
        for sha256, reason in in_parallel(check, users):
            if reason is not None:
                damages.append(Damage(sha256, reason, tuple(dict.fromkeys(users[sha256]))))
            task.advance()
    return Checked(len(users), sum(sizes.values()), tuple(sorted(damages, key=lambda damage: damage.entries)))
