"""A version with annotations as a dataset of masks, and of boxes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgerig.datasets.base import Dataset
from edgerig.datasets.labels.canonical import to_json
from edgerig.datasets.labels.shapes import IGNORE, Box, ImageLabels, Polygon, Shape
from edgerig.errors import DatasetError
from edgerig.plugins import make
from edgerig.progress import Progress
from edgerig.store import Versions, open_store
from edgerig.store.adding import add_files
from edgerig.store.transfer import LocalFile
from edgerig.tasks.box_truth import ImageBoxes
from edgerig.testing.contracts.dataset import DatasetContract

#: Columns 0 to 2 of a picture of 6 x 4, and its lower two rows.
LEFT = Polygon((0.0, 0.0, 3.0, 0.0, 3.0, 4.0, 0.0, 4.0))
LOWER = Polygon((0.0, 2.0, 6.0, 2.0, 6.0, 4.0, 0.0, 4.0))
Commit = Callable[..., Dataset]


def labels(*shapes: Shape, width: int = 6, height: int = 4) -> ImageLabels:
    return ImageLabels(width=width, height=height, shapes=shapes)


ROAD, CAR = Shape(category="road", polygons=(LOWER,)), Shape(category="car", polygons=(LEFT,))
VOID = Shape(category=IGNORE, runs=(20, 4))
BOX = Shape(category="car", box=Box(1.0, 1.0, 2.0, 3.0))


@pytest.fixture
def commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commit:
    """The dataset of a version with these labels of as many pictures of 6 x 4; None for a picture without."""
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))

    def make_dataset(*pictures: ImageLabels | None, classes=("road", "car"), **options: object) -> Dataset:
        files = []
        for number, each in enumerate(pictures):
            path = tmp_path / f"{number}.png"
            Image.new("RGB", (6, 4), (number, 0, 0)).save(path)
            annotation = None if each is None else to_json(each)
            files.append(LocalFile(path=path, name=path.name, annotation=annotation))
        versions = Versions(open_store(str(tmp_path / "store"), writing=True), "street")
        add_files(versions, files, classes, Progress(), replace=True)
        return make("dataset", f"{tmp_path}/store/street", Dataset, {"size": 6, "fit": "letterbox", **options})

    return make_dataset


class TestMasksKeepTheContract(DatasetContract):
    @pytest.fixture
    def dataset(self, commit: Commit) -> Dataset:
        return commit(*[labels(ROAD, CAR)] * 10)


class TestBoxesKeepTheContract(DatasetContract):
    @pytest.fixture
    def dataset(self, commit: Commit) -> Dataset:
        return commit(*[labels(BOX)] * 10)


def test_each_pixel_has_the_class_of_the_last_shape_over_it(commit: Commit) -> None:
    dataset = commit(*[labels(ROAD, CAR, VOID)] * 10)
    assert (dataset.task, dataset.classes) == ("segmentation", ("background", "road", "car"))
    # The last of four rows in the last column is not judged: runs go down the columns.
    expected = np.array([[2, 2, 2, 0, 0, -1], [2, 2, 2, 0, 0, -1], [2, 2, 2, 1, 1, -1], [2, 2, 2, 1, 1, -1]], np.int16)
    truth = dataset.split("test").truth(np.arange(1), dataset.preprocessing)
    assert truth.shape == (1, 6, 6)
    assert truth[0, 1:5].tolist() == expected.tolist()
    assert (truth[0, [0, 5]] == -1).all(), "what the letterbox adds is not judged"


def test_a_background_of_its_own_keeps_its_number(commit: Commit) -> None:
    dataset = commit(*[labels(CAR)] * 5, classes=("car", "background"))
    assert dataset.classes == ("car", "background")
    assert dataset.split("test").truth(np.arange(1), dataset.preprocessing)[0, 1].tolist() == [0, 0, 0, 1, 1, 1]


def test_boxes_are_those_of_the_annotations(commit: Commit) -> None:
    dataset = commit(
        *[labels(BOX, VOID)] * 5, labels(), labels(BOX, Shape(category="road", box=Box(0.0, 0.0, 6.0, 1.0)))
    )
    assert (dataset.task, dataset.classes) == ("detection", ("road", "car"))
    parts = [dataset.split(split) for split in ("train", "validation", "test")]
    boxes: list[ImageBoxes] = [each for part in parts for each in part.boxes]  # type: ignore[attr-defined]
    assert sorted(len(each) for each in boxes) == [0, 1, 1, 1, 1, 1, 2], "what is not judged is no box"
    assert max(boxes, key=len).boxes.tolist() == [[1, 1, 2, 3], [0, 0, 6, 1]]
    assert max(boxes, key=len).labels.tolist() == [1, 0]


def test_background_that_was_drawn_is_nothing_to_detect(commit: Commit) -> None:
    drawn = Shape(category="background", polygons=(LOWER,))
    dataset = commit(*[labels(CAR, drawn)] * 5, classes=("background", "car"), labels="boxes")
    assert dataset.classes == ("car",)
    assert dataset.split("test").boxes[0].labels.tolist() == [0]  # type: ignore[attr-defined]


def test_outlines_are_boxes_where_boxes_are_asked_for(commit: Commit) -> None:
    dataset = commit(*[labels(CAR)] * 5, labels="boxes")
    assert (dataset.task, dataset.classes) == ("detection", ("road", "car"))
    assert dataset.split("test").boxes[0].boxes.tolist() == [[0, 0, 3, 4]]  # type: ignore[attr-defined]
    again = commit(*[labels(CAR)] * 5)
    again.task = "detection"
    assert again.split("test").boxes[0].boxes.tolist() == [[0, 0, 3, 4]]  # type: ignore[attr-defined]


def test_the_fingerprint_depends_on_the_annotations(commit: Commit) -> None:
    first = commit(*[labels(CAR)] * 5).split("test").fingerprint
    assert commit(*[labels(CAR)] * 5).split("test").fingerprint == first
    assert commit(*[labels(ROAD)] * 5).split("test").fingerprint != first


def test_pictures_without_annotations_are_no_background(commit: Commit, heard) -> None:
    dataset = commit(*[labels(CAR)] * 5, None, None)
    dataset.prepare(heard)
    assert sum(len(dataset.split(split)) for split in ("train", "validation", "test")) == 5
    assert any("2 files without an annotation, not used" in line for line in heard.lines)
    with pytest.raises(DatasetError, match=r"No picture of .* has a label"):
        commit(*[labels(CAR)] * 5, labels="classes").prepare()


def test_annotations_that_do_not_fit_are_called_by_their_picture(commit: Commit) -> None:
    with pytest.raises(DatasetError, match=r"^3\.png has 6 x 4 pixels, its labels are for 4 x 6"):
        commit(*[labels(CAR)] * 3, labels(BOX, width=4, height=6)).prepare()
    tram = Shape(category="tram", polygons=(LEFT,))
    with pytest.raises(DatasetError, match=r"^2\.png has an object of class 'tram', which is none of background, road"):
        commit(*[labels(CAR)] * 2, labels(tram)).prepare()
    with pytest.raises(DatasetError, match=r"^\d\.png has an object of class 'car' with a box and no outline"):
        commit(*[labels(BOX)] * 5, labels="masks").prepare()
