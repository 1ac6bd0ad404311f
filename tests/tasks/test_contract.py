"""Every task fulfils the contract, and the contract notices tasks that break it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.datasets.base import Dataset
from edgerig.datasets.samples import ArraySamples
from edgerig.errors import IncompatibleError, UnknownNameError
from edgerig.plugins import make
from edgerig.tasks.base import Array, Kept
from edgerig.tasks.classification import Classification
from edgerig.tasks.judgement import MetricValue, Quality
from edgerig.tasks.none import MOST_VALUES, NoTask
from edgerig.tasks.samples import LabelledSamples
from edgerig.tasks.tensors import NamedArrays
from edgerig.testing.contracts.task import TaskContract

COUNT, CLASSES = 40, 4


class _Scores(TaskContract):
    """Noisy scores of ``CLASSES`` classes."""

    @pytest.fixture
    def specs(self) -> list[TensorSpec]:
        return [TensorSpec(name="y", shape=(1, CLASSES), dtype="float32")]

    @pytest.fixture
    def samples(self) -> ArraySamples:
        rng = np.random.default_rng(0)
        return ArraySamples(rng.random((COUNT, 3), np.float32), np.arange(COUNT) % CLASSES)

    @pytest.fixture
    def outputs(self, samples: ArraySamples) -> list[Array]:
        rng = np.random.default_rng(1)
        return [(np.eye(CLASSES)[samples.labels] + rng.normal(0, 0.5, (COUNT, CLASSES))).astype(np.float32)]


class TestClassification(_Scores):
    @pytest.fixture
    def task(self) -> Classification:
        return Classification(classes=tuple("abcd"), dataset="letters")

    def test_a_network_of_other_classes_is_refused_by_name(self, task: Classification) -> None:
        with pytest.raises(IncompatibleError, match="gives 3 values a sample, dataset 'letters' has 4 classes"):
            task.check([TensorSpec(name="y", shape=(1, 3), dtype="float32")], 0, 1)


class TestNone(_Scores):
    @pytest.fixture
    def task(self) -> NoTask:
        return NoTask()

    def test_of_a_large_output_values_at_equal_steps_are_kept(self, task: NoTask) -> None:
        large = np.arange(2 * 3 * 10_000, dtype=np.float32).reshape(2, 3, 10_000)
        kept = task.keep(task.decode([large], 0), np.zeros(2), None)["scores"]
        assert kept.shape == (2, MOST_VALUES)
        assert kept[0, 0] == 0
        assert kept[0, -1] == 29_999
        assert kept[1, -1] == 59_999


class TestNoneOfSeveralOutputs(_Scores):
    """Values of all outputs are kept, in the network's order."""

    @pytest.fixture
    def task(self) -> NoTask:
        return NoTask()

    @pytest.fixture
    def specs(self) -> list[TensorSpec]:
        return [TensorSpec("boxes", (1, 2, 4), "float32"), TensorSpec("scores", (1, CLASSES), "float32")]

    @pytest.fixture
    def outputs(self, samples: ArraySamples) -> list[Array]:
        rng = np.random.default_rng(1)
        return [rng.random((COUNT, 2, 4), np.float32), rng.random((COUNT, CLASSES), np.float32)]

    def test_all_values_are_kept_one_output_after_another(self, task: NoTask, answers: NamedArrays) -> None:
        kept = task.keep(task.decode(answers, 0), np.zeros(COUNT), None)["scores"]
        assert kept.shape == (COUNT, 8 + CLASSES)
        np.testing.assert_array_equal(kept[:, :8], answers["boxes"].reshape(COUNT, 8))
        np.testing.assert_array_equal(kept[:, 8:], answers["scores"])


class _Forgetful(Classification):
    """Keeps the scores of the portion before, too."""

    def keep(self, predictions: Array, truth: Array, reference: Array | None) -> dict[str, Array]:
        self.held: NDArray[Any] = getattr(self, "held", predictions[:0])
        joined = np.concatenate([self.held, predictions])[-len(predictions) - 1 :]
        self.held = predictions
        return {"scores": joined[: len(predictions)]}


class _Wild(Classification):
    """Its metric lies outside of its own interval."""

    def judge(self, kept: Kept, samples: LabelledSamples) -> Quality:
        wild = MetricValue(name="wild", value=2.0, higher_is_better=True, low=0.0, high=1.0)
        return Quality(samples=len(samples), metrics=(wild,))


@pytest.mark.parametrize(
    ("broken", "test"), [(_Forgetful, "test_portions_add_up"), (_Wild, "test_its_quality_can_be_stored")]
)
def test_the_contract_notices(broken: type[Classification], test: str) -> None:
    suite = TestClassification()
    samples = ArraySamples(np.random.default_rng(0).random((COUNT, 3), np.float32), np.arange(COUNT) % CLASSES)
    outputs = NamedArrays([np.random.default_rng(1).random((COUNT, CLASSES), np.float32)], ["y"])
    arguments = {"portion": 3} if test == "test_portions_add_up" else {}
    with pytest.raises(AssertionError):
        getattr(suite, test)(broken(classes=tuple("abcd")), samples, outputs, **arguments)


def test_a_task_that_there_is_not_and_a_setting_that_it_has_not_are_named() -> None:
    dataset = make("dataset", "random", Dataset, {"shape": [3]})
    dataset.task = "clasification"
    with pytest.raises(UnknownNameError, match="classification"):
        dataset.make_task()
    dataset.task, dataset.task_options = "none", {"speed": 1}
    with pytest.raises(UnknownNameError, match="speed"):
        dataset.make_task()
