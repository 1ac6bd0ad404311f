"""The versions of a dataset: a log of files ``NAME/v000012.json`` that are created once and never change."""

from __future__ import annotations

import contextlib
import random
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import NamedTuple

from edgerig.errors import NoDatasetError, StoreError, UsageError, nearest
from edgerig.store.address import DatasetAddress, check_name
from edgerig.store.faults import Missing
from edgerig.store.merge import difference, merge, merge_classes, merge_info
from edgerig.store.parallel import in_parallel
from edgerig.store.single_writer import single_writer
from edgerig.store.store import Store
from edgerig.store.types import ClassInfo, Entry, Header, Version, check_entries, decode, decode_header, encode

_FILE = re.compile(r"v(\d{6})\.json")
#: Bytes that a header fits in, classes and all, as a rule; a longer one is read with its whole version.
_HEADER_BYTES = 16 << 10
#: Times that a commit is tried on the next number. Each failure means that somebody else succeeded.
_ATTEMPTS = 1000
#: Times in a row that a version may neither be created nor be there: somebody may have removed it in between.
_ODD_ANSWERS = 10
_LAST = 999_999


class Contents(NamedTuple):
    """What a version is to hold."""

    entries: tuple[Entry, ...]
    classes: tuple[str, ...]
    class_info: dict[str, ClassInfo]


