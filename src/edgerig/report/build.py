"""Build the report's model from bundles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from edgerig import __version__
from edgerig.measure.kinds import Kind, Measurement, Unavailable
from edgerig.report.bundles import bundle_view, so_far
from edgerig.report.columns import VARIANTS
from edgerig.report.figures import is_emulated, metric_figure, with_known_error
from edgerig.report.labels import anchors, labels, short_address, with_distinct_names
from edgerig.report.layers import layer_views
from edgerig.report.limits import Budget, Limits
from edgerig.report.load import Loaded
from edgerig.report.model import REPORT_VERSION, Compared, Report, Variant
from edgerig.report.privacy import anonymous
from edgerig.report.quality.accuracies import shared_views
from edgerig.report.quality.comparisons import Comparisons
from edgerig.report.quality.metrics import quality_tables
from edgerig.report.quality.views import primary, why_void
from edgerig.report.recommend.candidates import Candidate
from edgerig.report.recommend.differences import difference_words
from edgerig.report.recommend.rule import recommend
from edgerig.report.recommend.shared_samples import on_shared_samples
from edgerig.report.relative import device_of, words_of_change
from edgerig.report.row import Row
from edgerig.report.tables import fill, make_table
from edgerig.report.values import Figure
from edgerig.report.variant.section import VariantContext, build_variant
from edgerig.report.views import kinds_of
from edgerig.results.energy import energy_of, energy_source
from edgerig.results.remarks import remarks
from edgerig.results.types import CellResult, ModelInfo, RunResult

#: Failures that are named before the table of variants, of each run.
_MOST_FAILURES = 3
#: Kinds of memory, the scarcest first: a board's RAM, an engine's arena, a process's.
_SCARCE = ("ram", "arena", "peak_rss")
_KINDS: tuple[Kind, ...] = ("measured", "emulated", "modelled", "estimated")


def build(bundles: Sequence[Loaded], limits: Limits | None = None) -> Report:
    """The report of one or several bundles, side by side."""
    limits = limits or Limits()
    cells = with_distinct_names(bundles)
    names, ids = _names(bundles), anchors(cells, len(bundles))
    full, short = labels(cells)
    rows = _rows(bundles, cells, full, names)
    figures = fill(VARIANTS, rows)
    variants = _variants(bundles, cells, rows, figures, ids, short, limits)
    comparisons = Comparisons(cells, bundles, ids)
    finished = all(bundle.result.finished is not None for bundle in bundles)
    candidates = on_shared_samples(_candidates(bundles, cells, variants, names), comparisons)
    difference = partial(difference_words, comparisons=comparisons)
    recommendation = recommend(candidates, finished=finished, compare=difference)
    layers, unlayered = layer_views(cells, bundles, names, ids, limits)
    report = Report(
        version=REPORT_VERSION,
        title=" and ".join(names) if len(names) < 4 else f"{len(names)} runs",
        edgerig=__version__,
        finished=finished,
        bundles=tuple(bundle_view(number, names[number], bundle) for number, bundle in enumerate(bundles)),
        variants=variants,
        recommendation=recommendation,
        compared=_compared(variants, len(bundles)),
        kinds=_kinds(figures, variants),
        notes=tuple(_notes([bundle.result for bundle in bundles], names)),
        table=make_table(
            VARIANTS,
            rows,
            figures=figures,
            name="variants",
            title="Variants with quality, latency and size",
            anchors=ids,
            marked=recommendation.chosen,
        ),
        shared=shared_views(variants, comparisons),
        qualities=quality_tables(variants, comparisons),
        layers=layers,
        unlayered=unlayered,
    )
    return anonymous(report)


def _variants(
    bundles: Sequence[Loaded],
    cells: Sequence[tuple[int, CellResult]],
    rows: Sequence[Row],
    figures: Sequence[Sequence[Figure | None]],
    ids: Sequence[str],
    short: Sequence[str],
    limits: Limits,
) -> tuple[Variant, ...]:
    """The sections of all cells, which share the room for pictures.

    Args:
        figures: Of each column, for each of the ``rows``. ids: The sections' anchors. short: Short names.
    """
    budget = Budget(limits.picture_bytes)
    return tuple(
        build_variant(
            VariantContext(
                row=row,
                figures={column.name: entries[index] for column, entries in zip(VARIANTS, figures, strict=True)},
                loaded=bundles[number],
                bundle=number,
                anchor=ids[index],
                short=short[index],
                limits=limits,
                budget=budget,
            )
        )
        for index, ((number, _), row) in enumerate(zip(cells, rows, strict=True))
    )


def _candidates(
    bundles: Sequence[Loaded],
    cells: Sequence[tuple[int, CellResult]],
    variants: Sequence[Variant],
    names: Sequence[str],
) -> list[Candidate]:
    """What a recommendation can be made of, for each cell."""
    return [
        _candidate(cell, variant, bundles[number].result, names[number] if len(bundles) > 1 else "")
        for (number, cell), variant in zip(cells, variants, strict=True)
    ]


def _rows(
    bundles: Sequence[Loaded], cells: Sequence[tuple[int, CellResult]], labels: Sequence[str], names: Sequence[str]
) -> list[Row]:
    """The rows of the table of variants.

    Args:
        cells: Of all bundles, each with its bundle's index. labels: Of each. names: Of the bundles.
    """
    return [
        Row(
            cell=cell,
            cells=bundles[number].result.cells,
            label=label,
            run=names[number] if len(bundles) > 1 else None,
            model=_model_of(bundles[number].result, cell),
        )
        for (number, cell), label in zip(cells, labels, strict=True)
    ]


def _names(bundles: Sequence[Loaded]) -> list[str]:
    """The runs' names; equal ones are distinguished by their folders."""
    names = [bundle.result.name for bundle in bundles]
    if len(set(names)) == len(names):
        return names
    names = [f"{bundle.result.name} ({bundle.path.name or bundle.path})" for bundle in bundles]
    if len(set(names)) == len(names):
        return names
    return [f"{bundle.result.name} ({bundle.path})" for bundle in bundles]


