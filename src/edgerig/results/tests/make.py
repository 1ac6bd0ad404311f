"""From what a run measured to the records of its tests, one a cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.results.tests.record import ClassOverlap, Platform, RecordedTest, TestedData, TestedModel
from edgerig.results.types import CellResult, RunResult
from edgerig.tasks.judgement import Quality
from edgerig.views import Matrix

#: Metrics that are the accuracy of a task: the share of right answers among all.
ACCURACIES = ("accuracy", "pixel_accuracy")


def records_of(
    run: RunResult, *, name: str = "", description: str = "", address: str = "", commit: str = ""
) -> tuple[RecordedTest, ...]:
    """The records of a run's cells, in their order.

    Args:
        run: What was measured.
        name: Name of the tests; of the run by default. description: free text.
        address: Where the dataset lies, with its version; the dataset's name by default.
        commit: Of the user's own sources.
    """
    data = TestedData(
        name=run.dataset.name,
        address=address or run.dataset.name,
        task=run.dataset.task,
        fingerprint=run.dataset.fingerprint,
    )
    return tuple(_record(run, cell, name or run.name, description, data, commit) for cell in run.cells)


def _record(
    run: RunResult, cell: CellResult, name: str, description: str, data: TestedData, commit: str
) -> RecordedTest:
    names, confusion = confusion_of(cell.quality, run.dataset.classes)
    inference = inference_of(cell)
    stages = {
        "preprocessing": cell.latency.preprocessing,
        "transport": cell.latency.transport,
        "inference": inference,
        "postprocessing": cell.latency.postprocessing,
    }
    return RecordedTest(
        date=cell.started,
        name=name,
        description=description,
        model=TestedModel(
            name=cell.artifact.name, format=cell.artifact.format, sha256=cell.artifact.sha256, size=cell.artifact.size
        ),
        dataset=data,
        platform=platform_of(cell),
        accuracy=next((metric.value for metric in cell.quality.metrics if metric.name in ACCURACIES), None),
        similarity=similarity_of(confusion),
        metrics=cell.quality.metrics,
        classes=overlaps(names, confusion),
        confusion=confusion,
        images=cell.measured_samples,
        batch=cell.offline.batch if cell.offline else cell.batch,
        inference=inference,
        image_time=image_time(stages),
        stages=stages,
        warnings=cell.warnings,
        run=run.name,
        run_date=run.created,
        cell=cell.id,
        commit=commit,
        edgerig=run.edgerig,
    )


def confusion_of(quality: Quality, classes: Sequence[str]) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """Names of the classes, and how often class i was answered as j; both empty where a task counts no such thing."""
    if quality.confusion:
        names = tuple(classes) if len(classes) == len(quality.confusion) else _numbers(len(quality.confusion))
        return names, quality.confusion
    for view in quality.views:
        if isinstance(view, Matrix) and view.rows == view.columns and view.row_title == "true":
            return view.rows, view.counts
    return (), ()


def overlaps(names: Sequence[str], confusion: Sequence[Sequence[int]]) -> tuple[ClassOverlap, ...]:
    """The overlap of each class of a confusion matrix.

    >>> [overlap.similarity for overlap in overlaps(("road", "car"), ((3, 1), (0, 0)))]
    [0.75, 0.0]
    """
    return tuple(
        ClassOverlap(
            train_id=number,
            name=name,
            intersection=intersection,
            union=union,
            similarity=intersection / union if union else 1.0,
        )
        for number, (name, (intersection, union)) in enumerate(zip(names, _counts(confusion), strict=True))
    )


def similarity_of(confusion: Sequence[Sequence[int]]) -> float | None:
    """Sum of the intersections over the sum of the unions of all classes; None where nothing was counted."""
    counts = _counts(confusion)
    unions = sum(union for _, union in counts)
    return sum(intersection for intersection, _ in counts) / unions if unions else None


def inference_of(cell: CellResult) -> Quantity:
    """Seconds of inference a sample, on the device; of a batch its share."""
    if cell.offline:
        return cell.offline.per_sample
    latency = cell.latency
    return latency.per_sample if isinstance(latency.per_sample, Measurement | Unavailable) else latency.steady


def image_time(stages: dict[str, Quantity]) -> Quantity:
    """The sum of all stages of a sample; unavailable where one is, and where they are of several kinds: what an
    emulator tells is not added to what was measured."""
    numbers = []
    for name, stage in stages.items():
        if isinstance(stage, Unavailable):
            return Unavailable(f"{name}: {stage.reason}")
        numbers.append(stage)
    kinds = {number.kind for number in numbers}
    if len(kinds) > 1:
        return Unavailable(f"its stages are of several kinds: {', '.join(sorted(kinds))}")
    return Measurement(
        value=sum(number.value for number in numbers),
        unit="s",
        kind=numbers[0].kind,
        method=f"sum of the medians of {', '.join(stages)}",
        n=min(number.n for number in numbers),
    )


def platform_of(cell: CellResult) -> Platform:
    """The engine with the network's numbers, and the machine, of a cell."""
    machine = cell.machine
    numbers = cell.artifact.inputs[0].dtype if cell.artifact.inputs else ""
    return Platform(
        software=" ".join(
            part for part in (cell.runtime, cell.runtime_version, cell.artifact.scheme or numbers) if part
        ),
        processor=machine.cpu,
        host=machine.host,
        system=f"{machine.system}, {machine.architecture}",
        target=cell.target,
        runtime=cell.runtime,
        runtime_version=cell.runtime_version,
        threads=cell.rounds[0].threads if cell.rounds else None,
    )


def _counts(confusion: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Intersection and union of each class."""
    matrix = np.asarray(confusion, np.int64).reshape(len(confusion), len(confusion))
    hits = matrix.diagonal()
    unions = matrix.sum(axis=1) + matrix.sum(axis=0) - hits
    return [(int(hit), int(union)) for hit, union in zip(hits, unions, strict=True)]


def _numbers(count: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(count))