class Versions:
    """The versions of one dataset in a store.

    Args:
        store: From `edgerig.store.open_store`.
        name: The dataset's name in it.

    Raises:
        UsageError: A dataset cannot be called so, or the store's settings leave that name out.
    """

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.name = store, check_name(name)
        if store.shown_names not in name:
            raise UsageError(
                f"{name!r} is none of the datasets of {store.address}: their names hold {store.shown_names!r}.",
                "That is the dataset_filter of the set in the file of credentials.",
            )

    @property
    def address(self) -> str:
        """The dataset's address, without a version."""
        return str(DatasetAddress(self.store.address, self.name))

    @property
    def identity(self) -> str:
        """The address of this dataset alone: of one in a folder the absolute path, which is the same from everywhere.

        What is kept on this machine for a dataset is kept under it.
        """
        return self.address if self.store.folder is None else f"{self.store.folder.resolve()}/{self.name}"

    def numbers(self) -> list[int]:
        """The numbers of all versions, the oldest first; empty where there is no such dataset."""
        return sorted(self.sizes())

    def sizes(self) -> dict[int, int]:
        """The bytes of the file of each version, by its number."""
        files = ((_FILE.fullmatch(name), size) for name, size in self.store.files(self.name).items())
        return {int(match[1]): size for match, size in files if match}

    def latest(self) -> int | None:
        """The number of the newest version; None where there is none."""
        return max(self.numbers(), default=None)

    def read(self, number: int | None = None) -> Version:
        """A version with its entries; the newest by default.

        Raises:
            StoreError: There is none of that number, or it is damaged.
        """
        if number is None:
            number = self.latest()
            if number is None:
                raise self._nothing(None)
        version = decode(self.read_bytes(number), self._named(number))
        self._check_number(version.header, number)
        return version

    def read_bytes(self, number: int) -> bytes:
        """The file of a version as it is stored.

        Raises:
            StoreError: There is none of that number.
        """
        data = self._bytes(number)
        if data is None:
            raise self._nothing(number)
        return data

    def _bytes(self, number: int) -> bytes | None:
        """The file of a version; None where there is none, or none any more."""
        try:
            return self.store.get(self._key(number))
        except Missing:
            return None

    def create(self, number: int, data: bytes) -> None:
        """Store the file of a version as another store has it; its objects must be there.

        Raises:
            StoreError: It is damaged, or there is another version of that number.
        """
        self._check_number(decode(data, self._named(number)).header, number)
        with self._writing():
            if not self.store.create(self._key(number), data) and self.read_bytes(number) != data:
                raise StoreError(f"{self.address} has got another version {number} meanwhile.", "Do it again.")

    def headers(self) -> list[Header]:
        """What there is to say of each version but its entries, the oldest first.

        Raises:
            StoreError: There is no such dataset, or a version is damaged.
        """
        numbers = self.numbers()
        if not numbers:
            raise self._nothing(None)
        return sorted(in_parallel(self.header, numbers), key=lambda header: header.version)

    def commit(
        self,
        entries: Iterable[Entry],
        *,
        base: Version | None,
        classes: Sequence[str] = (),
        class_info: Mapping[str, ClassInfo] | None = None,
        note: str = "",
        kind: str = "dataset",
    ) -> Version:
        """Make the next version, whoever else does so at the same time.

        The objects of the entries must be in the store. Where others committed since ``base``, this makes what was
        changed here of theirs (`edgerig.store.merge.merge`), and tries the number after. Where nothing is changed, no
        version is made.

        Args:
            entries: All entries of the new version, in any order.
            base: The version that they were made from; None for a dataset that was empty.
            classes: The names of all classes.
            class_info: What else is known of them; by default what ``base`` knows.
            note: What changed, for people.
            kind: What the files are.

        Returns:
            The version as it was stored, or the one that has all these entries already.

        Raises:
            ConflictError: Others changed the same entries, too; lists them, and changes nothing.
            StoreError: Names or labels are not valid, or the store refuses.
        """
        ours = Contents(tuple(sorted(entries, key=lambda entry: entry.name)), tuple(classes), dict(class_info or {}))
        if class_info is None and base is not None:
            ours = ours._replace(class_info=base.header.class_info)
        check_entries(ours.entries, ours.classes, f"A new version of {self.name}")
        with self._writing():
            named = hashes_of(base.entries) if base is not None else frozenset()
            self.store.objects.sync(hashes_of(ours.entries) - named)
            gone = 0
            for attempt in range(_ATTEMPTS):
                version, data = self._next(ours, base, note, kind)
                if data is None:
                    return version
                if self.store.create(self._key(version.version), data):
                    return version
                there = self._bytes(version.version)
                if there == data:  # the answer to a first attempt was lost
                    return version
                gone = gone + 1 if there is None else 0
                if gone > _ODD_ANSWERS:
                    what = f"{self._named(version.version)} cannot be created, and is not there either."
                    raise StoreError(what, "Is something of another kind in its place? Look there, and remove it.")
                time.sleep(random.uniform(0, 0.02 * min(attempt + 1, 10)))
        raise StoreError(f"{self.address} is written by others all the time.", "Do it again later.")

    def _next(self, ours: Contents, base: Version | None, note: str, kind: str) -> tuple[Version, bytes | None]:
        """The version to make after the newest, and its file; None for that where the newest says all of it."""
        newest = self.latest()
        parent = base
        if newest is not None and (base is None or newest > base.version):
            parent = self.read(newest)
            ours = _merged(base, ours, parent)
            check_entries(ours.entries, ours.classes, f"A new version of {self.name}")
        change = difference(parent.entries if parent is not None else (), ours.entries)
        same_classes = parent is not None and (ours.classes, ours.class_info) == (
            parent.classes,
            parent.header.class_info,
        )
        if parent is not None and not change and same_classes:
            return parent, None
        number = parent.version + 1 if parent is not None else 1
        if number > _LAST:
            raise StoreError(f"{self.address} has {_LAST:,} versions, and can have no more.", "Begin another dataset.")
        header = Header(
            version=number,
            parent=parent.version if parent is not None else None,
            date=datetime.now(UTC).isoformat(timespec="microseconds"),
            note=note,
            classes=ours.classes,
            class_info=ours.class_info,
            kind=kind if parent is None else parent.header.kind,
            count=len(ours.entries),
            size=sum(entry.size for entry in ours.entries),
            added=len(change.added),
            changed=len(change.changed),
            removed=len(change.removed),
        )
        data = encode(header, ours.entries)
        return decode(data, self._named(number)), data

    def _writing(self) -> AbstractContextManager[None]:
        # A store that cannot create only is written by one program at a time.
        return contextlib.nullcontext() if self.store.creates_only else single_writer(self.store, self.name)

    def header(self, number: int) -> Header:
        """What there is to say of a version but its entries.

        Raises:
            StoreError: There is none of that number, or it is damaged.
        """
        try:
            header = decode_header(self.store.beginning(self._key(number), _HEADER_BYTES))
        except Missing:
            raise self._nothing(number) from None
        if header is None:
            return self.read(number).header
        self._check_number(header, number)
        return header

    def _check_number(self, header: Header, number: int) -> None:
        if header.version != number:
            raise StoreError(
                f"{self._named(number)} says that it is version {header.version}.", "Its file was renamed or copied."
            )

    def _key(self, number: int) -> str:
        return f"{self.name}/v{number:06d}.json"

    def _named(self, number: int) -> str:
        return f"{self.address}@{number}"

    def _nothing(self, number: int | None) -> StoreError:
        newest = self.latest()
        if number is not None and newest is not None:
            return NoDatasetError(f"{self.address} has no version {number}.", f"The newest is {newest}.")
        names = dataset_names(self.store)
        near = nearest(self.name, names)
        known = f"Datasets there: {', '.join(names[:20])}." if names else "There is no dataset yet."
        where = "this folder" if self.store.address == "." else self.store.address
        return NoDatasetError(
            f"There is no dataset {self.name!r} in {where}.",
            f"Did you mean {near!r}? {known}" if near else known,
        )


def _merged(base: Version | None, ours: Contents, theirs: Version) -> Contents:
    """What ours changed since ``base``, upon theirs."""
    entries, classes, info = (base.entries, base.classes, base.header.class_info) if base is not None else ((), (), {})
    whose = f"version {theirs.version}"
    return Contents(
        merge(entries, ours.entries, theirs.entries, whose),
        merge_classes(classes, ours.classes, theirs.classes, whose),
        merge_info(info, ours.class_info, theirs.header.class_info),
    )


def hashes_of(entries: Iterable[Entry]) -> frozenset[str]:
    """The hashes of all objects that entries need."""
    return frozenset(sha256 for entry in entries for sha256 in (entry.sha256, entry.annotation) if sha256 is not None)


def dataset_names(store: Store) -> list[str]:
    """The names of the datasets in a store, sorted; those that its settings leave out are not among them."""
    folders = [name for name in store.folders() if name not in ("objects", "probe") and store.shown_names in name]
    return [name for name in folders if any(_FILE.fullmatch(file) for file in store.files(name))]
