"""One run as facts: which models, dataset and devices, and when."""

from __future__ import annotations

from typing import Any

from edgerig.measure.machine import cores_text
from edgerig.report.figures import number
from edgerig.report.load import Loaded
from edgerig.report.model import BundleView, Failure, SizeRow
from edgerig.report.units import compact, show, when
from edgerig.report.values import Fact
from edgerig.report.variant.machines import machine_facts
from edgerig.results.types import ModelInfo, RunResult

#: Models that are listed by name where a run is described.
_MOST_NAMED = 4


def bundle_view(index: int, name: str, bundle: Loaded) -> BundleView:
    """The facts of one run."""
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
        failures=tuple(
            Failure(failure.id, failure.error, failure.message, when(failure.time)) for failure in result.failures
        ),
        stages=tuple(Fact(stage, state) for stage, state in result.stages.items()),
    )


def _model_facts(result: RunResult) -> list[Fact]:
    models = result.models or (result.model,)
    if len(models) == 1:
        return _facts_of_model(models[0])
    names = ", ".join(model.name for model in models)
    # Many models are listed in the table of variants; here they would fill the page.
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
    """The main facts about a model's training; the bundle's result has all of them."""
    if not training:
        return []
    nested = training.get("train_settings")
    settings = {**nested} if isinstance(nested, dict) else {}
    options = {key.replace("_", " "): value for key, value in settings.items() if value is not None}
    facts = [Fact("trained with", compact(options))] if options else []
    if "train_samples" in training:
        facts.append(Fact("trained on", f"{training['train_samples']:,} samples of {training.get('dataset', '?')}"))
    scores = {key: training[key] for key in ("accuracy", "mae", "loss") if isinstance(training.get(key), float)}
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
    """Each machine that ran a network, once, then its address."""
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
        Fact("extent", f"{so_far(result)}, {show(seconds, 's')}"),
        Fact("edgerig", result.edgerig),
    ]


def so_far(result: RunResult) -> str:
    """The number of finished cells of the total."""
    planned = max(len(result.planned), len(result.cells))
    return f"{len(result.cells)} of {planned} cells measured"
