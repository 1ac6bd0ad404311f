"""Results as rows of data frames, in notebooks, and as one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from msgspec import UnsetType

from edgerig.errors import NotInstalledError
from edgerig.measure.kinds import Measurement, Unavailable, microseconds
from edgerig.results.under_load import Tail

#: Fields of a cell that are expanded; of those with names only these.
_PARTS: dict[str, tuple[str, ...]] = {
    "latency": (),
    "quality": (),
    "agreement": (),
    "artifact": ("format", "scheme", "size"),
    "machine": ("host", "cpu"),
    "offline": ("batch", "inferences", "throughput", "per_batch", "per_sample"),
    "under_load": (
        *("scenario", "streams", "batch", "throughput", "rate", "latency", "queueing", "inference", "transport"),
        *("late", "busy", "alone", "energy", "bound", "percentile", "holds"),
    ),
}


def to_dataframe(cells: Sequence[Any]) -> Any:
    """A pandas ``DataFrame`` with a row for each cell; see `rows_of` for the columns.

    Args:
        cells: `CellResult` structs.

    Raises:
        NotInstalledError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise NotInstalledError("Data frames need pandas, which is not installed.", "pip install pandas") from error
    rows, units = rows_of(cells)
    frame = pandas.DataFrame(rows)
    frame.attrs["units"] = units
    return frame


def rows_of(cells: Sequence[Any]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Every number and name of the cells, and the units of the numbers.

    Columns follow from the fields of the results: ``latency.steady`` becomes ``latency_steady``, the metric
    ``accuracy`` ``quality_accuracy``, in SI units. A number has further columns: ``_low`` and ``_high`` where it has
    bounds, ``_kind`` where it is available, ``_unavailable`` with the reason where it is not.
    """
    units: dict[str, str] = {}
    rows = [dict(_entries(cell, units)) for cell in cells]
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in names} for row in rows], units


def _entries(cell: Any, units: dict[str, str]) -> Iterator[tuple[str, Any]]:
    for field in cell.__struct_fields__:
        value = getattr(cell, field)
        if field in _PARTS and not isinstance(value, Unavailable | UnsetType):
            for name in _PARTS[field] or value.__struct_fields__:
                yield from _entry(f"{field}_{name}", getattr(value, name), units)
        elif isinstance(value, tuple) and field == "warnings":
            yield "warnings", len(value)
        else:
            yield from _entry(field, value, units)


def _entry(name: str, value: Any, units: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """A value as columns; nothing for values that are neither numbers nor texts, such as rounds and layers."""
    if isinstance(value, Measurement):
        units[name] = value.unit
        yield name, value.value
        if value.low is not None and value.high is not None:
            yield f"{name}_low", value.low
            yield f"{name}_high", value.high
        yield f"{name}_kind", value.kind
    elif isinstance(value, Unavailable):
        yield name, None
        yield f"{name}_unavailable", value.reason
    elif isinstance(value, Tail):
        for which in value.__struct_fields__:
            yield from _entry(f"{name}_{which}", getattr(value, which), units)
    elif isinstance(value, str | int | float):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _entry(f"{name}_{key}", item, units)
    elif name == "quality_metrics":
        for metric in value:
            units[f"quality_{metric.name}"] = metric.unit
            yield f"quality_{metric.name}", metric.value
            if metric.low is not None and metric.high is not None:
                yield f"quality_{metric.name}_low", metric.low
                yield f"quality_{metric.name}_high", metric.high


def cell_words(cell: Any) -> list[str]:
    """The main quality, the median latency and the size of a cell, where known."""
    metric = cell.quality.main
    steady = cell.latency.steady
    return [
        _quality(metric) if metric else "no quality",
        _latency(steady) if isinstance(steady, Measurement) else f"latency unavailable: {steady.reason}",
        f"{cell.artifact.size:,} B",
    ]


def _quality(metric: Any) -> str:
    value = f"{metric.value:.2%}" if metric.unit == "1" else f"{metric.value:.4g} {metric.unit}"
    return f"{value} {metric.name}"


def _latency(steady: Measurement) -> str:
    return microseconds(steady) if steady.unit == "s" else f"{steady.value:,.0f} {steady.unit}, {steady.kind}"


def cell_repr(cell: Any) -> str:
    """A cell in one line."""
    return f"<CellResult {cell.id!r}: {', '.join(cell_words(cell))}>"


def run_repr(result: Any) -> str:
    """A run in one line."""
    planned = max(len(result.planned), len(result.cells))
    state = "finished" if result.finished else "not finished"
    return f"<RunResult {result.name!r}: {len(result.cells)} of {planned} cells, {state}>"


def run_html(result: Any) -> str:
    """A run as a small HTML table, for a notebook."""
    rows = [(cell.id, *cell_words(cell), f"{len(cell.warnings)}") for cell in result.cells]
    head = "".join(f"<th>{name}</th>" for name in ("cell", "quality", "median latency", "size", "warnings"))
    body = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows)
    caption = escape(run_repr(result).strip("<>").removeprefix("RunResult "))
    return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
