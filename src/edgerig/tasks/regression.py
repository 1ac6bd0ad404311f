"""Regression: one or several real values a sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.errors import IncompatibleError
from edgerig.measure.kinds import Unavailable
from edgerig.plugins import Settings
from edgerig.tasks.base import Array, Kept, Reference, Task
from edgerig.tasks.caveats import judge_outputs
from edgerig.tasks.differences import agreement_of, differences
from edgerig.tasks.evidence import ComparedMetric, Evidence, mean_of, weighted
from edgerig.tasks.judgement import Agreement, MetricValue, Quality
from edgerig.tasks.metrics.regression import Errors, bootstrap, errors_of, weighted_errors
from edgerig.tasks.metrics.resampling import bounds_of
from edgerig.tasks.outputs import columns_of
from edgerig.tasks.samples import LabelledSamples, TargetVariable
from edgerig.views import Axis, Curve, Heading, Line, Table, View

Floats = NDArray[np.float64]
#: Most targets with a line of their own, and most points of a line.
MOST_LINES, MOST_POINTS = 8, 200


class RegressionSettings(Settings, frozen=True, kw_only=True):
    """Settings of ``regression``."""

    tolerance: Annotated[
        float,
        msgspec.Meta(
            description="largest difference from the float model that counts as alike, as a share of the standard "
            "deviation of its predictions",
            ge=0,
        ),
    ] = 0.01


class Regression(Task):
    """Real values. Kept are the predictions and the targets, each of shape (n, targets); NaN where not known."""

    name: ClassVar[str] = "regression"
    summary: ClassVar[str] = "one or several real values a sample: MAE, RMSE and R2"
    Settings: ClassVar[type[Settings]] = RegressionSettings
    kept: ClassVar[tuple[str, ...]] = ("values", "targets")
    identity: ClassVar[str] = "values"

    settings: RegressionSettings

    def check(self, outputs: Sequence[TensorSpec], judged: int, batch: int, left_out: Sequence[str] = ()) -> None:
        columns = columns_of(outputs[judged], batch)
        wanted = len(self.targets)
        if columns is None or not wanted or columns == wanted:
            return
        fitting = [
            spec.name for index, spec in enumerate(outputs) if index != judged and _columns(spec, batch) == wanted
        ]
        hint = "Choose the dataset that the network was trained for, or --task none to measure speed alone."
        if fitting:
            hint = f"Judge the output that has as many: --output {fitting[0]}; in a rig file, the model's 'output'."
        names = f" ({', '.join(target.name for target in self.targets[:5])})"
        raise IncompatibleError(
            f"The network's output {outputs[judged].name!r} gives {_counted(columns, 'value')} a sample, dataset "
            f"{self.dataset!r} has {_counted(wanted, 'target')}{names}.",
            hint,
        )

    def keep(self, predictions: Array, truth: Array, reference: Array | None) -> dict[str, Array]:
        targets = np.asarray(truth, np.float64).reshape(len(truth), -1)
        if targets.shape != predictions.shape:
            raise IncompatibleError(
                f"The network gives {_counted(predictions.shape[1], 'value')} a sample, dataset {self.dataset!r} has "
                f"{_counted(targets.shape[1], 'target')}.",
                "Choose the dataset that the network was trained for, or --task none to measure speed alone.",
            )
        return {"values": predictions, "targets": targets}

    def judge(self, kept: Kept, samples: LabelledSamples) -> Quality:
        values, targets = kept["values"], kept["targets"]
        warnings = judge_outputs(values, samples)
        known = np.asarray(np.isfinite(targets).all(axis=1) & np.isfinite(values).all(axis=1))
        if not known.any():
            return Quality(samples=0, warnings=(*warnings, "No sample has all of its targets: nothing is judged."))
        if not known.all():
            warnings.append(f"{int((~known).sum()):,} of {len(known):,} samples have no target and are not judged.")
        values, targets = values[known], targets[known]
        variables = self._variables(targets.shape[1])
        errors, resampled = errors_of(values, targets), bootstrap(values, targets)
        warnings += _doubts(errors, variables, len(targets))
        views: tuple[View, ...] = (
            _table(errors, resampled, variables, len(targets)),
            *_curves(np.abs(values.astype(np.float64) - targets), variables),
        )
        metrics = _metrics(errors, resampled, variables)
        return Quality(samples=len(targets), metrics=metrics, warnings=tuple(warnings), views=views)

    def compare(
        self, kept: Kept, reference: Reference, samples: LabelledSamples, pictures: int
    ) -> Agreement | Unavailable:
        values, other = kept["values"], reference.predictions
        difference = differences(values, reference, samples)
        if isinstance(difference, Unavailable):
            return difference
        limits = self.settings.tolerance * other.astype(np.float64).std(axis=0)
        variables = self._variables(values.shape[1])
        rows = tuple(
            (target.name, float(difference[:, i].max()), float(difference[:, i].mean()), float(limits[i]), target.unit)
            for i, target in enumerate(variables)
        )
        headings = tuple(Heading(label) for label in ("target", "largest", "mean", "tolerance", "unit"))
        return agreement_of(
            difference,
            reference,
            (difference <= limits).all(axis=1),
            f"samples within {self.settings.tolerance:.3g} standard deviations of the float model's predictions",
            one_unit=len({target.unit for target in variables}) == 1,
            views=(Table("Differences from the float model, by target", headings, rows),),
        )

    def known(self, stored: Kept) -> NDArray[np.bool_]:
        return np.asarray(np.isfinite(stored["targets"]).all(axis=1) & np.isfinite(stored["values"]).all(axis=1))

    def evidence(self, stored: Kept) -> Evidence | None:
        values, targets = stored["values"], stored["targets"]
        units, n = {target.unit for target in self._variables(targets.shape[1])}, len(targets)
        # A target that is the same for all samples has no R2, and is left out of the mean.
        defined = np.flatnonzero(np.ptp(targets, axis=0) > 0) if n else np.zeros(0, np.int64)
        metrics = list[ComparedMetric]()
        if len(units) == 1:
            errors, (unit,) = np.abs(values.astype(np.float64) - targets), units
            metrics += [
                mean_of("mae", errors.mean(axis=1), unit=unit, higher_is_better=False),
                weighted("rmse", n, lambda w: weighted_errors(values, targets, w).rmse.mean(axis=1), unit=unit,
                         higher_is_better=False),
            ]  # fmt: skip
        if defined.size:
            r2 = weighted("r2", n, lambda w: weighted_errors(values, targets, w).r2[:, defined].mean(axis=1))
            metrics.append(r2)
        return Evidence(truth=targets, answers=values, metrics=tuple(metrics))

    def _variables(self, count: int) -> tuple[TargetVariable, ...]:
        return self.targets or tuple(TargetVariable(f"target {i + 1}" if count > 1 else "target") for i in range(count))


def _columns(spec: TensorSpec, batch: int) -> int | None:
    try:
        return columns_of(spec, batch)
    except IncompatibleError:
        return None


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _metrics(errors: Errors, resampled: Errors, variables: Sequence[TargetVariable]) -> tuple[MetricValue, ...]:
    """Means over the targets: those of MAE and RMSE only where all have one unit; R2 of those that have one."""
    metrics = []
    units = {target.unit for target in variables}
    if len(units) == 1:
        (unit,) = units
        metrics += [
            _metric("mae", errors.mae, resampled.mae, unit, higher=False),
            _metric("rmse", errors.rmse, resampled.rmse, unit, higher=False),
        ]
    defined = np.isfinite(errors.r2)
    if defined.any():
        metrics.append(_metric("r2", errors.r2[defined], resampled.r2[:, defined], "1", higher=True))
    return tuple(metrics)


def _metric(name: str, by_target: Floats, resampled: Floats, unit: str, *, higher: bool) -> MetricValue:
    value = float(by_target.mean())
    low, high = bounds_of(resampled.mean(axis=1), value) or (None, None)
    return MetricValue(name=name, value=value, higher_is_better=higher, unit=unit, low=low, high=high)


def _doubts(errors: Errors, variables: Sequence[TargetVariable], count: int) -> list[str]:
    doubts = []
    for target, r2 in zip(variables, errors.r2, strict=True):
        if np.isnan(r2):
            doubts.append(f"R2 of {target.name} is not defined: it is the same for all {count:,} samples.")
        elif r2 <= 0:
            doubts.append(
                f"The network predicts {target.name} no better than its mean over the samples does (R2 {r2:.3g})."
            )
    if len({target.unit for target in variables}) > 1:
        doubts.append("The targets have different units: MAE and RMSE are given for each, and not as a mean.")
    return doubts


def _table(errors: Errors, resampled: Errors, variables: Sequence[TargetVariable], count: int) -> Table:
    rows = []
    for i, target in enumerate(variables):
        row: list[str | float] = [target.name, target.unit]
        for value, series in zip((e[i] for e in errors), (r[:, i] for r in resampled), strict=True):
            if np.isnan(value):
                row += ["not defined", ""]
                continue
            bounds = bounds_of(series, float(value))
            row += [float(value), "" if bounds is None else f"{bounds[0]:.4g} to {bounds[1]:.4g}"]
        rows.append(tuple(row))
    headings = ["target", "unit"]
    for name in ("MAE", "RMSE", "R2"):
        headings += [name, f"{name}, 95 %"]
    note = (
        f"Over {count:,} samples. Intervals: percentiles of {len(resampled.mae):,} bootstrap resamples of the samples, "
        "seeded."
    )
    return Table("By target", tuple(Heading(label) for label in headings), tuple(rows), note)


def _curves(error: Floats, variables: Sequence[TargetVariable]) -> tuple[Curve, ...]:
    """Shares of samples by the error that they do not exceed: a chart for each unit."""
    shown = variables[:MOST_LINES]
    charts = []
    for unit in dict.fromkeys(target.unit for target in shown):
        lines = tuple(_line(target.name, error[:, i]) for i, target in enumerate(shown) if target.unit == unit)
        title = "How large the errors are" + (f" ({unit})" if unit else "")
        note = "" if len(shown) == len(variables) else f"The first {len(shown)} of {len(variables)} targets."
        charts.append(Curve(title, Axis("error at most", unit), Axis("samples", "1"), lines, note))
    return tuple(charts)


def _line(name: str, error: Floats) -> Line:
    ordered = np.sort(error)
    n = len(ordered)
    points = np.unique(np.linspace(0, n - 1, min(n, MOST_POINTS)).astype(np.int64))
    x, y = ordered[points], (points + 1) / n
    return Line(name, (0.0, *map(float, x)), (0.0, *map(float, y)), stepped=True)
