"""YOLO's files of labels: the same boxes and pixels after writing, and nothing lost without a word."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from PIL import Image

from edgerig.datasets.labels import masks, yolo
from edgerig.datasets.labels.shapes import Box, Category, ImageLabels, LabelSet, Polygon, Shape
from edgerig.errors import DatasetError

from .conftest import CLASSES, images
from .sameness import assert_same, label_set

SQUARE = (1.0, 1.0, 5.0, 1.0, 5.0, 5.0, 1.0, 5.0)
HOLE = (2.0, 2.0, 4.0, 2.0, 4.0, 4.0, 2.0, 4.0)


def draw(labels: LabelSet, folder: Path) -> None:
    for name, image in labels.images.items():
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (image.width, image.height)).save(path)


def written(labels: LabelSet, folder: Path) -> tuple[LabelSet, tuple[str, ...]]:
    draw(labels, folder)
    notes = yolo.write(labels, folder)
    return yolo.read(folder), notes


def dataset(folder: Path, line: str, names: str = "names: [cat, dog]") -> Path:
    """An image of 10 x 8 pixels with one line of labels."""
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    Image.new("L", (10, 8)).save(folder / "images" / "a.png")
    (folder / "labels" / "a.txt").write_text(line)
    (folder / "data.yaml").write_text(names)
    return folder


@settings(deadline=None, max_examples=30)
@given(images(kinds=("box",)), images(kinds=("polygons", "runs")))
def test_labels_are_the_same_after_writing_and_reading(boxed: ImageLabels, outlined: ImageLabels) -> None:
    # An object without a pixel has no outline and is counted, see below.
    drawn = [shape for shape in outlined.shapes if masks.shape_mask(shape, outlined.height, outlined.width).any()]
    labels = label_set(boxed, replace(outlined, shapes=tuple(drawn)))
    with tempfile.TemporaryDirectory() as name:
        copy, _ = written(labels, Path(name))
    assert_same(labels, copy)
    assert [category.name for category in copy.categories] == list(CLASSES)


def test_a_polygon_keeps_its_corners_and_a_box_its_sides(tmp_path: Path) -> None:
    shapes = (Shape(category="dog", polygons=(Polygon((0.37, 1.1, 6.93, 2.5, 3.21, 6.66)),)),)
    boxes = (Shape(category="cat", box=Box(0.1, 0.7, 3.3, 2.9)),)
    labels = label_set(ImageLabels(width=7, height=9, shapes=shapes), ImageLabels(width=7, height=9, shapes=boxes))
    copy, notes = written(labels, tmp_path)
    assert copy.images == labels.images
    assert notes == ()


def test_what_the_format_lacks_is_counted(tmp_path: Path) -> None:
    ring = Polygon(SQUARE, (HOLE,))
    shapes = (
        Shape(category="cat", polygons=(ring,), crowd=True),
        Shape(category="cat", polygons=(Polygon(SQUARE), Polygon((6, 6, 8, 6, 8, 8))), attributes={"a": 1}),
        Shape(category="dog", runs=(10, 3, 67), score=0.5, box=Box(0, 0, 2, 2)),
        Shape(category="dog", runs=(80,)),
    )
    labels = label_set(ImageLabels(width=10, height=8, shapes=shapes))
    copy, notes = written(labels, tmp_path)
    assert_same(label_set(ImageLabels(width=10, height=8, shapes=without_boxes(shapes[:3]))), copy)
    assert notes == (
        "The format has no crowds: 1 object written as single ones.",
        "The format has one polygon an object: 3 objects written as one line around the same pixels.",
        "The format has no attributes: 1 object lost theirs.",
        "Scores are not written: 1 object had one.",
        "Boxes beside outlines are not written: 1 object had one.",
        "Without a pixel, so left out: 1 object.",
    )


def without_boxes(shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
    return tuple(replace(shape, box=None) for shape in shapes)


def test_boxes_beside_polygons_are_refused_as_readers_mistake_them(tmp_path: Path) -> None:
    shapes = (Shape(category="cat", box=Box(0, 0, 2, 2)), Shape(category="cat", polygons=(Polygon(SQUARE),)))
    labels = label_set(ImageLabels(width=10, height=8, shapes=shapes))
    with pytest.raises(DatasetError, match="1 object with an outline and 1 with a box alone"):
        yolo.write(labels, tmp_path)
    draw(labels, tmp_path)
    assert yolo.write(labels, tmp_path, boxes=True) == ("Written as boxes alone: 1 object with an outline.",)
    boxes = [shape.box for shape in yolo.read(tmp_path).images["a/0.png"].shapes]
    assert boxes == [Box(0, 0, 2, 2), Box(1, 1, 4, 4)]


def test_images_whose_labels_would_have_one_name_are_refused(tmp_path: Path) -> None:
    image = ImageLabels(width=2, height=2)
    labels = LabelSet(categories=(), images={"a.png": image, "a.jpg": image})
    with pytest.raises(DatasetError, match="Two images are named a, with different suffixes"):
        yolo.write(labels, tmp_path)


def test_boxes_may_have_scores_and_files_of_labels_may_lie_beside_images(tmp_path: Path) -> None:
    Image.new("L", (10, 8)).save(tmp_path / "a.png")
    Image.new("L", (10, 8)).save(tmp_path / "b.png")
    (tmp_path / "a.txt").write_text("1 0.5 0.5 0.2 0.25 0.75\n\n")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    labels = yolo.read(tmp_path, images=tmp_path)
    assert labels.images["a.png"].shapes == (Shape(category="dog", box=Box(4, 3, 2, 2), score=0.75),)
    assert labels.images["b.png"].shapes == ()
    assert labels.notes == ("1 image without a file of labels taken as without objects.",)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.2", r"a\.txt:1 has 4 numbers"),
        ("0 0.1 0.1 0.2 0.2 0.3 0.3 0.4", r"a\.txt:1 has 8 numbers"),
        ("0 0.5 0.5 0.2 x", "is no line of numbers"),
        ("2 0.5 0.5 0.2 0.2", "is of class 2; there are 2"),
        ("-1 0.5 0.5 0.2 0.2", "is of class -1"),
        ("0.5 0.5 0.5 0.2 0.2", "is of class 0.5"),
        ("0 5 4 2 2", "a coordinate outside of 0 to 1"),
        ("0 nan 0.5 0.2 0.2", "a coordinate outside of 0 to 1"),
        ("0 0.5 0.5 0.2 0.2 1.5", "has the score 1.5"),
    ],
)
def test_lines_that_are_no_objects_are_refused_or_counted(line: str, message: str, tmp_path: Path) -> None:
    dataset(tmp_path, line)
    with pytest.raises(DatasetError, match=message):
        yolo.read(tmp_path)
    labels = yolo.read(tmp_path, skip=True)
    assert labels.images["a.png"].shapes == ()
    assert labels.notes[0].startswith("Left out as unusable: 1 annotation. ")


def test_labels_without_an_image_are_refused(tmp_path: Path) -> None:
    dataset(tmp_path, "0 0.5 0.5 0.2 0.2")
    (tmp_path / "labels" / "b.txt").write_text("0 0.5 0.5 0.2 0.2")
    with pytest.raises(DatasetError, match=r"b\.txt has no image"):
        yolo.read(tmp_path)


def test_folders_without_images_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("names: [cat]")
    with pytest.raises(DatasetError, match="There is no folder"):
        yolo.read(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(DatasetError, match="holds no images"):
        yolo.read(tmp_path)


@pytest.mark.parametrize("names", ["names: [cat, dog]", "names: {0: cat, 1: dog}", "nc: 2\nnames:\n  - cat\n  - dog\n"])
def test_names_are_a_list_or_numbered(names: str, tmp_path: Path) -> None:
    labels = yolo.read(dataset(tmp_path, "1 0.5 0.5 0.2 0.2", names))
    assert labels.images["a.png"].shapes[0].category == "dog"
    assert np.array_equal([category.id for category in labels.categories], [0, 1])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("names: {0: cat, 2: dog}", "has the numbers 0, 2"),
        ("names: 3", "is no list of names"),
        ("names: [cat, cat]", "names one of them twice|one of them twice"),
        ("names: [', ", "is no YAML"),
        ("nc: 2", "names no classes"),
        ("a: &a [x]\nnames: *a", "has YAML aliases"),
        ("names: ['']", "a class without a usable name"),
    ],
)
def test_names_that_are_none_are_refused(names: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=message):
        yolo.read(dataset(tmp_path, "1 0.5 0.5 0.2 0.2", names))


def test_what_is_not_judged_is_left_out_and_counted(tmp_path: Path) -> None:
    shapes = (Shape(category="ignore", box=Box(0, 0, 2, 2)), Shape(category="dog", box=Box(0, 0, 2, 2)))
    categories = (Category(id=0, name="ignore"), Category(id=1, name="dog"))
    image = ImageLabels(width=10, height=8, shapes=shapes)
    copy, notes = written(LabelSet(categories=categories, images={"a.png": image}), tmp_path)
    assert copy.images["a.png"].shapes == shapes[1:]
    assert notes == ("Trainers of YOLO judge everything: 1 object of 'ignore' left out.",)
