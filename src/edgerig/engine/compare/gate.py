"""Measure a rig and check it against a baseline."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgerig import files
from edgerig.engine.compare.confirm import Gated, measured_again
from edgerig.engine.run import Options, execute
from edgerig.errors import EdgerigError, IncompatibleError, Interrupted, UsageError
from edgerig.progress import Progress
from edgerig.results.bundle import Bundle
from edgerig.results.compare.quality import QualityOptions
from edgerig.results.compare.stored import StoredOptions, compare_bundles
from edgerig.results.compare.types import CellComparison, Comparison
from edgerig.results.gate.judge import MEASURED, Check, GateResult, check_cell
from edgerig.results.gate.limits import (
    DEFAULT,
    DEFAULT_OTHER,
    DEFAULT_SHARE,
    MAIN,
    QUALITIES,
    QUALITY,
    Limit,
    parse_limits,
)
from edgerig.results.gate.numbers import own_number
from edgerig.results.gate.outcomes import Outcome, worst
from edgerig.results.gate.qualities import is_quality, quality_name
from edgerig.results.types import CellFailure, CellResult, RunResult
from edgerig.rig.plan import Plan


class GateOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to gate.

    Attributes:
        out: Folder to measure into. resume: whether to continue an unfinished run there.
        limits: Override the rig's; if neither has any, ``5 %`` of latency, and of the main quality half a point where
            it is a share, else 2 %.
        confirm: Whether a time that is worse by stored rounds is measured again, in pairs with the baseline's network.
        retry: Whether an inconclusive time is measured again, too.
    """

    out: Path
    resume: bool = False
    limits: tuple[Limit, ...] | None = None
    confirm: bool = True
    retry: bool = False
    command: str = ""


def run_gate(plan: Plan, baseline: Path, options: GateOptions, progress: Progress) -> GateResult:
    """Run ``plan`` into ``options.out`` and check every cell against the bundle ``baseline``.

    Writes ``gate.json`` into the folder.

    Raises:
        StorageError: The baseline cannot be read.
        UsageError: The baseline is the folder to measure into, or has no cell in common with the rig.
        EdgerigError: Any error of a run.
    """
    if baseline.resolve() == options.out.resolve():
        raise UsageError(f"{baseline} is the baseline: it cannot be measured to.", "Give another --out.")
    _check_baseline(plan, Bundle(baseline).result(), baseline)
    failed: list[CellFailure] = []
    try:
        run_options = Options(out=options.out, resume=options.resume, command=options.command)
        run = execute(plan, run_options, progress, failed)
    except Interrupted:
        raise
    except EdgerigError as error:
        if not failed:
            raise
        run = Bundle(options.out).result()
        if not run.cells:
            raise
        # Whatever failed must not hide what has become worse elsewhere.
        progress.log(error.message)
    limits = options.limits if options.limits is not None else plan.rig.gate
    result = judge_run(plan, run, baseline, limits, options, progress)
    files.write_json(options.out / "gate.json", result)
    return result


def judge_run(
    plan: Plan,
    run: RunResult,
    baseline: Path,
    limits: tuple[Limit, ...] | None,
    options: GateOptions,
    progress: Progress,
) -> GateResult:
    """Every cell of a finished run against its counterpart in ``baseline``; without limits by the usual ones."""
    quality = QualityOptions(names=_qualities(limits or ()))
    comparison = compare_bundles(baseline, options.out, StoredOptions(quality=quality), options.command)
    limits = _usual_limits(run, comparison) if limits is None else limits
    runs = (Bundle(baseline).result(), run)
    before, now = ({cell.id: cell for cell in each.cells} for each in runs)
    gated = Gated(plan=plan, runs=runs, folders=(baseline, options.out), limits=limits)
    wanted: frozenset[Outcome] = frozenset({"regressed"} if options.confirm else ())
    wanted |= frozenset[Outcome]({"inconclusive"} if options.retry else ())
    checks: list[Check] = []
    judged: list[CellComparison] = []
    for each in comparison.comparisons:
        cells = (before[each.a.cell], now[each.b.cell])
        each = measured_again(gated, each, cells, wanted, progress)
        judged.append(each)
        checks += check_cell(each, limits, cells[1], cells[0])
    checks += [_not_measured(failure) for failure in run.failures]
    return GateResult(
        outcome=worst([check.outcome for check in checks]),
        checks=tuple(checks),
        comparison=msgspec.structs.replace(comparison, comparisons=tuple(judged)),
        baseline=str(baseline),
        bundle=str(options.out),
        notes=(*_notes(comparison), *_idle_limits(limits, checks, run.cells)),
    )


