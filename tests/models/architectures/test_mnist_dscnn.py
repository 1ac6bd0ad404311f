from __future__ import annotations

import math

import pytest

from edgerig.artifact import Preprocessing
from edgerig.models.architectures.mnist_dscnn import MnistDsCnn
from edgerig.testing.contracts.model import ModelContract


@pytest.mark.slow
class TestMnistDsCnnContract(ModelContract):
    @pytest.fixture(scope="class")
    def wrapper(self):
        return MnistDsCnn()

    @pytest.fixture(scope="class")
    def dataset(self, make_patterns):
        return make_patterns()


@pytest.mark.slow
def test_mnist_dscnn_is_as_small_as_it_says():
    model = MnistDsCnn().build(10)
    trained = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    assert model.count_params() == 1690
    assert trained == 1690 - 2 * (8 + 5 * 16)
    assert model.output_shape == (None, 10)
    assert model.get_layer("pool").output.shape[1:] == (1, 1, 16)


def test_mnist_dscnn_takes_pixels_scaled_to_one(patterns):
    assert MnistDsCnn().preprocessing(patterns) == Preprocessing(scale=1 / 255)
