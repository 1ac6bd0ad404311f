"""Label Studio's exports are read and its imports written: boxes, polygons and brush masks, the same there and back."""

from __future__ import annotations

import json
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from edgerig.datasets.labels import label_studio, label_studio_brush, label_studio_writing, runs
from edgerig.datasets.labels.label_studio_interface import INTERFACE
from edgerig.datasets.labels.label_studio_names import image_name
from edgerig.datasets.labels.shapes import Box, ImageLabels, LabelSet, Polygon, Shape
from edgerig.errors import DatasetError

from .conftest import images
from .sameness import assert_same, label_set

#: A mask of 5 x 3 pixels, and the bytes that label-studio-sdk 2.1.2 makes of it (converter.brush.mask2rle).
MASK = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0]])
PACKED = bytes([0, 0, 0, 60, 57, 27, 254, 23, 0, 183, 255, 108, 2, 63, 249, 192, 0])
SQUARE = [[10, 10], [60, 10], [60, 75]]


def packed(count: int, bits: str) -> bytes:
    """Bits behind the head of a mask of so many values, with the usual sizes."""
    text = f"{count:032b}" + "00111" + "0010001101111111" + bits
    size = -(-len(text) // 8)
    return int(text.ljust(8 * size, "0"), 2).to_bytes(size, "big")


def region(kind: str = "rectanglelabels", name: str | None = "cat", **value: Any) -> dict[str, Any]:
    """A region of an image of 10 x 8 pixels."""
    return {
        "id": "a1",
        "type": kind,
        "from_name": "label",
        "to_name": "image",
        "original_width": 10,
        "original_height": 8,
        "image_rotation": 0,
        "value": {**value, **({} if name is None else {kind: [name]})},
    }


def box(**value: Any) -> dict[str, Any]:
    return region(**{"x": 10, "y": 25, "width": 50, "height": 50, "rotation": 0, **value})


def task(*regions: dict[str, Any], number: int = 1, **annotation: Any) -> dict[str, Any]:
    address = f"/data/upload/3/0123abcd-street{number}.png"
    return {"id": number, "data": {"image": address}, "annotations": [{"result": list(regions), **annotation}]}


def read(folder: Path, *tasks: dict[str, Any], **options: Any) -> LabelSet:
    (folder / "export.json").write_text(json.dumps(tasks))
    return label_studio.read(folder / "export.json", **options)


def shapes(folder: Path, *regions: dict[str, Any], **options: Any) -> tuple[Shape, ...]:
    return read(folder, task(*regions), **options).images["street1.png"].shapes


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(images(), images())
def test_labels_are_the_same_after_writing_and_reading(first: ImageLabels, second: ImageLabels) -> None:
    labels = label_set(*(replace(image) for image in (first, second)))
    sizes = {name: (image.height, image.width) for name, image in labels.images.items()}
    with tempfile.TemporaryDirectory() as name:
        label_studio_writing.write(labels, Path(name))
        copy = label_studio.read(Path(name) / label_studio_writing.FILE, sizes=sizes.__getitem__)
    assert_same(labels, copy)


def test_boxes_and_polygons_keep_their_numbers_and_scores_make_predictions(tmp_path: Path) -> None:
    drawn = (
        Shape(category="dog", polygons=(Polygon((0.37, 1.1, 6.93, 2.5, 3.21, 6.66)),), score=0.75),
        Shape(category="cat", box=Box(0.1, 0.7, 3.3, 2.9), score=0.25),
    )
    labels = label_set(ImageLabels(width=7, height=9, shapes=drawn))
    assert label_studio_writing.write(labels, tmp_path) == ()
    path = tmp_path / label_studio_writing.FILE
    assert label_studio.read(path, predictions=True).images == labels.images
    with pytest.raises(DatasetError, match="has no annotated tasks"):
        label_studio.read(path)


def test_a_mask_is_packed_as_label_studio_packs_it() -> None:
    lengths = runs.encode(MASK)
    assert label_studio_brush.decode(PACKED, 3, 5, "mask").tolist() == lengths.tolist()
    assert label_studio_brush.encode(lengths, 3, 5).rstrip(b"\0") == PACKED.rstrip(b"\0")


def test_a_run_that_is_longer_than_a_length_is_packed_in_parts() -> None:
    for filled in (False, True):
        lengths = runs.encode(np.full((300, 200), filled))
        assert label_studio_brush.decode(label_studio_brush.encode(lengths, 300, 200), 300, 200, "m").tolist() == (
            [0, 60_000] if filled else [60_000]
        )


def test_values_that_are_not_repeated_are_read_one_by_one() -> None:
    # Eight of them, of which the fourth and the last are alphas.
    data = packed(8, "000111" + "".join(f"{value:08b}" for value in (5, 6, 7, 1, 0, 0, 0, 0)))
    assert label_studio_brush.decode(data, 1, 2, "mask").tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (PACKED[:9], "ends in the middle of its mask"),
        (PACKED[:3], "ends in the middle of its mask"),
        (b"", "ends in the middle of its mask"),
        (bytes([0, 0, 0, 64]) + PACKED[4:], "overruns its image: its mask has 64 values, 5 x 3 pixels have 60"),
        (bytes([0, 0, 0, 56]) + PACKED[4:], "falls short of its image"),
        (bytes([255, 255, 255, 255]) + PACKED[4:], "overruns its image"),
        (PACKED[:4] + bytes([121]) + PACKED[5:], "16 bits a value"),
        (packed(60, "111" + 16 * "1" + 8 * "0"), "overruns its image by 65,476 values"),
    ],
)
def test_masks_that_do_not_fit_their_image_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(DatasetError, match=f"mask {message}|mask has a mask of {message}"):
        label_studio_brush.decode(data, 3, 5, "mask")


