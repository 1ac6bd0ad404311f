"""Verdicts on quality, over the samples that both ran: of every metric that a task gives evidence of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import StorageError
from edgerig.results.compare.judges import Judged, shared_evidence, task_of
from edgerig.results.compare.likeness import one_network, why_not_quality
from edgerig.results.compare.texts import amount_text, difference_text, times_as_many
from edgerig.results.compare.types import MetricVerdict, Verdict
from edgerig.results.types import CellResult, RunResult
from edgerig.tasks.base import Task
from edgerig.tasks.caveats import VACUOUS
from edgerig.tasks.evidence import Compared, Evidence, compared, why_vacuous
from edgerig.tasks.judgement import MetricValue

#: What B may lose without being called worse: of a share so much of 1, of any other number so much of A's.
MARGIN, RELATIVE_MARGIN = 0.005, 0.02
#: Of one file on one engine whose predictions agree: the difference is exact, and has no interval.
ONE_NETWORK = "samples that both ran; the same file on the same engine, so that no other sample could differ"
#: How a note begins that says why there is no verdict.
NOT_COMPARED = "Quality is not compared"
#: Reads what a bundle stores of a cell's samples; raises `StorageError` where that cannot be had.
Samples = Callable[[], Mapping[str, NDArray[Any]]]


class QualityOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to compare qualities.

    Attributes:
        margin: Of a share, what B may lose. relative: of any other number, as a share of A's.
        names: Metrics that are compared beside the main one.
        task: What judged both, where the caller has it; else it is found by its name.
        most: Most samples, each as often as its cost, that are compared; None for any number.
    """

    margin: float = MARGIN
    relative: float = RELATIVE_MARGIN
    names: tuple[str, ...] = ()
    task: Task | None = None
    most: int | None = None


def quality_verdicts(
    runs: tuple[RunResult, RunResult],
    cells: tuple[CellResult, CellResult],
    arrays: tuple[Samples, Samples],
    options: QualityOptions,
) -> tuple[dict[str, MetricVerdict], list[str]]:
    """The verdicts on B's quality, by the metric's name, the main one first; and why there are none, or what to know.

    ``worse`` or ``better``: the two are told apart at 5 %, and the interval of the difference does not lie within the
    margin. ``same``: it does. Else ``inconclusive``: more samples are needed, or there is no interval.

    Args:
        arrays: Read what the bundles store of the samples of either cell; called where there may be a verdict.
    """
    if (why := why_not_quality(*runs)) is not None:
        return {}, [f"{NOT_COMPARED}: {why}."]
    if runs[0].dataset.task == "none":
        return {}, [f"{NOT_COMPARED}: {runs[0].dataset.name} has no labels; give a --dataset."]
    if any(cell.quality.main is None for cell in cells):
        return {}, []
    tasks = [task_of(run.dataset, options.task) for run in runs]
    if isinstance(why := next((task for task in tasks if isinstance(task, str)), None), str):
        return {}, [_without_verdict(cells, why)]
    try:
        sides = [
            Judged(name, task, read())
            for name, task, read in zip("AB", tasks, arrays, strict=True)
            if isinstance(task, Task)
        ]
    except StorageError as error:
        return {}, [_without_verdict(cells, error.message.rstrip("."))]
    shared = shared_evidence(sides)
    if isinstance(shared, str):
        return {}, [_without_verdict(cells, shared)]
    verdicts, notes = {}, list(_settings(runs))
    for name in _names(cells, shared[0], options.names):
        verdict = _verdict(name, cells, shared, options)
        if isinstance(verdict, str):
            notes.append(_without_verdict(cells, verdict, name))
        else:
            verdicts[name] = verdict
    return verdicts, notes


def _names(cells: tuple[CellResult, CellResult], evidence: Evidence, others: Iterable[str]) -> Iterator[str]:
    """The main metric, those that were asked for, and accuracy where the main metric has no evidence."""
    main = cells[0].quality.main
    assert main is not None
    yield main.name
    if evidence.metric(main.name) is None and evidence.metrics:
        yield evidence.metrics[0].name
    yield from (name for name in dict.fromkeys(others) if name != main.name)


def _verdict(
    name: str, cells: tuple[CellResult, CellResult], evidence: tuple[Evidence, ...], options: QualityOptions
) -> MetricVerdict | str:
    """The verdict on one metric, or why it has none."""
    stored = [cell.quality.value_of(name) for cell in cells]
    units = {value.unit for value in stored if value is not None}
    if len(units) > 1:
        return f"A's {name} is in another unit than B's"
    if (why := _other_value(name, cells, evidence, stored)) is not None:
        return why
    return verdict_on(name, evidence, options, unit=units.pop() if units else None, alike=one_network(*cells))


