"""Images with masks: what a mask's pixels are, and every mask that cannot be one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import edgerig
from edgerig.artifact import Preprocessing
from edgerig.datasets.mask_files import MaskedFiles, read_mask
from edgerig.datasets.placement import place_masks
from edgerig.datasets.segments import Segments, SegmentsSettings
from edgerig.errors import DatasetError, EdgerigError
from edgerig.testing.contracts.dataset import DatasetContract

SIZE = (6, 8)


def write(root: Path, count: int = 20, ignore: int = 255) -> Path:
    """Images of noise; a mask says which pixels are bright, and its first row that it does not know."""
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(count):
        pixels = rng.integers(0, 256, (*SIZE, 3), np.uint8)
        mask = (pixels.mean(axis=2) > 127).astype(np.uint8)
        mask[0] = ignore
        Image.fromarray(pixels).save(root / "images" / f"{number:02}.png")
        Image.fromarray(mask).save(root / "masks" / f"{number:02}.png")
    return root


def dataset_of(root: Path, **settings: Any) -> Segments:
    return Segments(SegmentsSettings(root=str(root), **settings))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("segments"))


class TestSegments(DatasetContract):
    @pytest.fixture
    def dataset(self, root: Path) -> Segments:
        return dataset_of(root, size=8)

    def test_what_is_right_follows_the_images(self, root: Path, dataset: Segments) -> None:
        samples = dataset.split("test")
        assert isinstance(samples, MaskedFiles)
        raw = samples.truth(slice(0, 3), Preprocessing())
        assert raw.shape == (3, *SIZE)
        assert (raw[:, 0] == -1).all(), "the ignore label"
        bright = np.stack([samples.raw(index).mean(axis=2) > 127 for index in range(3)])
        np.testing.assert_array_equal(raw[:, 1:], bright[:, 1:])
        assert samples.truth(slice(0, 3), dataset.preprocessing).shape == (3, 8, 8)
        turned = samples.take(np.array([2, 1, 0])).truth(slice(0, 3), Preprocessing())
        np.testing.assert_array_equal(turned, raw[::-1])

    def test_another_mask_is_another_fingerprint(self, tmp_path: Path) -> None:
        first = dataset_of(write(tmp_path / "a")).split("train").fingerprint
        path = dataset_of(write(tmp_path / "b")).split("train").masks[0]  # type: ignore[attr-defined]
        Image.fromarray(np.zeros(SIZE, np.uint8)).save(path)
        assert dataset_of(tmp_path / "b").split("train").fingerprint != first


def test_splits_that_the_user_made_are_taken(tmp_path: Path) -> None:
    write(tmp_path / "train", 5)
    write(tmp_path / "test", 3)
    dataset = dataset_of(tmp_path)
    assert (len(dataset.split("train")), len(dataset.split("test"))) == (5, 3)


@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)), st.tuples(st.integers(1, 20), st.integers(1, 20)), st.integers()
)
def test_a_resized_mask_has_the_classes_of_pillow_s_nearest(
    old: tuple[int, int], new: tuple[int, int], seed: int
) -> None:
    mask = np.random.default_rng(abs(seed)).integers(0, 5, old, np.uint8)
    expected = np.asarray(Image.fromarray(mask).resize(new[::-1], Image.Resampling.NEAREST))
    # Where a centre falls on the border of two pixels, Pillow's floating-point steps may go either way.
    rows, columns = ((2 * np.arange(n) + 1) * o % (2 * n) != 0 for n, o in zip(new, old, strict=True))
    clear = rows[:, None] & columns[None, :]
    moved = place_masks(mask[None], Preprocessing(resize=new), -1)[0]
    np.testing.assert_array_equal(moved[clear], expected[clear])


def test_palettes_grey_and_one_bit_are_read(tmp_path: Path) -> None:
    classes = np.array([[0, 1], [1, 0]], np.uint8)
    grey = Image.fromarray(classes)
    palette = grey.copy().convert("P")
    palette.putdata(classes.reshape(-1).tolist())
    palette.putpalette([0, 0, 0, 255, 0, 0])
    for name, image in (("grey", grey), ("palette", palette), ("bit", Image.fromarray(classes.astype(bool)))):
        image.save(tmp_path / f"{name}.png")
        assert read_mask(tmp_path / f"{name}.png").tolist() == classes.tolist(), name


DICTIONARY = {
    "background": 0,
    "ignore": 9,
    "classes": 2,
    "objects": [
        {"id": 4, "name": "sky", "trainId": 0},
        {"id": 5, "name": "lamp", "trainId": 1},
        {"id": 6, "name": "blurred", "trainId": 9},
    ],
}


def test_a_class_dictionary_says_what_the_classes_are_and_what_is_ignored(tmp_path: Path) -> None:
    root = write(tmp_path / "data", ignore=9)
    (root / "classes.json").write_text(json.dumps(DICTIONARY))
    told = dataset_of(root, dictionary="classes.json")
    listed = dataset_of(root, classes=("background", "lamp"), ignore=9)
    assert told.classes == listed.classes
    assert told.split("test").fingerprint == listed.split("test").fingerprint
    right = told.split("test").truth(slice(0, 3), Preprocessing())
    assert (right[:, 0] == -1).all()
    assert set(np.unique(right[:, 1:])) == {0, 1}
    names = ["ground", "lamp"]
    (root / "names.json").write_text(json.dumps(names))
    assert dataset_of(root, dictionary="names.json").classes == tuple(names)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "Cannot read"),
        ("{", "is no JSON"),
        (json.dumps({**DICTIONARY, "classes": 3}), "no class of number 2"),
        (json.dumps({**DICTIONARY, "classes": 1}), "'lamp' has the trainId 1; there are 1 classes"),
    ],
)
def test_class_dictionaries_that_cannot_be_are_named(tmp_path: Path, content: str | None, words: str) -> None:
    root = write(tmp_path / "data", 4, ignore=9)
    if content is not None:
        (root / "classes.json").write_text(content)
    with pytest.raises(DatasetError, match=words):
        dataset_of(root, dictionary="classes.json").split("test")
    rig = {"model": {"file": "net.onnx"}, "dataset": {"use": "segments", "root": str(root), "ignore": 3}}
    rig["dataset"]["dictionary"] = "classes.json"
    with pytest.raises(EdgerigError, match="leave these out"):
        edgerig.run(rig, out=tmp_path / "out")


def spoil(root: Path, mask: Image.Image | None, suffix: str = ".png") -> None:
    for path in (root / "masks").iterdir():
        path.unlink()
        if mask is not None:
            mask.save(path.with_suffix(suffix))


GREY = Image.fromarray(np.zeros(SIZE, np.uint8))


@pytest.mark.parametrize(
    ("mask", "suffix", "words"),
    [
        (GREY, ".jpg", "is a JPEG"),
        (Image.fromarray(np.zeros(SIZE, np.uint16)), ".png", "pixels of mode I;16"),
        (Image.fromarray(np.zeros((*SIZE, 3), np.uint8)), ".png", "pixels of mode RGB"),
        (Image.fromarray(np.zeros((4, 4), np.uint8)), ".png", "has 4 x 4 pixels, its image .* 8 x 6"),
        (Image.fromarray(np.full(SIZE, 7, np.uint8)), ".png", "pixels of 7, which is none of the 2 classes"),
        (None, ".png", "has no mask"),
    ],
)
def test_masks_that_cannot_be_are_named(tmp_path: Path, mask: Any, suffix: str, words: str) -> None:
    root = write(tmp_path / "data")
    spoil(root, mask, suffix)
    with pytest.raises(DatasetError, match=words):
        dataset_of(root).split("test").truth(slice(0, 1), Preprocessing())


def test_a_truncated_mask_and_a_missing_folder_are_named(tmp_path: Path) -> None:
    root = write(tmp_path / "data")
    for path in (root / "masks").iterdir():
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DatasetError, match="not a usable mask"):
        dataset_of(root).split("test").truth(slice(0, 1), Preprocessing())
    with pytest.raises(DatasetError, match=r"no folder .*images"):
        dataset_of(root / "images").prepare()


@pytest.mark.slow
def test_a_network_is_judged_pixel_by_pixel(root: Path, tmp_path: Path) -> None:
    """A network that answers with the brightness, whose threshold made the masks."""
    net = brightness_onnx(tmp_path / "net.onnx")
    dataset = {"use": "segments", "root": str(root), "size": 8}
    rig = {"model": {"file": str(net)}, "dataset": dataset, "measure": {"rounds": 1, "seconds": 0, "samples": None}}
    (cell,) = edgerig.run(rig, out=tmp_path / "out").cells
    values = {metric.name: metric.value for metric in cell.quality.metrics}
    assert values["mean_iou"] > 0.8, "resized images and masks differ at the borders of pixels only"
    assert values["pixel_accuracy"] > values["mean_iou"]
    small = {**dataset, "size": 4}
    with pytest.raises(EdgerigError, match="4"):
        edgerig.run({**rig, "dataset": small}, out=tmp_path / "small")


def brightness_onnx(path: Path) -> Path:
    """(1, 8, 8, 3) to (1, 8, 8, 1): the mean of the colours."""
    import onnx
    from onnx import TensorProto, helper

    mean = helper.make_node("ReduceMean", ["x"], ["y"], axes=[3], keepdims=1)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, 8, 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 8, 1])
    graph = helper.make_graph([mean], "brightness", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path
