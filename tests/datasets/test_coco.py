"""Images annotated in COCO's format: splits, boxes that move, and clear messages for what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import SPLITS
from edgerig.datasets.box_files import BoxedFiles
from edgerig.datasets.coco import Coco, CocoSettings
from edgerig.errors import DatasetError
from edgerig.tasks.box_truth import THERE
from edgerig.testing.contracts.dataset import DatasetContract

CATEGORIES = [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}]


def content(count: int = 20) -> dict[str, Any]:
    """Images of 20 x 30 pixels and more, with as many boxes as their number modulo 3."""
    images = [{"id": 100 + i, "file_name": f"{i:02}.png", "width": 30 + i, "height": 20} for i in range(count)]
    boxes = [
        {"id": 10 * i + j, "image_id": 100 + i, "category_id": (3, 7)[j], "bbox": [1.5 * j, 2, 10, 8.25], "iscrowd": j}
        for i in range(count)
        for j in range(i % 3)
    ]
    return {
        "images": images,
        "annotations": boxes,
        "categories": [dict(category) for category in CATEGORIES],
        "info": {"year": 2026},
    }


def write(root: Path, annotations: dict[str, Any] | str) -> Path:
    (root / "images").mkdir(parents=True, exist_ok=True)
    text = annotations if isinstance(annotations, str) else json.dumps(annotations)
    (root / "annotations.json").write_text(text)
    for number, image in enumerate(content()["images"]):
        pixels = np.random.default_rng(number).integers(0, 256, (image["height"], image["width"], 3), np.uint8)
        Image.fromarray(pixels).save(root / "images" / image["file_name"])
    return root


def coco(root: Path, **settings: Any) -> Coco:
    return Coco(CocoSettings(root=str(root), size=32, **settings))


class TestCoco(DatasetContract):
    @pytest.fixture
    def dataset(self, tmp_path: Path) -> Coco:
        return coco(write(tmp_path, content()))


def test_images_are_split_by_their_names(tmp_path: Path) -> None:
    dataset = coco(write(tmp_path, content()))
    splits = [dataset.split(name) for name in SPLITS]
    assert [len(samples) for samples in splits] == [14, 2, 4]
    assert len({path for samples in splits for path in samples.paths}) == 20  # type: ignore[attr-defined]
    assert dataset.classes == ("cat", "dog")


def all_boxes(dataset: Coco) -> list[tuple[str, list[list[float]]]]:
    """File names and rows of what is right."""
    rows = []
    for name in SPLITS:
        samples = dataset.split(name)
        assert isinstance(samples, BoxedFiles)
        truth = samples.truth(slice(None), Preprocessing())
        rows += [(path.name, t[1:][t[1:, THERE] > 0].tolist()) for path, t in zip(samples.paths, truth, strict=True)]
    return sorted(rows)


def test_boxes_are_those_of_the_file(tmp_path: Path) -> None:
    rows = all_boxes(coco(write(tmp_path, content())))
    assert rows[0] == ("00.png", [])
    assert rows[5] == ("05.png", [[0, 2, 10, 8.25, 0, 0, 82.5, 1], [1.5, 2, 10, 8.25, 1, 1, 82.5, 1]])


def test_an_area_in_the_file_comes_before_that_of_the_box(tmp_path: Path) -> None:
    annotations = content()
    annotations["annotations"][0]["area"] = 12.5
    assert all_boxes(coco(write(tmp_path, annotations)))[1][1][0][6] == 12.5


def test_class_numbers_may_be_ids(tmp_path: Path) -> None:
    dataset = coco(write(tmp_path, content()), numbers="ids")
    assert dataset.classes == ("cat", "no class 4", "no class 5", "no class 6", "dog")
    assert all_boxes(dataset)[5][1][1][4] == 4


def test_boxes_follow_each_image_into_one_size(tmp_path: Path) -> None:
    samples = coco(write(tmp_path, content())).split("test")
    assert isinstance(samples, BoxedFiles)
    preprocessing = Preprocessing(resize=(32, 32))
    assert samples.inputs(slice(None), preprocessing).shape == (4, 32, 32, 3)
    frames = samples.truth(slice(None), preprocessing)[:, 0]
    widths = [Image.open(path).size[0] for path in samples.paths]
    assert frames.tolist() == [[32 / width, 32 / 20, 0, 0, 32, 32, width, 20] for width in widths]


def test_images_may_be_letterboxed_and_standardized(tmp_path: Path) -> None:
    dataset = coco(write(tmp_path, content()), fit="letterbox", fill=114.0, standardize=True)
    assert dataset.preprocessing == Preprocessing(
        1 / 255, resize=(32, 32), fit="letterbox", fill=114.0, standardize=True
    )
    samples = dataset.split("test")
    inputs = samples.inputs(slice(None), dataset.preprocessing)
    np.testing.assert_allclose(inputs.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    frames = samples.truth(slice(None), dataset.preprocessing)[:, 0]
    assert (frames[:, 3] > 0).all()  # higher than wide: rows are padded
    np.testing.assert_allclose(frames[:, 0], 32 / frames[:, 6])


def test_splits_that_are_made_are_taken(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write(tmp_path / split, content())
    dataset = coco(tmp_path)
    assert len(dataset.split("train")) == len(dataset.split("test")) == 20
    with pytest.raises(DatasetError, match="validation split of dataset 'coco' is empty"):
        dataset.split("validation")


def test_splits_of_other_classes_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "train", content())
    write(tmp_path / "test", {**content(), "categories": [{"id": 3, "name": "dog"}, {"id": 7, "name": "cat"}]})
    with pytest.raises(DatasetError, match=r"has the classes dog, cat, .*train has cat, dog"):
        coco(tmp_path).prepare()


def test_files_and_folders_may_have_other_names(tmp_path: Path) -> None:
    write(tmp_path, content())
    (tmp_path / "annotations.json").rename(tmp_path / "instances.json")
    (tmp_path / "images").rename(tmp_path / "val2017")
    coco(tmp_path, annotations="instances.json", images="val2017").prepare()


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: c["annotations"][4].update(bbox=[5, 2, -3, 8]),
            r"annotation 4 .* \[5.0, 2.0, -3.0, 8.0\], whose width",
        ),
        (lambda c: c["annotations"][4].update(bbox=[5, 2, 3, -8]), "whose height is negative"),
        (
            lambda c: c["annotations"][4].update(bbox=[500, 2, 3, 8]),
            r"\(05\.png\) has the box .* lies outside of its image",
        ),
        (lambda c: c["annotations"][4].update(bbox=[1, 2, 3]), r"not of COCO's form: .*annotations\[4\].bbox"),
        (
            lambda c: c["annotations"][4].update(bbox=[1, 2, 3, "8"]),
            r"not of COCO's form: .*annotations\[4\].bbox\[3",
        ),
        (lambda c: c["annotations"][4].update(bbox=[1, 2, float("nan"), 8]), "holds NaN, which is no number in JSON"),
        (
            lambda c: c["annotations"][4].update(category_id=5),
            "annotation 4 .* category 5, which is not in 'cat",
        ),
        (lambda c: c["annotations"][4].update(image_id=5), "annotation 4 .* image 5, which is not in 'images'"),
        (lambda c: c["annotations"][4].update(area=-1.0), "annotation 4 .* has the area -1.0"),
        (lambda c: c["images"][1].update(id=100), "two images have the id 100"),
        (lambda c: c["images"][1].update(file_name="no.png"), r"1 of 20 annotated images are not there.*no\.png"),
        (
            lambda c: c["images"][1].update(width=20, height=31),
            r"01\.png has 31 x 20 pixels, its annotation .*EXIF",
        ),
        (lambda c: c["categories"].clear(), "has no categories"),
        (lambda c: c["categories"][1].update(name="cat"), "two categories have the name 'cat'"),
        (lambda c: c.pop("annotations"), "not of COCO's form: .*annotations"),
        (lambda c: (c["images"].clear(), c["annotations"].clear()), "has no images"),
    ],
)
def test_what_is_wrong_is_told(change: Change, message: str, tmp_path: Path) -> None:
    annotations = content()
    change(annotations)
    with pytest.raises(DatasetError, match=message):
        coco(write(tmp_path, annotations)).prepare()


def test_a_file_that_is_cut_off_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"annotations\.json is no JSON"):
        coco(write(tmp_path, json.dumps(content())[:-50])).prepare()


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="There is no folder"):
        coco(tmp_path / "nowhere").prepare()
    with pytest.raises(DatasetError, match=r"Cannot read .*annotations\.json: No such file"):
        coco(tmp_path).prepare()


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    write(tmp_path, content())
    (tmp_path / "images" / "07.png").write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"07\.png is not a usable image"):
        coco(tmp_path).prepare()
