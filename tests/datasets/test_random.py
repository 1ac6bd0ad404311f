from __future__ import annotations

import numpy as np
import pytest

from edgerig.datasets.base import Dataset
from edgerig.datasets.random import Random, RandomSettings
from edgerig.errors import SpecError
from edgerig.plugins import make
from edgerig.testing.contracts.dataset import DatasetContract


class TestRandomFloatsKeepTheContract(DatasetContract):
    @pytest.fixture
    def dataset(self) -> Dataset:
        return make("dataset", "random", Dataset)


class TestRandomIntegersWithClassesKeepTheContract(DatasetContract):
    @pytest.fixture
    def dataset(self) -> Dataset:
        return Random(RandomSettings(shape=(5, 3), dtype="int16", classes=4, samples=7))


def test_the_numbers_are_the_same_everywhere() -> None:
    # Written down once: if they change, runs on different machines get different inputs.
    samples = Random(RandomSettings(shape=(3,), seed=1)).split("test")
    assert (np.asarray(samples.raw(0)) * 2**24).tolist() == FLOATS
    samples = Random(RandomSettings(shape=(4,), seed=1, dtype="uint8")).split("test")
    assert samples.raw(0).tolist() == BYTES


FLOATS = [10792123, 7523157, 15743896]
BYTES = [194, 187, 172, 164]


def test_floats_lie_between_0_and_1_and_are_even() -> None:
    x = np.asarray(Random(RandomSettings(shape=(100_000,))).split("train").raw(0))
    assert x.dtype == np.float32
    assert x.min() >= 0
    assert x.max() < 1
    np.testing.assert_allclose(np.histogram(x, 10, (0, 1))[0], 10_000, rtol=0.05)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32"])
def test_integers_take_their_whole_range(dtype: str) -> None:
    x = np.asarray(Random(RandomSettings(shape=(100_000,), dtype=dtype)).split("train").raw(0))  # type: ignore[arg-type]
    limits = np.iinfo(dtype)
    assert x.dtype == dtype
    span = limits.max - limits.min
    assert x.min() <= limits.min + 0.01 * span
    assert x.max() >= limits.max - 0.01 * span


def test_seeds_splits_and_samples_differ() -> None:
    one, other = Random(RandomSettings(seed=1)), Random(RandomSettings(seed=2))
    raws = [one.split("train").raw(0), one.split("train").raw(1), one.split("test").raw(0), other.split("train").raw(0)]
    assert len({np.asarray(raw).tobytes() for raw in raws}) == 4


def test_classes_are_drawn_in_turns_and_nothing_is_judged() -> None:
    dataset = Random(RandomSettings(classes=3, samples=6))
    assert dataset.classes == ("0", "1", "2")
    assert dataset.split("train").labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert dataset.metrics() == []
    assert Random().split("train").labels.max() == -1


@pytest.mark.parametrize("options", [{"shape": []}, {"shape": [0, 3]}, {"dtype": "complex64"}, {"samples": 0}])
def test_settings_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(SpecError, match=next(iter(options))):
        make("dataset", "random", Dataset, options)


def test_a_large_sample_is_made_piece_by_piece_of_one_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for piece in (1 << 20, 4, 6):
        monkeypatch.setattr("edgerig.datasets.random._PIECE", piece)
        dataset = Random(RandomSettings(shape=(3, 7)))
        made.append(dataset.split("test").raw(1))
    assert made[0].std() > 0.1
    np.testing.assert_array_equal(made[0], made[1])
    np.testing.assert_array_equal(made[0], made[2])
