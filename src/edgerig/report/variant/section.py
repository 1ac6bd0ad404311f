"""From the result of a cell to its section of the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.report.figures import (
    build_warnings,
    counted,
    figure,
    has_samples,
    kind_of,
    metric_figure,
    size_warnings,
    unavailable,
)
from edgerig.report.limits import Budget, Limits
from edgerig.report.load import Loaded, Samples
from edgerig.report.model import AgreementView, Metric, Variant
from edgerig.report.quality.views import agreement_view, primary, quality_views
from edgerig.report.row import Row
from edgerig.report.units import compact, exact, percent, show
from edgerig.report.values import Fact, Figure, NamedFigure
from edgerig.report.variant.firmware import firmware_view
from edgerig.report.variant.machines import machine_changes, measurement_facts, version_facts
from edgerig.report.variant.operator_times import operator_times
from edgerig.report.variant.origin import artifact_facts, origin_rows, preprocessing_facts
from edgerig.report.variant.placement import placement_view
from edgerig.report.variant.rounds import round_curve, round_facts
from edgerig.report.variant.timing import times_of
from edgerig.report.variant.under_load import load_quantities
from edgerig.report.variant.utilisation import utilisation_notes, utilisation_views
from edgerig.report.views import fit
from edgerig.results.energy import energy_of
from edgerig.results.types import CellResult, DatasetInfo
from edgerig.views import View

#: Kinds of memory whose size depends on the firmware's compilation; arena and weights are planned before.
_SET_BY_THE_BUILD = frozenset({"flash", "ram", "stack_peak"})


class VariantContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a variant is built from.

    Attributes:
        row: Its cell, as the table of variants has it.
        figures: The figures of its row, by the names of their columns.
        loaded: The bundle that holds the cell.
        bundle: The index of that bundle in the report.
        anchor: The anchor of its section.
        short: Its name where there is little room.
        limits: How much of it is shown.
        budget: The room that is left for pictures, shared by all variants of the report.
    """

    row: Row
    figures: Mapping[str, Figure | None]
    loaded: Loaded
    bundle: int
    anchor: str
    short: str
    limits: Limits
    budget: Budget

    @property
    def dataset(self) -> DatasetInfo:
        """What the cell was measured with."""
        return self.loaded.result.dataset

    @property
    def samples(self) -> Samples | None:
        """The raw samples of the cell; None where the bundle has none."""
        return self.loaded.samples.get(self.row.cell.id)

    def figure(self, column: str) -> Figure:
        """The figure in ``column``, unavailable where the cell has none."""
        return self.figures[column] or unavailable("")

    def fit(self, views: Iterable[View]) -> tuple[View, ...]:
        """As much of ``views`` as the report has room for."""
        return tuple(fit(view, self.limits, self.budget) for view in views)


def build_variant(context: VariantContext) -> Variant:
    """The report's view of one cell."""
    row, samples, column = context.row, context.samples, context.figure
    cell, main = row.cell, primary(row.cell.quality)
    raw = None if samples is None else samples.get("times_ns")
    # In this order: the room for pictures goes to the quality first.
    views, agreement = context.fit(quality_views(cell.quality, context.dataset)), _agreement(context)
    times = None if raw is None or not has_samples(cell) else times_of(raw, context.limits.points)
    return Variant(
        anchor=context.anchor,
        label=row.label,
        short=context.short,
        place=row.label.removeprefix(f"{cell.variant} · "),
        bundle=context.bundle,
        id=cell.id,
        variant=cell.variant,
        runtime=f"{cell.runtime} {cell.runtime_version}".strip(),
        target=cell.target,
        device=cell.machine.host,
        scheme=cell.artifact.scheme,
        options=compact(cell.options),
        kind=kind_of(cell),
        samples=cell.quality.samples,
        metric=main.name if main else "quality",
        quality=column("quality"),
        same=column("same"),
        steady=column("steady"),
        p90=column("p90"),
        p99=column("p99"),
        throughput=column("throughput"),
        size=column("size"),
        peak_rss=column("peak_rss"),
        arena=column("arena"),
        stages=_stages(cell),
        spread=_spread(cell),
        times=times,
        times_reason="" if times else _no_times(cell),
        memory=_memory(cell),
        energy=figure(energy_of(cell)),
        metrics=tuple(
            Metric(metric.name, metric_figure(metric, cell), metric.higher_is_better) for metric in cell.quality.metrics
        ),
        views=views,
        layers=operator_times(cell, context.limits),
        agreement=agreement,
        agreement_reason=cell.agreement.reason if isinstance(cell.agreement, Unavailable) else "",
        machine=machine_changes(cell.machine, cell.machine_after),
        measurement=measurement_facts(cell),
        versions=version_facts(cell),
        warnings=cell.warnings,
        commands=cell.commands,
        artifact=artifact_facts(cell.artifact),
        origins=origin_rows(cell.artifact),
        preprocessing=preprocessing_facts(cell.artifact.preprocessing),
        instructions=context.figures["instructions"],
        rounds=round_curve(cell),
        utilisation=context.fit(utilisation_views(cell)),
        utilisation_notes=utilisation_notes(cell),
        cycles=counted(cell.cycles, build_warnings(cell)),
        firmware=firmware_view(cell),
        placement=placement_view(cell),
    )


