"""Friedman's function, generated."""

from __future__ import annotations

import numpy as np
import pytest

from edgerig.datasets.friedman import Friedman, function
from edgerig.plugins import make
from edgerig.testing.contracts.dataset import DatasetContract


class TestFriedman(DatasetContract):
    @pytest.fixture
    def dataset(self) -> Friedman:
        return make("dataset", "friedman", Friedman, {"train": 50, "validation": 10, "test": 20})

    def test_its_noise_has_the_variance_that_was_set(self) -> None:
        samples = make("dataset", "friedman", Friedman, {"noise": 2.0, "train": 20_000}).split("train")
        noise = samples.truth(slice(None), None)[:, 0] - function(samples.array)  # type: ignore[arg-type,attr-defined]
        assert noise.std() == pytest.approx(2.0, rel=0.03)
        assert abs(noise.mean()) < 0.06

    def test_the_same_seed_gives_the_same_numbers_everywhere(self, dataset: Friedman) -> None:
        """Written down: another version of numpy or another machine must not give other samples."""
        first = dataset.split("test").array[0, :3]  # type: ignore[attr-defined]
        np.testing.assert_allclose(first, [0.08082404, 0.40243781, 0.60128921], rtol=1e-6)

    def test_without_noise_the_target_is_the_function(self) -> None:
        samples = make("dataset", "friedman", Friedman, {"noise": 0}).split("test")
        np.testing.assert_allclose(samples.targets[:, 0], function(samples.array), rtol=1e-12)  # type: ignore[attr-defined]
