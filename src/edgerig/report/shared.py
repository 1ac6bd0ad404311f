"""The table of qualities on the samples that all variants ran: what quantization costs, and whether that is chance."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from edgerig.report.figures import number
from edgerig.report.load import Loaded
from edgerig.report.model import SharedRow, SharedView, Variant
from edgerig.report.recommend import Candidate
from edgerig.results.comparison import Answers, Paired, SharedQuality, answers_of, compare_shared
from edgerig.results.types import CellResult

#: What the columns of the table mean.
SHARED_LEGEND = (
    "Lost are samples that only the first is right for, gained are those that only the variant is right for; p is "
    "that of McNemar's test over both."
)


def shared_views(
    cells: Sequence[tuple[int, CellResult]], bundles: Sequence[Loaded], variants: Sequence[Variant]
) -> tuple[SharedView, ...]:
    """One table for each data that two variants at least were judged on."""
    groups: dict[tuple[str, str], list[tuple[CellResult, Variant, Answers]]] = {}
    for (place, cell), variant in zip(cells, variants, strict=True):
        answers = _answers(bundles[place], cell, variant.anchor)
        if answers is not None:
            dataset = bundles[place].result.dataset
            groups.setdefault((dataset.name, dataset.fingerprint), []).append((cell, variant, answers))
    views = (_view(name, members) for (name, _), members in groups.items())
    return tuple(view for view in views if view is not None)


def on_shared_samples(
    candidates: Sequence[Candidate], cells: Sequence[tuple[int, CellResult]], bundles: Sequence[Loaded]
) -> list[Candidate]:
    """The candidates with qualities that may be compared: where some of a group ran fewer samples, on those that all
    of the group ran. Without raw samples, or with another metric than accuracy, they stay as they are."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for index, candidate in enumerate(candidates):
        if candidate.usable and candidate.metric == "accuracy":
            groups.setdefault(candidate.group, []).append(index)
    result = list(candidates)
    for members in groups.values():
        series = [_answers(bundles[cells[i][0]], cells[i][1], candidates[i].key) for i in members]
        known = [one for one in series if one is not None]
        if len(known) < len(members) or len(members) < 2:
            continue
        best = max(members, key=lambda i: candidates[i].merit)
        found = compare_shared(known, candidates[best].key)
        if found is None or found.fewest == found.most == found.samples:
            continue
        for index, row in zip(members, found.rows, strict=True):
            result[index] = msgspec.structs.replace(
                candidates[index], quality=row.accuracy, quality_low=row.low, quality_high=row.high,
                samples=found.samples, shared=True,
            )  # fmt: skip
    return result


def verdict(row: Paired, baseline: bool) -> str:
    """A row in words: how many errors for one of the baseline's, and whether that may be chance."""
    if baseline:
        return "compared with"
    if not row.lost and not row.gained:
        return "the same errors"
    chance = f"p {_p(row.p)}" if row.different else f"may be chance, p {_p(row.p)}"
    if row.lost == row.gained:
        return f"as many errors, on other samples; {chance}"
    if row.ratio is None:
        return f"{row.errors} errors where there were none; {chance}"
    return f"{row.ratio:.2f} times as many errors; {chance}"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"


def _answers(bundle: Loaded, cell: CellResult, key: str) -> Answers | None:
    samples = bundle.samples.get(cell.id)
    return None if samples is None or not cell.quality.metrics else answers_of(key, samples)


def _view(dataset: str, members: Sequence[tuple[CellResult, Variant, Answers]]) -> SharedView | None:
    """The float variant is what the others are compared with, or else the first."""
    floats = [variant.anchor for cell, variant, _ in members if cell.artifact.scheme == "float32"]
    baseline = floats[0] if floats else members[0][1].anchor
    found = compare_shared([answers for _, _, answers in members], baseline)
    if found is None:
        return None
    labels = {variant.anchor: variant.label for _, variant, _ in members}
    kinds = {variant.anchor: variant.quality.kind or "measured" for _, variant, _ in members}
    return SharedView(
        dataset=dataset,
        samples=found.samples,
        note=_note(found),
        baseline=labels[baseline],
        rows=tuple(
            SharedRow(
                anchor=row.cell,
                label=labels[row.cell],
                quality=number(
                    row.accuracy, "1", kind=kinds[row.cell], low=row.low, high=row.high,
                    detail=f"over the {found.samples:,} shared samples, interval after Wilson",
                ),
                errors=row.errors,
                lost=row.lost,
                gained=row.gained,
                p=row.p,
                different=row.different,
                verdict=verdict(row, row.cell == baseline),
            )
            for row in found.rows
        ),
    )  # fmt: skip


def _note(found: SharedQuality) -> str:
    if found.fewest == found.most == found.samples:
        return f"All variants ran the same {found.samples:,} samples."
    return (
        f"The variants ran {found.fewest:,} to {found.most:,} samples. What is compared are the {found.samples:,} that "
        "all of them ran."
    )
