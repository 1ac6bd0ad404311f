"""Build the report's model from bundles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgerig import __version__
from edgerig.measure.kinds import Kind, Measurement, Unavailable
from edgerig.measure.machine import cores_text
from edgerig.report.candidates import Candidate
from edgerig.report.columns import VARIANTS, Row
from edgerig.report.figures import believable, is_emulated, metric_figure, number
from edgerig.report.labels import anchors, labels, place, told_apart
from edgerig.report.limits import Budget, Limits
from edgerig.report.load import Loaded
from edgerig.report.machines import machine_facts
from edgerig.report.model import REPORT_VERSION, BundleView, Compared, Failure, Report, SizeRow, Variant
from edgerig.report.privacy import anonymous
from edgerig.report.quality import primary, why_void
from edgerig.report.recommend import recommend
from edgerig.report.relative import device_of, words_of_change
from edgerig.report.shared import comparison, on_shared_samples, shared_views
from edgerig.report.tables import fill, make_table
from edgerig.report.units import compact, show, when
from edgerig.report.values import Fact, Figure
from edgerig.report.variants import build_variant
from edgerig.results.remarks import remarks
from edgerig.results.types import CellResult, ModelInfo, RunResult

#: Models that are listed by name where a run is described.
_MOST_NAMED = 4
#: Failures that are named before the table of variants, of each run.
_MOST_FAILURES = 3
#: Measures of memory, the scarcest first: a board's RAM, an engine's arena, a process.
_SCARCE = ("ram", "arena", "peak_rss")
_KINDS: tuple[Kind, ...] = ("measured", "emulated", "modelled", "estimated")


def build(bundles: Sequence[Loaded], limits: Limits | None = None) -> Report:
    """The report of one or several bundles, side by side."""
    limits = limits or Limits()
    cells = told_apart(bundles)
    full, short = labels(cells)
    ids = anchors(cells, len(bundles))
    budget = Budget(limits.picture_bytes)
    names = _names(bundles)
    rows = [
        Row(
            cell=cell,
            cells=bundles[number].result.cells,
            label=label,
            run=names[number] if len(bundles) > 1 else None,
        )
        for (number, cell), label in zip(cells, full, strict=True)
    ]
    figures = fill(VARIANTS, rows)
    variants = tuple(
        build_variant(
            row,
            {column.name: cells[index] for column, cells in zip(VARIANTS, figures, strict=True)},
            bundles[number].result.dataset,
            bundles[number].samples.get(row.cell.id),
            bundle=number,
            anchor=ids[index],
            short=short[index],
            limits=limits,
            budget=budget,
        )
        for index, ((number, _), row) in enumerate(zip(cells, rows, strict=True))
    )
    candidates = [
        _candidate(cell, variant, bundles[number].result, names[number] if len(bundles) > 1 else "")
        for (number, cell), variant in zip(cells, variants, strict=True)
    ]
    candidates = on_shared_samples(candidates, cells, bundles)
    finished = all(bundle.result.finished is not None for bundle in bundles)
    recommendation = recommend(candidates, finished=finished, compare=comparison(cells, bundles, ids))
    views = tuple(_bundle(number, names[number], bundle) for number, bundle in enumerate(bundles))
    report = Report(
        version=REPORT_VERSION,
        title=" and ".join(names) if len(names) < 4 else f"{len(names)} runs",
        edgerig=__version__,
        finished=finished,
        bundles=views,
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
        shared=shared_views(cells, bundles, variants),
    )
    return anonymous(report)


def _names(bundles: Sequence[Loaded]) -> list[str]:
    """The runs' names; where two are the same, with their folders."""
    names = [bundle.result.name for bundle in bundles]
    if len(set(names)) == len(names):
        return names
    names = [f"{bundle.result.name} ({bundle.path.name or bundle.path})" for bundle in bundles]
    if len(set(names)) == len(names):
        return names
    return [f"{bundle.result.name} ({bundle.path})" for bundle in bundles]


