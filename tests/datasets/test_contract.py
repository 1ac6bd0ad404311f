"""The contract of a dataset notices datasets that break it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset, SplitName
from edgerig.datasets.samples import ArraySamples
from edgerig.progress import Progress
from edgerig.tasks.metrics import Metric
from edgerig.testing.contracts.dataset import DatasetContract


class Good(Dataset):
    """Four samples of two classes in each split."""

    name = "good"
    summary = "keeps every promise"

    @property
    def classes(self) -> tuple[str, ...]:
        return ("no", "yes")

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing(scale=0.5)

    def _prepare(self, progress: Progress) -> None:
        pass

    def _split(self, name: SplitName) -> ArraySamples:
        start = {"train": 0, "validation": 100, "test": 200}[name]
        return ArraySamples(np.arange(start, start + 12, dtype=np.uint8).reshape(4, 3), [0, 1, 1, 0])


class TestGoodKeepsTheContract(DatasetContract):
    @pytest.fixture
    def dataset(self) -> Dataset:
        return Good()


class SplitsAlike(Good):
    def _split(self, name: SplitName) -> ArraySamples:
        return super()._split("train")


class AnotherEachTime(Good):
    def _split(self, name: SplitName) -> ArraySamples:
        return ArraySamples(np.random.default_rng().random((4, 3)), [0, 1, 1, 0])


class EmptyClass(Good):
    @property
    def classes(self) -> tuple[str, ...]:
        return ("no", "yes", "never")


class LabelThatIsNoClass(Good):
    def _split(self, name: SplitName) -> ArraySamples:
        return ArraySamples(super()._split(name).array, [0, 1, 2, 0])


class SameNameTwice(Good):
    @property
    def classes(self) -> tuple[str, ...]:
        return ("no", "no")


class PreprocessesInItsOwnWay(Good):
    def _split(self, name: SplitName) -> ArraySamples:
        class Own(ArraySamples):
            def inputs(self, indices: Any, preprocessing: Preprocessing) -> NDArray[np.float32]:
                return super().inputs(indices, preprocessing) + np.float32(1e-3)

        good = super()._split(name)
        return Own(good.array, good.labels)


class TakesInItsOwnOrder(Good):
    def _split(self, name: SplitName) -> ArraySamples:
        class Own(ArraySamples):
            def take(self, indices: Any) -> ArraySamples:
                return super().take(np.sort(indices))

        good = super()._split(name)
        return Own(good.array, good.labels)


class SharesItsMetrics(Good):
    def metrics(self) -> list[Metric]:
        self._kept = getattr(self, "_kept", None) or super().metrics()
        return self._kept


@pytest.mark.parametrize(
    ("broken", "noticed_by"),
    [
        (SplitsAlike, "test_fingerprints_tell_samples_and_order_apart"),
        (AnotherEachTime, "test_equal_settings_give_equal_samples"),
        (EmptyClass, "test_train_and_test_have_every_class"),
        (LabelThatIsNoClass, "test_labels_are_classes"),
        (SameNameTwice, "test_classes_have_names_of_their_own"),
        (PreprocessesInItsOwnWay, "test_inputs_are_the_raw_samples_preprocessed"),
        (TakesInItsOwnOrder, "test_take_keeps_order_and_labels"),
        (SharesItsMetrics, "test_metrics_are_fresh_and_know_perfect_predictions"),
    ],
)
def test_a_broken_promise_is_noticed(broken: type[Dataset], noticed_by: str) -> None:
    with pytest.raises(AssertionError):
        getattr(DatasetContract(), noticed_by)(broken())
