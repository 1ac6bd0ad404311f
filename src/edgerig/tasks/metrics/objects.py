"""Metrics as objects: ``update`` with one batch after another, then ``compute``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import IncompatibleError, InferenceError
from edgerig.tasks.metrics import functions
from edgerig.tasks.metrics.functions import Counts, Labels, PerClass, Scores


class _Accumulator(ABC):
    """The common base of metric objects, which checks batches."""

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def update(self, scores: Scores, labels: Labels) -> None:
        """Add a batch.

        Args:
            scores: Shape (n, classes), real-valued, higher meaning more likely; probabilities or not.
            labels: Shape (n,), class indices; samples with a negative label are left out.

        Raises:
            IncompatibleError: The shapes do not fit together, or a label is not a class index.
            InferenceError: A score is NaN, which has no order.
        """
        scores, labels = np.asarray(scores), np.asarray(labels)
        self._check(scores, labels)
        known = labels >= 0
        self._update(scores[known], labels[known]) if not known.all() else self._update(scores, labels)

    def _check(self, scores: NDArray[Any], labels: NDArray[Any]) -> None:
        if scores.ndim != 2 or scores.shape[1] != self.classes:
            raise IncompatibleError(
                f"The network gives {list(scores.shape[1:])} values a sample, the dataset has {self.classes} classes.",
                "Use a network with one output value for each class of the dataset.",
            )
        if labels.shape != scores.shape[:1]:
            raise IncompatibleError(f"{len(scores)} predictions cannot be judged by labels {list(labels.shape)}.")
        if labels.size and labels.max() >= self.classes:
            raise IncompatibleError(f"Label {labels.max()} is none of the {self.classes} classes.")
        if scores.dtype.kind == "f" and np.isnan(scores).any():
            bad = int(np.isnan(scores).any(axis=1).sum())
            raise InferenceError(
                f"The network's output is NaN for {bad} of {len(scores)} samples.",
                "Check its weights and the preprocessing of its input.",
            )

    @abstractmethod
    def _update(self, scores: Scores, labels: Labels) -> None: ...


class Metric(_Accumulator):
    """One number that rates predictions: ``update`` with batches of any size, then ``compute``.

    >>> metric = Accuracy(classes=2)
    >>> metric.update(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 0]))
    >>> metric.update(np.array([[0.3, 0.7]]), np.array([1]))
    >>> metric.compute(), metric.higher_is_better, metric.unit
    (0.6666666666666666, True, '1')

    Class attributes:
        higher_is_better: The direction.
        unit: ``"1"`` for a share.

    Attributes:
        name: Its name in reports.
        classes: Number of classes.
    """

    name: str
    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = "1"

    @abstractmethod
    def compute(self) -> float | None:
        """The value over all batches so far; None where it is not defined (no samples, AUC of a single class)."""

    def interval(self) -> tuple[float, float] | None:
        """Bounds of the 95 % interval, where the metric has one."""
        return None

    @property
    def low(self) -> float | None:
        """Lower bound of the interval, where there is one."""
        interval = self.interval()
        return interval[0] if interval else None

    @property
    def high(self) -> float | None:
        """Upper bound of the interval, where there is one."""
        interval = self.interval()
        return interval[1] if interval else None


class TopK(Metric):
    """Share of samples whose label is among the ``k`` highest scores, with Wilson's interval.

    See `functions.top_k_accuracy` and `functions.wilson_interval`.

    >>> metric = TopK(classes=3, k=2)
    >>> metric.update(np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]), np.array([1, 2]))
    >>> metric.name, metric.compute(), [round(bound, 3) for bound in metric.interval()]
    ('top2_accuracy', 0.5, [0.095, 0.905])
    """

    def __init__(self, classes: int, k: int) -> None:
        super().__init__(classes)
        self.name, self.k = f"top{k}_accuracy", k
        self._hits = self._n = 0

    def _update(self, scores: Scores, labels: Labels) -> None:
        self._hits += int(functions.hits(scores, labels, self.k).sum())
        self._n += len(labels)

    def compute(self) -> float | None:
        return self._hits / self._n if self._n else None

    def interval(self) -> tuple[float, float] | None:
        return functions.wilson_interval(self._hits, self._n) if self._n else None


class Accuracy(TopK):
    """Share of samples whose highest score is the label's, with Wilson's interval.

    >>> metric = Accuracy(classes=2)
    >>> metric.compute() is None
    True
    >>> metric.update(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, -1]))  # -1: a sample without a label
    >>> metric.compute()
    1.0
    """

    def __init__(self, classes: int) -> None:
        super().__init__(classes, 1)
        self.name = "accuracy"


class ConfusionMatrix(_Accumulator):
    """Counts by label and prediction; see `functions.confusion_matrix`.

    >>> matrix = ConfusionMatrix(classes=2)
    >>> matrix.update(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 1]))
    >>> matrix.compute().tolist()
    [[1, 0], [1, 0]]
    """

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self._counts: Counts = np.zeros((classes, classes), np.int64)

    def _update(self, scores: Scores, labels: Labels) -> None:
        self._counts += functions.confusion_matrix(scores, labels, self.classes)

    def compute(self) -> Counts:
        """Shape (classes, classes), int64: row i and column j for samples of class i predicted as j."""
        return self._counts.copy()


class PrecisionRecallF1(_Accumulator):
    """Precision, recall, F1 and support of each class; see `functions.per_class`.

    >>> metric = PrecisionRecallF1(classes=2)
    >>> metric.update(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 1]))
    >>> result = metric.compute()
    >>> result.precision.tolist(), result.recall.tolist(), result.support.tolist()
    ([0.5, 0.0], [1.0, 0.0], [1, 1])
    """

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self._confusion = ConfusionMatrix(classes)

    def _update(self, scores: Scores, labels: Labels) -> None:
        self._confusion._update(scores, labels)

    def compute(self) -> PerClass:
        """Four arrays of shape (classes,); see `functions.per_class`."""
        return functions.per_class(self._confusion.compute())


class MacroF1(Metric):
    """Mean F1 over the classes that occur among labels or predictions; see `functions.macro_f1`.

    >>> metric = MacroF1(classes=2)
    >>> metric.update(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 1]))
    >>> round(metric.compute(), 4)
    0.3333
    """

    name = "macro_f1"

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self._confusion = ConfusionMatrix(classes)

    def _update(self, scores: Scores, labels: Labels) -> None:
        self._confusion._update(scores, labels)

    def compute(self) -> float | None:
        return functions.macro_f1(self._confusion.compute())


class Auc(Metric):
    """Area under the ROC curve, one class versus the rest, mean over classes; see `functions.auc`. Keeps all scores.

    >>> metric = Auc(classes=2)
    >>> metric.update(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 0]))
    >>> metric.compute() is None  # there is no other class yet
    True
    >>> metric.update(np.array([[0.7, 0.3], [0.2, 0.8]]), np.array([1, 1]))
    >>> metric.compute()
    0.75
    """

    name = "auc"

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self._scores: list[Scores] = []
        self._labels: list[Labels] = []

    def _update(self, scores: Scores, labels: Labels) -> None:
        self._scores.append(scores.copy())
        self._labels.append(labels.copy())

    def compute(self) -> float | None:
        if not self._scores:
            return None
        return functions.auc(np.concatenate(self._scores), np.concatenate(self._labels))


def classification_metrics(classes: Sequence[str]) -> list[Metric]:
    """New metrics for a dataset with these classes, the main one first; top-5 only where there are more than 5.

    >>> [metric.name for metric in classification_metrics(["cat", "dog"])]
    ['accuracy', 'auc', 'macro_f1']
    """
    count = len(classes)
    top = [TopK(count, 5)] if count > 5 else []
    return [Accuracy(count), *top, Auc(count), MacroF1(count)]
