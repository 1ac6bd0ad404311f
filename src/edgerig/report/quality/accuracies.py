"""The table of errors on the samples that variants share: the cost of quantization, and whether it may be chance."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from edgerig.report.figures import number
from edgerig.report.load import Loaded
from edgerig.report.model import SharedRow, SharedView, Variant
from edgerig.report.quality.metrics import difference_words, on_shared_qualities
from edgerig.report.recommend.candidates import Candidate
from edgerig.report.recommend.rule import Comparison
from edgerig.results.compare.shared_samples import (
    Answers,
    Paired,
    answers_of,
    compare_with,
    right_answers,
    shared_samples,
)
from edgerig.results.compare.texts import times_as_many
from edgerig.results.types import CellResult
from edgerig.tasks.caveats import VACUOUS, why_no_evidence
from edgerig.tasks.metrics.functions import wilson_interval
from edgerig.tensors import ORIGINAL_SCHEMES

#: Explanations of the columns of the table.
SHARED_LEGEND = (
    "Baseline errors are those of the variant compared with, on the same samples; lost are samples that only that one "
    "is right for, gained are those that only the variant is right for; p is that of McNemar's test over both."
)


def shared_views(
    cells: Sequence[tuple[int, CellResult]], bundles: Sequence[Loaded], variants: Sequence[Variant]
) -> tuple[SharedView, ...]:
    """One table for each dataset on which at least two variants were scored."""
    groups: dict[tuple[str, str], list[tuple[CellResult, Variant, Answers]]] = {}
    for (index, cell), variant in zip(cells, variants, strict=True):
        answers = _answers(bundles[index], cell, variant.anchor)
        if answers is not None:
            dataset = bundles[index].result.dataset
            groups.setdefault((dataset.name, dataset.fingerprint), []).append((cell, variant, answers))
    views = (_view(name, members) for (name, _), members in groups.items())
    return tuple(view for view in views if view is not None)


def on_shared_samples(
    candidates: Sequence[Candidate], cells: Sequence[tuple[int, CellResult]], bundles: Sequence[Loaded]
) -> list[Candidate]:
    """The candidates with comparable qualities: where some of a group ran fewer samples, on those that all of the
    group ran. Without raw samples they are returned unchanged."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for index, candidate in enumerate(candidates):
        if candidate.usable and candidate.metric == "accuracy":
            groups.setdefault(candidate.group, []).append(index)
    result = on_shared_qualities(candidates, cells, bundles)
    for members in groups.values():
        series = [_answers(bundles[cells[i][0]], cells[i][1], candidates[i].key) for i in members]
        known = [answers for answers in series if answers is not None]
        if len(known) < len(members) or len(members) < 2:
            continue
        shared = shared_samples(known)
        if not len(shared) or all(len(answers.indices) == len(shared) for answers in known):
            continue
        for index, answers in zip(members, known, strict=True):
            right = int(right_answers(answers, shared).sum())
            low, high = wilson_interval(right, len(shared))
            result[index] = msgspec.structs.replace(
                candidates[index],
                quality=right / len(shared),
                quality_low=low,
                quality_high=high,
                samples=len(shared),
                shared=True,
            )
    return result


def comparison(
    cells: Sequence[tuple[int, CellResult]], bundles: Sequence[Loaded], anchors: Sequence[str]
) -> Comparison:
    """A function that compares two candidates' qualities, both named by their anchors, on the samples that both ran."""
    members = {anchor: (bundles[number], cell) for (number, cell), anchor in zip(cells, anchors, strict=True)}
    known = {
        anchor: answers
        for (number, cell), anchor in zip(cells, anchors, strict=True)
        if (answers := _answers(bundles[number], cell, anchor)) is not None
    }

    def compare(candidate: Candidate, other: Candidate) -> str | None:
        if candidate.metric != "accuracy":
            return difference_words(candidate, other, members)
        if candidate.key not in known or other.key not in known:
            return None
        rows = compare_with([known[candidate.key]], known[other.key])
        if not rows:
            return None
        few = f" of {rows[0].samples:,} samples"
        return f"{rows[0].errors:,} errors{few} where that makes {rows[0].baseline_errors:,}, {verdict(rows[0], False)}"

    return compare


def verdict(row: Paired, baseline: bool) -> str:
    """A row in words: its errors relative to the baseline's, and whether the difference may be chance."""
    if baseline:
        return "compared with"
    if not row.lost and not row.gained:
        return "the same errors"
    chance = f"p {_p(row.p)}" if row.different else f"may be chance, p {_p(row.p)}"
    if row.lost == row.gained:
        return f"as many errors, on other samples; {chance}"
    if row.ratio is None:
        return f"{row.errors} errors where there were none; {chance}"
    words = times_as_many(row.errors, row.baseline_errors)
    return f"{words} {'error' if words in ('1 more', '1 fewer') else 'errors'}; {chance}"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"


def _answers(bundle: Loaded, cell: CellResult, key: str) -> Answers | None:
    samples = bundle.samples.get(cell.id)
    return None if samples is None or not cell.quality.metrics else answers_of(key, samples)


def _view(dataset: str, members: Sequence[tuple[CellResult, Variant, Answers]]) -> SharedView | None:
    """The float variant is the baseline of the others, or else the first."""
    if len(members) < 2:
        return None
    floats = [index for index, (cell, _, _) in enumerate(members) if cell.artifact.scheme in ORIGINAL_SCHEMES]
    _, first, baseline = members[floats[0] if floats else 0]
    rows = compare_with([answers for _, _, answers in members], baseline)
    if len(rows) < 2:
        return None
    shown = {variant.anchor: variant for _, variant, _ in members}
    counts = [len(answers.indices) for _, _, answers in members]
    return SharedView(
        dataset=dataset,
        fewest=min(counts),
        most=max(counts),
        note=_note(min(counts), max(counts), all(row.samples == counts[0] for row in rows), first.label)
        + _doubts([(variant.label, answers) for _, variant, answers in members]),
        baseline=first.label,
        rows=tuple(_row(row, shown[row.cell], first) for row in rows),
    )


def _doubts(members: Sequence[tuple[str, Answers]]) -> str:
    """Which of the variants prove nothing by as many errors as another."""
    reasons = (why_no_evidence(answers.labels, (label, answers.predictions)) for label, answers in members)
    return "".join(
        f" As many errors would prove nothing here, {VACUOUS}{reason}." for reason in dict.fromkeys(reasons) if reason
    )


def _row(row: Paired, variant: Variant, baseline: Variant) -> SharedRow:
    return SharedRow(
        anchor=row.cell,
        label=variant.label,
        samples=row.samples,
        quality=number(
            row.accuracy,
            "1",
            kind=variant.quality.kind or "measured",
            low=row.low,
            high=row.high,
            detail=f"over the {row.samples:,} samples that {baseline.label} ran, too; interval after Wilson",
        ),
        errors=row.errors,
        baseline_errors=row.baseline_errors,
        lost=row.lost,
        gained=row.gained,
        p=row.p,
        different=row.different,
        verdict=verdict(row, variant is baseline),
    )


def _note(fewest: int, most: int, same: bool, baseline: str) -> str:
    if same:
        return f"All variants ran the same {most:,} samples."
    return f"The variants ran {fewest:,} to {most:,} samples. Each is compared with {baseline} on those that both ran."
