"""Files into a new version of a dataset: sent first, and committed when all of them are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from edgerig.errors import Interrupted
from edgerig.progress import Progress
from edgerig.store.merge import completed
from edgerig.store.transfer import LocalFile, upload
from edgerig.store.types import ClassInfo, Entry, Version
from edgerig.store.versions import Versions
from edgerig.text import counted


class Added(msgspec.Struct, frozen=True):
    """A version that was made, or the newest where nothing is new.

    Attributes:
        address: Of the dataset.
        version: What was committed.
        new: Whether it is new.
        others: How many entries it has that were not among the files.
        objects, bytes: What went over the line.
    """

    address: str
    version: Version
    new: bool
    others: int
    objects: int
    bytes: int

    def document(self) -> dict[str, Any]:
        """What happened as plain values, with the names that `edgerig data log --json` has."""
        header = self.version.header
        plain = {key: getattr(header, key) for key in ("version", "count", "size", "added", "changed", "removed")}
        sent = {"objects": self.objects, "bytes": self.bytes}
        return {"address": f"{self.address}@{header.version}", **plain, "new": self.new, "sent": sent}

    def text(self) -> str:
        """What happened, in a few lines."""
        header = self.version.header
        name = f"{self.address}@{header.version}"
        sent = f"{counted(self.objects, 'object')} sent, {self.bytes:,} bytes"
        if not self.new:
            return f"{name}: nothing is new ({sent})"
        change = f"{header.added:,} added, {header.changed:,} changed, {header.removed:,} removed"
        others = f"\n{self.others:,} of them are not among these files, and stay (--replace)" if self.others else ""
        return f"{name}: {counted(header.count, 'file')}, {change} ({sent}){others}"


def add_files(
    versions: Versions,
    local: Sequence[LocalFile],
    classes: Sequence[str],
    progress: Progress,
    *,
    base: int | None = None,
    replace: bool = False,
    repair: bool = False,
    class_info: Mapping[str, ClassInfo] | None = None,
    note: str = "",
    kind: str = "dataset",
) -> Added:
    """Send files and commit them as a new version.

    Of an entry that is there with the same content, what the files do not say stays: its split, label and annotation,
    and what else is known of it.

    Args:
        classes: Those of the files' labels; the dataset's own come before them.
        base: The number of the version to change; the newest by default.
        replace: Leave out the entries that are not among the files.
        class_info: What else is known of classes; what it does not say of one, the dataset's own stays.
        repair: Read what is in the store, and send again what is damaged.

    Raises:
        ConflictError: Others committed other changes of the same entries meanwhile.
        StoreError: A file cannot be read, or the store refuses.
        Interrupted: Stopped; what was sent is there, and the next call goes on.
    """
    before = versions.read(base) if base is not None or versions.latest() is not None else None
    try:
        sent = upload(versions.store, local, progress, repair=repair)
    except KeyboardInterrupt:
        raise Interrupted("Stopped; no version was made.", "What was sent is there: do it again to go on.") from None
    old = before.by_name() if before is not None else {}
    entries = {entry.name: _with_old(entry, old.get(entry.name)) for entry in sent.entries}
    others = [] if replace else [entry for name, entry in old.items() if name not in entries]
    known = before.classes if before is not None else ()
    all_classes = (*known, *(name for name in classes if name not in known))
    known_info = before.header.class_info if before is not None else {}
    version = versions.commit(
        [*others, *entries.values()],
        base=before,
        classes=all_classes,
        class_info=completed(known_info, class_info or {}),
        note=note,
        kind=kind,
    )
    new = before is None or version.version > before.version
    return Added(versions.address, version, new, len(others), sent.objects, sent.bytes)


def _with_old(entry: Entry, old: Entry | None) -> Entry:
    if old is None or old.sha256 != entry.sha256:
        return entry
    return msgspec.structs.replace(
        entry,
        split=entry.split if entry.split is not None else old.split,
        label=entry.label if entry.label is not None else old.label,
        annotation=entry.annotation if entry.annotation is not None else old.annotation,
        extra={**old.extra, **entry.extra},
    )
