"""The tables of the report: its model through the declared columns, for whichever writer asks."""

from __future__ import annotations

from collections.abc import Iterator

from edgerig.report.columns import (
    FAILURES,
    LAYERS,
    ORIGINS,
    PARTS,
    SYMBOLS,
    compared_columns,
    error_columns,
    size_columns,
)
from edgerig.report.model import BundleView, FirmwareView, Report, SharedView, Variant
from edgerig.report.tables import Table, make_table


def errors_table(view: SharedView) -> Table:
    """Errors on the samples that a variant and the baseline both ran."""
    return make_table(
        error_columns(view),
        view.rows,
        name="errors",
        title="Errors on the samples that a variant and the baseline both ran",
        anchors=[row.anchor for row in view.rows],
    )


def compared_table(report: Report) -> Table:
    """The combinations that several runs hold, side by side."""
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


def parts_table(firmware: FirmwareView) -> Table:
    """What takes how much of the board's memory."""
    title = "What takes how much"
    return make_table(PARTS, firmware.parts, name="firmware-parts", title=title, warnings=firmware.warnings)


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
    """Every table of numbers, with what it is about: the name of a run or of a variant, empty for the whole report."""
    several = len(report.bundles) > 1
    yield "", report.table
    yield from (("" if len(report.shared) < 2 else view.dataset, errors_table(view)) for view in report.shared)
    if report.compared:
        yield "", compared_table(report)
    yield from ((bundle.name, sizes_table(bundle, several)) for bundle in report.bundles if bundle.sizes)
    for variant in report.variants:
        if variant.layers.rows:
            yield variant.anchor, layers_table(variant)
        if variant.firmware is not None:
            yield variant.anchor, parts_table(variant.firmware)
            yield variant.anchor, symbols_table(variant.firmware)
