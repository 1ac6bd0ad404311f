"""Anomaly detection: a score a sample, out of the network or from how badly it reconstructs its input."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.errors import DatasetError, IncompatibleError
from edgerig.measure.kinds import Unavailable
from edgerig.plugins import Settings
from edgerig.tasks.base import Array, Kept, Reference, Task
from edgerig.tasks.caveats import judge_outputs
from edgerig.tasks.differences import agreement_of, differences
from edgerig.tasks.evidence import ComparedMetric, Evidence, weighted
from edgerig.tasks.judgement import Agreement, MetricValue, Quality
from edgerig.tasks.metrics import wilson_interval
from edgerig.tasks.metrics.detection_curves import (
    area_interval,
    area_under_roc,
    best_f1_threshold,
    f1_interval,
    partial_area,
    partial_area_interval,
    partial_areas,
    precision_recall,
    roc,
    weighted_areas,
    weighted_at_threshold,
)
from edgerig.tasks.outputs import columns_of
from edgerig.tasks.samples import LabelledSamples
from edgerig.tasks.tensors import NamedArrays
from edgerig.tasks.windows import mean_over_windows
from edgerig.views import Axis, Curve, Line, Matrix, View

#: False positive rate up to which the partial area is taken.
MAX_FPR = 0.1
#: Difference from the float model's scores that counts as alike, as a share of their standard deviation.
TOLERANCE = 0.01
#: Bins of a histogram, and most points of a curve.
BINS, MOST_POINTS = 40, 400
NAMES = ("normal", "anomalous")
#: The array that says which samples reach the threshold, as bundles store it.
REPORTED = "reported"


class AnomalySettings(Settings, frozen=True, kw_only=True):
    """Settings of ``anomaly``."""

    score: Annotated[
        Literal["auto", "output", "reconstruction"],
        msgspec.Meta(
            description="output: the network's only value; reconstruction: the mean squared difference of output and "
            "input; auto: whichever the size of the output fits"
        ),
    ] = "auto"
    inputs: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="of a network with several inputs, those that its output reconstructs, in the order of its "
            "values"
        ),
    ] = ()
    threshold: Annotated[
        float | None,
        msgspec.Meta(
            description="score from which on a sample is reported; without it the float model's scores on the "
            "validation split choose one, by rule"
        ),
    ] = None
    rule: Annotated[
        Literal["quantile", "best-f1"],
        msgspec.Meta(
            description="quantile: that of the validation split's normal scores; best-f1: the score with the highest "
            "F1 there, which takes anomalous samples, too"
        ),
    ] = "quantile"
    quantile: Annotated[
        float, msgspec.Meta(description="share of normal validation samples to be below the threshold", gt=0, lt=1)
    ] = 0.95


class Anomaly(Task):
    """Normal (label 0) or anomalous (label 1). Kept are scores and labels, each of shape (n,)."""

    name: ClassVar[str] = "anomaly"
    summary: ClassVar[str] = "normal or anomalous, by the network's score or by how badly it reconstructs its input"
    Settings: ClassVar[type[Settings]] = AnomalySettings
    kept: ClassVar[tuple[str, ...]] = ("anomaly", "anomalous")
    identity: ClassVar[str] = "anomaly"
    needs_inputs: ClassVar[bool] = True

    settings: AnomalySettings

    def check(self, outputs: Sequence[TensorSpec], judged: int, batch: int, left_out: Sequence[str] = ()) -> None:
        columns = columns_of(outputs[judged], batch)
        if columns is not None and columns > 1 and self.settings.score == "output":
            raise IncompatibleError(
                f"The network gives {columns} values a sample, and one is to be the score.",
                "Set score to reconstruction, or judge another output: --output NAME.",
            )

    def fed_inputs(self, names: Sequence[str]) -> tuple[int, ...]:
        unknown = [name for name in self.settings.inputs if name not in names]
        if unknown:
            raise IncompatibleError(
                f"Task anomaly: the network has no input {unknown[0]!r}, which is to be reconstructed.",
                f"Its inputs: {', '.join(names)}.",
            )
        if self.settings.inputs:
            return tuple(names.index(name) for name in self.settings.inputs)
        # A score takes none of several.
        return (0,) if len(names) == 1 else ()

    def check_with_input(self, outputs: Sequence[TensorSpec], judged: int, given: TensorSpec) -> None:
        columns = columns_of(outputs[judged], given.batch)
        wanted = given.elements // max(given.batch, 1)
        by_output = columns == 1 and self.settings.score != "reconstruction"
        if by_output:
            return
        if not wanted:
            raise _unsaid()
        if columns not in (None, wanted):
            raise _neither(columns or 0, wanted)

    def decode_with_inputs(self, outputs: NamedArrays, judged: int, inputs: Array) -> Array:
        values = super().decode(outputs, judged).astype(np.float64)
        wanted = inputs.reshape(len(inputs), -1)
        by_output = self.settings.score == "output" or (self.settings.score == "auto" and values.shape[1] == 1)
        if by_output:
            if values.shape[1] != 1:
                raise IncompatibleError(
                    f"The network gives {values.shape[1]} values a sample, and one is the score.",
                    "Set score to reconstruction, or judge another output: --output NAME.",
                )
            return values
        if not wanted.shape[1]:
            raise _unsaid()
        if values.shape != wanted.shape:
            raise _neither(values.shape[1], wanted.shape[1])
        return np.asarray(((values - wanted.astype(np.float64)) ** 2).mean(axis=1, keepdims=True))

    def join(self, predictions: Array, windows: NDArray[np.int64]) -> Array:
        """The mean of the windows' scores."""
        return mean_over_windows(predictions, windows)

    def keep(self, predictions: Array, truth: Array, reference: Array | None) -> dict[str, Array]:
        labels = self._labels(truth)
        return {"anomaly": predictions.reshape(-1), "anomalous": labels}

    @property
    def chooses(self) -> bool:
        return self.settings.threshold is None

    def choose(self, predictions: Array, truth: Array) -> dict[str, float]:
        scores, labels = predictions.reshape(-1).astype(np.float64), self._labels(truth)
        known = (labels >= 0) & np.isfinite(scores)
        scores, anomalous = scores[known], labels[known] == 1
        lacking = [name for kind, name in enumerate(NAMES) if not (anomalous == kind).any()]
        if "normal" in lacking or (lacking and self.settings.rule == "best-f1"):
            raise DatasetError(
                f"the validation split of {self.dataset!r} has no {' and no '.join(lacking)} sample, which the rule "
                f"{self.settings.rule} takes.",
                "Set a threshold, or another rule: task: {use: anomaly, threshold: ..}.",
            )
        if self.settings.rule == "best-f1":
            threshold = best_f1_threshold(scores, anomalous)
        else:
            threshold = float(np.quantile(scores[~anomalous], self.settings.quantile))
        return {"threshold": threshold, "samples": float(len(scores))}

    def _labels(self, truth: Array) -> NDArray[np.int64]:
        """Labels of 0 and 1, negative where there is none; others are refused."""
        labels = np.asarray(truth, np.int64)
        if labels.max(initial=0) > 1:
            raise DatasetError(
                f"Dataset {self.dataset!r} has the label {labels.max()}; task anomaly takes 0 for normal and 1 for "
                "anomalous.",
                "Relabel the samples, or choose another task.",
            )
        return labels

    @property
    def _threshold(self) -> float | None:
        """The score from which on a sample is reported: that which was set, else that which was chosen."""
        return self.settings.threshold if self.settings.threshold is not None else self.chosen.get("threshold")

    @property
    def _origin(self) -> str:
        """Where the threshold comes from."""
        if self.settings.threshold is not None:
            return "set in the settings of the task"
        rule = (
            "the score with the best F1"
            if self.settings.rule == "best-f1"
            else f"the {self.settings.quantile:g} quantile of normal scores"
        )
        return f"{rule} among {self.chosen['samples']:,.0f} validation samples of the float model"

    def judge(self, kept: Kept, samples: LabelledSamples) -> Quality:
        scores, labels = kept["anomaly"], kept["anomalous"]
        warnings = judge_outputs(scores[:, None], samples)
        known = np.asarray((labels >= 0) & np.isfinite(scores))
        scores, anomalous = scores[known], labels[known] == 1
        if anomalous.all() or not anomalous.any():
            kind = "anomalous" if anomalous.any() else "normal"
            none = f"All {len(scores):,} samples are {kind}: no threshold can be judged." if len(scores) else ""
            return Quality(samples=len(scores), warnings=(*warnings, none or "No sample has a label."))
        auc = area_under_roc(scores, anomalous)
        metrics = [
            _metric("auc", auc, area_interval(scores, anomalous)),
            _metric(
                "partial_auc",
                partial_area(scores, anomalous, MAX_FPR),
                partial_area_interval(scores, anomalous, MAX_FPR),
            ),
        ]
        if auc <= 0.5:
            warnings.append(f"The scores do not tell anomalous samples from normal ones (AUC {auc:.3f}).")
        views = _curves(scores, anomalous)
        threshold = self._threshold
        if threshold is None:
            warnings.append(
                "No threshold was set (task: {use: anomaly, threshold: ..}), and there is no float model (--reference) "
                "whose scores on a validation split choose one: there is no precision, recall and F1."
            )
        else:
            counts = _confusion(scores >= threshold, anomalous)
            metrics += _at_threshold(counts, warnings)
            title, note = f"Reported at the threshold {threshold:.4g}", f"Threshold {threshold!r}: {self._origin}."
            views = (Matrix(title, NAMES, NAMES, counts, column_title="reported as", note=note), *views)
        return Quality(samples=len(scores), metrics=tuple(metrics), warnings=tuple(warnings), views=views)

    def compare(
        self, kept: Kept, reference: Reference, samples: LabelledSamples, pictures: int
    ) -> Agreement | Unavailable:
        ours, theirs = kept["anomaly"].reshape(-1, 1), reference.predictions.reshape(-1, 1)
        difference = differences(ours, Reference(reference.source, theirs), samples)
        if isinstance(difference, Unavailable):
            return difference
        threshold = self._threshold
        if threshold is None:
            same = difference <= TOLERANCE * theirs.std()
            alike = f"scores within {TOLERANCE:g} standard deviations of the float model's"
        else:
            same = (ours >= threshold) == (theirs >= threshold)
            alike = f"samples on the same side of the threshold {threshold:.4g}"
        return agreement_of(difference, reference, same, alike)

    def stored(self, kept: Kept, samples: LabelledSamples) -> dict[str, Array]:
        """What was kept, and which samples are reported where there is a threshold: the run's own, as it was chosen."""
        threshold = self._threshold
        if threshold is None:
            return dict(kept)
        return {**kept, REPORTED: np.asarray(kept["anomaly"] >= threshold, np.uint8)}

    def known(self, stored: Kept) -> NDArray[np.bool_]:
        return np.asarray((stored["anomalous"] >= 0) & np.isfinite(stored["anomaly"]))

    def evidence(self, stored: Kept) -> Evidence | None:
        scores, anomalous = stored["anomaly"], stored["anomalous"] == 1
        metrics: tuple[ComparedMetric, ...] = (
            weighted("auc", len(scores), partial(weighted_areas, scores, anomalous)),
            weighted("partial_auc", len(scores), partial(partial_areas, scores, anomalous, MAX_FPR), cost=5),
        )
        if REPORTED in stored:
            metrics += tuple(
                weighted(name, len(scores), partial(weighted_at_threshold, name, stored[REPORTED] > 0, anomalous))
                for name in ("precision", "recall", "f1")
            )
        return Evidence(truth=stored["anomalous"], answers=scores, metrics=metrics)


