"""The contract of a dataset: subclass `DatasetContract` and provide the fixture ``dataset``.

::

    class TestMine(DatasetContract):
        @pytest.fixture
        def dataset(self):
            return Mine(MineSettings(root="samples"))
"""

from __future__ import annotations

import numpy as np
import pytest

from edgerig.datasets.base import SPLITS, Dataset, Samples
from edgerig.datasets.preprocess import apply
from edgerig.errors import DatasetError
from edgerig.plugins import Settings, describe


class DatasetContract:
    """Tests that every dataset passes."""

    @pytest.fixture
    def dataset(self) -> Dataset:
        """A fresh dataset with at least two samples in its splits ``train`` and ``test``."""
        raise NotImplementedError("give a fixture 'dataset'")

    def test_is_described(self, dataset: Dataset) -> None:
        assert dataset.name
        assert dataset.summary
        assert issubclass(type(dataset).Settings, Settings)
        for name, _, text in describe(type(dataset).Settings):
            assert text, f"setting {name} has no description"

    def test_prepares_as_often_as_asked(self, dataset: Dataset) -> None:
        dataset.prepare()
        dataset.prepare()

    def test_refuses_a_split_that_there_is_not(self, dataset: Dataset) -> None:
        with pytest.raises(DatasetError, match="dev"):
            dataset.split("dev")  # type: ignore[arg-type]

    def test_classes_have_names_of_their_own(self, dataset: Dataset) -> None:
        dataset.prepare()
        assert len(set(dataset.classes)) == len(dataset.classes)
        assert all(isinstance(name, str) and name for name in dataset.classes)
        if dataset.task == "classification":
            assert len(dataset.classes) >= 2

    def test_labels_are_classes(self, dataset: Dataset) -> None:
        for samples in _splits(dataset):
            assert samples.labels.dtype == np.int64
            assert samples.labels.shape == (len(samples),)
            lowest = 0 if dataset.task == "classification" else -1
            assert samples.labels.min() >= lowest
            assert samples.labels.max() < max(len(dataset.classes), 1)

    def test_train_and_test_have_every_class(self, dataset: Dataset) -> None:
        dataset.prepare()
        if dataset.task == "classification":
            for name in ("train", "test"):
                labels = dataset.split(name).labels
                assert set(labels.tolist()) == set(range(len(dataset.classes)))

    def test_the_shape_told_beforehand_is_that_of_its_samples(self, dataset: Dataset) -> None:
        shape = dataset.sample_shape
        if shape is not None:
            assert not dataset.split("test").names
            samples = dataset.split("test")
            assert samples.inputs(slice(0, 2), dataset.preprocessing).shape[1:] == shape

    def test_inputs_are_the_raw_samples_preprocessed(self, dataset: Dataset) -> None:
        for samples in _splits(dataset):
            first = np.arange(2, dtype=np.int64) % len(samples)
            if samples.names:
                continue
            inputs = samples.inputs(first, dataset.preprocessing)
            assert inputs.dtype == np.float32
            assert len(inputs) == 2
            raw = [np.asarray(samples.raw(int(i))) for i in first]
            np.testing.assert_array_equal(inputs, apply(raw, dataset.preprocessing))

    def test_indices_and_slices_agree(self, dataset: Dataset) -> None:
        samples = dataset.split("test")
        by_slice = samples.named_inputs(slice(0, 2), dataset.preprocessing)
        by_index = samples.named_inputs(np.array([1, 0]), dataset.preprocessing)
        for name, values in by_slice.items():
            np.testing.assert_array_equal(values, by_index[name][::-1])

    def test_inputs_have_the_names_that_are_told(self, dataset: Dataset) -> None:
        for samples in _splits(dataset):
            inputs = samples.named_inputs(slice(0, 1), dataset.preprocessing)
            assert tuple(inputs) == (samples.names or ("",))
            for name, values in inputs.items():
                assert len(values) == 1, name
                assert values.dtype.kind in "iub" or values.dtype in (np.float32, np.float64), name
            if len(samples.names) > 1:
                with pytest.raises(DatasetError):
                    samples.inputs(slice(0, 1), dataset.preprocessing)

    def test_take_keeps_order_and_labels(self, dataset: Dataset) -> None:
        samples = dataset.split("test")
        taken = samples.take(np.array([1, 0]))
        assert len(taken) == 2
        assert taken.labels.tolist() == samples.labels[[1, 0]].tolist()
        np.testing.assert_array_equal(taken.raw(0), samples.raw(1))
        np.testing.assert_array_equal(taken.raw(1), samples.raw(0))

    def test_fingerprints_tell_samples_and_order_apart(self, dataset: Dataset) -> None:
        samples = dataset.split("test")
        assert len(samples.fingerprint) == 64
        assert samples.take(np.arange(len(samples))).fingerprint == samples.take(np.arange(len(samples))).fingerprint
        assert samples.take(np.array([0])).fingerprint != samples.take(np.array([0, 1])).fingerprint
        assert samples.fingerprint != dataset.split("train").fingerprint

    def test_equal_settings_give_equal_samples(self, dataset: Dataset) -> None:
        again = type(dataset)(dataset.settings)
        for first, other in zip(_splits(dataset), _splits(again), strict=True):
            assert first.fingerprint == other.fingerprint
            assert first.labels.tolist() == other.labels.tolist()
        assert again.preprocessing.hash == dataset.preprocessing.hash

    def test_metrics_are_fresh_and_know_perfect_predictions(self, dataset: Dataset) -> None:
        dataset.prepare()
        if dataset.task == "none" or (dataset.task != "classification" and not dataset.metrics()):
            assert dataset.metrics() == []
            return
        labels = dataset.split("test").labels
        one_hot = np.eye(len(dataset.classes), dtype=np.float32)
        for metric in dataset.metrics():
            assert metric.compute() is None, "a fresh metric has seen samples"
            metric.update(one_hot[labels], labels)
            best = metric.compute()
            assert best is not None
            if not metric.higher_is_better:
                assert best == pytest.approx(0.0), f"{metric.name} of perfect predictions: its distance must be 0"
            elif metric.unit == "1":
                assert best == pytest.approx(1.0), f"{metric.name} of perfect predictions: the share must be 1"
        assert dataset.metrics()[0].compute() is None


def _splits(dataset: Dataset) -> list[Samples]:
    """The splits that are not empty; validation may be."""
    splits = []
    for name in SPLITS:
        try:
            splits.append(dataset.split(name))
        except DatasetError:
            assert name == "validation", f"the {name} split cannot be had"
    return splits
