"""Compare bundles by their stored rounds."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from edgerig import __version__
from edgerig.errors import IncompatibleError, UnknownNameError
from edgerig.measure.clocks import resolution_seconds
from edgerig.measure.comparison import MARGIN
from edgerig.measure.kinds import Measurement, Quantity
from edgerig.results.bundle import Bundle
from edgerig.results.compare.energy import energy_verdict
from edgerig.results.compare.exact import exact_verdicts
from edgerig.results.compare.likeness import (
    differences,
    other_settings,
    side_of,
    why_not_memory,
    why_not_times,
)
from edgerig.results.compare.offline import offline_verdict
from edgerig.results.compare.quality import QualityOptions, quality_verdicts
from edgerig.results.compare.rounds import by_rounds
from edgerig.results.compare.times import FIRST, LATENCY, LOAD, P99, PEAK_RSS
from edgerig.results.compare.types import COMPARISON_VERSION, CellComparison, Comparison, MetricVerdict
from edgerig.results.compare.under_load import load_verdicts
from edgerig.results.turns import took_turns
from edgerig.results.types import CellResult, Round, RunResult

Number = Callable[[Round], float | None]
Whole = Quantity | msgspec.UnsetType | None


class StoredOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to compare bundles.

    Attributes:
        margin: Relative difference of latency that does not matter. quality: How qualities are compared.
        only: Patterns of cell ids, in the shell's syntax. cells: one cell of A and of B; None for all.
    """

    margin: float = MARGIN
    quality: QualityOptions = QualityOptions()
    only: tuple[str, ...] = ()
    cells: tuple[str | None, str | None] = (None, None)


class StoredRun(msgspec.Struct, frozen=True):
    """A bundle in memory."""

    source: str
    bundle: Bundle
    run: RunResult


def compare_bundles(a: Path, b: Path, options: StoredOptions | None = None, command: str = "") -> Comparison:
    """Every cell of bundle ``b`` against the cell of ``a`` with the same id, or the two that were chosen.

    Two cells of one run, whose rounds took turns, are compared round by round; those of two runs group by group.

    Raises:
        StorageError: One of the folders is no bundle, or cannot be read.
        UnknownNameError, IncompatibleError: There is no such cell, or none in common.
    """
    options = options or StoredOptions()
    runs = StoredRun(str(a), Bundle(a), Bundle(a).result()), StoredRun(str(b), Bundle(b), Bundle(b).result())
    matched, only_a, only_b = _matched(runs, options)
    return Comparison(
        version=COMPARISON_VERSION,
        edgerig=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        method="stored",
        comparisons=tuple(compare_stored(runs, cells, options) for cells in matched),
        only_a=only_a,
        only_b=only_b,
        commands=(command,) if command else (),
    )


def compare_stored(
    runs: tuple[StoredRun, StoredRun], cells: tuple[CellResult, CellResult], options: StoredOptions
) -> CellComparison:
    """One cell of A against its counterpart of B."""
    a, b = runs
    sides = side_of(a.source, a.run, cells[0]), side_of(b.source, b.run, cells[1])
    same_run = a.run.created == b.run.created and a.run.name == b.run.name
    starts = [[entry.started for entry in cell.rounds] for cell in cells]
    paired = same_run and cells[0].id != cells[1].id and took_turns(*starts)
    metrics = _times(cells, options.margin, paired=paired)
    under_load, notes = load_verdicts(cells, (a.run.host, b.run.host), paired=paired)
    metrics |= under_load | offline_verdict(cells, options.margin, paired=paired)
    metrics |= energy_verdict(cells, (a.run.host, b.run.host), paired=paired)
    metrics |= exact_verdicts(*cells)
    arrays = partial(a.bundle.samples, cells[0].id), partial(b.bundle.samples, cells[1].id)
    quality, why = quality_verdicts((a.run, b.run), cells, arrays, options.quality)
    metrics |= {name if name not in metrics else f"quality_{name}": verdict for name, verdict in quality.items()}
    notes += why
    notes += [*differences(*sides), *other_settings(*cells)]
    if not same_run:
        notes.append("The two runs are of different times: no interval knows what changed on the device between.")
    for name, stored, cell in zip("AB", runs, cells, strict=True):
        notes += [f"{name}: {warning}" for warning in (*stored.run.warnings, *cell.warnings)]
    return CellComparison(a=sides[0], b=sides[1], metrics=metrics, notes=tuple(dict.fromkeys(notes)))


