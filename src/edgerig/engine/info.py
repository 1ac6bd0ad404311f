"""Key figures of models and dataset for the report, and the sizes of variants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgerig import formats
from edgerig.artifact import Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.sizes import size_table
from edgerig.datasets.base import Dataset
from edgerig.errors import EdgerigError
from edgerig.models.graph.analysis import analyse
from edgerig.models.graph.read import graph_in
from edgerig.plugins import find
from edgerig.results.types import DatasetInfo, ModelInfo, VariantSize
from edgerig.rig.plan import Plan, chain_key
from edgerig.rig.types import Part
from edgerig.tensors import ORIGINAL_SCHEMES


def model_info(model: Artifact, name: str, source: str, artifacts: list[Artifact]) -> ModelInfo:
    """Name, source and counts; the counts come from the first deployed float file whose operators can be read.

    A Keras file holds no operators in execution order, so its TFLite file is counted instead. Of two formats that hold
    them, the one that can be read without a separate process is preferred.

    Args:
        artifacts: Files of this network, and not of one that was made smaller; where none of them can be read, the
            model's own file is counted.
    """
    parameters = macs = None
    kinds = {artifact.format: formats.named(artifact.format) for artifact in (model, *artifacts)}
    same = [a for a in artifacts if kinds[a.format].executable]
    for artifact in (*sorted(same, key=lambda a: (a.scheme not in ORIGINAL_SCHEMES, kinds[a.format].isolated)), model):
        try:
            graph = graph_in(kinds[artifact.format], Path(artifact.path))
        except EdgerigError:
            continue
        if graph is None:
            continue
        counts = analyse(graph)
        parameters, macs = counts.parameters, counts.macs
        break
    training = next((dict(origin.options) for origin in model.origins if origin.tool == "train"), {})
    return ModelInfo(name=name, source=source, parameters=parameters, macs=macs, training=training)


def dataset_info(dataset: Dataset, options: dict[str, Any]) -> DatasetInfo:
    """What the report tells of a dataset; ``options`` are those of the rig."""
    test = dataset.split("test")
    try:
        train = len(dataset.split("train"))
    except EdgerigError:
        train = 0  # measuring needs test samples only
    return DatasetInfo(
        name=dataset.name,
        task=dataset.task,
        classes=dataset.classes,
        test_samples=len(test),
        train_samples=train,
        fingerprint=test.fingerprint,
        options=options,
        task_options=dict(dataset.task_options),
    )


def changes_weights(chain: tuple[Part, ...]) -> bool:
    """Whether a compiler of ``chain`` is meant to change what the network computes."""
    return any(find("compiler", part.use, ModelCompiler).changes_weights for part in chain)


def size_rows(
    models: dict[str, Artifact], plan: Plan, artifacts: dict[str, Artifact | Exception]
) -> tuple[VariantSize, ...]:
    """The size of every file relative to the first model's."""
    (first, model), *others = models.items()
    files_ = {f"{label} ({other.format})": other.size for label, other in others}
    variants = {
        cell.variant: artifact.size
        for cell in plan.cells
        if cell.compilers and isinstance(artifact := artifacts[chain_key(cell.model, cell.compilers)], Artifact)
    }
    rows = size_table((f"{first} ({model.format})", model.size), [*files_.items(), *variants.items()])
    return tuple(VariantSize(name=r.name, bytes=r.bytes, ratio=r.ratio, saving=r.saving) for r in rows)
