"""A row of the table of variants, and the values that its columns show."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.report.figures import build_warnings, counted, metric_figure, unavailable
from edgerig.report.quality.views import primary
from edgerig.report.tables import terminal_text
from edgerig.report.values import Figure
from edgerig.report.variant.rounds import half_width
from edgerig.results.types import CellResult, ModelInfo


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The data that a column of the table of variants may read.

    Attributes:
        cell: The result that the row is about.
        cells: The results of all rows of the same run.
        label: Its full name, unique in the report.
        run: The name of its run, where the report holds several.
        model: The float network that the variant was made of, None in the terminal.
    """

    cell: CellResult
    cells: Sequence[CellResult] = ()
    label: str = ""
    run: str | None = None
    model: ModelInfo | None = None

    @property
    def samples_differ(self) -> bool:
        """Whether the qualities of the run were measured on different numbers of samples."""
        return len({cell.quality.samples for cell in self.cells if cell.quality.metrics}) > 1


def quality(row: Row) -> Figure:
    """The main metric."""
    metric = primary(row.cell.quality)
    if metric is None:
        return unavailable("the task has no metric, or no labels were given")
    return metric_figure(metric, row.cell)


def instructions(row: Row) -> Figure | None:
    """The instructions that an emulator counted; None without an emulator."""
    return counted(row.cell.instructions, build_warnings(row.cell))


def warnings(row: Row) -> Figure:
    """The number of warnings of the variant."""
    count = len(row.cell.warnings)
    return Figure(text=f"{count}" if count else "none", value=count)


def memory(name: str) -> Callable[[Row], Quantity]:
    """A size that the runtime reports, such as ``peak_rss``."""

    def size(row: Row) -> Quantity:
        return row.cell.memory.get(name) or Unavailable(f"{row.cell.runtime} on {row.cell.target} does not tell it")

    return size


def metric_label(rows: Sequence[Row]) -> str:
    """The metric's name where all rows have the same."""
    metrics = [primary(row.cell.quality) for row in rows]
    names = {metric.name for metric in metrics if metric is not None}
    return names.pop() if len(names) == 1 else "quality"


def terminal_id(name: Figure, row: Row) -> str:
    """The cell, marked if it has warnings."""
    return row.cell.id + (" (!)" if row.cell.warnings else "")


def terminal_quality(quality: Figure, row: Row) -> str:
    """The quality, with the number of samples where others ran more or fewer."""
    if quality.reason is not None:
        return "-"
    return terminal_text(quality) + (f" of {row.cell.quality.samples:,}" if row.samples_differ else "")


def terminal_same(same: Figure, row: Row) -> str:
    """The agreement with the float model, or that it would be meaningless."""
    if same.reason is None:
        return terminal_text(same)
    return "vacuous" if same.reason.startswith("vacuous") else "-"


def terminal_tail(tail: Figure, row: Row) -> str:
    """A percentile, if there are enough samples for it."""
    return terminal_text(tail) if tail.reason is None else "-"


def terminal_median(median: Figure, row: Row) -> str:
    """A median latency with half the width of its interval between rounds, relative to it."""
    width = half_width(row.cell).value
    return terminal_text(median) + (f" ±{width:.1%}" if width is not None and median.reason is None else "")


def terminal_megabytes(size: Figure, row: Row) -> str:
    """A size in megabytes, where bytes would be too fine."""
    return f"{size.value / 1e6:,.1f} MB" if size.value is not None else size.text