def _matched(
    runs: tuple[StoredRun, StoredRun], options: StoredOptions
) -> tuple[list[tuple[CellResult, CellResult]], tuple[str, ...], tuple[str, ...]]:
    """Corresponding cells, and those of either run without a counterpart."""
    chosen = []
    for stored, wanted in zip(runs, options.cells, strict=True):
        cells = {cell.id: cell for cell in stored.run.cells}
        if wanted is not None and wanted not in cells:
            raise UnknownNameError(f"cell of {stored.source}", wanted, cells)
        if wanted is None and options.only:
            cells = {id_: c for id_, c in cells.items() if any(fnmatch.fnmatchcase(id_, p) for p in options.only)}
        chosen.append({wanted: cells[wanted]} if wanted is not None else cells)
    a, b = chosen
    if len(a) == len(b) == 1:
        return [(next(iter(a.values())), next(iter(b.values())))], (), ()
    matched = [(cell, b[identity]) for identity, cell in a.items() if identity in b]
    if not matched:
        raise IncompatibleError(
            "The two have no cell in common.",
            f"A has {', '.join(a) or 'none'}; B has {', '.join(b) or 'none'}. Choose one of each: runs/demo#CELL.",
        )
    return matched, tuple(id_ for id_ in a if id_ not in b), tuple(id_ for id_ in b if id_ not in a)


def _times(cells: tuple[CellResult, CellResult], margin: float, *, paired: bool) -> dict[str, MetricVerdict]:
    refused = why_not_times(*cells)
    tick = max(resolution_seconds(cell.clock) or 0.0 for cell in cells)
    metrics = {}
    for metric, number, whole in (
        (msgspec.structs.replace(LATENCY, margin=margin), _median, _steady),
        (P99, _p99, _tail),
        (LOAD, _load, _loading),
        (FIRST, _first, _cold),
        (PEAK_RSS, _peak_rss, _memory),
    ):
        values = [_value(whole(cell)) for cell in cells]
        if metric in (P99, PEAK_RSS) and None in values:
            continue
        series = [[number(each) for each in cell.rounds] for cell in cells]
        # Memory has no clock, but it is of a machine and of what an inference takes.
        reason = refused if metric is not PEAK_RSS else why_not_memory(*cells)
        metrics[metric.name] = by_rounds(metric, series, (values[0], values[1]), reason, tick, paired)
    return metrics


def _steady(cell: CellResult) -> Whole:
    return cell.latency.steady


def _tail(cell: CellResult) -> Whole:
    return cell.latency.p99


def _loading(cell: CellResult) -> Whole:
    return cell.latency.load


def _cold(cell: CellResult) -> Whole:
    return cell.latency.first


def _memory(cell: CellResult) -> Whole:
    return cell.memory.get("peak_rss")


def _median(entry: Round) -> float | None:
    return entry.steady.median if entry.steady is not None else None


def _p99(entry: Round) -> float | None:
    return entry.steady.p99 if entry.steady is not None else None


def _load(entry: Round) -> float | None:
    return _value(entry.load)


def _first(entry: Round) -> float | None:
    return _value(entry.first)


def _peak_rss(entry: Round) -> float | None:
    return _value(entry.memory.get("peak_rss"))


def _value(quantity: Quantity | msgspec.UnsetType | None) -> float | None:
    return quantity.value if isinstance(quantity, Measurement) else None
