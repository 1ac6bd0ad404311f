"""Every column of the report's tables, declared once: a new column is a line here.

HTML, Markdown, the terminal and CSV show these lists, and the kinds of number that a report holds are counted from
them. The fields of a `Column` are described in `edgerig.report.tables`; ``docs/plugins/report-column.md`` shows how to
add one.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgerig.measure.firmware import ArenaBuffer
from edgerig.report.figures import (
    number,
    percentile,
    same_class,
)
from edgerig.report.model import (
    BundleView,
    Compared,
    Failure,
    FirmwareView,
    Layer,
    Metric,
    OriginRow,
    PlacementRow,
    QualityRow,
    QualityView,
    SharedRow,
    SharedView,
    SizeRow,
    SizeShare,
    Variant,
)
from edgerig.report.relative import if_compared, relative_speed
from edgerig.report.row import (
    Row,
    instructions,
    memory,
    metric_label,
    quality,
    terminal_id,
    terminal_median,
    terminal_megabytes,
    terminal_quality,
    terminal_same,
    terminal_tail,
    warnings,
)
from edgerig.report.tables import Column, if_any, if_known
from edgerig.report.values import Change, Fact, Figure, NamedFigure
from edgerig.report.variant.placement import ran_otherwise
from edgerig.report.variant.rounds import half_width, if_several, round_count
from edgerig.report.variant.under_load import load_figure
from edgerig.results.energy import energy_of


def board_columns(index: int, name: str) -> tuple[Column[tuple[Variant, FirmwareView]], ...]:
    """Flash or RAM: bytes, a bar against what the board has, and the share in figures."""

    def total(row: tuple[Variant, FirmwareView]) -> SizeShare:
        return row[1].totals[index]

    return (
        Column(name, lambda row: Figure(text=f"{total(row).bytes:,} B", value=total(row).bytes, unit="B")),
        Column(f"{name} bar", lambda row: total(row).share, sort=False, style="bar", pages=("html",)),
        Column(f"{name} of the board's", lambda row: total(row).share),
    )


#: The table of variants.
VARIANTS: tuple[Column[Row], ...] = (
    Column("variant", lambda row: row.label, align="left", head=True, rank=0, short="cell", terminal=terminal_id),
    Column("run", lambda row: row.run, if_any, align="left"),
    Column(metric_label, quality, key="quality", interval=True, rank=0, short="quality", terminal=terminal_quality),
    Column("same as float", lambda row: same_class(row.cell), key="same", rank=2, terminal=terminal_same),
    Column(
        "median latency",
        lambda row: row.cell.latency.steady,
        key="steady",
        interval=True,
        rank=0,
        short="median",
        terminal=terminal_median,
    ),
    Column("± between rounds", lambda row: half_width(row.cell), if_known),
    Column("rounds", lambda row: round_count(row.cell), if_several, shown=False),
    Column(
        "times as fast",
        lambda row: relative_speed(row.cell, row.cells),
        if_compared,
        key="speed",
        interval=True,
        bare=True,
    ),
    Column("ran otherwise", lambda row: ran_otherwise(row.cell), if_any, align="left", style="prose"),
    Column("p90", lambda row: percentile(row.cell, "p90", 0.1)),
    Column("p99", lambda row: percentile(row.cell, "p99", 0.01), rank=3, terminal=terminal_tail),
    Column("throughput", lambda row: row.cell.latency.throughput),
    Column(
        "throughput under load",
        lambda row: load_figure(row.cell, "throughput"),
        if_any,
        interval=True,
        rank=1,
        short="under load",
    ),
    Column(
        "highest rate within the bound",
        lambda row: load_figure(row.cell, "rate"),
        if_any,
        interval=True,
        rank=1,
        short="highest rate",
    ),
    Column("p50 under load", lambda row: load_figure(row.cell, "p50"), if_any, interval=True),
    Column(
        "p99 under load",
        lambda row: load_figure(row.cell, "p99"),
        if_any,
        interval=True,
        rank=3,
        terminal=terminal_tail,
    ),
    Column("instructions", instructions, if_any, bare=True, absent="not counted"),
    Column("size", lambda row: number(row.cell.artifact.size, "B", detail="size of the deployed file"), rank=1),
    Column("peak RSS", memory("peak_rss"), key="peak_rss", rank=4, terminal=terminal_megabytes),
    Column("arena", memory("arena"), if_known),
    Column("energy", lambda row: energy_of(row.cell), if_known),
    Column("warnings", warnings, pages=("text", "csv")),
)

#: The operators of a variant.
LAYERS: tuple[Column[Layer], ...] = (
    Column("#", lambda row: row.index),
    Column("operator", lambda row: row.op, align="left"),
    Column("name", lambda row: Figure(text=row.name, detail=row.name), align="left", style="name"),
    Column("output", lambda row: row.shape or None, if_any, align="left", style="nowrap"),
    Column("time", lambda row: row.time),
    Column("instructions", lambda row: row.instructions, if_any),
    Column("share", lambda row: row.share),
)

#: What of a network ran where and in which type.
PLACEMENT: tuple[Column[PlacementRow], ...] = (
    Column("operator", lambda row: row.op, align="left", head=True),
    Column("ran on", lambda row: row.placement, align="left"),
    Column("in", lambda row: row.dtype, align="left"),
    Column("count", lambda row: row.count),
    Column("of all operators", lambda row: row.share, sort=False, style="bar", pages=("html",)),
)

#: Labels with their values.
FACTS: tuple[Column[Fact], ...] = (
    Column("", lambda row: row.label, align="left", head=True, key="name"),
    Column("", lambda row: Figure(text=row.value, detail=row.title, kind=row.kind), align="left", key="value"),
)

#: Figures with their names, such as the stages of an inference.
FIGURES: tuple[Column[NamedFigure], ...] = (
    Column("", lambda row: row.name, align="left", head=True, key="name"),
    Column("", lambda row: row.figure, align="left", key="value", interval=True),
)

#: Quality metrics.
METRICS: tuple[Column[Metric], ...] = (
    Column("metric", lambda row: row.name, align="left", head=True),
    Column("value", lambda row: row.figure, interval=True),
)

#: The machine before and after the measurement.
MACHINE: tuple[Column[Change], ...] = (
    Column("", lambda row: row.label, align="left", head=True, key="name"),
    Column("before", lambda row: row.before, align="left"),
    Column("after", lambda row: row.after, align="left"),
)

#: Flash and RAM that a firmware takes, against what its board has.
TOTALS: tuple[Column[SizeShare], ...] = (
    Column("memory", lambda row: row.name, align="left", head=True),
    Column("taken", lambda row: Figure(text=f"{row.bytes:,} B", value=row.bytes, unit="B")),
    Column("bar", lambda row: row.share, sort=False, style="bar", pages=("html",)),
    Column("of the board's", lambda row: row.share),
)

#: Flash and RAM that firmwares take, against what their boards have.
BOARDS: tuple[Column[tuple[Variant, FirmwareView]], ...] = (
    Column("variant", lambda row: row[0].label, align="left", head=True),
    Column("board", lambda row: row[1].board, align="left"),
    *(column for index, name in enumerate(("flash", "RAM")) for column in board_columns(index, name)),
)

#: The parts of a firmware with their flash and RAM.
PARTS: tuple[Column[SizeShare], ...] = (
    Column("memory", lambda row: row.place, align="left"),
    Column("part", lambda row: row.name, align="left", head=True),
    Column("bytes", lambda row: row.bytes),
    Column("of the board's", lambda row: row.share),
)

#: The plan of an arena.
BUFFERS: tuple[Column[ArenaBuffer], ...] = (
    Column("buffer", lambda row: row.name, align="left", head=True),
    Column("offset", lambda row: row.offset),
    Column("bytes", lambda row: row.bytes),
    Column("first layer", lambda row: row.first),
    Column("last layer", lambda row: row.last),
)

#: The largest symbols of a firmware.
SYMBOLS: tuple[Column[SizeShare], ...] = (
    Column("symbol", lambda row: Figure(text=row.name, detail=row.name), align="left", head=True, style="name"),
    Column("memory", lambda row: row.place, align="left"),
    Column("part", lambda row: row.group, align="left"),
    Column("bytes", lambda row: row.bytes),
)

#: The tools that an artifact was made by.
ORIGINS: tuple[Column[OriginRow], ...] = (
    Column("tool", lambda row: row.tool, align="left"),
    Column("options", lambda row: row.options or None, align="left"),
    Column("made from", lambda row: short_hash(row.parent), align="left", pages=("html",)),
    Column("made from", lambda row: row.parent or None, align="left", pages=("text", "csv")),
    Column("versions", lambda row: row.versions or None, align="left"),
    Column("took", lambda row: row.seconds or None, pages=("html", "csv")),
)

#: The cells that could not be measured.
FAILURES: tuple[Column[Failure], ...] = (
    Column("cell that could not be measured", lambda row: row.id, align="left", head=True),
    Column("what happened", lambda row: row.summary, align="left", style="prose"),
    Column("when", lambda row: row.time, align="left"),
)


def size_columns(rows: Sequence[SizeRow]) -> tuple[Column[SizeRow], ...]:
    """The sizes of a run's files, with bars relative to the largest."""
    largest = max((row.bytes for row in rows), default=0) or 1
    return (
        Column("file", lambda row: row.name, align="left", head=True),
        Column("bytes", lambda row: Figure(text=f"{row.bytes:,}", value=row.bytes, detail=row.size.text)),
        Column("of the largest", lambda row: row.bytes / largest, sort=False, style="bar", pages=("html",)),
        Column("times smaller", lambda row: ratio_figure(row.ratio)),
        Column("saving", lambda row: row.saving),
    )


