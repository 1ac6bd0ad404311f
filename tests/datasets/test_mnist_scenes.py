"""Scenes of digits: boxes that fit, the same everywhere, splits apart."""

from __future__ import annotations

import numpy as np
import pytest

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.datasets.boxes import BoxedSamples
from edgerig.datasets.mnist_scenes import INK, MnistScenes, MnistScenesSettings
from edgerig.errors import SpecError
from edgerig.plugins import make
from edgerig.tasks.box_truth import THERE
from edgerig.testing.contracts.dataset import DatasetContract

SMALL = MnistScenesSettings(train=30, validation=5, test=40)


class TestMnistScenes(DatasetContract):
    @pytest.fixture
    def dataset(self) -> MnistScenes:
        return MnistScenes(SMALL)


def split(name: str = "test", settings: MnistScenesSettings = SMALL) -> BoxedSamples:
    samples = MnistScenes(settings).split(name)  # type: ignore[arg-type]
    assert isinstance(samples, BoxedSamples)
    return samples


def test_scenes_are_the_same_everywhere() -> None:
    samples = split()
    assert samples.array.shape == (40, 64, 64, 1)
    assert samples.boxes[0].labels.tolist() == [4]
    assert samples.array.sum(dtype=np.int64) == 1_552_833
    assert samples.fingerprint == split().fingerprint != split("train").fingerprint
    assert (
        samples.fingerprint != split(settings=MnistScenesSettings(train=30, validation=5, test=40, seed=1)).fingerprint
    )


def test_each_box_encloses_its_digit_and_no_other() -> None:
    samples = split()
    for scene, image in zip(samples.array[..., 0], samples.boxes, strict=True):
        rest = scene.copy()
        assert 1 <= len(image) <= 4
        for left, top, width, height in image.boxes.astype(int):
            digit = scene[top : top + height, left : left + width]
            assert digit.shape == (height, width)
            for edge in (digit[0], digit[-1], digit[:, 0], digit[:, -1]):
                assert edge.max() >= INK
            rest[top : top + height, left : left + width] = 0
        assert not rest.any()


def test_fewer_scenes_are_the_first_ones() -> None:
    fewer = split(settings=MnistScenesSettings(train=30, validation=5, test=10))
    np.testing.assert_array_equal(fewer.array, split().array[:10])


def test_truth_has_one_shape_for_all_portions() -> None:
    samples = split()
    whole = samples.truth(slice(None), Preprocessing())
    assert whole.shape == (40, 1 + samples.most, 8)
    assert (whole[:, 1:, THERE] > 0).sum(axis=1).tolist() == [len(image) for image in samples.boxes]
    alone = samples.take(np.array([3])).truth(slice(None), Preprocessing())
    np.testing.assert_array_equal(alone[0], whole[3])


def test_boxes_move_with_the_image() -> None:
    truth = split().truth(slice(0, 1), Preprocessing(resize=(128, 32)))
    assert truth[0, 0].tolist() == [0.5, 2.0, 0.0, 0.0, 32.0, 128.0, 64.0, 64.0]


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SpecError, match="size"):
        make("dataset", "mnist-scenes", Dataset, {"size": 20})