def verdict_on(
    name: str,
    evidence: tuple[Evidence, ...],
    options: QualityOptions,
    *,
    unit: str | None = None,
    alike: bool = False,
) -> MetricVerdict | str:
    """The verdict on one metric of two networks, by their evidence of the same samples, or why it has none.

    Args:
        unit: That of the runs' values; by default the evidence's.
        alike: Whether both are the same file on the same engine. If no sample tells them apart then, other samples
            could not change the verdict.
    """
    a, b = (each.metric(name) for each in evidence)
    if a is None or b is None:
        return f"the task does not say how {name} is compared"
    if options.most is not None and b.count * b.cost > options.most:
        return "it is of so many samples that `edgerig compare` tells"
    row = compared(a, b)
    if alike and row.change.differing == 0 and row.change.a == row.change.b:
        row = msgspec.structs.replace(row, change=row.change._replace(low=0.0, high=0.0, why=""), method=ONE_NETWORK)
    unit = row.metric.unit if unit is None else unit
    verdict = _judged(row, unit, options.margin if unit == "1" else options.relative * abs(row.change.a))
    return _doubted(verdict, evidence, alike)


def _other_value(
    name: str,
    cells: tuple[CellResult, CellResult],
    evidence: tuple[Evidence, ...],
    stored: list[MetricValue | None],
) -> str | None:
    """Why a metric is not that which the run told: its evidence, of all of a cell's samples, gives another number."""
    for side, cell, each, value in zip("AB", cells, evidence, stored, strict=True):
        metric = each.metric(name)
        if value is None or metric is None or len(each.truth) != cell.quality.samples:
            continue
        again = float(metric.values(np.ones((1, metric.count)))[0]) if metric.count else math.nan
        if not math.isclose(again, value.value, rel_tol=1e-6, abs_tol=1e-9):
            return f"{side}'s samples give {name} {again:.6g}, and its run told {value.value:.6g}: not judged alike"
    return None


def _judged(row: Compared, unit: str, margin: float) -> MetricVerdict:
    change, metric = row.change, row.metric
    verdict: Verdict = "inconclusive"
    sentence = f"{metric.name}: {change.why}."
    if change.low is not None and change.high is not None:
        better = (change.value > 0) == metric.higher_is_better
        if -margin <= change.low and change.high <= margin:
            verdict = "same"
        elif row.different:
            verdict = "better" if better else "worse"
        interval = f"{difference_text(change.low, unit)} to {difference_text(change.high, unit)}"
        sentence = f"{_sides(row, unit)}; {difference_text(change.value, unit)} ({interval}){_tested(row)}"
        open_ = f"; that does not tell whether it loses {difference_text(margin, unit).lstrip('+')} or more"
        sentence += f"{open_ if verdict == 'inconclusive' else ''}."
    has = change.low is not None
    return MetricVerdict(
        verdict=verdict,
        sentence=sentence,
        a=change.a if math.isfinite(change.a) else None,
        b=change.b if math.isfinite(change.b) else None,
        unit=unit,
        change="difference",
        value=change.value if has else None,
        low=change.low,
        high=change.high,
        margin=margin,
        count=change.samples,
        higher_is_better=metric.higher_is_better,
        method=row.method if row.method == ONE_NETWORK else f"{metric.noun} that both ran; {row.method}",
        quality=True,
    )


def _sides(row: Compared, unit: str) -> str:
    """The two qualities: as errors, where there are right and wrong answers."""
    if row.p is None:
        a, b = (amount_text(value, unit) for value in (row.change.a, row.change.b))
        return f"{b} over {row.change.samples:,} {row.metric.noun}, A has {a}"
    before, after = row.wrong
    noun = "error" if after == 1 else "errors"
    errors = f"{after:,} {noun} of {row.change.samples:,} {row.metric.noun}, A has {before:,}"
    return f"{errors}: {times_as_many(after, before)}" if before and after != before else errors


def _tested(row: Compared) -> str:
    return "" if row.p is None else f", McNemar's p {row.p:.2g}"


def _doubted(judged: MetricVerdict, evidence: tuple[Evidence, ...], alike: bool) -> MetricVerdict:
    """``judged`` where equal qualities would prove something; else it says why they do not, and ``same`` is none.

    Of one file on one engine ``same`` stays: it is not concluded from the samples.
    """
    why = why_vacuous([("A", evidence[0]), ("B", evidence[1])])
    if why is None or judged.verdict not in ("same", "inconclusive"):
        return judged
    return msgspec.structs.replace(
        judged,
        verdict=judged.verdict if alike else "inconclusive",
        sentence=f"{judged.sentence.removesuffix('.')}; {VACUOUS}{why}.",
    )


def _without_verdict(cells: tuple[CellResult, CellResult], why: str, name: str = "") -> str:
    """Why a quality has no verdict, with both values: being faster alone would read as all that there is."""
    main = cells[0].quality.main
    name = name or (main.name if main is not None else "quality")
    before, after = (cell.quality.value_of(name) for cell in cells)
    text = f"Quality has no verdict ({name}): {why}"
    if before is None or after is None:
        return f"{text}."
    way = "more" if before.higher_is_better else "less"
    return f"{text}; {name} is {before.text} of A and {after.text} of B; {way} is better."


def _settings(runs: tuple[RunResult, RunResult]) -> Iterator[str]:
    """A note where one task judged the two by other settings."""
    a, b = (run.dataset.task_options for run in runs)
    names = [name for name in {**a, **b} if a.get(name) != b.get(name)]
    if names:
        pairs = (f"{name} {a.get(name, 'as by default')} and {b.get(name, 'as by default')}" for name in names)
        yield f"A and B differ in settings of the task {runs[0].dataset.task}: {'; '.join(pairs)}."