def error_columns(view: SharedView) -> tuple[Column[SharedRow], ...]:
    """The errors of variants against those of a baseline, on the samples that both ran."""
    return (
        Column("variant", lambda row: row.label, align="left", head=True),
        Column("samples", lambda row: row.samples),
        Column("accuracy", lambda row: row.quality, interval=True),
        Column("errors", lambda row: row.errors),
        Column("baseline errors", lambda row: row.baseline_errors),
        Column("lost", lambda row: row.lost),
        Column("gained", lambda row: row.gained),
        Column(
            f"against {view.baseline}",
            lambda row: Figure(text=row.verdict, strong=row.different),
            align="left",
            key="verdict",
        ),
    )


def quality_columns(view: QualityView) -> tuple[Column[QualityRow], ...]:
    """A metric of variants against that of a baseline, on the samples that both ran."""
    return (
        Column("variant", lambda row: row.label, align="left", head=True),
        Column("samples", lambda row: row.samples),
        Column(view.metric, lambda row: row.quality, interval=True),
        Column("change", lambda row: row.change, interval=True),
        Column("margin", lambda row: row.margin or None),
        Column(
            f"against {view.baseline}",
            lambda row: Figure(text=row.verdict, strong=row.worse),
            align="left",
            key="verdict",
        ),
    )


def compared_columns(bundles: Sequence[BundleView]) -> tuple[Column[Compared], ...]:
    """The same combination in several runs."""

    def of_bundle(bundle: BundleView) -> tuple[Column[Compared], ...]:
        absent, group, index = "not in this run", bundle.name, bundle.index
        return (
            Column("quality", lambda row: row.quality[index], absent=absent, group=group),
            Column("median", lambda row: row.steady[index], absent=absent, group=group, interval=True),
            Column("size", lambda row: row.size[index], absent=absent, group=group),
        )

    return (
        Column("combination", lambda row: row.label, align="left", head=True),
        *(column for bundle in bundles for column in of_bundle(bundle)),
        Column("latency, last against first", lambda row: row.change, align="left"),
    )


def ratio_figure(ratio: float | None) -> Figure | None:
    """A plain ratio, to two decimals."""
    return None if ratio is None else Figure(text=f"{ratio:.2f}", exact=repr(ratio), value=ratio)


def short_hash(sha256: str) -> Figure | None:
    """The first digits of a hash, with the whole of it in the tooltip."""
    return Figure(text=sha256[:12], detail=sha256) if sha256 else None
