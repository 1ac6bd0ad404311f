from __future__ import annotations

import numpy as np
import pytest

from edgerig.datasets.base import Dataset
from edgerig.datasets.friedman import Friedman
from edgerig.datasets.npz import Npz, NpzSettings
from edgerig.models.architectures.mlp import Mlp, MlpSettings
from edgerig.models.base import ModelWrapper
from edgerig.plugins import make
from edgerig.testing.contracts.model import ModelContract


@pytest.mark.slow
class TestMlp(ModelContract):
    @pytest.fixture(scope="class")
    @classmethod
    def wrapper(cls) -> ModelWrapper:
        return Mlp(MlpSettings(widths=(4,)))

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls) -> Dataset:
        return make("dataset", "friedman", Friedman, {"train": 60, "validation": 20, "test": 20})


@pytest.mark.slow
class TestMlpOfLabels(ModelContract):
    @pytest.fixture(scope="class")
    @classmethod
    def wrapper(cls) -> ModelWrapper:
        return Mlp(MlpSettings(values=4, widths=(4,), learns="labels"))

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
        path = tmp_path_factory.mktemp("labels") / "d.npz"
        x = np.random.default_rng(0).random((80, 4), np.float32)
        np.savez(path, x=x, y=(x[:, :3] > 0.4).astype(int))
        data = Npz(NpzSettings(file=str(path)))
        data.task = "multilabel"
        return data


@pytest.mark.slow
def test_it_has_the_parameters_that_it_tells() -> None:
    model = Mlp().build(1)
    assert model.count_params() == 4_929
    assert model.output_shape == (None, 1)
    assert Mlp(MlpSettings(widths=())).build(3).count_params() == 33
