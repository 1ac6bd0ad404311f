"""What two versions differ in, and both of two writers' changes in one version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from edgerig.errors import ConflictError
from edgerig.store.types import ClassInfo, Entry

#: Conflicts that a message lists.
_LISTED = 10


class Difference(msgspec.Struct, frozen=True):
    """What the entries of a later version differ in from those of an earlier one, sorted by name.

    Attributes:
        added: Entries that only the later one has.
        removed: Entries that only the earlier one has.
        changed: Entries of one name that differ, the earlier and the later one.
    """

    added: tuple[Entry, ...]
    removed: tuple[Entry, ...]
    changed: tuple[tuple[Entry, Entry], ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def difference(earlier: Sequence[Entry], later: Sequence[Entry]) -> Difference:
    """Compare the entries of two versions."""
    before = {entry.name: entry for entry in earlier}
    added, changed = [], []
    for entry in later:
        old = before.pop(entry.name, None)
        if old is None:
            added.append(entry)
        elif old != entry:
            changed.append((old, entry))

    def name(entry: Entry) -> str:
        return entry.name

    return Difference(
        tuple(sorted(added, key=name)),
        tuple(sorted(before.values(), key=name)),
        tuple(sorted(changed, key=lambda pair: pair[0].name)),
    )


def merge(base: Sequence[Entry], ours: Sequence[Entry], theirs: Sequence[Entry], whose: str) -> tuple[Entry, ...]:
    """The entries of ``theirs`` with what ``ours`` changed since ``base``; sorted by name.

    Entries are merged field by field: one writer may have changed the label and the other the split. The same change of
    both is no conflict.

    Args:
        whose: Names theirs in the error, such as ``"version 8"``.

    Raises:
        ConflictError: Both changed the same field of an entry, or one removed what the other changed; lists them.
    """
    change = difference(base, ours)
    old = {entry.name: entry for entry in base}
    result = {entry.name: entry for entry in theirs}
    conflicts: list[str] = []
    for entry in change.removed:
        other = result.get(entry.name)
        if other is not None and other != entry:
            conflicts.append(f"{entry.name}: removed here, changed in {whose}")
        result.pop(entry.name, None)
    for entry in (*change.added, *(later for _, later in change.changed)):
        other, before = result.get(entry.name), old.get(entry.name)
        if other in (before, entry):
            result[entry.name] = entry
        elif other is None:
            conflicts.append(f"{entry.name}: changed here, removed in {whose}")
        else:
            result[entry.name] = _merge_fields(before, entry, other, whose, conflicts)
    if conflicts:
        more = f"\nand {len(conflicts) - _LISTED} more" if len(conflicts) > _LISTED else ""
        raise ConflictError(
            f"Somebody else changed the same entries meanwhile:\n{chr(10).join(conflicts[:_LISTED])}{more}",
            f"Look at {whose}, and make your changes to it.",
            tuple(conflicts),
        )
    return tuple(result[name] for name in sorted(result))


def merge_classes(base: Sequence[str], ours: Sequence[str], theirs: Sequence[str], whose: str) -> tuple[str, ...]:
    """The classes of theirs with those that ours added at the end since ``base``.

    Raises:
        ConflictError: Both changed the classes, and one did more than add some at the end.
    """
    before, our, their = tuple(base), tuple(ours), tuple(theirs)
    if our in (before, their):
        return their
    if their == before:
        return our
    length = len(before)
    if our[:length] != before or their[:length] != before:
        what = f"classes: {', '.join(our)} here, {', '.join(their)} in {whose}"
        raise ConflictError(f"Somebody else changed the classes meanwhile; {what}.", f"Look at {whose}.", (what,))
    return (*their, *(name for name in our if name not in their))


def merge_info(
    base: Mapping[str, ClassInfo], ours: Mapping[str, ClassInfo], theirs: Mapping[str, ClassInfo]
) -> dict[str, ClassInfo]:
    """What theirs knows of classes, with what ours knows otherwise than ``base``; ours where both changed the same."""
    return {**theirs, **{name: info for name, info in ours.items() if info != base.get(name)}}


def completed(known: Mapping[str, ClassInfo], said: Mapping[str, ClassInfo]) -> dict[str, ClassInfo]:
    """What is said of classes, and what was known of them that it leaves open: a format may have no ids, or no groups.

    >>> completed({"cat": ClassInfo(id=17, group="animal")}, {"cat": ClassInfo(color=(1, 2, 3))})
    {'cat': ClassInfo(id=17, color=(1, 2, 3), group='animal')}
    """
    result = dict(known)
    for name, new in said.items():
        old = known.get(name, ClassInfo())
        result[name] = ClassInfo(
            id=old.id if new.id is None else new.id, color=new.color or old.color, group=new.group or old.group
        )
    return result


def _merge_fields(before: Entry | None, ours: Entry, theirs: Entry, whose: str, conflicts: list[str]) -> Entry:
    """An entry with what each of two writers changed in it; appends to ``conflicts`` where that is the same thing."""

    def pick(what: str, base: Any, our: Any, their: Any) -> Any:
        if our in (base, their):
            return their
        if their != base:
            conflicts.append(f"{ours.name}: {what} {_show(our)} here, {_show(their)} in {whose}")
        return our

    base = before if before is not None else Entry(name=ours.name, sha256="", size=-1)
    sha256, size = pick("content", (base.sha256, base.size), (ours.sha256, ours.size), (theirs.sha256, theirs.size))
    fields = {name: pick(name, getattr(base, name), getattr(ours, name), getattr(theirs, name)) for name in _SINGLE}
    extra = {
        key: pick(f"extra {key!r}", base.extra.get(key), ours.extra.get(key), theirs.extra.get(key))
        for key in sorted({*base.extra, *ours.extra, *theirs.extra})
    }
    kept_extra = {key: value for key, value in extra.items() if value is not None}
    return Entry(name=ours.name, sha256=sha256, size=size, extra=kept_extra, **fields)


_SINGLE = ("split", "label", "annotation")


def _show(value: Any) -> str:
    if isinstance(value, tuple):
        return str(value[0])[:12]
    return "none" if value is None else repr(value)