def _unsaid() -> IncompatibleError:
    return IncompatibleError(
        "The network has several inputs, and which of them its output reconstructs is not said.",
        "Name them, in the order of the output's values: task: {use: anomaly, inputs: [NAME, ..]}.",
    )


def _neither(values: int, wanted: int) -> IncompatibleError:
    return IncompatibleError(
        f"The network gives {values} values for the {wanted} of a sample: "
        "that is neither a score nor a reconstruction.",
        "Use an autoencoder, or a network with one output value; --task none measures speed alone.",
    )


def _confusion(reported: NDArray[np.bool_], anomalous: NDArray[np.bool_]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int((reported[anomalous == kind] == answer).sum()) for answer in (0, 1)) for kind in (0, 1))


def _at_threshold(counts: tuple[tuple[int, ...], ...], warnings: list[str]) -> list[MetricValue]:
    (_, false), (missed, true) = counts
    metrics = []
    if true + false:
        metrics.append(_share("precision", true, true + false))
    else:
        warnings.append("No sample reaches the threshold: the precision is not defined.")
    metrics.append(_share("recall", true, true + missed))
    f1 = 2 * true / (2 * true + false + missed)
    low, high = f1_interval(true, false, missed)
    return [*metrics, MetricValue(name="f1", value=f1, higher_is_better=True, low=min(low, f1), high=max(high, f1))]