def _memory(cell: CellResult) -> tuple[str, Measurement | None]:
    """How much a cell takes of its device's scarcest memory, and the name of that figure."""
    sizes = ((name, cell.memory.get(name)) for name in _SCARCE)
    return next(((name, size) for name, size in sizes if isinstance(size, Measurement)), ("", None))


def _model_of(result: RunResult, cell: CellResult) -> ModelInfo:
    """The float network that a variant was made of."""
    return next((model for model in result.models if model.name == cell.model), result.model)


def _candidate(cell: CellResult, variant: Variant, result: RunResult, bundle: str) -> Candidate:
    steady, metric = with_known_error(cell.latency.steady), primary(cell.quality)
    quality = metric_figure(metric, cell) if metric else None
    number_ = steady if isinstance(steady, Measurement) else None
    is_accuracy = metric is not None and metric.name.lower() == "accuracy"
    kind = number_.kind if number_ else "emulated" if is_emulated(cell) else "measured"
    unit = number_.unit if number_ else "s"
    memory_name, memory = _memory(cell)
    joules = energy_of(cell)
    energy = joules if isinstance(joules, Measurement) and joules.kind == "measured" else None
    return Candidate(
        key=variant.anchor,
        label=f"{variant.short} of {bundle}" if bundle else variant.short,
        size=cell.artifact.size,
        quality=quality.value if quality else None,
        quality_low=quality.low if quality else None,
        quality_high=quality.high if quality else None,
        latency=number_.value if number_ else None,
        latency_low=number_.low if number_ else None,
        latency_high=number_.high if number_ else None,
        medians=tuple(entry.steady.median for entry in cell.rounds if entry.steady is not None),
        run=f"{result.name} {result.created}",
        starts=tuple(entry.started for entry in cell.rounds if entry.steady is not None),
        memory=memory.value if memory else None,
        memory_name=memory_name,
        energy=energy.value if energy else None,
        energy_low=energy.low if energy else None,
        energy_high=energy.high if energy else None,
        rail=energy_source(energy) if energy else "",
        group=(
            result.dataset.name,
            result.dataset.fingerprint,
            *device_of(cell),
            str(cell.batch),
            kind,
            unit,
            metric.name if metric else "",
        ),
        place=cell.machine.host if kind == "measured" else f"{short_address(cell.target)} ({kind})",
        kind=kind,
        unit=unit,
        metric=metric.name if metric else "quality",
        metric_unit=metric.unit if metric else "1",
        higher_is_better=metric.higher_is_better if metric else True,
        void=why_void(cell.quality, result.dataset) if is_accuracy else "",
        samples=cell.quality.samples,
        warnings=len(variant.warnings),
    )


