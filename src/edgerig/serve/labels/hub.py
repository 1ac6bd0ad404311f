"""Where the operations of all people come together: each is put in order, written down, and told to the others."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from edgerig.datasets.labels.checks import check_name
from edgerig.datasets.labels.shapes import IGNORE
from edgerig.errors import DamagedObjectError, DatasetError, EdgerigError, RequestError, StorageError, StoreError
from edgerig.serve.labels import operations
from edgerig.serve.labels.colours import colour_of
from edgerig.serve.labels.dataset import LabelledDataset
from edgerig.serve.labels.journal import Journal
from edgerig.serve.labels.journal_lines import Added, Taken
from edgerig.serve.labels.operations import Operation, Record
from edgerig.serve.labels.pictures import picture_of
from edgerig.serve.labels.render import shapes_of
from edgerig.serve.labels.rooms import Loaded, Room
from edgerig.store import Entry, Version
from edgerig.text import cause_of, one_line

_logger = logging.getLogger(__name__)
#: Most classes: a page shows a button for each.
MOST_CLASSES = 1000


class Listener(Protocol):
    """A page that hears of what happens.

    Attributes:
        picture: Name of the picture that it looks at; empty for none. name: Of the person.
    """

    picture: str
    name: str

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message; never waits."""


class Hub:
    """The pictures of a dataset, their operations, and the pages that are open; for one event loop.

    Args:
        dataset: That is labelled. journal: What was acknowledged. classes: Names of the classes.
        worker: The threads that pixels are worked on in.

    Attributes:
        rooms: The pictures by name. listeners: The pages that are open.
        by_hash: Their entries by the hash of their files.
        opened: Called with a room that somebody opens. added: with rooms that are new.
    """

    def __init__(
        self, dataset: LabelledDataset, journal: Journal, classes: tuple[str, ...], worker: ThreadPoolExecutor
    ) -> None:
        self.dataset, self.journal, self.worker = dataset, journal, worker
        self.listeners: set[Listener] = set()
        self.opened: Callable[[Room], Awaitable[None]] | None = None
        self.added: Callable[[list[Room]], None] | None = None
        self.rooms: dict[str, Room] = {}
        for version in (journal.beginning.version, *journal.added):
            self._add_rooms(dataset.at(version))
        # In the order of versions, each of which is read once.
        for name, upon in sorted(journal.upon.items(), key=lambda pair: pair[1].version):
            self.rooms[name].move(dataset.at(upon.version)[name], None, upon.after)
        self._taking: dict[tuple[str, str], asyncio.Task[Record]] = {}
        self._loading: dict[str, asyncio.Future[None]] = {}
        self.by_hash = {room.entry.sha256: room.entry for room in self.rooms.values()}
        self.classes = tuple(dict.fromkeys((*classes, *journal.classes)))
        for record in journal.records:
            room = self.rooms.get(record.picture)
            if room is not None:
                room.add(record)
        for name, revision in journal.revisions.items():
            self.rooms[name].committed = revision

    def _add_rooms(self, entries: Mapping[str, Entry]) -> list[Room]:
        new = [Room(entry) for name, entry in entries.items() if name not in self.rooms]
        self.rooms.update((room.name, room) for room in new)
        return new

    async def grow(self, version: Version) -> list[Room]:
        """Take up the pictures and classes of a version of others that are not known yet, and tell all pages.

        Returns:
            The pictures.

        Raises:
            StorageError: The journal cannot be written; nothing is taken up.
        """
        entries = version.by_name()
        classes = tuple(name for name in version.classes if name not in self.classes)
        if not classes and entries.keys() <= self.rooms.keys():
            return []
        await self.journal.append(Added(version.version, classes))
        new = self._add_rooms(entries)
        self.by_hash.update((room.entry.sha256, room.entry) for room in new)
        if new:
            self.tell_all({"type": "pictures", "pictures": [room.summary() for room in new]})
            if self.added is not None:
                self.added(new)
        self._take_classes(classes)
        return new

    async def add_class(self, name: str) -> None:
        """Let there be a further class, whose name is one line of text.

        Raises:
            RequestError: A class cannot be called so. StorageError: The journal cannot be written.
        """
        name = name.strip()
        try:
            check_name(name, "The page")
        except DatasetError as error:
            raise RequestError(error.message) from None
        if len(self.classes) >= MOST_CLASSES:
            raise RequestError(f"There are {MOST_CLASSES:,} classes already.")
        if name not in (*self.classes, IGNORE):
            await self.journal.append(Added(classes=(name,)))
            self._take_classes((name,))

    def _take_classes(self, names: Sequence[str]) -> None:
        # Two people may add the same one at once.
        new = [name for name in names if name not in self.classes]
        if new:
            self.classes = (*self.classes, *new)
            self.tell_all(
                {
                    "type": "classes",
                    "classes": [{"name": n, "colour": colour_of(i)} for i, n in enumerate(self.classes)],
                }
            )

    def room(self, name: str) -> Room:
        """A picture by its name.

        Raises:
            RequestError: There is none of that name.
        """
        room = self.rooms.get(name)
        if room is None:
            raise RequestError(f"The dataset has no picture {one_line(name, 100)!r}.")
        return room

    async def load(self, room: Room) -> None:
        """Have a picture and its labels read and checked; ``problem`` says why they cannot be."""
        if room.loaded is not None or (room.problem and not room.unreachable):
            return
        if room.name not in self._loading:
            loop = asyncio.get_running_loop()
            self._loading[room.name] = loop.run_in_executor(self.worker, self._load, room)
        await asyncio.shield(self._loading[room.name])
        self._loading.pop(room.name, None)

    def _load(self, room: Room) -> None:
        try:
            room.loaded = self.read(room.entry)
            room.problem, room.unreachable = "", False
        except EdgerigError as error:
            room.unreachable = isinstance(error, StoreError) and not isinstance(error, DamagedObjectError)
            room.problem = one_line(error.message, 300)
        except Exception as error:
            _logger.exception("%s cannot be read", room.name)
            room.problem = f"It cannot be read: {cause_of(error)}."

    def read(self, entry: Entry) -> Loaded:
        """A picture and its labels in the dataset; takes long.

        Raises:
            StoreError, DatasetError: It is not usable, or its labels are not, or they are of another size.
        """
        picture = picture_of(self.dataset.image(entry), entry.name)
        labels = self.dataset.labels(entry)
        if labels is not None and (labels.width, labels.height) != (picture.width, picture.height):
            raise DatasetError(
                f"Its labels are of {labels.width} x {labels.height} pixels, and the picture, upright, has "
                f"{picture.width} x {picture.height}."
            )
        return Loaded(picture.width, picture.height, labels, shapes_of(labels))

    async def take(self, room: Room, id_: str, who: str, upon: int, operation: Operation) -> Record | None:
        """Take an operation: once, however often it is sent. Returns when it is in the journal.

        Returns:
            It; None if it was in a journal before this one.

        Raises:
            RequestError: It does not fit the picture. StorageError: The journal cannot be written, or the store not be
                reached for the picture.
        """
        await self.load(room)
        if id_ in self.journal.former:
            return None
        if id_ in room.ids:
            return room.ids[id_]
        key = room.name, id_
        if key not in self._taking:
            if room.loaded is None:
                # What is refused the page forgets; anything else it keeps, and sends again.
                raise (StorageError if room.unreachable else RequestError)(room.problem)
            if not isinstance(operation, operations.Propose):
                operations.check(operation, self.classes, room.loaded.width, room.loaded.height)
            room.revision += 1
            record = Record(room.name, room.revision, id_, who, min(upon, room.revision), time.time(), operation)
            self._taking[key] = asyncio.create_task(self._write(room, record))
        return await asyncio.shield(self._taking[key])

    async def _write(self, room: Room, record: Record) -> Record:
        before = room.summary()
        try:
            await self.journal.append(Taken(record))
        except StorageError as error:
            self.tell_all({"type": "problem", "message": f"{error.message} {error.hint or ''}"})
            raise
        finally:
            self._taking.pop((room.name, record.id), None)
        room.add(record)
        for listener in self.listeners:
            if listener.picture == room.name:
                listener.tell({"type": "operation", "record": record})
        if room.summary() != before:
            self.tell_summary(room)
        return record

    async def settle(self) -> None:
        """Wait until all that is being taken is in the journal, or is not."""
        while self._taking:
            await asyncio.gather(*self._taking.values(), return_exceptions=True)

    # ---- who hears what

    def tell_all(self, message: dict[str, Any]) -> None:
        """Send a message to every page."""
        for listener in list(self.listeners):
            listener.tell(message)

    def tell_summary(self, room: Room) -> None:
        """Tell every page how a picture is."""
        self.tell_all({"type": "summary", "picture": room.summary()})

    def tell_picture(self, room: Room) -> None:
        """Tell every page that looks at a picture all of it anew."""
        for listener in list(self.listeners):
            if listener.picture == room.name:
                listener.tell(room.message())

    def look_at(self, listener: Listener, name: str) -> None:
        """A page looks at another picture, or at none, and the others see that."""
        before, listener.picture = listener.picture, name
        for other in {before, name} & self.rooms.keys():
            room = self.rooms[other]
            room.people = sorted(each.name for each in self.listeners if each.picture == other)
            self.tell_summary(room)
