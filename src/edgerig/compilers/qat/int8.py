"""Quantization-aware training of TFLite networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import WARNING, Artifact
from edgerig.compilers.calibrated_tflite import Recipe
from edgerig.compilers.compression.settings import CLUSTER, parts_clusters
from edgerig.compilers.qat.network import QuantizedNetwork
from edgerig.compilers.qat.settings import (
    BatchSize,
    Epochs,
    KeepClusters,
    KeepZeros,
    Rate,
    Seed,
    TrainingSettings,
    Validation,
)
from edgerig.compilers.quantize import FullInteger, Int8Settings, int8_recipe
from edgerig.datasets.base import Dataset, SplitName
from edgerig.errors import ArtifactCheckError
from edgerig.models.graph.tflite_file import read_tflite_network
from edgerig.plugins import Settings
from edgerig.progress import Progress


class QatInt8Settings(Int8Settings, frozen=True, kw_only=True):
    """Settings of quantization-aware training."""

    epochs: Epochs = 3
    learning_rate: Rate = 0.0005
    batch_size: BatchSize = 64
    seed: Seed = 0
    validation_samples: Validation = 2000
    keep_zeros: KeepZeros = True
    keep_clusters: KeepClusters = True


class QatInt8(FullInteger):
    """int8 as compiler ``int8`` makes it, then trained: weights, biases and scales, with all of them rounded.

    The file has the scales that were learned; nothing is calibrated again.
    """

    name = "qat-int8"
    summary = "TFLite, full integer: int8, its weights and scales trained (quantization-aware training)"
    extra = "qat"
    modules = ("litert_quantizer", "ai_edge_litert", "jax", "keras")
    scheme = "int8"
    changes_weights = True
    splits: ClassVar[tuple[SplitName, ...]] = ("train", "validation")
    Settings: ClassVar[type[Settings]] = QatInt8Settings

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._achieved: dict[str, Any] = {}

    def _recipe(self) -> Recipe:
        return int8_recipe(self.settings)

    def _quantize(
        self, artifact: Artifact, data: bytes, inputs: list[str], dataset: Dataset | None, progress: Progress
    ) -> bytes:
        from edgerig.compilers.qat.tflite_operators import check_trainable
        from edgerig.compilers.qat.training import check_learnable

        assert dataset is not None, "the pipeline refuses to train without a dataset"
        check_learnable(artifact, dataset)
        file = Path(artifact.path).name
        check_trainable(read_tflite_network(data, file)[0], file)
        return super()._quantize(artifact, data, inputs, dataset, progress)

    def _trained(
        self, quantized: bytes, original: bytes, artifact: Artifact, dataset: Dataset, progress: Progress
    ) -> bytes:
        from edgerig.compilers.qat.tflite_network import TfliteNetwork

        network = TfliteNetwork(quantized, original, Path(artifact.path).name)
        data, self._achieved = trained(network, artifact, dataset, self.settings, progress)
        return data

    def refuses_after(self, tools: Sequence[str]) -> str | None:
        return None if self.settings.keep_clusters else parts_clusters(self.name, tools)

    def _record(self) -> dict[str, Any]:
        return self._achieved


def trained(
    network: QuantizedNetwork, artifact: Artifact, dataset: Dataset, settings: TrainingSettings, progress: Progress
) -> tuple[bytes, dict[str, Any]]:
    """The trained file, and what the artifact's record says of it; the outcome is told by ``progress``."""
    from edgerig.compilers.qat.training import train_quantized

    clustered = settings.keep_clusters and any(origin.tool == CLUSTER for origin in artifact.origins)
    members = network.members if clustered else {}
    parameters, epochs, best, doubts = train_quantized(network, artifact, dataset, settings, progress, members)
    first = epochs[0]
    change = f"{best.metric} {first.value:g} before training, {best.value:g} after epoch {best.epoch}"
    on = f"on {best.samples} values of the validation split"
    if best.epoch:
        progress.log(f"{artifact.name} as integers: {change}, {on}")
    else:
        progress.log(
            f"{artifact.name} as integers: no epoch was better {on} than before training ({best.metric} "
            f"{first.value:g}), so the file is as calibrated; try a learning rate below {settings.learning_rate:g}"
        )
    record = {"best_epoch": best.epoch, "validation": [msgspec.to_builtins(epoch) for epoch in epochs]}
    if doubts:
        record[WARNING] = " ".join(doubts)
        progress.log(f"(!) {artifact.name}: {record[WARNING]}")
    data = network.written(parameters) if best.epoch else network.data
    if settings.keep_zeros:
        check_zeros(network, data, artifact.name)
    check_clusters(network, data, members, artifact.name)
    return data, record


def check_zeros(network: QuantizedNetwork, data: bytes, name: str) -> None:
    """Refuse a file ``data`` in which a weight is not 0 that was exactly 0 in the float network.

    Raises:
        ArtifactCheckError: Tells how many there are.
    """
    numbers = network.numbers(data)
    for key, mask in network.masks.items():
        woken = int(np.count_nonzero(numbers[key][~mask]))
        if woken:
            raise ArtifactCheckError(
                f"{woken} of {int((~mask).sum())} weights of a layer of {name} that are 0 in the float network are not "
                "0 in the trained one."
            )


def check_clusters(network: QuantizedNetwork, data: bytes, members: Mapping[str, NDArray[np.int32]], name: str) -> None:
    """Refuse a file ``data`` in which weights of a cluster and a channel, which has one scale, are not equal.

    Args:
        members: The number of the cluster of each weight, in the kernels that have clusters.

    Raises:
        ArtifactCheckError: Tells how many clusters fell apart.
    """
    numbers = network.numbers(data)
    for key, own in members.items():
        axis = network.axis(key)
        sides = [array[None] if axis is None else np.moveaxis(array, axis, 0) for array in (own, numbers[key])]
        apart = sum(
            len(np.unique(np.stack([clusters.ravel(), integers.ravel()]), axis=1).T) - len(np.unique(clusters))
            for clusters, integers in zip(*sides, strict=True)
        )
        if apart:
            raise ArtifactCheckError(
                f"{apart} weights of a layer of {name} that are equal in the float network have parted from their "
                "clusters in the trained one."
            )
