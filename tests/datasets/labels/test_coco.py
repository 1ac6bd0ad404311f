"""COCO's format: read as pycocotools reads it, the same after writing, and clear about what cannot be used."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from pycocotools.coco import COCO

from edgerig.datasets.labels import coco, masks
from edgerig.datasets.labels.shapes import Box, ImageLabels, Polygon, Shape
from edgerig.errors import DatasetError

from .conftest import images
from .sameness import assert_same, label_set

#: The column x = 2 of an image of 4 x 3, as numbers and as text.
COLUMN = {"size": [3, 4], "counts": [6, 3, 3]}
SQUARE = [0, 0, 2, 0, 2, 2, 0, 2]


def content(**annotation: Any) -> dict[str, Any]:
    """An image of 4 x 3 pixels with one object."""
    return {
        "images": [{"id": 5, "file_name": "a.png", "width": 4, "height": 3, "license": 1}],
        "annotations": [{"id": 9, "image_id": 5, "category_id": 40, **annotation}],
        "categories": [{"id": 40, "name": "dog", "supercategory": "animal"}, {"id": 7, "name": "cat"}],
    }


def read(folder: Path, document: dict[str, Any], **options: Any) -> Any:
    (folder / "a.json").write_text(json.dumps(document))
    return coco.read(folder / "a.json", **options)


def shape(folder: Path, **annotation: Any) -> Shape:
    read_shape: Shape = read(folder, content(**annotation)).images["a.png"].shapes[0]
    return read_shape


@settings(deadline=None, max_examples=30)
@given(images(), images())
def test_labels_are_the_same_after_writing_and_reading_and_pycocotools_sees_them_alike(
    first: ImageLabels, second: ImageLabels
) -> None:
    labels = label_set(first, second)
    with tempfile.TemporaryDirectory() as name:
        coco.write(labels, Path(name))
        copy = coco.read(Path(name) / coco.FILE)
        with contextlib.redirect_stdout(io.StringIO()):
            reference = COCO(str(Path(name) / coco.FILE))
    assert_same(labels, copy)
    assert [[s.crowd for s in image.shapes] for image in copy.images.values()] == [
        [s.crowd for s in image.shapes] for image in (first, second)
    ]
    for image_id, image in enumerate((first, second), 1):
        for entry, drawn in zip(reference.imgToAnns[image_id], image.shapes, strict=True):
            if drawn.runs or drawn.polygons:
                pixels = masks.shape_mask(drawn, image.height, image.width)
                np.testing.assert_array_equal(reference.annToMask(entry), pixels)


@settings(deadline=None, max_examples=30)
@given(images(holes=False))
def test_what_is_written_and_read_again_is_equal_to_the_last_bit(image: ImageLabels) -> None:
    labels = label_set(image)
    with tempfile.TemporaryDirectory() as name:
        assert coco.write(labels, Path(name)) == ()
        assert coco.read(Path(name) / coco.FILE) == labels


def test_holes_are_written_as_run_lengths_and_counted(tmp_path: Path) -> None:
    ring = Shape(category="cat", polygons=(Polygon((0, 0, 5, 0, 5, 5, 0, 5), ((1, 1, 4, 1, 4, 4, 1, 4),)),))
    labels = label_set(ImageLabels(width=6, height=6, shapes=(ring, ring)))
    assert coco.write(labels, tmp_path) == ("Polygons with holes are written as run lengths: 2 objects.",)
    assert_same(labels, coco.read(tmp_path / coco.FILE))


def test_categories_come_in_the_order_of_their_ids_which_may_jump(tmp_path: Path) -> None:
    categories = read(tmp_path, content(bbox=[0, 0, 1, 1])).categories
    assert [(entry.id, entry.name, entry.supercategory) for entry in categories] == [
        (7, "cat", ""),
        (40, "dog", "animal"),
    ]


@pytest.mark.parametrize("counts", [[6, 3, 3], "633", [6, 1, 0, 2, 3]])
def test_run_lengths_are_read_as_numbers_and_as_text(counts: Any, tmp_path: Path) -> None:
    assert shape(tmp_path, segmentation={**COLUMN, "counts": counts}).runs == (6, 3, 3)


def test_a_box_and_an_area_that_follow_from_the_outline_are_not_kept(tmp_path: Path) -> None:
    assert shape(tmp_path, segmentation=COLUMN, bbox=[2, 0, 1, 3], area=3) == Shape(category="dog", runs=(6, 3, 3))
    other = shape(tmp_path, segmentation=COLUMN, bbox=[1.5, 0, 1, 3], area=2.5)
    assert (other.box, other.area) == (Box(1.5, 0, 1, 3), 2.5)
    assert shape(tmp_path, bbox=[1, 0, 2, 3], area=6).area is None
    assert shape(tmp_path, bbox=[1, 0, 2, 3], area=5, segmentation=[]).area == 5


def test_boxes_alone_are_read_whatever_the_outline_is(tmp_path: Path) -> None:
    document = content(bbox=[0, 0, 2, 2], segmentation=[[1, 1]])
    assert read(tmp_path, document, outlines=False).images["a.png"].shapes[0].box == Box(0, 0, 2, 2)
    with pytest.raises(DatasetError, match="annotation 0 of 'annotations' has no 'bbox'"):
        read(tmp_path, content(segmentation=[SQUARE]), outlines=False)


def test_scores_and_attributes_are_kept_and_what_is_not_is_counted(tmp_path: Path) -> None:
    extras = {"score": 0.25, "attributes": {"occluded": True, "id": 3, "more": [1]}, "keypoints": [1, 2, 2]}
    labels = read(tmp_path, content(bbox=[0, 0, 2, 2], **extras))
    entry = labels.images["a.png"].shapes[0]
    assert (entry.score, entry.attributes) == (0.25, {"occluded": True, "id": 3})
    assert labels.notes == (
        "Keypoints are not read: 1 object had some.",
        "Attributes that are neither text nor number are not read: 1 object had some.",
    )
    coco.write(labels, tmp_path)
    assert coco.read(tmp_path / coco.FILE).images == labels.images


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({}, "has no box, no polygons and no runs"),
        (
            {"segmentation": [[1, 1, 3, 3]]},
            r"annotation 0 .*\(a\.png\) has a polygon of 2 points, which encloses nothing",
        ),
        ({"segmentation": [[*SQUARE, 1]]}, "a polygon of 9 coordinates"),
        ({"segmentation": [SQUARE, [8, 8, 9, 8, 9, 9]]}, "a polygon that lies outside of its image of 4 x 3"),
        ({"segmentation": "abc"}, "neither polygons nor run lengths"),
        ({"segmentation": {"size": [3, 4]}}, "neither polygons nor run lengths"),
        ({"segmentation": {**COLUMN, "size": [4, 3]}}, "a mask of 3 x 4 pixels, its image a.png has 4 x 3"),
        ({"segmentation": {**COLUMN, "counts": [6, 3, 4]}}, "overruns its image"),
        ({"segmentation": {**COLUMN, "counts": "63"}}, "falls short of its image"),
        ({"segmentation": {**COLUMN, "counts": "~"}}, "no text of compressed run lengths"),
        ({"segmentation": {**COLUMN, "counts": [6.5, 5.5]}}, "neither polygons nor run lengths"),
        ({"segmentation": {**COLUMN, "counts": [10**30]}}, "longer than any image"),
        ({"segmentation": COLUMN, "score": 7}, "has the score 7.0"),
        ({"bbox": [0, 0, 2, 2], "category_id": 8}, "category 8, which is not in 'categories'"),
        ({"bbox": [0, 0, 2, 2], "image_id": 8}, "image 8, which is not in 'images'"),
    ],
)
def test_what_cannot_be_used_is_an_error_or_is_left_out_and_counted(
    annotation: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match=message):
        read(tmp_path, content(**annotation))
    labels = read(tmp_path, content(**annotation), skip=True)
    assert labels.images["a.png"].shapes == ()
    assert len(labels.notes) == 1
    assert labels.notes[0].startswith("Left out as unusable: 1 annotation. ")


def test_many_bad_objects_are_one_error_that_counts_them(tmp_path: Path) -> None:
    document = content(segmentation=[[1, 1, 3, 3]])
    document["annotations"] *= 8
    with pytest.raises(
        DatasetError, match=r"8 annotations cannot be used:\n.*annotation 0.*\n(.*\n){4}\.\. and 3 more"
    ):
        read(tmp_path, document)


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../a.png", "a/../../b.png", "a\\b.png", "a\nb.png"])
def test_a_name_that_leads_out_of_the_folder_of_images_is_refused(name: str, tmp_path: Path) -> None:
    document = content(bbox=[0, 0, 2, 2])
    document["images"][0]["file_name"] = name
    with pytest.raises(DatasetError, match="no path within a folder"):
        read(tmp_path, document)


def test_an_image_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    document = content(bbox=[0, 0, 2, 2])
    document["images"].append({**document["images"][0], "id": 6})
    with pytest.raises(DatasetError, match=r"two images have the file name 'a\.png'"):
        read(tmp_path, document)


def test_an_object_of_a_class_without_an_id_is_not_written(tmp_path: Path) -> None:
    bird = Shape(category="bird", box=Box(0, 0, 1, 1))
    with pytest.raises(DatasetError, match="class 'bird', which is none of 'cat', 'dog', 'a car'"):
        coco.write(label_set(ImageLabels(width=4, height=4, shapes=(bird,))), tmp_path)


def test_a_file_of_windows_has_the_same_labels(tmp_path: Path) -> None:
    plain = read(tmp_path, content(bbox=[0, 0, 2, 2], segmentation=[SQUARE]))
    text = json.dumps(content(bbox=[0, 0, 2, 2], segmentation=[SQUARE]), indent=1).replace("\n", "\r\n")
    (tmp_path / "b.json").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert_same(coco.read(tmp_path / "b.json"), plain)
