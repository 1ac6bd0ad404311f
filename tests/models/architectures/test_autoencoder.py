from __future__ import annotations

import numpy as np
import pytest

from edgerig.datasets.base import Dataset
from edgerig.datasets.npz import Npz, NpzSettings
from edgerig.models.architectures.autoencoder import Autoencoder, AutoencoderSettings
from edgerig.models.base import ModelWrapper
from edgerig.testing.contracts.model import ModelContract


@pytest.mark.slow
class TestAutoencoder(ModelContract):
    @pytest.fixture(scope="class")
    @classmethod
    def wrapper(cls) -> ModelWrapper:
        return Autoencoder(AutoencoderSettings(values=6, widths=(4, 2)))

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
        """Every third sample is anomalous, in training, too."""
        path = tmp_path_factory.mktemp("waves") / "d.npz"
        rng = np.random.default_rng(0)
        np.savez(path, x=rng.random((120, 6), np.float32), y=(np.arange(120) % 3 == 0).astype(int))
        data = Npz(NpzSettings(file=str(path)))
        data.task = "anomaly"
        return data


@pytest.mark.slow
def test_it_has_the_layers_and_parameters_that_it_tells() -> None:
    model = Autoencoder().build(140)
    assert model.count_params() == 9_684
    shapes = [tuple(weight.shape) for layer in model.layers[1:] for weight in layer.weights if len(weight.shape) == 2]
    assert shapes == [(140, 32), (32, 8), (8, 32), (32, 140)]
    assert model.layers[-1].activation.__name__ == "linear"