def _memory(cell: CellResult) -> tuple[str, Measurement | None]:
    """What a cell takes of what its device is short of, and by which measure."""
    sizes = ((name, cell.memory.get(name)) for name in _SCARCE)
    return next(((name, size) for name, size in sizes if isinstance(size, Measurement)), ("", None))


def _candidate(cell: CellResult, variant: Variant, result: RunResult, bundle: str) -> Candidate:
    steady, metric = believable(cell.latency.steady), primary(cell.quality)
    quality = metric_figure(metric, cell) if metric else None
    number_ = steady if isinstance(steady, Measurement) else None
    is_accuracy = metric is not None and metric.name.lower() == "accuracy"
    kind = number_.kind if number_ else "emulated" if is_emulated(cell) else "measured"
    unit = number_.unit if number_ else "s"
    memory_name, memory = _memory(cell)
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
        turns=f"{result.name} {result.created}",
        memory=memory.value if memory else None,
        memory_name=memory_name,
        group=(
            result.dataset.name,
            result.dataset.fingerprint,
            *device_of(cell),
            str(cell.batch),
            kind,
            unit,
            metric.name if metric else "",
        ),
        place=cell.machine.host if kind == "measured" else f"{place(cell.target)} ({kind})",
        kind=kind,
        unit=unit,
        metric=metric.name if metric else "quality",
        metric_unit=metric.unit if metric else "1",
        higher_is_better=metric.higher_is_better if metric else True,
        void=why_void(cell.quality, result.dataset) if is_accuracy else "",
        samples=cell.quality.samples,
        warnings=len(variant.warnings),
    )


def _bundle(index: int, name: str, bundle: Loaded) -> BundleView:
    result = bundle.result
    return BundleView(
        index=index,
        name=name,
        path=str(bundle.path),
        finished=result.finished is not None,
        created=when(result.created),
        seconds=sum(cell.seconds for cell in result.cells),
        edgerig=result.edgerig,
        model=tuple(_model_facts(result)),
        dataset=tuple(_dataset_facts(result)),
        device=tuple(_device_facts(result)),
        run=tuple(_run_facts(result)),
        host=machine_facts(result.host),
        sizes=tuple(
            SizeRow(row.name, row.bytes, number(row.bytes, "B"), row.ratio, row.saving) for row in result.sizes
        ),
        warnings=result.warnings,
        commands=result.commands,
        interruptions=result.interruptions,
        failures=tuple(Failure(one.id, one.error, one.message, when(one.time)) for one in result.failures),
        stages=tuple(Fact(stage, state) for stage, state in result.stages.items()),
    )


def _model_facts(result: RunResult) -> list[Fact]:
    models = result.models or (result.model,)
    if len(models) == 1:
        return _facts_of_model(models[0])
    names = ", ".join(model.name for model in models)
    # Each of many stands in the table of variants; here they would be a wall of text.
    facts = [Fact("models", names if len(models) <= _MOST_NAMED else f"{len(models)} models", names)]
    for model in models:
        counts = [
            f"{value:,} {what}"
            for value, what in ((model.parameters, "parameters"), (model.macs, "multiply-accumulates"))
            if value is not None
        ]
        facts.append(Fact(model.name, "; ".join([*counts, *([] if counts else [model.source])]), model.source))
    return facts


def _facts_of_model(model: ModelInfo) -> list[Fact]:
    facts = [Fact("model", model.name, model.source)]
    if model.parameters is not None:
        facts.append(Fact("parameters", f"{model.parameters:,}"))
    if model.macs is not None:
        facts.append(Fact("multiply-accumulates", f"{model.macs:,}"))
    facts.append(Fact("source", model.source))
    return [*facts, *_training_facts(model.training)]


def _training_facts(training: dict[str, Any]) -> list[Fact]:
    """What a reader wants to know of how the model was trained; the bundle's result has all of it."""
    if not training:
        return []
    nested = training.get("train_settings")
    settings = {**nested} if isinstance(nested, dict) else {}
    said = {key.replace("_", " "): value for key, value in settings.items() if value is not None}
    facts = [Fact("trained with", compact(said))] if said else []
    if "train_samples" in training:
        facts.append(Fact("trained on", f"{training['train_samples']:,} samples of {training.get('dataset', '?')}"))
    scores = {key: training[key] for key in ("accuracy", "loss") if isinstance(training.get(key), float)}
    if scores:
        facts.append(Fact("after training", compact({key: float(f"{value:.4g}") for key, value in scores.items()})))
    return facts


