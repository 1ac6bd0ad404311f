"""The dataset that is labelled: a version in a store, and the versions that labelling makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from edgerig.datasets.labels.canonical import from_json
from edgerig.datasets.labels.shapes import ImageLabels
from edgerig.errors import DatasetError, UsageError
from edgerig.store import Entry, Version, open_dataset

#: What ``extra`` of an entry says: how far its labels are, who labelled, when last, what became of proposals.
STATE, PEOPLE, TIME, PREFILL = "state", "labelled_by", "labelled_at", "prefill"

#: Versions whose entries are held.
_HELD = 4


class Change(msgspec.Struct, frozen=True):
    """New labels of a picture.

    Attributes:
        annotation: Its labels as canonical JSON; None for none.
        label: Class of the whole picture.
        extra: What is new of ``extra`` of its entry.
    """

    annotation: bytes | None
    label: str | None
    extra: dict[str, str]


class LabelledDataset:
    """A dataset in a store.

    Args:
        address: ``STORE/NAME`` or ``STORE/NAME@N``. credentials: See `edgerig.store.open_store`.

    Attributes:
        address: Without a version. identity: As `edgerig.store.Versions.identity`.
        version: The newest that is known here: the one that was opened, or that `commit` made.

    Raises:
        UsageError, StoreError: There is no such dataset, or it cannot be written, or the version is not its newest.
        DatasetError: It has no pictures.
    """

    def __init__(self, address: str, credentials: str | None = None) -> None:
        # First only read, so that no folder is made where the address has a typing error.
        versions, number = open_dataset(address, credentials=credentials)
        self.version = versions.read(number)
        newest = versions.latest()
        if number is not None and newest != number:
            raise UsageError(
                f"Version {number} of {versions.address} is not its newest, {newest}, which labels are written upon.",
                f"Label {versions.address}; or bring the pictures of {number} into a dataset of their own "
                "(edgerig data export, import), and label that.",
            )
        self._read: dict[int, Mapping[str, Entry]] = {}
        self._versions, _ = open_dataset(address, writing=True, credentials=credentials)
        self.address, self.identity = versions.address, versions.identity
        if not self.version.entries:
            raise DatasetError(
                f"Version {self.version.version} of {self.address} has no pictures.",
                "Import some: edgerig data import.",
            )

    def at(self, number: int) -> Mapping[str, Entry]:
        """The entries of a version by name; it is read once, where a few others were asked for since.

        Raises:
            StoreError: There is none of that number.
        """
        entries = self._read.pop(number, None)
        if entries is None:
            version = self.version if number == self.version.version else self._versions.read(number)
            entries = version.by_name()
        self._read[number] = entries
        while len(self._read) > _HELD:
            del self._read[next(iter(self._read))]
        return entries

    def refresh(self) -> Version:
        """Look at the newest version, which others may have made; it is `version` then.

        Raises:
            StoreError: It cannot be read.
        """
        if self._versions.latest() != self.version.version:
            self.version = self._versions.read()
        return self.version

    def image(self, entry: Entry) -> bytes:
        """The file of a picture.

        Raises:
            StoreError: It is damaged or not there.
        """
        return self._versions.store.objects.get(entry.sha256)

    def labels(self, entry: Entry) -> ImageLabels | None:
        """The labels of a picture; None where it has none.

        Raises:
            StoreError, DatasetError: They are damaged.
        """
        if entry.annotation is None:
            return None
        return from_json(self._versions.store.objects.get(entry.annotation), f"The labels of {entry.name}")

    def commit(self, changes: Mapping[str, Change], classes: Sequence[str], note: str) -> Version:
        """Write a version with new labels for some pictures, upon `version`, with those of ``classes`` that it lacks.

        Raises:
            ConflictError: Others changed the labels of the same pictures since. StoreError: The store refuses.
        """
        base, objects = self.version, self._versions.store.objects
        entries = []
        for entry in base.entries:
            change = changes.get(entry.name)
            if change is not None:
                annotation = objects.add(change.annotation).sha256 if change.annotation is not None else None
                extra = {**entry.extra, **change.extra}
                entry = msgspec.structs.replace(entry, annotation=annotation, label=change.label, extra=extra)
            entries.append(entry)
        # Others may have added classes, which keep their numbers.
        all_classes = (*base.classes, *(name for name in classes if name not in base.classes))
        self.version = self._versions.commit(entries, base=base, classes=all_classes, note=note)
        return self.version