def test_regions_are_in_percent_of_the_sides(tmp_path: Path) -> None:
    brush = region("brushlabels", format="rle", rle=list(label_studio_brush.encode([8, 16, 56], 8, 10)))
    read_shapes = shapes(tmp_path, box(), region("polygonlabels", "dog", points=SQUARE, closed=True), brush)
    assert read_shapes == (
        Shape(category="cat", box=Box(1, 2, 5, 4)),
        Shape(category="dog", polygons=(Polygon((1, 0.8, 6, 0.8, 6, 6)),)),
        Shape(category="cat", runs=(8, 16, 56)),
    )


def test_a_rotated_box_becomes_a_polygon_around_its_upper_left_corner(tmp_path: Path) -> None:
    labels = read(tmp_path, task(box(x=50, y=25, width=20, height=50, rotation=90)))
    assert labels.images["street1.png"].shapes[0].polygons == (Polygon((5, 2, 5, 4, 1, 4, 1, 2)),)
    assert labels.notes == ("Rotated boxes become polygons: 1 object.",)


def test_regions_of_a_labels_tag_come_in_two_results(tmp_path: Path) -> None:
    plain = region("rectangle", None, x=10, y=25, width=50, height=50)
    named = region("labels", "cat", x=10, y=25, width=50, height=50)
    assert shapes(tmp_path, plain, named) == (Shape(category="cat", box=Box(1, 2, 5, 4)),)
    with pytest.raises(DatasetError, match="is of kind 'rectangle'"):
        read(tmp_path, task(plain))


def test_the_annotation_that_counts_is_ground_truth_or_the_only_one(tmp_path: Path) -> None:
    several = {**task(box()), "annotations": [{"result": [box()]}, {"result": []}]}
    with pytest.raises(DatasetError, match="task 1 has 2 annotations, which may contradict each other"):
        read(tmp_path, several)
    several["annotations"][0]["ground_truth"] = True
    assert len(read(tmp_path, several).images["street1.png"].shapes) == 1
    several["annotations"] = [{"result": [box()]}, {"result": [], "was_cancelled": True}]
    assert len(read(tmp_path, several).images["street1.png"].shapes) == 1


def test_tasks_without_annotations_and_answers_in_words_are_counted(tmp_path: Path) -> None:
    bare = {"id": 2, "data": {"image": "b.png"}}
    answer = {"id": "c", "type": "choices", "value": {"choices": ["day"]}}
    labels = read(tmp_path, task(box(), answer), bare)
    assert list(labels.images) == ["street1.png"]
    assert labels.notes == (
        "What is said of whole images or in words is not read: 1 answer.",
        "Left out, as without annotations: 1 task.",
    )


