"""Masks follow their images, and bad ones are refused by one message."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig.artifact import Preprocessing
from edgerig.datasets.masks import MaskedSamples, check_classes
from edgerig.datasets.npz import Npz, NpzSettings
from edgerig.datasets.placement import place_masks
from edgerig.errors import DatasetError
from edgerig.testing.contracts.dataset import DatasetContract


def _arrays(count: int = 20) -> dict[str, np.ndarray]:
    """Random pictures whose bright pixels are of class 1, and some ignored."""
    images = np.random.default_rng(0).integers(0, 256, (count, 8, 6)).astype(np.uint8)
    masks = (images > 127).astype(np.uint8)
    masks[:, 0] = 255
    return {"x": images, "y": masks}


def _npz(folder: Path, arrays: dict[str, np.ndarray], **settings: object) -> Npz:
    np.savez(folder / "d.npz", **arrays)
    return Npz(NpzSettings(file=str(folder / "d.npz"), **settings))  # type: ignore[arg-type]


class TestNpzWithMasks(DatasetContract):
    @pytest.fixture
    def dataset(self, tmp_path: Path) -> Npz:
        return _npz(tmp_path, _arrays(), classes=("dark", "bright"))

    def test_masks_make_it_a_dataset_for_segmentation(self, dataset: Npz) -> None:
        dataset.prepare()
        assert dataset.make_task().name == "segmentation"
        test = dataset.split("test")
        truth = test.truth(slice(0, 2), dataset.preprocessing)
        assert truth.shape == (2, 8, 6)
        assert (truth[:, 0] == -1).all()
        np.testing.assert_array_equal(truth[0, 1:] == 1, test.raw(0)[1:, :, 0] > 127)

    def test_a_task_that_a_rig_sets_stays(self, dataset: Npz) -> None:
        dataset.task = "none"
        dataset.prepare()
        assert dataset.make_task().name == "none"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a | {"y": a["y"][:, :4]}, r"masks have the shape \[20, 4, 6\], the images \[20, 8, 6, 1\]"),
        (lambda a: a | {"y": np.full_like(a["y"], 255)}, "all pixels of all masks have the value 255"),
        (lambda a: a | {"y": np.where(a["y"] == 1, 7, a["y"])}, "labels up to 7, but 2 class names are given"),
        (lambda a: a | {"y": np.where(a["y"] == 1, 0, a["y"])}, r"class 1 \(bright\) without any pixel"),
        (lambda a: a | {"y": a["y"].astype(np.float32)}, "masks are float32, not integers"),
        (lambda a: a | {"y": -a["y"].astype(np.int32)}, "classes count from 0"),
        (
            lambda a: {
                "x_train": a["x"], "y_train": a["y"], "x_test": a["x"], "y_test": np.arange(20) % 2,
            },
            "masks for some splits and labels for others",
        ),
    ],
)  # fmt: skip
def test_bad_masks_are_refused(tmp_path: Path, change: object, words: str) -> None:
    dataset = _npz(tmp_path, change(_arrays()), classes=("dark", "bright"))  # type: ignore[operator]
    with pytest.raises(DatasetError, match=words):
        dataset.prepare()


def test_a_class_outside_of_those_named_is_told_with_its_mask() -> None:
    masks = np.zeros((3, 2, 2), np.int16)
    masks[1, 0, 0], masks[0, 0, 0] = 5, -1
    with pytest.raises(DatasetError, match="d: mask 1 holds the class 5, but there are 2 classes"):
        check_classes(masks, ("dark", "bright"), "d", all_there=True)
    with pytest.raises(DatasetError, match=r"d: class 1 \(bright\) without any pixel"):
        check_classes(masks[:1], ("dark", "bright"), "d", all_there=True)
    check_classes(masks[:1], ("dark", "bright"), "d", all_there=False)


def test_a_mask_follows_the_resizing_of_its_image() -> None:
    """A bright rectangle lies where its mask does, at any size."""
    image, mask = np.zeros((1, 40, 60, 1), np.float32), np.zeros((1, 40, 60), np.int16)
    image[0, 10:30, 15:45], mask[0, 10:30, 15:45] = 1, 1
    samples = MaskedSamples(image, mask)
    for size in ((20, 30), (80, 120), (16, 24), (33, 47)):
        preprocessing = Preprocessing(resize=size)
        resized = samples.inputs(slice(0, 1), preprocessing)[..., 0]
        truth = samples.truth(slice(0, 1), preprocessing)
        assert truth.shape == (1, *size)
        clear = np.abs(resized - 0.5) > 0.4
        np.testing.assert_array_equal(truth[clear] == 1, resized[clear] > 0.5)
    assert place_masks(mask, Preprocessing(resize=(40, 60)), -1) is mask


def test_the_fingerprint_covers_the_masks() -> None:
    images, masks = np.zeros((2, 3, 3, 1)), np.zeros((2, 3, 3), np.int16)
    other = masks.copy()
    other[1, 2, 2] = 1
    assert MaskedSamples(images, masks).fingerprint != MaskedSamples(images, other).fingerprint
