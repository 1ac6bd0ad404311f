from __future__ import annotations

import pytest

from edgerig import plugins
from edgerig.artifact import Preprocessing
from edgerig.models.architectures.mnist_cnn import MnistCnn
from edgerig.models.base import ModelWrapper, TrainSettings
from edgerig.testing.contracts.model import ModelContract


@pytest.mark.slow
class TestMnistCnnContract(ModelContract):
    @pytest.fixture(scope="class")
    def wrapper(self):
        return MnistCnn()

    @pytest.fixture(scope="class")
    def dataset(self, make_patterns):
        return make_patterns()


def test_mnist_cnn_is_found_by_its_name():
    assert plugins.find("model", "mnist-cnn", ModelWrapper) is MnistCnn


@pytest.mark.slow
def test_mnist_cnn_has_the_parameters_of_the_original():
    model = MnistCnn().build(10)
    assert model.count_params() == 93_322
    assert [tuple(layer.output.shape[1:]) for layer in model.layers] == [
        (26, 26, 32),
        (13, 13, 32),
        (11, 11, 64),
        (5, 5, 64),
        (3, 3, 64),
        (576,),
        (64,),
        (10,),
    ]


def test_mnist_cnn_takes_pixels_scaled_to_one(patterns):
    assert MnistCnn().preprocessing(patterns) == Preprocessing(scale=1 / 255)


@pytest.mark.slow
def test_mnist_cnn_learns_four_patterns(patterns, tmp_path):
    artifact = MnistCnn().train(patterns, TrainSettings(epochs=3, batch_size=16), tmp_path)
    assert artifact.origins[-1].options["accuracy"] >= 0.95
