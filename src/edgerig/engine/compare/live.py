"""Live comparison: measure two plans' cells in pairs of fresh processes, and everything else about them once."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from edgerig import __version__, files
from edgerig.engine.compare.cell import CellPairs, LiveOptions, measure_cell_pairs, variant_of
from edgerig.engine.compare.series import PairSeries
from edgerig.engine.run import Options, execute
from edgerig.errors import EdgerigError, IncompatibleError, storing
from edgerig.measure.kinds import Measurement
from edgerig.progress import Progress
from edgerig.results.bundle import Bundle
from edgerig.results.compare.exact import exact_verdicts
from edgerig.results.compare.likeness import (
    differences,
    other_settings,
    side_of,
    why_not_times,
)
from edgerig.results.compare.quality import quality_verdicts
from edgerig.results.compare.times import LATENCY, undecided
from edgerig.results.compare.types import COMPARISON_VERSION, CellComparison, Comparison, MetricVerdict
from edgerig.results.naming import folder_name
from edgerig.results.types import CellResult, RunResult
from edgerig.rig.plan import Cell, Plan


class LiveSide(msgspec.Struct, frozen=True):
    """One side of a comparison: the user's name for it, its plan, and its one-time measurements."""

    source: str
    plan: Plan
    run: RunResult
    bundle: Bundle


def compare_live(
    sources: tuple[str, str],
    plans: tuple[Plan, Plan],
    out: Path,
    options: LiveOptions,
    progress: Progress,
    command: str = "",
) -> Comparison:
    """Measure both plans once for quality, size and memory, then their cells in pairs for times.

    Writes into ``out`` the two bundles ``a`` and ``b``, the raw times of all pairs (``pairs-<cell>.npz``), and
    ``comparison.json``.

    Args:
        sources: The user's names of the two. plans: theirs; of one cell each, or of cells with equal ids.

    Raises:
        IncompatibleError: The two have no cell in common, or run on different devices.
        Interrupted: Ctrl-C; there is no verdict then.
        EdgerigError: Any error of a run.
    """
    matched = _matched(plans)
    a, b = (
        _measured(source, plan, out / name, progress)
        for source, plan, name in zip(sources, plans, ("a", "b"), strict=True)
    )
    comparisons = [_compare_cells(a, b, cells, out, options, progress) for cells in matched]
    both = [{cell.id for cell in side} for side in zip(*matched, strict=True)]
    result = Comparison(
        version=COMPARISON_VERSION,
        edgerig=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        method="live",
        comparisons=tuple(comparisons),
        only_a=tuple(cell.id for cell in plans[0].cells if cell.id not in both[0]),
        only_b=tuple(cell.id for cell in plans[1].cells if cell.id not in both[1]),
        commands=(command,) if command else (),
    )
    files.write_json(out / "comparison.json", result)
    return result


def _matched(plans: tuple[Plan, Plan]) -> list[tuple[Cell, Cell]]:
    """Corresponding cells of the two plans, each pair on one device."""
    a, b = plans
    for plan in plans:
        if plan.rig.measure.scenario != "single-stream":
            raise IncompatibleError(
                f"{plan.rig.name} has the scenario {plan.rig.measure.scenario}: pairs are measured sample by sample.",
                "Run both rigs, and compare their bundles.",
            )
    if len(a.cells) == len(b.cells) == 1:
        matched = [(a.cells[0], b.cells[0])]
    else:
        others = {cell.id: cell for cell in b.cells}
        matched = [(cell, others[cell.id]) for cell in a.cells if cell.id in others]
    if not matched:
        raise IncompatibleError(
            "The two have no cell in common.", "Cells are matched by their ids; choose one of each with --only."
        )
    for first, second in matched:
        if first.target != second.target:
            raise IncompatibleError(
                f"{first.id} runs on {first.target.use}, {second.id} on {second.target.use}: times of two devices "
                "are not compared.",
                "Compare them on one device.",
            )
    return matched


def _measured(source: str, plan: Plan, out: Path, progress: Progress) -> LiveSide:
    """A plan, run once for everything except times."""
    rig = plan.rig
    once = msgspec.structs.replace(rig.measure, rounds=1, seconds=0.0, profile=False, transport_samples=0, pictures=0)
    plan = msgspec.structs.replace(plan, rig=msgspec.structs.replace(rig, measure=once))
    _set_aside(out, progress)
    try:
        run = execute(plan, Options(out=out), progress)
    except EdgerigError as error:
        # A run goes on with --resume; a comparison has no such option.
        hint = (error.hint or "").replace("; go on with --resume.", ".").replace("Go on with --resume.", "")
        error.hint = hint.strip() or None
        raise
    return LiveSide(source, plan, run, Bundle(out))


def _set_aside(out: Path, progress: Progress) -> None:
    """Rename the results of an interrupted comparison: they cannot be resumed, and must not be lost."""
    if not Bundle(out).exists or Bundle(out).finished:
        return
    other = next(name for n in itertools.count(1) if not (name := out.with_name(f"{out.name}.{n}")).exists())
    with storing(out):
        out.rename(other)
    progress.log(f"the unfinished bundle that was in {out} is now in {other}")


def _compare_cells(
    a: LiveSide, b: LiveSide, cells: tuple[Cell, Cell], out: Path, options: LiveOptions, progress: Progress
) -> CellComparison:
    begin = time.perf_counter()
    results = (_result(a, cells[0]), _result(b, cells[1]))
    refused = why_not_times(*results)
    measured = CellPairs(PairSeries(), None, refused)
    if results[0].latency.distribution is not None:
        variants = (
            variant_of(a.source, a.plan, cells[0], results[0].artifact),
            variant_of(b.source, b.plan, cells[1], results[1].artifact),
        )
        path = out / f"pairs-{folder_name(cells[0].id)}.npz"
        measured = measure_cell_pairs(cells[0], variants, path, options, progress, refused)
    series, refused = measured.series, measured.refused
    metrics = measured.metrics(options.margin) if series.started else _untimed(results, options, refused)
    metrics |= exact_verdicts(*results)
    arrays = partial(a.bundle.samples, cells[0].id), partial(b.bundle.samples, cells[1].id)
    quality, why = quality_verdicts((a.run, b.run), results, arrays, options.quality)
    metrics |= {name if name not in metrics else f"quality_{name}": verdict for name, verdict in quality.items()}
    sides = (side_of(a.source, a.run, results[0]), side_of(b.source, b.run, results[1]))
    notes = (*measured.notes, *series.lost, *differences(*sides), *other_settings(*results), *why)
    return CellComparison(
        a=sides[0],
        b=sides[1],
        metrics=metrics,
        pairs=len(series.pairs),
        self_check=measured.check,
        notes=notes,
        seconds=time.perf_counter() - begin,
    )


def _untimed(
    results: tuple[CellResult, CellResult], options: LiveOptions, refused: str | None
) -> dict[str, MetricVerdict]:
    """The times of two cells for which no pair was measured."""
    times = [result.latency.steady for result in results]
    values = [time.value if isinstance(time, Measurement) else None for time in times]
    kind = times[0].kind if isinstance(times[0], Measurement) else "measured"
    metric = msgspec.structs.replace(LATENCY, margin=options.margin)
    return {"latency": undecided(metric, refused or "no pair was measured", *values, kind=kind)}


def _result(side: LiveSide, cell: Cell) -> CellResult:
    return next(result for result in side.run.cells if result.id == cell.id)
