from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from edgerig.datasets import mnist
from edgerig.datasets.base import SPLITS, Dataset
from edgerig.datasets.mnist import Arrays, Mnist, MnistSettings, load_bundled
from edgerig.errors import DatasetError, SpecError
from edgerig.plugins import make
from edgerig.progress import Progress
from edgerig.testing.contracts.dataset import DatasetContract

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_bundled_mnist.py"


class TestBundledMnistKeepsTheContract(DatasetContract):
    @pytest.fixture
    def dataset(self) -> Dataset:
        return make("dataset", "mnist", Dataset)


def test_the_bundled_digits_are_balanced_and_small() -> None:
    arrays = load_bundled()
    assert arrays.x_train.shape == (10_000, 28, 28)
    assert arrays.x_test.shape == (2_000, 28, 28)
    assert np.bincount(arrays.y_train).tolist() == [1000] * 10
    assert np.bincount(arrays.y_test).tolist() == [200] * 10
    assert mnist.BUNDLED.stat().st_size < 2_200_000


def test_no_bundled_test_digit_is_also_a_training_digit() -> None:
    arrays = load_bundled()
    train = {digit.tobytes() for digit in arrays.x_train}
    assert not any(digit.tobytes() in train for digit in arrays.x_test)


def test_splits_are_the_same_everywhere() -> None:
    # Written down once: if one of these changes, results of different versions cannot be compared.
    dataset = Mnist()
    assert dataset.split("train").fingerprint.startswith("c2acd9521a88")
    assert dataset.split("validation").fingerprint.startswith("566f5ee7862e")
    assert dataset.split("test").fingerprint.startswith("758a7974e52a")


def test_validation_is_a_share_of_train() -> None:
    dataset = Mnist(MnistSettings(validation=0.25))
    assert (len(dataset.split("train")), len(dataset.split("validation"))) == (7500, 2500)


def test_without_validation_its_split_is_empty() -> None:
    dataset = Mnist(MnistSettings(validation=0))
    assert len(dataset.split("train")) == 10_000
    with pytest.raises(DatasetError, match="validation split of dataset 'mnist' is empty"):
        dataset.split("validation")


def test_a_validation_share_of_everything_is_refused() -> None:
    with pytest.raises(SpecError, match="validation"):
        make("dataset", "mnist", Dataset, {"validation": 1})


@pytest.mark.parametrize("keep", [0, 100, 1_000_000])
def test_a_damaged_installation_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: int) -> None:
    broken = tmp_path / "mnist.npz"
    broken.write_bytes(mnist.BUNDLED.read_bytes()[:keep])
    monkeypatch.setattr(mnist, "BUNDLED", broken)
    with pytest.raises(DatasetError, match="damaged") as caught:
        Mnist().prepare()
    assert caught.value.hint == "Install edgerig again."


def script() -> object:
    spec = importlib.util.spec_from_file_location("make_bundled_mnist", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_chooses_at_equal_distances_and_packs_reproducibly() -> None:
    module = script()
    labels = np.tile(np.arange(10, dtype=np.uint8), 40)
    chosen = module.choose(labels, 4)  # type: ignore[attr-defined]
    assert np.bincount(labels[chosen]).tolist() == [4] * 10
    assert (labels[chosen] == 3).nonzero()[0].size == 4
    assert np.diff(chosen[labels[chosen] == 3]).tolist() == [100, 100, 100]
    digits = Arrays(*(np.arange(4, dtype=np.uint8) + i for i in range(4)))
    assert module.pack(digits) == module.pack(digits)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_the_bundled_digits_come_from_the_original_files() -> None:
    original = mnist.fetch_original(Progress())
    for ours, theirs in zip(load_bundled(), script().subset(original), strict=True):  # type: ignore[attr-defined]
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
class TestFullMnistKeepsTheContract(DatasetContract):
    @pytest.fixture
    def dataset(self) -> Dataset:
        return make("dataset", "mnist", Dataset, {"full": "true"})

    def test_it_holds_all_digits(self, dataset: Dataset) -> None:
        assert len(dataset.split("train")) + len(dataset.split("validation")) == 60_000
        assert len(dataset.split("test")) == 10_000


def test_the_digits_are_unpacked_once_in_a_process_and_each_dataset_has_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = make("dataset", "mnist", Dataset)
    first.prepare()
    monkeypatch.setattr(mnist, "load_bundled", lambda: pytest.fail("unpacked again"))
    second = make("dataset", "mnist", Dataset)
    second.prepare()
    for split in SPLITS:
        ours, theirs = first.split(split), second.split(split)
        assert ours.fingerprint == theirs.fingerprint
        ours.raw(0)[...] = 77
        ours.labels[0] = 11
        assert not (theirs.raw(0) == 77).all()
        assert theirs.labels[0] != 11
    third = make("dataset", "mnist", Dataset)
    third.prepare()
    assert third.split("test").fingerprint == second.split("test").fingerprint
    other = make("dataset", "mnist", Dataset, {"validation": 0.5})
    other.prepare()
    assert len(other.split("validation")) == 5 * len(first.split("validation")) == 5000