def test_an_image_in_which_nothing_is_annotated_needs_its_size(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"has no region, and so no size of its image street1\.png"):
        read(tmp_path, task())
    assert read(tmp_path, task(), sizes=lambda name: (3, len(name))).images["street1.png"] == ImageLabels(
        width=11, height=3
    )


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            region("ellipselabels", x=1, y=1, radiusX=3, radiusY=3),
            "is of kind 'ellipselabels'; boxes, polygons and brush",
        ),
        (region("keypointlabels", x=1, y=1, width=1), "is of kind 'keypointlabels'"),
        ({**box(), "image_rotation": 90}, "an image that was rotated by 90 degrees"),
        (region("polygonlabels", points=[[1, 1], [2, 2]]), "a polygon of 2 points"),
        (region("polygonlabels", points=[[1, 1, 1]]), "is no region of Label Studio"),
        (region("brushlabels", format="rle", rle=list(PACKED)), "falls short of its image"),
        (region("brushlabels", format="rle", rle=[256]), "is no region of Label Studio"),
        (region("rectanglelabels", x=1, y=2), "has neither points, nor a mask, nor a box"),
        (box(x=150), "lies outside of its image"),
        (region("rectanglelabels", None, x=1, y=2, width=3, height=4), "has 0 classes: none"),
        ({**box(), "value": {**box()["value"], "rectanglelabels": ["a", "b"]}}, "has 2 classes: a, b"),
        ({**box(), "original_width": 0}, "sides are 1 to"),
    ],
)
def test_regions_that_cannot_be_used_are_refused_or_counted(bad: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=message):
        read(tmp_path, task(bad))
    labels = read(tmp_path, task(bad), task(box(), number=2), skip=True)
    assert labels.images["street2.png"].shapes
    assert labels.notes[0].startswith("Left out as unusable: 1 annotation. ")


def test_regions_of_several_sizes_and_images_that_come_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="regions of images of several sizes"):
        read(tmp_path, task(box(), {**box(), "original_width": 20}))
    with pytest.raises(DatasetError, match=r"task 1 has the image street1\.png, as an earlier one"):
        read(tmp_path, task(box()), task(box()))


@pytest.mark.parametrize("content", ["[", "{}", '[{"id": 1}]', '[{"data": {}, "annotations": [{"result": [{}]}]}]'])
def test_what_is_no_export_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text(content)
    with pytest.raises(DatasetError, match="is no export of Label Studio"):
        label_studio.read(tmp_path / "export.json")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"image": "s3://lab/photos/a.png"}, "a.png"),
        ({"image": "https://example.org/0123abcd-a.png?size=1"}, "0123abcd-a.png"),
        ({"picture": "/data/local-files/?d=street/b%20c.png"}, "b c.png"),
        ({"image": "plain.png", "other": "text"}, "plain.png"),
    ],
)
def test_names_of_images_are_the_ends_of_their_addresses(data: dict[str, object], name: str) -> None:
    assert image_name(data, "task 1") == name


@pytest.mark.parametrize(
    "data", [{}, {"a": "x", "b": "y"}, {"image": 3}, {"image": ""}, {"image": "/data/local-files/?d="}]
)
def test_tasks_without_an_image_are_refused(data: dict[str, object]) -> None:
    with pytest.raises(DatasetError, match="task 1"):
        image_name(data, "task 1")


def test_the_interface_has_a_control_for_each_kind_of_region_with_all_classes(tmp_path: Path) -> None:
    drawn = (
        Shape(category="cat", box=Box(0, 0, 2, 2)),
        Shape(category="dog", runs=(0, 35)),
        Shape(category="a car", polygons=(Polygon((0, 0, 2, 2, 2, 0)),)),
    )
    labels = label_set(ImageLabels(width=5, height=7, shapes=drawn))
    label_studio_writing.write(labels, tmp_path)
    root = ET.parse(tmp_path / INTERFACE).getroot()
    controls = {control.get("name"): [entry.get("value") for entry in control] for control in root if len(control)}
    assert controls == {name: ["cat", "dog", "a car"] for name in ("boxes", "polygons", "masks")}
    (entry,) = json.loads((tmp_path / label_studio_writing.FILE).read_text())
    assert [(r["from_name"], r["type"]) for r in entry["annotations"][0]["result"]] == [
        ("boxes", "rectanglelabels"), ("masks", "brushlabels"), ("polygons", "polygonlabels"),
    ]  # fmt: skip


def test_what_label_studio_lacks_is_counted(tmp_path: Path) -> None:
    ring = Polygon((1, 1, 5, 1, 5, 5, 1, 5), ((2, 2, 4, 2, 4, 4),))
    drawn = Shape(category="cat", polygons=(ring,), crowd=True, attributes={"a": 1}, box=Box(0, 0, 5, 5))
    assert label_studio_writing.write(label_set(ImageLabels(width=6, height=6, shapes=(drawn,))), tmp_path) == (
        "Label Studio has no crowds: 1 object written as single ones.",
        "Attributes are not written: 1 object had some.",
        "Boxes beside outlines are not written: 1 object had one.",
        "What one polygon cannot say becomes a brush mask: 1 object of polygons.",
    )
