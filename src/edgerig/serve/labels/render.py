"""From a dataset's labels to a document that is labelled, and back."""

from __future__ import annotations

import collections

import msgspec

from edgerig import files
from edgerig.datasets.labels import runs
from edgerig.datasets.labels.masks import shape_mask
from edgerig.datasets.labels.shapes import Box, ImageLabels, Polygon, Shape
from edgerig.serve.labels import operations
from edgerig.serve.labels.document import Document, Label
from edgerig.serve.labels.raster import mask_of, runs_of

#: Attributes of a shape that say which person labelled it, and which network proposed what was accepted.
BY, PROPOSED_BY = "labelled_by", "proposed_by"
#: What ids of the dataset's own shapes begin with. What follows is made from the shape itself, so that operations on it
#: find it in another version of the labels as well.
BASE, DIGITS = "base:", 16


def shapes_of(labels: ImageLabels | None) -> tuple[operations.Shape, ...]:
    """The shapes of a picture as operations know them: of each its outline where it has one, else its box."""
    if labels is None:
        return ()
    shapes, seen = [], collections.Counter[str]()
    for shape in labels.shapes:
        name = BASE + files.digest(shape)[:DIGITS]
        # The same shape twice is two shapes.
        shapes.append(_shape(f"{name}:{seen[name]}" if seen[name] else name, shape, labels))
        seen[name] += 1
    return tuple(shapes)


def _shape(name: str, shape: Shape, labels: ImageLabels) -> operations.Shape:
    if shape.polygons:
        return operations.Polygon(name, shape.category, tuple((each.outer, *each.holes) for each in shape.polygons))
    if shape.runs:
        pixels = runs_of(shape_mask(shape, labels.height, labels.width))
        return operations.Pixels(name, shape.category, tuple(pixels))
    assert shape.box is not None
    left, top, width, height = shape.box
    return operations.Box(name, shape.category, (left, top, width, height))


def labels_of(document: Document, base: ImageLabels | None) -> ImageLabels:
    """The labels of a document: all shapes but those that a network proposes and nobody has accepted, and empty masks.

    A shape that nobody touched stays as the dataset has it, with all that is known of it.

    Args:
        base: What the document began with.
    """
    height, width = document.canvas.height, document.canvas.width
    before = dict(zip((shape.id for shape in shapes_of(base)), base.shapes if base else (), strict=True))
    shapes = []
    for name, label in document.labels.items():
        if not label.model:
            shape = _rendered(name, label, document, before.get(name))
            if shape is not None:
                shapes.append(shape)
    return ImageLabels(width=width, height=height, shapes=tuple(shapes))


def _rendered(name: str, label: Label, document: Document, before: Shape | None) -> Shape | None:
    shape = label.shape
    attributes = dict(before.attributes) if before is not None else {}
    if label.by:
        attributes[BY] = label.by
    if label.accepted:
        attributes[PROPOSED_BY] = label.accepted
    if before is not None and _same_pixels(shape, name, document, before):
        return msgspec.structs.replace(before, category=shape.label, attributes=attributes)
    if isinstance(shape, operations.Box):
        return Shape(category=shape.label, box=Box(*shape.box), attributes=attributes)
    if isinstance(shape, operations.Polygon):
        parts = tuple(Polygon(outer, tuple(holes)) for outer, *holes in shape.parts)
        return Shape(category=shape.label, polygons=parts, attributes=attributes)
    mask = document.mask(name)
    if not mask.any():
        return None
    lengths = tuple(int(length) for length in runs.encode(mask))
    return Shape(category=shape.label, runs=lengths, attributes=attributes)


def _same_pixels(shape: operations.Shape, name: str, document: Document, before: Shape) -> bool:
    """Whether a shape of the dataset covers what it covered there."""
    height, width = document.canvas.height, document.canvas.width
    if isinstance(shape, operations.Box):
        return not before.polygons and not before.runs and shape.box == before.box
    if isinstance(shape, operations.Polygon):
        return shape.parts == tuple((each.outer, *each.holes) for each in before.polygons)
    return bool((document.mask(name) == shape_mask(before, height, width)).all())


class Acceptance(msgspec.Struct, frozen=True):
    """What became of a network's proposals.

    Attributes:
        unchanged: Accepted as they were. changed: Accepted, and changed before or after. removed: Taken out.
        open: Not decided yet.
    """

    unchanged: int = 0
    changed: int = 0
    removed: int = 0
    open: int = 0

    def __add__(self, other: Acceptance) -> Acceptance:
        return Acceptance(*(mine + theirs for mine, theirs in zip(self._counts, other._counts, strict=True)))

    @property
    def _counts(self) -> tuple[int, int, int, int]:
        return self.unchanged, self.changed, self.removed, self.open

    @property
    def share(self) -> float | None:
        """Share of those decided that were accepted unchanged; None where nothing is decided."""
        decided = self.unchanged + self.changed + self.removed
        return self.unchanged / decided if decided else None


def acceptance(document: Document, proposals: list[operations.Propose]) -> Acceptance:
    """What became of the last proposal for a picture; a mask is unchanged if all of its pixels are the network's.

    Args:
        document: As it stands, painted. proposals: Those that were made for it; each replaced the one before.
    """
    total = Acceptance()
    for proposal in proposals[-1:]:
        for shape in proposal.shapes:
            total += _outcome(document, shape)
        if proposal.label is not None:
            total += _label_outcome(document, proposal)
    return total


def _outcome(document: Document, shape: operations.Shape) -> Acceptance:
    label = document.labels.get(shape.id)
    if label is None:
        return Acceptance(removed=1)
    if label.model:
        return Acceptance(open=1)
    same = bool(label.accepted) and label.shape.label == shape.label
    if isinstance(shape, operations.Pixels):
        proposed = mask_of(shape.runs, document.canvas.width, document.canvas.height)
        same = same and bool((document.mask(shape.id) == proposed).all())
    else:
        same = same and label.shape == shape
    return Acceptance(unchanged=1) if same else Acceptance(changed=1)


def _label_outcome(document: Document, proposal: operations.Propose) -> Acceptance:
    if document.label_model:
        return Acceptance(open=1)
    if document.label is None:
        return Acceptance(removed=1)
    return Acceptance(unchanged=1) if document.label == proposal.label else Acceptance(changed=1)
