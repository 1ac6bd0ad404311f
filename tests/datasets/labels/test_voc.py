"""Pascal VOC's folders: the same boxes and masks there and back, its two ways to count, and masks of every kind."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from edgerig.datasets.labels import runs, voc, voc_writing
from edgerig.datasets.labels.shapes import Box, Category, ImageLabels, LabelSet, Polygon, Shape
from edgerig.datasets.labels.voc_masks import usual_color
from edgerig.errors import DatasetError

from .conftest import CLASSES, images
from .sameness import assert_same, label_set

XML = """<annotation><filename>a.png</filename><size><width>8</width><height>6</height><depth>3</depth></size>{}
</annotation>"""
OBJECT = """<object><name>{name}</name><bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax>
<ymax>{ymax}</ymax></bndbox>{more}</object>"""


def xml_object(**values: Any) -> str:
    return OBJECT.format(**{"name": "cat", "xmin": 2, "ymin": 1, "xmax": 4, "ymax": 6, "more": "", **values})


def draw(labels: LabelSet, folder: Path) -> None:
    for name, image in labels.images.items():
        path = folder / voc.IMAGES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (image.width, image.height)).save(path)


def written(labels: LabelSet, folder: Path, **options: Any) -> tuple[LabelSet, tuple[str, ...]]:
    draw(labels, folder)
    notes = voc_writing.write(labels, folder, **options)
    return voc.read(folder, **options), notes


def dataset(folder: Path, *objects: str, **masks: np.ndarray[Any, Any]) -> Path:
    """An image of 8 x 6 pixels with an XML and perhaps masks ``classes`` and ``objects``."""
    draw(LabelSet(categories=(), images={"a.png": ImageLabels(width=8, height=6)}), folder)
    for name, text in ((voc.BOXES, XML.format("".join(objects))),) if objects else ():
        (folder / name).mkdir()
        (folder / name / "a.xml").write_text(text)
    for kind, pixels in masks.items():
        path = folder / {"classes": voc.CLASSES, "objects": voc.OBJECTS}[kind] / "a.png"
        path.parent.mkdir()
        Image.fromarray(pixels).save(path)
    return folder


def shapes(folder: Path, **options: Any) -> tuple[Shape, ...]:
    return voc.read(folder, **options).images["a.png"].shapes


@st.composite
def apart(draw_: Any) -> ImageLabels:
    """Masks that do not overlap, some with a box of their own, and boxes alone."""
    image: ImageLabels = draw_(images(kinds=("box",), crowd=False))
    ids = draw_(arrays.arrays(np.uint8, (image.height, image.width), elements=st.integers(0, 4)))
    result = list(image.shapes)
    for number in (number for number in range(1, 5) if (ids == number).any()):
        lengths = tuple(runs.encode(ids == number).tolist())
        own = draw_(st.sampled_from([None, Box(0.25, 0, 1.5, 1)]))
        result.insert(0, Shape(category=draw_(st.sampled_from(CLASSES)), runs=lengths, box=own))
    return ImageLabels(width=image.width, height=image.height, shapes=tuple(result))


@settings(deadline=None, max_examples=30)
@given(apart(), apart(), st.booleans())
def test_boxes_and_masks_are_the_same_after_writing_and_reading(
    first: ImageLabels, second: ImageLabels, edges: bool
) -> None:
    labels = label_set(first, second)
    with tempfile.TemporaryDirectory() as name:
        copy, notes = written(labels, Path(name), edges=edges)
    assert notes == ()
    assert_same(labels, copy)
    assert [category.name for category in copy.categories] == list(CLASSES)


def test_a_box_is_from_its_first_pixel_to_its_last_and_the_first_is_1(tmp_path: Path) -> None:
    dataset(tmp_path, xml_object())
    assert shapes(tmp_path) == (Shape(category="cat", box=Box(1, 0, 3, 6)),)
    assert shapes(tmp_path, edges=True) == (Shape(category="cat", box=Box(2, 1, 2, 5)),)


def test_boxes_that_cannot_count_from_1_are_found_out(tmp_path: Path) -> None:
    dataset(tmp_path, xml_object(xmin=0))
    with pytest.raises(DatasetError, match=r"begins at 0, 1; the first pixel is 1.\n.*--edges"):
        voc.read(tmp_path)
    assert shapes(tmp_path, edges=True)[0].box == Box(0, 1, 4, 5)


def test_what_is_said_of_an_object_is_kept(tmp_path: Path) -> None:
    more = (
        "<pose>Left</pose><truncated>1</truncated><difficult>0</difficult><attributes><attribute><name>speed</name>"
        "<value>3</value></attribute></attributes><part><name>head</name></part>"
    )
    labels = voc.read(dataset(tmp_path / "in", xml_object(more=more)))
    (shape,) = labels.images["a.png"].shapes
    assert shape.attributes == {"truncated": True, "pose": "Left", "speed": 3}
    assert labels.notes == ("Parts of objects are not read: 1 object had some.",)
    assert written(labels, tmp_path / "out")[0].images == labels.images


CLASS_MASK = np.zeros((6, 8), np.uint8)
CLASS_MASK[1:3, 1:3], CLASS_MASK[1:3, 4:6], CLASS_MASK[4:, :2], CLASS_MASK[5, 7] = 1, 1, 2, 255
OBJECT_MASK = np.zeros((6, 8), np.uint8)
OBJECT_MASK[1:3, 1:3], OBJECT_MASK[1:3, 4:6], OBJECT_MASK[5, 7] = 1, 2, 255


def runs_of(mask: np.ndarray[Any, Any]) -> tuple[int, ...]:
    return tuple(runs.encode(mask).tolist())


def test_masks_of_objects_belong_to_the_boxes_in_their_order(tmp_path: Path) -> None:
    own = xml_object(xmin=2, ymin=2, xmax=3, ymax=3)
    dataset(tmp_path, own, xml_object(), classes=CLASS_MASK, objects=OBJECT_MASK)
    assert shapes(tmp_path, names=CLASSES) == (
        Shape(category="cat", runs=runs_of(OBJECT_MASK == 1)),
        Shape(category="cat", runs=runs_of(OBJECT_MASK == 2), box=Box(1, 0, 3, 6)),
        Shape(category="dog", runs=runs_of(CLASS_MASK == 2)),
        Shape(category="ignore", runs=runs_of(CLASS_MASK == 255)),
    )


def test_without_masks_of_objects_the_pixels_of_a_class_are_one_object(tmp_path: Path) -> None:
    dataset(tmp_path, classes=CLASS_MASK)
    names = ("background", *CLASSES)
    assert [shape.runs for shape in shapes(tmp_path, names=names)] == [
        runs_of(np.equal(CLASS_MASK, value)) for value in (1, 2, 255)
    ]


@pytest.mark.parametrize("kind", ["palette", "colours", "16 bits"])
def test_masks_may_have_palettes_colours_or_16_bits(kind: str, tmp_path: Path) -> None:
    dataset(tmp_path, classes=CLASS_MASK, objects=OBJECT_MASK.astype(np.uint16) if kind == "16 bits" else OBJECT_MASK)
    path = tmp_path / voc.CLASSES / "a.png"
    expected = shapes(tmp_path, names=CLASSES)
    if kind != "16 bits":
        table = np.array([usual_color(number) for number in range(256)], np.uint8)
        table[255] = (224, 224, 192)
        image = Image.fromarray(table[CLASS_MASK])
        # A palette in another order than the classes: pixels are what they look like.
        (image.quantize(8) if kind == "palette" else image).save(path)
        lines = [
            f"{name}:{','.join(map(str, usual_color(number)))}::"
            for number, name in enumerate(("background", *CLASSES))
        ]
        (tmp_path / "labelmap.txt").write_text("# label:color_rgb:parts:actions\n" + "\n".join(lines))
    assert shapes(tmp_path, names=CLASSES) == expected


def test_objects_that_cover_others_are_counted_and_what_is_lost_is(tmp_path: Path) -> None:
    square = Polygon((1, 1, 5, 1, 5, 5, 1, 5))
    drawn = (
        Shape(category="cat", polygons=(square,), crowd=True),
        Shape(category="dog", runs=(0, 24, 24), score=0.5, area=3.0),
        Shape(category="dog", polygons=(Polygon((3, 0, 8, 0, 8, 6, 3, 6)),)),
        Shape(category="dog", runs=(48,)),
        Shape(category="ignore", box=Box(0, 0, 1, 1)),
    )
    labels = label_set(ImageLabels(width=8, height=6, shapes=drawn))
    copy, notes = written(labels, tmp_path)
    assert (
        sorted(notes)
        == [
            "A pixel is of one object: 1 object lost what others cover.",
            "Areas are not written: 1 object had one.",
            "Boxes of what is not judged or is background are left out: 1 object.",
            "Masks are pixels: 2 objects lost the corners of polygons.",
            "Scores are not written: 1 object had one.",
            "VOC has no crowds: 1 object written as single ones.",
            "Wholly covered by others, so written as a box alone: 1 object.",
            "Without a pixel, so left out: 1 object.",
        ]
        or notes
    )  # the first square keeps a column only
    assert [bool(shape.runs) for shape in copy.images["a/0.png"].shapes] == [True, True, True] or copy
    assert len(copy.images["a/0.png"].shapes) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (xml_object(xmin="x"), "has no number in <bndbox><xmin>: 'x'"),
        (xml_object(xmin="nan"), "has no number in"),
        (xml_object(xmax=0), "width is negative"),
        (xml_object(xmin=100, xmax=110), "lies outside of its image of 8 x 6"),
        (xml_object(name=""), "a class without a usable name"),
        (xml_object(more="<robndbox/>"), "has a rotated box"),
        ("<object><name>cat</name></object>", "has no number in"),
    ],
)
def test_objects_that_cannot_be_used_are_refused_or_counted(text: str, message: str, tmp_path: Path) -> None:
    dataset(tmp_path, text)
    with pytest.raises(DatasetError, match=message):
        voc.read(tmp_path)
    labels = voc.read(tmp_path, skip=True)
    assert labels.images["a.png"].shapes == ()
    assert labels.notes[0].startswith("Left out as unusable: 1 annotation. ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation>", "is no XML"),
        ("<html/>", "begins with <html>"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>', "has a document type of its own"),
        (XML.replace("8", "9999999").format(""), "sides are 1 to"),
    ],
)
def test_files_that_are_no_annotations_are_refused(text: str, message: str, tmp_path: Path) -> None:
    dataset(tmp_path, xml_object())
    (tmp_path / voc.BOXES / "a.xml").write_text(text)
    with pytest.raises(DatasetError, match=message):
        voc.read(tmp_path)


@pytest.mark.parametrize(
    ("masks", "objects", "message"),
    [
        ({"classes": CLASS_MASK}, (), "there is no list of their names"),
        ({"classes": CLASS_MASK[:5]}, (xml_object(),), r"has 8 x 5 pixels, .*a\.xml says 8 x 6"),
        ({"classes": CLASS_MASK, "objects": OBJECT_MASK[:5]}, (), "is not of the size of"),
        (
            {"classes": CLASS_MASK, "objects": np.ones((6, 8), np.uint8)},
            (),
            "object 1 has pixels of 'background', 'cat', 'dog'",
        ),
        (
            {"classes": CLASS_MASK, "objects": OBJECT_MASK},
            (xml_object(name="dog"),),
            "object 1 is 'dog' in the XML, .*'cat'",
        ),
        ({"classes": CLASS_MASK + 2}, (), "has pixels of the class 4; there are 4"),
    ],
)
def test_masks_that_contradict_the_rest_are_refused(
    masks: dict[str, Any], objects: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    dataset(tmp_path, *objects, **masks)
    names = () if "no list" in message else CLASSES
    with pytest.raises(DatasetError, match=message):
        voc.read(tmp_path, names=names)


def test_a_colour_of_no_class_and_a_list_without_colours_are_refused(tmp_path: Path) -> None:
    dataset(tmp_path, classes=np.full((6, 8, 3), 7, np.uint8))
    (tmp_path / "labelmap.txt").write_text("background:0,0,0::\n")
    with pytest.raises(DatasetError, match="the colour 7, 7, 7, which is of no class"):
        voc.read(tmp_path)
    (tmp_path / "labelmap.txt").write_text("background\n")
    with pytest.raises(DatasetError, match=r"labelmap\.txt:1 is no class"):
        voc.read(tmp_path)


def test_labels_without_a_picture_are_named(tmp_path: Path) -> None:
    dataset(tmp_path, xml_object())
    (tmp_path / voc.BOXES / "b.xml").write_text(XML.format(""))
    with pytest.raises(DatasetError, match="There is no picture of b"):
        voc.read(tmp_path)
    with pytest.raises(DatasetError, match="There is no folder"):
        voc.read(tmp_path, images=tmp_path / "none")


def test_colours_of_classes_are_those_of_their_categories(tmp_path: Path) -> None:
    shape = Shape(category="car", runs=(0, 4))
    categories = (Category(id=0, name="background", color=(1, 2, 3)), Category(id=1, name="car", color=(0, 0, 142)))
    labels = LabelSet(categories=categories, images={"a.png": ImageLabels(width=2, height=2, shapes=(shape,))})
    voc_writing.write(labels, tmp_path)
    assert "car:0,0,142::" in (tmp_path / "labelmap.txt").read_text()
    with Image.open(tmp_path / voc.CLASSES / "a.png") as image:
        assert (image.mode, image.convert("RGB").getpixel((0, 0))) == ("P", (0, 0, 142))