def _agreement(context: VariantContext) -> AgreementView | None:
    """How far the variant predicts what its reference does; None where they were not compared."""
    cell = context.row.cell
    if isinstance(cell.agreement, Unavailable):
        return None
    view = agreement_view(cell, cell.agreement, context.dataset)
    return msgspec.structs.replace(view, views=context.fit(view.views))


def _memory(cell: CellResult) -> tuple[NamedFigure, ...]:
    return tuple(
        NamedFigure(
            name.replace("_", " ").replace("rss", "RSS"),
            figure(value, size_warnings(cell) if name in _SET_BY_THE_BUILD else ()),
        )
        for name, value in cell.memory.items()
    )


def _no_times(cell: CellResult) -> str:
    if isinstance(cell.latency.steady, Unavailable):
        return cell.latency.steady.reason
    if not has_samples(cell):
        return "a model tells one time for the code that ran, not a spread of measured ones"
    return "the bundle holds no raw samples of this cell"


def _stages(cell: CellResult) -> tuple[NamedFigure, ...]:
    latency, warnings = cell.latency, build_warnings(cell)
    cold = (("load", latency.load), ("first inference", latency.first))
    # The steady state has its own warnings, which include the build's.
    unit = "one sample" if cell.batch == 1 else f"one batch of {cell.batch}"
    each = (
        () if isinstance(latency.per_sample, msgspec.UnsetType) else (("steady state, a sample", latency.per_sample),)
    )
    others = (
        ("steady state (median)", latency.steady),
        *each,
        *_of_batches(cell),
        *load_quantities(cell),
        (f"transport, {unit}", latency.transport),
        ("preprocessing, one sample", latency.preprocessing),
        ("postprocessing, one sample", latency.postprocessing),
    )
    counts = (
        ("instructions, load", cell.load_instructions),
        ("instructions, first inference", cell.first_instructions),
        ("instructions, one inference", cell.instructions),
        ("cycles, one inference", cell.cycles),
    )
    return (
        *(NamedFigure(name, figure(value, warnings)) for name, value in cold),
        *(NamedFigure(name, figure(value)) for name, value in others),
        *(NamedFigure(name, count) for name, value in counts if (count := counted(value, warnings)) is not None),
    )


def _of_batches(cell: CellResult) -> tuple[tuple[str, Quantity], ...]:
    """The times of batches in the scenario offline; of one inference a batch, those of inferences say the same."""
    offline = cell.offline
    if isinstance(offline, msgspec.UnsetType):
        return ()
    rate = ("throughput offline, samples", offline.throughput)
    if offline.inferences == 1:
        return (rate,)
    what = f"a batch of {offline.batch}, {offline.inferences} inferences in turn"
    return ((what, offline.per_batch), (f"{what}, a sample", offline.per_sample), rate)


def _spread(cell: CellResult) -> tuple[Fact, ...]:
    distribution, steady = cell.latency.distribution, cell.latency.steady
    if distribution is None or isinstance(steady, Unavailable) or not has_samples(cell):
        return ()
    kind, unit = steady.kind, steady.unit

    def facts(*names: str) -> list[Fact]:
        values = ((name, getattr(distribution, name)) for name in names)
        return [Fact(name, show(value, unit), exact(value, unit), kind) for name, value in values]

    # First the statistics that a pause in the middle does not change, last those that it does.
    rows = facts("median", "minimum", "maximum")
    rows.append(Fact("spread, (p90 − p10) / median", percent(distribution.spread), repr(distribution.spread), kind))
    rows.append(Fact("drift, first to last quarter", percent(distribution.drift), repr(distribution.drift), kind))
    return (*rows, *facts("mean", "std"), Fact("samples", f"{distribution.n:,}"), *round_facts(cell))
