"""The table of errors on the samples that variants share: the cost of quantization, and whether it may be chance."""

from __future__ import annotations

from collections.abc import Sequence

from edgerig.report.figures import number
from edgerig.report.model import SharedRow, SharedView, Variant
from edgerig.report.quality.comparisons import Comparisons, baseline_of
from edgerig.results.compare.shared_samples import Answers, Paired
from edgerig.results.compare.texts import times_as_many
from edgerig.tasks.caveats import VACUOUS, why_no_evidence

#: Explanations of the columns of the table.
SHARED_LEGEND = (
    "Baseline errors are those of the variant compared with, on the same samples; lost are samples that only that one "
    "is right for, gained are those that only the variant is right for; p is that of McNemar's test over both."
)


def shared_views(variants: Sequence[Variant], comparisons: Comparisons) -> tuple[SharedView, ...]:
    """One table for each dataset on which at least two variants were scored."""
    groups: dict[tuple[str, str], list[Variant]] = {}
    for variant in variants:
        if variant.anchor in comparisons.answers:
            dataset = comparisons.cells[variant.anchor][0].result.dataset
            groups.setdefault((dataset.name, dataset.fingerprint), []).append(variant)
    views = (_view(name, members, comparisons) for (name, _), members in groups.items() if len(members) > 1)
    return tuple(view for view in views if view is not None)


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


def _view(dataset: str, members: Sequence[Variant], comparisons: Comparisons) -> SharedView | None:
    baseline = baseline_of(members)
    rows = [(comparisons.accuracy(variant.anchor, baseline.anchor), variant) for variant in members]
    shown = [(row, variant) for row, variant in rows if row is not None]
    if len(shown) < 2:
        return None
    answers = [comparisons.answers[variant.anchor] for variant in members]
    counts = [len(entry.indices) for entry in answers]
    same = all(row.samples == counts[0] for row, _ in shown)
    return SharedView(
        dataset=dataset,
        fewest=min(counts),
        most=max(counts),
        note=_note(min(counts), max(counts), same, baseline.label)
        + _doubts([(variant.label, entry) for variant, entry in zip(members, answers, strict=True)]),
        baseline=baseline.label,
        rows=tuple(_row(row, variant, baseline) for row, variant in shown),
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
