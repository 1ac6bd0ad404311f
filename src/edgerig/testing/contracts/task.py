"""The contract of a task: subclass `TaskContract`, provide the fixtures ``task``, ``specs``, ``samples``, ``outputs``.

::

    class TestMine(TaskContract):
        @pytest.fixture
        def task(self):
            return Mine(classes=("no", "yes"))

        ...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing, TensorSpec
from edgerig.datasets.base import Samples
from edgerig.measure.kinds import Unavailable
from edgerig.plugins import Settings, describe
from edgerig.results.reading import KEPT, KEPT_NAME
from edgerig.tasks.base import Reference, Task
from edgerig.tasks.evidence import compared
from edgerig.tasks.judgement import Agreement, Quality
from edgerig.tasks.tensors import NamedArrays

Array = NDArray[Any]


class TaskContract:
    """Tests that every task passes."""

    @pytest.fixture
    def task(self) -> Task:
        """A task with the classes of ``samples``."""
        raise NotImplementedError("give a fixture 'task'")

    @pytest.fixture
    def specs(self) -> Sequence[TensorSpec]:
        """The outputs of a network that fits, for one sample an inference; the first of them is judged."""
        raise NotImplementedError("give a fixture 'specs'")

    @pytest.fixture
    def samples(self) -> Samples:
        """At least 8 samples, not all of them alike."""
        raise NotImplementedError("give a fixture 'samples'")

    @pytest.fixture
    def outputs(self) -> Sequence[Array]:
        """What that network answers for all of ``samples``, each of shape (n, ...); not the same for all."""
        raise NotImplementedError("give a fixture 'outputs'")

    @pytest.fixture
    def answers(self, specs: Sequence[TensorSpec], outputs: Sequence[Array]) -> NamedArrays:
        """``outputs`` by name, as the engine hands them over."""
        return NamedArrays(outputs, [spec.name for spec in specs])

    def test_is_described(self, task: Task) -> None:
        assert task.name
        assert task.summary
        assert issubclass(type(task).Settings, Settings)
        for name, _, text in describe(type(task).Settings):
            assert text, f"setting {name} has no description"

    def test_outputs_that_fit_are_accepted(self, task: Task, specs: Sequence[TensorSpec]) -> None:
        task.check(specs, 0, 1)

    def test_what_is_kept_is_what_it_names(self, task: Task, samples: Samples, answers: NamedArrays) -> None:
        kept = _keep(task, samples, answers, len(samples))
        assert set(kept) == set(task.kept)
        assert task.identity in kept
        for name, array in kept.items():
            assert len(array) == len(samples), name
            assert KEPT_NAME.fullmatch(KEPT + name), f"{name} cannot be the name of an array"
            assert array.dtype.kind in "iuf", f"{name} holds no numbers"

    @pytest.mark.parametrize("portion", [1, 3])
    def test_portions_add_up(self, task: Task, samples: Samples, answers: NamedArrays, portion: int) -> None:
        whole, parts = _keep(task, samples, answers, len(samples)), _keep(task, samples, answers, portion)
        for name, array in whole.items():
            np.testing.assert_array_equal(array, parts[name], name)

    def test_a_single_window_is_the_sample(self, task: Task, answers: NamedArrays) -> None:
        if type(task).join is Task.join:
            return
        predictions = task.decode(answers, 0)
        joined = task.join(predictions, np.ones(len(predictions), np.int64))
        assert joined.shape == predictions.shape
        np.testing.assert_allclose(joined, predictions, rtol=1e-6)

    def test_equal_outputs_have_equal_identities(self, task: Task, samples: Samples, answers: NamedArrays) -> None:
        first, second = (_keep(task, samples, answers, len(samples))[task.identity] for _ in range(2))
        np.testing.assert_array_equal(first, second)
        turned = NamedArrays([np.roll(output, 1, axis=0) for output in answers], answers.names)
        assert not np.array_equal(first, _keep(task, samples, turned, len(samples))[task.identity])

    def test_its_quality_can_be_stored(self, task: Task, samples: Samples, answers: NamedArrays) -> None:
        quality = task.judge(_keep(task, samples, answers, len(samples)), samples)
        assert 0 <= quality.samples <= len(samples)
        assert msgspec.json.decode(msgspec.json.encode(quality), type=Quality) == quality
        names = [metric.name for metric in quality.metrics]
        assert len(set(names)) == len(names)
        assert bool(names) == task.judged
        for metric in quality.metrics:
            assert np.isfinite(metric.value), metric.name
            if metric.low is not None and metric.high is not None:
                assert metric.low <= metric.value <= metric.high, metric.name

    def test_a_network_agrees_with_itself(self, task: Task, samples: Samples, answers: NamedArrays) -> None:
        reference = Reference("itself", task.decode(answers, 0))
        agreement = task.compare(_keep(task, samples, answers, len(samples)), reference, samples, 1)
        if not isinstance(agreement, Unavailable):
            assert agreement.same_class == 1.0
            assert agreement.max_abs_error in (None, 0.0)
            assert msgspec.json.decode(msgspec.json.encode(agreement), type=Agreement) == agreement

    def test_what_is_stored_is_of_all_samples(self, task: Task, samples: Samples, answers: NamedArrays) -> None:
        stored = task.stored(_keep(task, samples, answers, len(samples)), samples)
        assert all(len(array) == len(samples) for array in stored.values())

    def test_its_evidence_gives_the_metrics_that_it_tells(
        self, task: Task, samples: Samples, answers: NamedArrays
    ) -> None:
        """A verdict on a metric is made of `Task.evidence`, and must be one on the metric that `judge` tells."""
        kept = _keep(task, samples, answers, len(samples))
        stored, values = (
            task.stored(kept, samples),
            {metric.name: metric for metric in task.judge(kept, samples).metrics},
        )
        known = task.known(stored)
        assert known.shape == (len(samples),)
        assert known.dtype == bool
        evidence = task.evidence({name: array[known] for name, array in stored.items()})
        if evidence is None:
            return
        assert len(evidence.truth) == len(evidence.answers) == known.sum()
        for metric in evidence.metrics:
            value = float(metric.values(np.ones((1, metric.count)))[0]) if metric.count else np.nan
            if metric.name not in values:
                assert not np.isfinite(value), f"{metric.name} is compared, and not told"
                continue
            own = values[metric.name]
            assert np.isclose(value, own.value, rtol=1e-6), f"{metric.name} is {value} by its samples, {own.value} told"
            assert metric.higher_is_better == own.higher_is_better, f"{metric.name} has two directions"
            assert (metric.unit == "1") == (own.unit == "1"), f"{metric.name} is a share on one side alone"

    def test_a_network_is_told_from_itself_by_no_metric(
        self, task: Task, samples: Samples, answers: NamedArrays
    ) -> None:
        stored = task.stored(_keep(task, samples, answers, len(samples)), samples)
        evidence = task.evidence({name: array[task.known(stored)] for name, array in stored.items()})
        for metric in evidence.metrics if evidence is not None else ():
            assert not compared(metric, metric).different, metric.name


def _keep(task: Task, samples: Samples, answers: NamedArrays, portion: int) -> dict[str, Array]:
    """What is kept of all samples, taken in portions, with the outputs themselves as reference."""
    parts = []
    for start in range(0, len(samples), portion):
        chosen = slice(start, start + portion)
        portion_of = NamedArrays([output[chosen] for output in answers], answers.names)
        predictions = task.decode(portion_of, 0)
        truth = samples.truth(np.arange(len(samples))[chosen], Preprocessing())
        parts.append(task.keep(predictions, truth, predictions))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
