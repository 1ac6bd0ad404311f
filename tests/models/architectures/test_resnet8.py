from __future__ import annotations

import math

import numpy as np
import pytest

from edgerig import plugins
from edgerig.artifact import Preprocessing
from edgerig.models.architectures.resnet8 import SHIFT, ResNet8, ResNet8Settings
from edgerig.models.base import ModelWrapper
from edgerig.testing.contracts.model import ModelContract


@pytest.mark.slow
class TestResNet8Contract(ModelContract):
    @pytest.fixture(scope="class")
    def wrapper(self):
        return ResNet8()

    @pytest.fixture(scope="class")
    def dataset(self, make_patterns):
        return make_patterns(make_patterns.Settings(shape=(32, 32, 3)))


def test_resnet8_is_found_by_its_name():
    assert plugins.find("model", "resnet8", ModelWrapper) is ResNet8


@pytest.mark.slow
def test_resnet8_has_the_parameters_and_macs_of_mlperf_tiny():
    model = ResNet8().build(10)
    assert model.count_params() == 78_666
    normalisation = sum(layer.count_params() for layer in model.layers if type(layer).__name__ == "BatchNormalization")
    assert model.count_params() - normalisation == 77_706
    macs = 0
    for layer in model.layers:
        if type(layer).__name__ in ("Conv2D", "Dense"):
            positions = math.prod(layer.output.shape[1:-1])
            macs += positions * math.prod(layer.kernel.shape)
    assert macs == 12_501_632


def test_resnet8_takes_raw_pixels(patterns):
    assert ResNet8().preprocessing(patterns) == Preprocessing()


def test_augmented_pictures_are_shifted_and_mirrored_copies():
    rng = np.random.default_rng(0)
    batch = rng.random((64, 32, 32, 3), np.float32)
    changed = ResNet8().augment(batch, np.random.default_rng(1))
    assert changed.shape == batch.shape
    assert changed.dtype == np.float32
    padded = np.pad(batch, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)))
    kinds = set()
    for index, picture in enumerate(changed):
        found = [
            (i, j, mirrored)
            for i in range(2 * SHIFT + 1)
            for j in range(2 * SHIFT + 1)
            for mirrored in (False, True)
            if np.array_equal(padded[index, i : i + 32, j : j + 32][:, :: -1 if mirrored else 1], picture)
        ]
        assert len(found) == 1
        kinds.add(found[0])
    assert {mirrored for _, _, mirrored in kinds} == {False, True}
    assert len({(i, j) for i, j, _ in kinds}) > 20


def test_augmentation_can_be_left_out_and_depends_on_the_generator_only():
    batch = np.random.default_rng(0).random((8, 32, 32, 3), np.float32)
    plain = ResNet8(ResNet8Settings(augment=False))
    np.testing.assert_array_equal(plain.augment(batch, np.random.default_rng(1)), batch)
    one, other = (ResNet8().augment(batch, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