def _dataset_facts(result: RunResult) -> list[Fact]:
    dataset = result.dataset
    facts = [
        Fact("dataset", dataset.name),
        Fact("test samples", f"{dataset.test_samples:,}"),
        *([Fact("classes", f"{len(dataset.classes):,}", ", ".join(dataset.classes))] if dataset.classes else []),
        Fact("training samples", f"{dataset.train_samples:,}"),
        Fact("task", dataset.task),
        Fact("fingerprint", dataset.fingerprint[:16] or "unknown", dataset.fingerprint),
    ]
    return [*facts, Fact("options", compact(dataset.options))] if dataset.options else facts


def _device_facts(result: RunResult) -> list[Fact]:
    """Each machine that ran a network once, then how it was reached."""
    facts = [] if result.cells else [Fact("device", "none yet")]
    for host in dict.fromkeys(cell.machine.host for cell in result.cells):
        machine = next(cell.machine for cell in result.cells if cell.machine.host == host)
        targets = dict.fromkeys(cell.target for cell in result.cells if cell.machine.host == host)
        facts += [
            Fact("device", host),
            Fact("processor", f"{machine.cpu}, {cores_text(machine)}"),
            Fact("system", f"{machine.system} ({machine.architecture})"),
            Fact("reached as", ", ".join(targets)),
        ]
    return facts


def _run_facts(result: RunResult) -> list[Fact]:
    seconds = sum(cell.seconds for cell in result.cells)
    return [
        Fact("started", when(result.created), result.created),
        Fact("finished", when(result.finished) if result.finished else "not yet", result.finished or ""),
        Fact("extent", f"{_so_far(result)}, {show(seconds, 's')}"),
        Fact("edgerig", result.edgerig),
    ]


def _compared(variants: Sequence[Variant], bundles: int) -> tuple[Compared, ...]:
    """Combinations that at least two bundles hold, each figure in its bundle's place."""
    if bundles < 2:
        return ()
    rows: dict[str, list[Variant | None]] = {}
    for variant in variants:
        places = rows.setdefault(variant.label, [None] * bundles)
        if places[variant.bundle] is None:
            places[variant.bundle] = variant
    return tuple(
        Compared(
            label=label,
            anchors=tuple(one.anchor if one else None for one in places),
            quality=tuple(one.quality if one else None for one in places),
            steady=tuple(one.steady if one else None for one in places),
            size=tuple(one.size if one else None for one in places),
            change=words_of_change([one.steady if one else None for one in places]),
        )
        for label, places in rows.items()
        if sum(one is not None for one in places) > 1
    )


def _kinds(table: Sequence[Sequence[Figure | None]], variants: Sequence[Variant]) -> tuple[Kind, ...]:
    """The kinds of number in the table of variants, and in what stands with each of them."""
    kinds: set[Kind | None] = {figure.kind for column in table for figure in column if figure is not None}
    for variant in variants:
        kinds |= {named.figure.kind for named in (*variant.stages, *variant.memory)}
        kinds |= {layer.time.kind for layer in variant.layers.rows}
    return tuple(kind for kind in _KINDS if kind in kinds)


def _notes(results: Sequence[RunResult], names: Sequence[str]) -> list[str]:
    """What a reader must know before comparing."""
    pairs = list(zip(results, names, strict=True))
    notes = [f"{name} is not finished: {_so_far(result)}." for result, name in pairs if result.finished is None]
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
    """The first line of what went wrong; the hint behind it and tables stand in the run's section."""
    return message.strip().partition("\n")[0].rstrip(" :.") + "."


def _so_far(result: RunResult) -> str:
    """How many cells there are, of how many."""
    planned = max(len(result.planned), len(result.cells))
    return f"{len(result.cells)} of {planned} cells measured"
