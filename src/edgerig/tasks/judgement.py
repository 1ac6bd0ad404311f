"""What a task tells of a cell's predictions: their quality, and how far they agree with the float model's."""

from __future__ import annotations

import msgspec

from edgerig.views import View

#: What two predictions of classes have to share.
BY_CLASS = "samples of the same class"


class MetricValue(msgspec.Struct, frozen=True, kw_only=True):
    """One quality metric: a share of 1 where ``unit`` is ``"1"``."""

    name: str
    value: float
    higher_is_better: bool
    unit: str = "1"
    low: float | None = None
    high: float | None = None

    @property
    def text(self) -> str:
        """A share as percent, any other number with its unit."""
        return f"{self.value:.2%}" if self.unit == "1" else f"{self.value:.3g} {self.unit}".strip()


class ClassQuality(msgspec.Struct, frozen=True, kw_only=True):
    """Quality of one class; ``support`` counts its samples."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """The quality of the predictions. ``confusion[i][j]`` counts samples of class i predicted as j.

    ``warnings`` name reasons to doubt the figures: inputs that were clamped, predictions no better than chance.
    ``output`` is the scored output, where the network has several; ``others`` are the rest, with the types of those
    that cannot be scored. ``views`` are what the task shows beside its metrics.
    """

    samples: int
    metrics: tuple[MetricValue, ...] = ()
    classes: tuple[ClassQuality, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    warnings: tuple[str, ...] = ()
    output: str | None = None
    others: tuple[str, ...] = ()
    views: tuple[View, ...] = ()

    @property
    def main(self) -> MetricValue | None:
        """The main metric: accuracy, else the first; None where there is none."""
        accuracy = next((metric for metric in self.metrics if metric.name.lower() == "accuracy"), None)
        return accuracy or next(iter(self.metrics), None)

    def value_of(self, name: str) -> MetricValue | None:
        """The metric of that name; None where there is none."""
        return next((metric for metric in self.metrics if metric.name == name), None)


class Disagreement(msgspec.Struct, frozen=True, kw_only=True):
    """A sample whose prediction differs from the reference's. ``index`` is its position in the test split."""

    index: int
    label: int
    reference: int
    predicted: int
    picture: str | None = None
    """A PNG of the raw sample, base64."""


class Agreement(msgspec.Struct, frozen=True, kw_only=True, tag="agreement", tag_field="is"):
    """Sample-by-sample comparison with the reference predictions of the float model it came from.

    There is none where it would be meaningless, see `edgerig.tasks.caveats`.

    Attributes:
        reference: What made the reference predictions. samples: How many were compared.
        same_class: Share of predictions that are the same; ``alike`` says of what and when.
        max_abs_error, mean_abs_error: Between the outputs; None where a task keeps no outputs.
        disagreements: Samples of different class. views: What a task shows of its own.
    """

    reference: str
    samples: int
    same_class: float
    max_abs_error: float | None
    mean_abs_error: float | None
    disagreements: tuple[Disagreement, ...] = ()
    warnings: tuple[str, ...] = ()
    alike: str = BY_CLASS
    views: tuple[View, ...] = ()
