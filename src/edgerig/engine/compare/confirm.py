"""Measures what a gate is to confirm once more, in pairs of the baseline's network and the new one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from edgerig.artifact import Artifact
from edgerig.engine.compare.cell import LiveOptions, measure_cell_pairs, variant_of
from edgerig.engine.compare.load_rounds import LoadPairs, measure_load_pairs
from edgerig.engine.load.figures import under_load_of
from edgerig.engine.prepare import dataset_of
from edgerig.engine.references.types import ReferenceRun
from edgerig.engine.rounds.context import CellContext
from edgerig.engine.samples.evaluation import EvaluationSamples
from edgerig.errors import EdgerigError, Interrupted
from edgerig.measure.comparison import LOOK_LEVEL
from edgerig.measure.kinds import Unavailable
from edgerig.models.files import open_artifact
from edgerig.progress import Progress
from edgerig.results.compare.artifacts import kept_file
from edgerig.results.compare.likeness import why_not_times
from edgerig.results.compare.offline import throughput_of
from edgerig.results.compare.types import CellComparison, MetricVerdict
from edgerig.results.compare.under_load import load_verdicts, why_not_load
from edgerig.results.gate.judge import Check, check_cell
from edgerig.results.gate.limits import TIMES, UNDER_LOAD, Limit
from edgerig.results.gate.outcomes import Outcome
from edgerig.results.naming import folder_name
from edgerig.results.types import CellResult, RunResult
from edgerig.rig.plan import Cell, Plan
from edgerig.targets.base import Target
from edgerig.targets.resolve import target_for


class Gated(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs that a gate holds against each other: the baseline first, and the folders of both."""

    plan: Plan
    runs: tuple[RunResult, RunResult]
    folders: tuple[Path, Path]
    limits: tuple[Limit, ...]


def measured_again(
    gated: Gated,
    comparison: CellComparison,
    cells: tuple[CellResult, CellResult],
    wanted: frozenset[Outcome],
    progress: Progress,
) -> CellComparison:
    """``comparison`` with verdicts from pairs on the current device, where a limit came out as ``wanted``.

    Pairs cannot show that the engine or the device became slower, since both networks run on the same one. Where the
    engine, its version or its settings differ, or edgerig's version, the verdict from stored rounds stays.
    """
    checks = [
        check
        for check in check_cell(comparison, gated.limits, cells[1], cells[0])
        # A budget is on the new number itself, of which pairs with another network say nothing.
        if check.outcome in wanted and check.limit[:1] not in ("<", ">")
    ]
    offline = not isinstance(cells[1].offline, msgspec.UnsetType)
    single = [check for check in checks if _of_inferences(check, offline)] if why_not_times(*cells) is None else []
    loaded = [check for check in checks if _of_a_load(check)] if _why_not_load(gated, cells) is None else []
    if not single and not loaded:
        return comparison
    if (differing := _differing(comparison, cells)) is not None:
        note = f"{comparison.b.cell}: not measured again in pairs: the two differ in {differing}."
        return replace(comparison, notes=(*comparison.notes, note))
    try:
        if single:
            comparison = _in_pairs(gated, comparison, cells, progress)
        if loaded:
            comparison = _load_in_pairs(gated, comparison, cells, progress)
    except Interrupted:
        raise
    except EdgerigError as error:
        note = f"{comparison.b.cell}: could not be measured again in pairs: {error.message}"
        return replace(comparison, notes=(*comparison.notes, note))
    return comparison


def _of_inferences(check: Check, offline: bool) -> bool:
    """Whether pairs of processes that run inferences one after another decide a check."""
    if check.metric == "failures":
        return check.verdict is None  # these are counted in pairs and nowhere else
    pairable = TIMES - UNDER_LOAD | ({"throughput"} if offline else set())
    return check.metric in pairable and check.verdict is not None and not check.judged_by


def _of_a_load(check: Check) -> bool:
    return check.metric in UNDER_LOAD and check.verdict is not None


def _why_not_load(gated: Gated, cells: tuple[CellResult, CellResult]) -> str | None:
    a, b = (cell.under_load for cell in cells)
    if isinstance(a, msgspec.UnsetType) or isinstance(b, msgspec.UnsetType):
        return "one of the two has no load"
    return why_not_load(cells, (gated.runs[0].host, gated.runs[1].host), a, b)


def _differing(comparison: CellComparison, cells: tuple[CellResult, CellResult]) -> str | None:
    """What else than the network differs between the two, in words; None where nothing does."""
    a, b = comparison.a, comparison.b
    differing = [name for name in ("runtime", "runtime_version", "edgerig") if getattr(a, name) != getattr(b, name)]
    if cells[0].options != cells[1].options:
        differing.append("settings of the runtime")
    return differing[0].replace("_", " ") if differing else None


def _cell(gated: Gated, comparison: CellComparison) -> Cell:
    return next(each for each in gated.plan.cells if each.id == comparison.b.cell)


