"""The pictures of a dataset, each with its operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from edgerig.datasets.labels.shapes import ImageLabels
from edgerig.serve.labels.dataset import STATE
from edgerig.serve.labels.document import Document
from edgerig.serve.labels.operations import Propose, Record, Shape
from edgerig.store import Entry


class Loaded(msgspec.Struct, frozen=True):
    """What is known of a picture once somebody has opened it.

    Attributes:
        width, height: In pixels, upright. labels: Its labels in the dataset. shapes: They, as operations know shapes.
    """

    width: int
    height: int
    labels: ImageLabels | None
    shapes: tuple[Shape, ...]


class Room:
    """A picture, and who looks at it.

    Args:
        entry: In the version that the operations are upon.

    Attributes:
        records: Its operations, in the order of their revisions, after the revision ``after``. ids: Of all.
        revision: The last one that was given away.
        committed: The revision that is in the store.
        loaded: Once somebody has opened it. problem: Why nobody can label it; empty where somebody can.
        unreachable: Whether that is the store's fault, which may pass: it is tried again then.
        people: Names of those who look at it.
    """

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.records: list[Record] = []
        self.ids: dict[str, Record] = {}
        self.revision = self.committed = self.after = 0
        self.loaded: Loaded | None = None
        self.problem, self.unreachable = "", False
        self.people: list[str] = []
        self._summary: tuple[int, Document] | None = None

    @property
    def name(self) -> str:
        """Of the picture."""
        return self.entry.name

    def add(self, record: Record) -> None:
        """Add an operation that is in the journal."""
        if record.revision > self.after:
            self.records.append(record)
        self.ids[record.id] = record
        self.revision = max(self.revision, record.revision)

    def move(self, entry: Entry, loaded: Loaded | None, after: int) -> None:
        """Let the operations after a revision be upon labels that others made; what was done before is in the store."""
        self.entry, self.loaded, self.after, self._summary = entry, loaded, after, None
        self.records = [record for record in self.records if record.revision > after]

    def document(self, records: Sequence[Record] | None = None) -> Document:
        """Its labels after some of its operations, by default after all; its picture has been loaded."""
        loaded = self.loaded
        assert loaded is not None
        document = Document(
            loaded.width,
            loaded.height,
            loaded.shapes,
            label=self.entry.label,
            state=self.entry.extra.get(STATE, ""),
        )
        return document.fold(self.records if records is None else records)

    @property
    def proposals(self) -> list[Propose]:
        """What networks proposed for it."""
        return [record.operation for record in self.records if isinstance(record.operation, Propose)]

    @property
    def uncommitted(self) -> bool:
        """Whether somebody did something that is not in the store; what a network proposes is nothing yet."""
        return any(record.who and record.revision > self.committed for record in reversed(self.records))

    def state(self) -> str:
        """How far it is: unlabelled, prefilled, begun, done or doubtful."""
        document = self._outline()
        if document.state not in ("", "unlabelled"):
            return document.state
        if self.entry.annotation is not None or self.entry.label is not None:
            return "done"
        if document.people and (document.label is not None or any(not each.model for each in document.labels.values())):
            return "begun"
        return "prefilled" if document.proposed or document.label_model else "unlabelled"

    def summary(self) -> dict[str, Any]:
        """What a list of pictures says of it."""
        document = self._outline()
        return {
            "name": self.name,
            "state": self.state(),
            "label": document.label,
            "proposed": len(document.proposed) + bool(document.label_model),
            "split": self.entry.split,
            "people": self.people,
            "uncommitted": self.uncommitted,
            "problem": self.problem,
        }

    def message(self) -> dict[str, Any]:
        """All of it, for a page that opens it."""
        loaded = self.loaded
        if loaded is None:
            return {"type": "picture", "name": self.name, "problem": self.problem}
        return {
            "type": "picture",
            "name": self.name,
            "problem": "",
            "sha256": self.entry.sha256,
            "width": loaded.width,
            "height": loaded.height,
            "shapes": loaded.shapes,
            "label": self.entry.label,
            "state": self.entry.extra.get(STATE, ""),
            "records": self.records,
        }

    def _outline(self) -> Document:
        """Its labels without what the dataset has of it and without pixels: made without its picture."""
        count = len(self.records)
        if self._summary is None or self._summary[0] != count:
            document = Document(1, 1, label=self.entry.label, state=self.entry.extra.get(STATE, ""), paint=False)
            self._summary = count, document.fold(self.records)
        return self._summary[1]
