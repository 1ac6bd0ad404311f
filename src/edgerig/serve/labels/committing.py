"""Writing a version: the labels of all pictures that changed, with who made them."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from edgerig.datasets.labels.canonical import to_json
from edgerig.errors import ConflictError, DamagedObjectError, DatasetError, EdgerigError, StoreError
from edgerig.files import sha256
from edgerig.serve.labels.dataset import PEOPLE, PREFILL, STATE, TIME, Change
from edgerig.serve.labels.hub import Hub
from edgerig.serve.labels.journal_lines import Committed, Upon, Writing
from edgerig.serve.labels.render import Acceptance, acceptance, labels_of
from edgerig.serve.labels.rooms import Room
from edgerig.store import Entry, Version
from edgerig.text import counted

_logger = logging.getLogger(__name__)
#: Pictures after which a page is told how far it is.
EVERY = 20
#: Times that a version is tried to be written while others write theirs.
ATTEMPTS = 10
#: Seconds between two looks for what others added.
LOOK = 30.0


class Committer:
    """Writes versions, one at a time.

    Where others wrote labels for the same pictures meanwhile, the operations that are not in the store yet are done
    again upon theirs: both are in the version then.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub, self._lock = hub, asyncio.Lock()
        self._known = {name: _labels(room.entry) for name, room in hub.rooms.items()}
        journal = hub.journal
        for version in sorted(set(journal.versions.values())):
            # Of each picture as it was written here: what others have changed since then is not known yet.
            entries = hub.dataset.at(version)
            names = (name for name, number in journal.versions.items() if number == version)
            self._known.update((name, _labels(entries[name])) for name in names)
        #: What pictures are upon since a try to write a version that failed, and a version of before that is in the
        #: store: the journal does not have them yet.
        self._moved: dict[str, Upon] = {}
        self._written: Committed | None = None
        if journal.writing is not None:
            self._find_written(journal.writing)

    def _find_written(self, writing: Writing) -> None:
        """A server was ended while it wrote a version: if that is in the store, it is not written again."""
        hub = self._hub
        if not any(writing.annotations.values()):
            return  # no hash to know it by; a class that is said again changes nothing
        for number in range(hub.journal.version + 1, hub.dataset.version.version + 1):
            entries = hub.dataset.at(number)
            if all(
                name in entries and entries[name].annotation == hash_ for name, hash_ in writing.annotations.items()
            ):
                break
        else:
            return
        for name, upon in writing.upon.items():
            hub.rooms[name].move(hub.dataset.at(upon.version)[name], None, upon.after)
        for name, revision in writing.revisions.items():
            hub.rooms[name].committed = revision
            self._known[name] = _labels(entries[name])
        self._written = Committed(number, writing.revisions, writing.upon)

    @property
    def version(self) -> int:
        """Number of the newest version that is known here."""
        return self._hub.dataset.version.version

    @property
    def uncommitted(self) -> list[Room]:
        """Pictures whose labels are not in the store yet."""
        return [room for room in self._hub.rooms.values() if room.uncommitted]

    async def commit(self) -> dict[str, Any]:
        """Write a version, if anything has changed, and tell all pages.

        Returns:
            What they are told.

        Raises:
            StoreError: The store refuses. StorageError: The journal cannot be written.
        """
        async with self._lock:
            for attempt in range(ATTEMPTS):
                try:
                    message = await self._commit()
                    break
                except ConflictError:
                    # Others wrote since this looked at their version.
                    if attempt == ATTEMPTS - 1:
                        raise
            self._hub.tell_all(message)
            return message

    async def _commit(self) -> dict[str, Any]:
        hub = self._hub
        if self._written is not None:
            await hub.journal.append(self._written)
            self._written = None
        entries = (await self._grow()).by_name()
        waiting = self.uncommitted
        rooms = [room for room in waiting if room.name in entries and await self._ready(room, entries[room.name])]
        revisions = {room.name: room.records[-1].revision for room in rooms}
        changes, total = await self._changes(rooms, entries, revisions)
        rooms = [room for room in rooms if room.name in changes]
        left = sorted({room.name for room in waiting} - changes.keys())
        classes = [name for name in hub.journal.classes if name not in hub.dataset.version.classes]
        message = {
            "type": "committed",
            "version": self.version,
            "pictures": 0,
            "classes": classes,
            "prefill": None,
            "left": left,
        }
        if not rooms and not classes:
            return message
        upon = {name: self._moved[name] for name in revisions if name in self._moved}
        annotations = {name: _hash(change.annotation) for name, change in changes.items()}
        await hub.journal.append(Writing(revisions, annotations, upon))
        note = _note(changes) if changes else f"new classes: {', '.join(classes)}"
        version = await asyncio.to_thread(hub.dataset.commit, changes, hub.classes, note)
        await hub.journal.append(Committed(version.version, revisions, upon))
        self._note_committed(rooms, revisions, version)
        _logger.info("version %d: %s", version.version, note)
        prefill = describe(total) if total.share is not None else None
        if prefill is not None:
            _logger.info("prefilled labels: %s", prefill)
        return {**message, "version": version.version, "pictures": len(rooms), "prefill": prefill}

    async def _changes(
        self, rooms: Sequence[Room], entries: Mapping[str, Entry], revisions: dict[str, int]
    ) -> tuple[dict[str, Change], Acceptance]:
        """What is to be written of each picture, and how far labels are what a network proposed.

        Of one that cannot be written there is no change, and its revision is taken out of ``revisions``.
        """
        changes: dict[str, Change] = {}
        total = Acceptance()
        for number, room in enumerate(rooms, 1):
            try:
                changes[room.name], outcome = await asyncio.to_thread(
                    self._change, room, entries[room.name], revisions[room.name]
                )
            except DatasetError as error:
                # One that cannot be written must not keep all others from it.
                _logger.warning("%s is not written: %s", room.name, error.message)
                del revisions[room.name]
                continue
            total += outcome
            if number % EVERY == 0:
                self._hub.tell_all({"type": "committing", "done": number, "total": len(rooms)})
        return changes, total

    def _note_committed(self, rooms: Sequence[Room], revisions: Mapping[str, int], version: Version) -> None:
        """Note that the pictures' labels are in the store, and tell all pages."""
        written = version.by_name()
        for room in rooms:
            self._moved.pop(room.name, None)
            room.committed = revisions[room.name]
            self._known[room.name] = _labels(written[room.name])
            self._hub.tell_summary(room)

    async def keep_looking(self) -> None:
        """Take up what others add to the dataset, every `LOOK` seconds, for as long as it is not cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                await self.look()
            except EdgerigError as error:
                # Whoever commits is told; a store that is away for a while is nothing to be told now.
                _logger.debug("looking for new pictures: %s", error.message)

    async def look(self) -> None:
        """Take up the pictures and classes that others added since.

        Raises:
            StoreError: The store is not there. StorageError: The journal cannot be written.
        """
        # Not while a version is written, which is upon the newest that was known when it began.
        async with self._lock:
            await self._grow()

    async def _grow(self) -> Version:
        version = await asyncio.to_thread(self._hub.dataset.refresh)
        self._known.update((room.name, _labels(room.entry)) for room in await self._hub.grow(version))
        return version

    async def _ready(self, room: Room, entry: Entry) -> bool:
        """Whether the labels of a picture can be written: it is readable, and they are upon its newest labels."""
        await self._hub.load(room)
        if _labels(entry) != self._known[room.name]:
            try:
                await self._move(room, entry)
            except StoreError as error:
                if not isinstance(error, DamagedObjectError):
                    raise
                _logger.warning("%s is not written: %s", room.name, error.message)
                return False
            except DatasetError as error:
                _logger.warning("%s is not written: %s", room.name, error.message)
                return False
        return room.loaded is not None

    async def _move(self, room: Room, entry: Entry) -> None:
        """Let what was done to a picture since the last version be upon others' labels of it."""
        hub = self._hub
        loaded = await asyncio.to_thread(hub.read, entry)
        room.move(entry, loaded, room.committed)
        hub.by_hash[entry.sha256] = entry
        self._known[room.name] = _labels(entry)
        self._moved[room.name] = Upon(hub.dataset.version.version, room.committed)
        _logger.info("%s: what was done here is upon version %d now, of others", room.name, self.version)
        hub.tell_picture(room)

    def _change(self, room: Room, entry: Entry, until: int) -> tuple[Change, Acceptance]:
        """The labels of a picture after the revision ``until``; people may do more meanwhile."""
        assert room.loaded is not None
        records = [record for record in room.records if record.revision <= until]
        document = room.document(records)
        labels = labels_of(document, room.loaded.labels)
        # A proposal that nobody decided on is no label.
        state = "unlabelled" if room.state() == "prefilled" else room.state()
        empty = not labels.shapes and room.entry.annotation is None and (state != "done" or document.label is not None)
        outcome = acceptance(document, room.proposals)
        people = [name for name in entry.extra.get(PEOPLE, "").split(", ") if name]
        people += [name for name in document.people if name not in people]
        last = datetime.datetime.fromtimestamp(records[-1].time, datetime.UTC)
        extra = {STATE: state, TIME: last.isoformat(timespec="seconds")}
        if people:
            extra[PEOPLE] = ", ".join(people)
        if room.proposals:
            extra[PREFILL] = f"{room.proposals[-1].model}: {describe(outcome)}"
        label = document.label if not document.label_model else room.entry.label
        return Change(None if empty else to_json(labels, f"The labels of {room.name}"), label, extra), outcome


def _labels(entry: Entry) -> tuple[str, str | None, str | None]:
    """What others may have changed of an entry that matters to its labels: the picture, and what labelling changes."""
    return entry.sha256, entry.annotation, entry.label


def _hash(annotation: bytes | None) -> str | None:
    return sha256(annotation) if annotation is not None else None


def describe(total: Acceptance) -> str:
    """What became of proposals, for people.

    >>> describe(Acceptance(unchanged=3, changed=1))
    '3 of 4 accepted unchanged (75 %), 1 changed, 0 removed, 0 open'
    """
    decided = total.unchanged + total.changed + total.removed
    share = f" ({100 * total.share:.0f} %)" if total.share is not None else ""
    rest = f"{total.changed} changed, {total.removed} removed, {total.open} open"
    return f"{total.unchanged} of {decided} accepted unchanged{share}, {rest}"


def _note(changes: dict[str, Change]) -> str:
    people = sorted({name for change in changes.values() for name in change.extra.get(PEOPLE, "").split(", ") if name})
    count = len(changes)
    return f"{counted(count, 'picture')} labelled by {', '.join(people) or 'nobody'}"