def _in_pairs(
    gated: Gated, comparison: CellComparison, cells: tuple[CellResult, CellResult], progress: Progress
) -> CellComparison:
    """The same comparison with times of inferences from pairs of processes."""
    cell, out = _cell(gated, comparison), gated.folders[1]
    files = [open_artifact(kept_file(folder, each)) for folder, each in zip(gated.folders, cells, strict=True)]
    variants = (
        variant_of("baseline", gated.plan, cell, files[0], cells[0].batch),
        variant_of("now", gated.plan, cell, files[1], cells[1].batch),
    )
    progress.log(f"{cell.id}: measured again in pairs with the baseline's network")
    path = out / f"pairs-{folder_name(cell.id)}.npz"
    measured = measure_cell_pairs(cell, variants, path, LiveOptions(), progress)
    notes = (*comparison.notes, *measured.series.lost, _decided(comparison, "latency"))
    metrics = comparison.metrics
    if measured.series.started:
        metrics = metrics | measured.metrics(LiveOptions().margin)
        if (rate := throughput_of(metrics["latency"], cells)) is not None:
            metrics = metrics | {"throughput": rate}
            notes = (*notes, _decided(comparison, "throughput"))
    return replace(
        comparison, metrics=metrics, pairs=len(measured.series.pairs), self_check=measured.check, notes=notes
    )


def _load_in_pairs(
    gated: Gated, comparison: CellComparison, cells: tuple[CellResult, CellResult], progress: Progress
) -> CellComparison:
    """The same comparison with figures under load from rounds that took turns."""
    cell, out = _cell(gated, comparison), gated.folders[1]
    limits = tuple(limit for limit in gated.limits if limit.metric in UNDER_LOAD and limit.kind != "budget")

    def verdicts(pairs: LoadPairs) -> dict[str, MetricVerdict]:
        measured = _with_rounds(gated, cells, pairs)
        host = gated.runs[1].host
        return load_verdicts(measured, (host, host), paired=True, level=LOOK_LEVEL)[0]

    def stands(pairs: LoadPairs) -> bool:
        checks = check_cell(replace(comparison, metrics=verdicts(pairs)), limits, cells[1], cells[0])
        return all(check.outcome != "inconclusive" for check in checks)

    progress.log(f"{cell.id}: measured again under load, in turns with the baseline's network")
    target = target_for(cell.target.use, cell.target.options)
    target.log = progress.log
    try:
        contexts = _contexts(gated, cell, cells, target, progress)
        path = out / f"load-pairs-{folder_name(cell.id)}.npz"
        pairs = measure_load_pairs(contexts, path, stands, progress)
    finally:
        target.close()
    count = len(pairs.rounds[0])
    if count < 2:
        return replace(comparison, notes=(*comparison.notes, *pairs.lost))
    metrics = verdicts(pairs)
    decided = [_decided(comparison, name) for name in metrics if name in comparison.metrics]
    notes = (*comparison.notes, *pairs.lost, *decided)
    return replace(comparison, metrics=comparison.metrics | metrics, pairs=comparison.pairs or count, notes=notes)


def _decided(comparison: CellComparison, metric: str) -> str:
    what = "" if metric == "latency" else f"{metric} "
    return f"{comparison.b.cell}: {what}decided in pairs; by stored rounds: {comparison.metrics[metric].sentence}"


def _with_rounds(gated: Gated, cells: tuple[CellResult, CellResult], pairs: LoadPairs) -> tuple[CellResult, CellResult]:
    """The two cells with the rounds of the pairs under load in place of their own."""

    def with_rounds(cell: CellResult, index: int) -> CellResult:
        load = under_load_of(pairs.rounds[index], gated.plan.rig.measure, cell.batch, pairs.clock)
        # Both were measured here and now, by one clock.
        return replace(cell, under_load=load, machine=cells[1].machine)

    return with_rounds(cells[0], 0), with_rounds(cells[1], 1)


def _contexts(
    gated: Gated, cell: Cell, cells: Sequence[CellResult], target: Target, progress: Progress
) -> tuple[CellContext, CellContext]:
    """The cell with the baseline's network, and with the new one."""
    samples = EvaluationSamples(dataset_of(gated.plan.rig), gated.plan.rig.measure.samples)
    if cell.samples is not None:
        samples, _ = samples.part(cell.samples)
    artifacts: list[Artifact] = [
        replace(each.artifact, path=str(kept_file(folder, each)))
        for folder, each in zip(gated.folders, cells, strict=True)
    ]
    before, now = (
        CellContext(
            cell=cell,
            artifact=artifact,
            target=target,
            samples=samples,
            reference=ReferenceRun(Unavailable("nothing is judged in pairs")),
            measure=gated.plan.rig.measure,
            scratch=gated.folders[1],
            commands=(),
            progress=progress,
        )
        for artifact in artifacts
    )
    return before, now
