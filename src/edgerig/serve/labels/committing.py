"""Writing a version: the labels of all pictures that changed, with who made them."""

from __future__ import annotations

import asyncio
import datetime
import logging
from typing import Any

from edgerig.datasets.labels.canonical import to_json
from edgerig.errors import ConflictError
from edgerig.serve.labels.dataset import PEOPLE, PREFILL, STATE, TIME, Change
from edgerig.serve.labels.hub import Hub
from edgerig.serve.labels.journal import Committed
from edgerig.serve.labels.render import Acceptance, acceptance, labels_of
from edgerig.serve.labels.rooms import Room

_logger = logging.getLogger(__name__)
#: Pictures after which a page is told how far it is.
EVERY = 20


class Committer:
    """Writes versions, one at a time.

    Attributes:
        version: Number of the version that was written last, or that labelling began with.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub, self._lock = hub, asyncio.Lock()
        journal = hub.journal
        self.version = journal.committed.version if journal.committed is not None else journal.beginning.version
        self._annotations = self._known()

    def _known(self) -> dict[str, str | None]:
        """Hash of the labels of each picture that labelling is upon; what differs from them others have changed."""
        hub = self._hub
        last = hub.dataset.at(self.version).by_name()
        written = hub.journal.committed.revisions if hub.journal.committed is not None else {}
        return {
            name: last[name].annotation if name in written and name in last else room.entry.annotation
            for name, room in hub.rooms.items()
        }

    @property
    def uncommitted(self) -> list[Room]:
        """Pictures whose labels are not in the store yet."""
        return [room for room in self._hub.rooms.values() if room.uncommitted]

    async def commit(self) -> dict[str, Any]:
        """Write a version, if anything has changed, and tell all pages.

        Raises:
            ConflictError: Others wrote other labels for the same pictures; names them.
            StoreError: The store refuses. StorageError: The journal cannot be written.
        """
        async with self._lock:
            rooms = self.uncommitted
            for room in rooms:
                await self._hub.load(room)
            rooms = [room for room in rooms if room.loaded is not None]
            revisions = {room.name: room.records[-1].revision for room in rooms if room.records}
            changes: dict[str, Change] = {}
            total = Acceptance()
            for number, room in enumerate(rooms, 1):
                change, outcome = await asyncio.to_thread(self._change, room)
                changes[room.name], total = change, total + outcome
                if number % EVERY == 0:
                    self._hub.tell_all({"type": "committing", "done": number, "total": len(rooms)})
            message = {"type": "committed", "version": self.version, "pictures": 0, "prefill": None}
            if changes:
                message = await self._write(changes, revisions, total)
            self._hub.tell_all(message)
            return message

    async def _write(self, changes: dict[str, Change], revisions: dict[str, int], total: Acceptance) -> dict[str, Any]:
        hub = self._hub
        current = hub.dataset.version.by_name()
        others = [
            name for name in changes if name not in current or current[name].annotation != self._annotations[name]
        ]
        if others:
            raise ConflictError(
                f"Others wrote labels for {', '.join(others[:5])}{' ..' if len(others) > 5 else ''} meanwhile.",
                "What was done here stays in the journal. Label these pictures from the newest version on: --journal.",
                tuple(others),
            )
        note = _note(changes)
        version = await asyncio.to_thread(hub.dataset.commit, changes, hub.classes, note)
        merged = dict(hub.journal.committed.revisions) if hub.journal.committed is not None else {}
        line = Committed(version.version, {**merged, **revisions})
        await hub.journal.append(line)
        hub.journal.committed = line
        self.version = version.version
        written = version.by_name()
        for name, revision in revisions.items():
            hub.rooms[name].committed = revision
            self._annotations[name] = written[name].annotation
            hub.tell_summary(hub.rooms[name])
        _logger.info("version %d: %s", version.version, note)
        if total.share is not None:
            _logger.info("prefilled labels: %s", describe(total))
        return {
            "type": "committed",
            "version": version.version,
            "pictures": len(changes),
            "prefill": describe(total) if total.share is not None else None,
        }

    def _change(self, room: Room) -> tuple[Change, Acceptance]:
        document = room.document()
        assert room.loaded is not None
        labels = labels_of(document, room.loaded.labels)
        # A proposal that nobody decided on is no label.
        state = "unlabelled" if room.state() == "prefilled" else room.state()
        empty = not labels.shapes and room.entry.annotation is None and (state != "done" or document.label is not None)
        outcome = acceptance(document, room.proposals)
        before = room.entry.extra
        people = [name for name in before.get(PEOPLE, "").split(", ") if name]
        people += [name for name in document.people if name not in people]
        last = datetime.datetime.fromtimestamp(room.records[-1].time, datetime.UTC)
        extra = {STATE: state, TIME: last.isoformat(timespec="seconds")}
        if people:
            extra[PEOPLE] = ", ".join(people)
        if room.proposals:
            extra[PREFILL] = f"{room.proposals[-1].model}: {describe(outcome)}"
        label = document.label if not document.label_model else room.entry.label
        annotation = None if empty else to_json(labels, f"The labels of {room.name}")
        return Change(annotation, label, label != room.entry.label, extra), outcome


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
    return f"{count} picture{'' if count == 1 else 's'} labelled by {', '.join(people) or 'nobody'}"