def _metric(name: str, value: float, bounds: tuple[float, float] | None) -> MetricValue:
    low, high = bounds or (None, None)
    return MetricValue(name=name, value=value, higher_is_better=True, low=low, high=high)


def _share(name: str, part: int, whole: int) -> MetricValue:
    low, high = wilson_interval(part, whole)
    value = part / whole
    return MetricValue(name=name, value=value, higher_is_better=True, low=min(low, value), high=max(high, value))


def _curves(scores: Array, anomalous: NDArray[np.bool_]) -> tuple[View, ...]:
    false, true = roc(scores, anomalous)
    precision, recall = precision_recall(scores, anomalous)
    edges = np.histogram_bin_edges(scores, BINS)
    histograms = []
    for name, chosen in zip(NAMES, (~anomalous, anomalous), strict=True):
        shares = np.histogram(scores[chosen], edges)[0] / int(chosen.sum())
        histograms.append(_line(name, edges, np.append(shares, 0.0), stepped=True))
    return (
        Curve("ROC", Axis("false positive rate", "1"), Axis("true positive rate", "1"), (_line("ROC", false, true),)),
        Curve("Precision over recall", Axis("recall", "1"), Axis("precision", "1"), (_line("", recall, precision),)),
        Curve("Scores", Axis("score"), Axis("samples of the kind", "1"), tuple(histograms)),
    )


def _line(name: str, x: Array, y: Array, *, stepped: bool = False) -> Line:
    points = np.unique(np.linspace(0, len(x) - 1, min(len(x), MOST_POINTS)).astype(np.int64))
    return Line(name or "precision", tuple(map(float, x[points])), tuple(map(float, y[points])), stepped)