def _compared(variants: Sequence[Variant], bundles: int) -> tuple[Compared, ...]:
    """Combinations that at least two bundles hold, each figure at its bundle's index."""
    if bundles < 2:
        return ()
    rows: dict[str, list[Variant | None]] = {}
    for variant in variants:
        row = rows.setdefault(variant.label, [None] * bundles)
        if row[variant.bundle] is None:
            row[variant.bundle] = variant
    return tuple(_compared_row(label, row) for label, row in rows.items() if len(row) - row.count(None) > 1)


def _compared_row(label: str, row: Sequence[Variant | None]) -> Compared:
    steady = tuple(variant.steady if variant else None for variant in row)
    return Compared(
        label=label,
        anchors=tuple(variant.anchor if variant else None for variant in row),
        quality=tuple(variant.quality if variant else None for variant in row),
        steady=steady,
        size=tuple(variant.size if variant else None for variant in row),
        change=words_of_change(steady),
    )


def _kinds(table: Sequence[Sequence[Figure | None]], variants: Sequence[Variant]) -> tuple[Kind, ...]:
    """The kinds of number in the table of variants and in the sections of these variants."""
    kinds: set[Kind | None] = {figure.kind for column in table for figure in column if figure is not None}
    for variant in variants:
        kinds |= {named.figure.kind for named in (*variant.stages, *variant.memory)}
        kinds |= {metric.figure.kind for metric in variant.metrics}
        kinds |= {layer.time.kind for layer in variant.layers.rows}
        kinds |= {kind for view in variant.views for kind in kinds_of(view)}
    return tuple(kind for kind in _KINDS if kind in kinds)


def _notes(results: Sequence[RunResult], names: Sequence[str]) -> list[str]:
    """What a reader must know before comparing."""
    pairs = list(zip(results, names, strict=True))
    notes = [f"{name} is not finished: {so_far(result)}." for result, name in pairs if result.finished is None]
    for result, name in pairs:
        for failure in result.failures[:_MOST_FAILURES]:
            notes.append(f"{name}: {failure.id} could not be measured: {_first_sentence(failure.message)}")
        if len(result.failures) > _MOST_FAILURES:
            notes.append(
                f"{name}: {len(result.failures) - _MOST_FAILURES:,} more cells could not be measured; "
                "the run's section tells why."
            )
    notes += [f"{name} has no cells." for result, name in zip(results, names, strict=True) if not result.cells]
    if len({(result.dataset.name, result.dataset.fingerprint) for result in results}) > 1:
        notes.append("The runs used different data; their qualities cannot be compared.")
    cells = [cell for result in results for cell in result.cells]
    counts = sorted({cell.quality.samples for cell in cells if cell.quality.metrics})
    if len(counts) > 1:
        notes.append(
            f"Quality was judged on different numbers of samples ({', '.join(f'{count:,}' for count in counts)}): "
            "compared are those that both of two variants ran, where the bundle holds the raw samples."
        )
    if len({(cell.machine.host, cell.machine.cpu) for cell in cells}) > 1:
        notes.append("The variants ran on more than one machine.")
    missing = [cell for cell in cells if isinstance(cell.latency.steady, Unavailable)]
    if missing:
        notes.append(f"{len(missing)} of {len(cells)} variants have no latency; the table tells why.")
    return notes + remarks(cells)


def _first_sentence(message: str) -> str:
    """The first line of an error; its hint and tables are shown in the run's section."""
    return message.strip().partition("\n")[0].rstrip(" :.") + "."
