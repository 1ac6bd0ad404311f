"""The tables of the report, made from its model by the declared columns, for every output format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from edgerig.report.columns import (
    BOARDS,
    BUFFERS,
    FACTS,
    FAILURES,
    FIGURES,
    LAYERS,
    MACHINE,
    METRICS,
    ORIGINS,
    PARTS,
    PLACEMENT,
    SYMBOLS,
    TOTALS,
    compared_columns,
    error_columns,
    quality_columns,
    size_columns,
)
from edgerig.report.model import BundleView, FirmwareView, QualityView, Report, SharedView, Variant
from edgerig.report.tables import Table, fill, make_table
from edgerig.report.values import Fact, NamedFigure
from edgerig.report.views import page_table, text_table


def errors_table(view: SharedView) -> Table:
    """Errors on the samples that a variant and the baseline both ran."""
    return make_table(
        error_columns(view),
        view.rows,
        name="errors",
        title="Errors on the samples that a variant and the baseline both ran",
        anchors=[row.anchor for row in view.rows],
    )


def quality_table(view: QualityView) -> Table:
    """A quality on the samples that a variant and the baseline both ran."""
    return make_table(
        quality_columns(view),
        view.rows,
        name="qualities",
        title=f"{view.metric} on the samples that a variant and the baseline both ran",
        anchors=[row.anchor for row in view.rows],
    )


def compared_table(report: Report) -> Table:
    """The combinations that several runs contain, side by side."""
    title = "The same combination in several runs"
    return make_table(compared_columns(report.bundles), report.compared, name="runs", title=title)


def sizes_table(bundle: BundleView, several: bool) -> Table:
    """The files of a run."""
    title = bundle.name if several else "Size of the files"
    return make_table(size_columns(bundle.sizes), bundle.sizes, name="sizes", title=title)


def layers_table(variant: Variant) -> Table:
    """The operators of a variant."""
    layers, title = variant.layers, "Operators in order of execution"
    return make_table(LAYERS, layers.rows, name="layers", title=title, warnings=layers.warnings, reasons=True)


def placement_table(variant: Variant) -> Table:
    """The operators of a variant by what ran them, and in which type."""
    placement, title = variant.placement, "What ran where, and in which type"
    return make_table(PLACEMENT, placement.rows, name="placement", title=title, warnings=placement.warnings)


def latency_table(variant: Variant) -> Table:
    """Where the time goes."""
    figures = (("p90", variant.p90), ("p99", variant.p99), ("throughput", variant.throughput))
    rows = (*variant.stages, *(NamedFigure(name, figure) for name, figure in figures))
    return make_table(FIGURES, rows, name="latency", title="Where the time goes", reasons=True)


def memory_table(variant: Variant) -> Table:
    """Sizes of the artifact and at run time."""
    rows = (NamedFigure("artifact size", variant.size), *variant.memory)
    return make_table(FIGURES, rows, name="memory", title="Memory", reasons=True)


def metrics_table(variant: Variant) -> Table:
    """The quality metrics of a variant."""
    title = f"Metrics, {variant.samples:,} samples"
    return make_table(METRICS, variant.metrics, name="metrics", title=title, reasons=True)


def machine_table(variant: Variant) -> Table:
    """The machine before and after the measurement."""
    return make_table(MACHINE, variant.machine, name="machine", title="State of the machine")


def facts_table(facts: Sequence[Fact], warnings: tuple[str, ...] = ()) -> Table:
    """Facts; ``warnings`` apply to those of them that are numbers."""
    figures = fill(FACTS, facts)
    for row, fact in enumerate(facts):
        figure = figures[1][row]
        if fact.kind and figure is not None:
            figures[1][row] = msgspec.structs.replace(figure, warnings=warnings)
    return make_table(FACTS, facts, figures=figures, name="facts", title="Facts")


def totals_table(firmware: FirmwareView) -> Table:
    """Flash and RAM against what the board has, for the section of a variant."""
    title = f"Memory of the {firmware.board}"
    return make_table(TOTALS, firmware.totals, name="firmware-totals", title=title, warnings=firmware.warnings)


def boards_table(report: Report) -> Table:
    """Flash and RAM of all variants on boards, against what the boards have."""
    rows = [(variant, variant.firmware) for variant in report.variants if variant.firmware is not None]
    anchors = [variant.anchor for variant, _ in rows]
    return make_table(BOARDS, rows, name="boards", title="Flash and RAM of the boards", anchors=anchors)


def parts_table(firmware: FirmwareView) -> Table:
    """The parts of a firmware with the board memory that they take."""
    title = "What takes how much"
    return make_table(PARTS, firmware.parts, name="firmware-parts", title=title, warnings=firmware.warnings)


def arena_table(firmware: FirmwareView) -> Table:
    """The buffers of the planned arena."""
    return make_table(BUFFERS, firmware.arena, name="arena", title="The arena, buffer by buffer")


def symbols_table(firmware: FirmwareView) -> Table:
    """The largest symbols of the firmware."""
    return make_table(SYMBOLS, firmware.symbols, name="firmware-symbols", title="The largest symbols")


def origins_table(variant: Variant) -> Table:
    """The tools that made the artifact."""
    return make_table(ORIGINS, variant.origins, name="origins", title="What it was made from, first to last")


def failures_table(bundle: BundleView) -> Table:
    """The cells of a run that could not be measured."""
    return make_table(FAILURES, bundle.failures, name="failures", title="Cells that could not be measured")


def tables_of(report: Report) -> Iterator[tuple[str, Table]]:
    """Every table of numbers with its owner: the name of a run or of a variant, empty for the whole report."""
    several = len(report.bundles) > 1
    yield "", report.table
    yield from (("" if len(report.shared) < 2 else view.dataset, errors_table(view)) for view in report.shared)
    for quality in report.qualities:
        yield ("" if len(report.qualities) < 2 else quality.dataset, quality_table(quality))
    if report.compared:
        yield "", compared_table(report)
    yield from ((bundle.name, sizes_table(bundle, several)) for bundle in report.bundles if bundle.sizes)
    if any(variant.firmware is not None for variant in report.variants):
        yield "", boards_table(report)
    yield from (("" if len(report.layers) < 2 else view.table.title, view.table) for view in report.layers)
    for variant in report.variants:
        for table in _tables_of(variant):
            yield variant.anchor, table


def _tables_of(variant: Variant) -> Iterator[Table]:
    yield latency_table(variant)
    yield memory_table(variant)
    if variant.metrics:
        yield metrics_table(variant)
    agreement = variant.agreement.views if variant.agreement else ()
    yield from (page_table(text_table(view)) for view in (*variant.views, *agreement))
    if variant.layers.rows:
        yield layers_table(variant)
    if variant.firmware is not None:
        yield parts_table(variant.firmware)
        yield symbols_table(variant.firmware)
        if variant.firmware.arena:
            yield arena_table(variant.firmware)