def _not_measured(failure: CellFailure) -> Check:
    """The check of a cell that could not be measured, or not in all of its rounds: it has not passed."""
    return Check(
        cell=failure.id,
        metric=MEASURED,
        limit="all rounds",
        outcome="inconclusive",
        sentence=f"It could not be measured. {failure.message}",
    )


def _idle_limits(limits: tuple[Limit, ...], checks: list[Check], cells: tuple[CellResult, ...]) -> list[str]:
    """Limits that fell on no cell: whoever set one must hear that nothing was checked by it, and why."""
    checked = {(check.metric, check.limit) for check in checks}
    idle = [limit for limit in limits if checks and (limit.metric, limit.text) not in checked]
    reasons = {limit: dict.fromkeys(own_number(limit.metric, cell)[3] for cell in cells) for limit in idle}
    return [
        f"{limit.metric} {limit.text} was checked on no cell: there is none ({'; '.join(reasons[limit])})."
        for limit in idle
    ]


def _usual_limits(run: RunResult, comparison: Comparison) -> tuple[Limit, ...]:
    """The limits of a rig without any: those of `DEFAULT`, and one on the main quality where a cell is scored; on
    another one where that has no verdict, and the other has."""
    units = {metric.name: metric.unit for cell in run.cells for metric in cell.quality.metrics}
    mains = [cell.quality.main.name for cell in run.cells if cell.quality.main is not None]
    verdicts = [name for each in comparison.comparisons for name, metric in each.metrics.items() if metric.quality]
    name = next((name for name in mains if name in verdicts), next(iter((*verdicts, *mains)), None))
    if name is None:
        return parse_limits(DEFAULT)
    limit = DEFAULT_SHARE if units.get(name, "1") == "1" else DEFAULT_OTHER
    return parse_limits({**DEFAULT, (name if name in QUALITIES else QUALITY + name): limit})


def _qualities(limits: tuple[Limit, ...]) -> tuple[str, ...]:
    """The metrics beside the main one whose changes are limited."""
    named = [limit.metric for limit in limits if is_quality(limit.metric) and limit.kind != "budget"]
    return tuple(dict.fromkeys(quality_name(name, None) for name in named if name != MAIN))


def _check_baseline(plan: Plan, before: RunResult, baseline: Path) -> None:
    """Refuse a baseline that cannot be compared, before anything is measured."""
    known = {cell.id for cell in before.cells}
    if not known & {cell.id for cell in plan.cells} and not len(known) == len(plan.cells) == 1:
        raise IncompatibleError(
            f"The baseline {baseline} has none of the rig's cells.",
            f"It has {', '.join(sorted(known)) or 'none'}. Was it made by the same rig?",
        )


#: How the warnings of either side begin among the notes of a comparison, and what they are of in a gate.
_SIDES = {"A: ": "baseline", "B: ": "now"}


def _notes(comparison: Comparison) -> tuple[str, ...]:
    notes = [f"{cell}: not in the baseline, so not gated." for cell in comparison.only_b]
    notes += [f"{cell}: in the baseline, and not measured now." for cell in comparison.only_a]
    for each in comparison.comparisons:
        notes += [note for note in each.notes if "differ" in note or "not alike" in note]
        notes += [f"{each.b.cell}, {_SIDES[note[:3]]}: {note[3:]}" for note in each.notes if note[:3] in _SIDES]
    return tuple(dict.fromkeys(notes))
