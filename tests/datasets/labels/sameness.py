"""What a format has to give back of labels that were written to it."""

from __future__ import annotations

from edgerig.datasets.labels import masks
from edgerig.datasets.labels.shapes import Category, ImageLabels, LabelSet, Shape

from .conftest import CLASSES

#: Ids with gaps.
CATEGORIES = tuple(Category(id=3 + 4 * rank, name=name) for rank, name in enumerate(CLASSES))


def label_set(*images: ImageLabels) -> LabelSet:
    return LabelSet(categories=CATEGORIES, images={f"a/{rank}.png": image for rank, image in enumerate(images)})


def essence(shape: Shape, image: ImageLabels) -> tuple[object, ...]:
    """The class of a shape, its box, and the pixels of its outline."""
    outlined = bool(shape.runs or shape.polygons)
    pixels = masks.shape_mask(shape, image.height, image.width).tolist() if outlined else None
    return shape.category, masks.shape_box(shape, image.height, image.width), pixels


def assert_same(labels: LabelSet, other: LabelSet) -> None:
    assert list(other.images) == list(labels.images)
    for name, image in labels.images.items():
        copy = other.images[name]
        assert (copy.width, copy.height) == (image.width, image.height)
        assert [essence(shape, copy) for shape in copy.shapes] == [essence(shape, image) for shape in image.shapes]
