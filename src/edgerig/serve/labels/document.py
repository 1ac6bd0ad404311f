"""The labels of a picture: what it had, and all operations upon it, in their order.

``pages/labels/document.js`` folds operations in the same way; the tests hold both against each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from edgerig.serve.labels.operations import (
    Accept,
    Box,
    Classify,
    Delete,
    Fill,
    Mark,
    Operation,
    Pixels,
    Polygon,
    Propose,
    Put,
    Record,
    Redo,
    Relabel,
    Shape,
    Stroke,
    Undo,
)
from edgerig.serve.labels.raster import Canvas, Mask, Patch, fill, mask_of, stroke


class Label(msgspec.Struct):
    """A shape as it stands.

    Attributes:
        shape: Of a mask, its id and class; its pixels are the canvas's.
        by: Who changed it last; empty for what the dataset had, and for networks.
        changed: The revision of that, 0 for what the dataset had.
        model: The network that proposes it, until a person accepts or replaces it; else empty.
        score: The network's.
        accepted: The network whose proposal a person accepted; else empty.
    """

    shape: Shape
    by: str = ""
    changed: int = 0
    model: str = ""
    score: float = 0.0
    accepted: str = ""


class Document:
    """The labels of one picture.

    Args:
        width, height: Of the picture, upright.
        base: Shapes that the dataset has of it. label: Its class there. state: How far it is there.
        paint: Whether masks are painted; else all but their pixels is known.

    Attributes:
        labels: By id, in the order in which they came. canvas: The pixels of the masks.
        label: Class of the whole picture. label_by: Who said so; empty for the dataset and networks.
        label_model: The network that proposes it, until a person accepts it; else empty.
        state: What people said; "" where nobody did.
        people: Who did something that counts, in the order in which they began.
    """

    def __init__(
        self,
        width: int,
        height: int,
        base: Sequence[Shape] = (),
        *,
        label: str | None = None,
        state: str = "",
        paint: bool = True,
    ) -> None:
        self.canvas = Canvas(width, height)
        self.labels: dict[str, Label] = {}
        self.label, self.label_by, self.label_model, self.label_score = label, "", "", 0.0
        self.state = state
        self.people: list[str] = []
        self._paint = paint
        for shape in base:
            self._add(shape, Label(shape), free=False)

    def fold(self, records: Iterable[Record]) -> Document:
        """Apply all operations that are not taken back; itself."""
        records = list(records)
        withdrawn: set[str] = set()
        for record in records:
            if isinstance(record.operation, Undo):
                withdrawn.add(record.operation.target)
            elif isinstance(record.operation, Redo):
                withdrawn.discard(record.operation.target)
        for record in records:
            if record.id not in withdrawn:
                self._apply(record, record.operation)
        return self

    def mask(self, name: str) -> Mask:
        """The pixels of a mask, (height, width)."""
        return self.canvas.mask(name)

    @property
    def proposed(self) -> list[str]:
        """Ids of shapes that a network proposes and nobody has accepted."""
        return [name for name, label in self.labels.items() if label.model]

    def _apply(self, record: Record, operation: Operation) -> None:
        if record.who and not isinstance(operation, Undo | Redo) and record.who not in self.people:
            self.people.append(record.who)
        if isinstance(operation, Stroke | Fill):
            self._mask(record, operation)
        elif isinstance(operation, Put):
            self._put(record, operation.shape)
        elif isinstance(operation, Delete):
            self._delete(record, operation.shape)
        elif isinstance(operation, Relabel):
            self._relabel(record, operation)
        elif isinstance(operation, Accept):
            self._accept(record, operation)
        elif isinstance(operation, Classify):
            self.label, self.label_by, self.label_model = operation.label, record.who, ""
        elif isinstance(operation, Mark):
            self.state = operation.state
        elif isinstance(operation, Propose):
            self._propose(record, operation)

    def _mask(self, record: Record, operation: Stroke | Fill) -> None:
        target = self.labels.get(operation.mask)
        if target is not None and not isinstance(target.shape, Pixels):
            return
        if not operation.erase:
            if target is None:
                target = Label(Pixels(operation.mask, operation.label, ()))
                self.labels[operation.mask] = target
            target.by, target.changed = record.who, record.revision
        elif operation.mask and target is None:
            return
        elif target is not None:
            target.by, target.changed = record.who, record.revision
        if not self._paint:
            return
        width, height = self.canvas.width, self.canvas.height
        if isinstance(operation, Stroke):
            patches = stroke(operation.points, operation.radius, width, height)
        else:
            patches = fill(operation.points, width, height)
        for patch in patches:
            if not operation.erase:
                self.canvas.paint(operation.mask, patch)
            else:
                for name in [operation.mask] if operation.mask else self.canvas.names():
                    self.canvas.erase(name, patch)

    def _put(self, record: Record, shape: Box | Polygon) -> None:
        present = self.labels.get(shape.id)
        if present is None or not isinstance(present.shape, Pixels):
            self.labels[shape.id] = Label(shape, record.who, record.revision)

    def _delete(self, record: Record, name: str) -> None:
        label = self.labels.get(name)
        if label is None or (label.changed > record.upon and label.by not in ("", record.who)):
            return
        del self.labels[name]
        self.canvas.clear(name)

    def _relabel(self, record: Record, operation: Relabel) -> None:
        label = self.labels.get(operation.shape)
        if label is not None:
            label.shape = msgspec.structs.replace(label.shape, label=operation.label)
            label.by, label.changed = record.who, record.revision

    def _accept(self, record: Record, operation: Accept) -> None:
        for name in operation.shapes:
            label = self.labels.get(name)
            if label is not None and label.model:
                label.accepted, label.model, label.by = label.model, "", record.who
        if operation.label and self.label_model:
            self.label_model, self.label_by = "", record.who

    def _propose(self, record: Record, operation: Propose) -> None:
        for name in self.proposed:
            # What nobody has decided on is replaced.
            del self.labels[name]
            self.canvas.clear(name)
        if self.label_model:
            self.label, self.label_model = None, ""
        scores = dict(zip((shape.id for shape in operation.shapes), operation.scores, strict=False))
        for shape in operation.shapes:
            if shape.id not in self.labels:
                label = Label(shape, "", record.revision, operation.model, scores.get(shape.id, 0.0))
                self._add(shape, label, free=True)
        if operation.label is not None and self.label is None:
            self.label, self.label_model, self.label_score = operation.label, operation.model, operation.score

    def _add(self, shape: Shape, label: Label, *, free: bool) -> None:
        self.labels[shape.id] = label
        if not isinstance(shape, Pixels):
            return
        label.shape = msgspec.structs.replace(shape, runs=())
        if self._paint:
            mask = mask_of(shape.runs, self.canvas.width, self.canvas.height)
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            if not len(rows):
                return
            box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
            patch = Patch(int(columns[0]), int(rows[0]), mask[box])
            (self.canvas.add_free if free else self.canvas.add)(shape.id, patch)
