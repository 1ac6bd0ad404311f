"""Quantization-aware training of ONNX networks, those of PyTorch among them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from edgerig.artifact import Artifact
from edgerig.compilers.compression.settings import parts_clusters
from edgerig.compilers.onnx_int8 import OnnxInt8, OnnxInt8Settings
from edgerig.compilers.onnx_prepared import PREPARED
from edgerig.compilers.qat.int8 import trained
from edgerig.compilers.qat.onnx_operators import check_trainable
from edgerig.compilers.qat.settings import BatchSize, Epochs, KeepClusters, KeepZeros, Rate, Seed, Validation
from edgerig.datasets.base import Dataset, SplitName
from edgerig.models.graph.types import Graph
from edgerig.plugins import Settings
from edgerig.progress import Progress


class QatOnnxInt8Settings(OnnxInt8Settings, frozen=True, kw_only=True):
    """Settings of quantization-aware training of ONNX networks."""

    epochs: Epochs = 3
    learning_rate: Rate = 0.0005
    batch_size: BatchSize = 64
    seed: Seed = 0
    validation_samples: Validation = 2000
    keep_zeros: KeepZeros = True
    keep_clusters: KeepClusters = True


class QatOnnxInt8(OnnxInt8):
    """int8 as compiler ``onnx-int8`` makes it, then trained: weights, biases and scales, with all of them rounded."""

    name = "qat-onnx-int8"
    summary = "ONNX, int8 (static QDQ), its weights and scales trained (quantization-aware training)"
    extra = "qat"
    modules = ("onnx", "onnxruntime", "jax", "keras")
    changes_weights = True
    splits: ClassVar[tuple[SplitName, ...]] = ("train", "validation")
    Settings: ClassVar[type[Settings]] = QatOnnxInt8Settings

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._achieved: dict[str, Any] = {}

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes:
        from edgerig.compilers.qat.onnx_network import OnnxNetwork
        from edgerig.compilers.qat.training import check_learnable

        assert dataset is not None, "the pipeline refuses to train without a dataset"
        check_learnable(artifact, dataset)
        quantized = super()._compile(artifact, work, dataset, progress)
        network = OnnxNetwork(quantized, (work / PREPARED).read_bytes(), Path(artifact.path).name)
        data, self._achieved = trained(network, artifact, dataset, self.settings, progress)
        self._achieved |= super()._record()
        return data

    def _check_operators(self, graph: Graph, file: str) -> None:
        super()._check_operators(graph, file)
        check_trainable(graph, file)

    def refuses_after(self, tools: Sequence[str]) -> str | None:
        return None if self.settings.keep_clusters else parts_clusters(self.name, tools)

    def _record(self) -> dict[str, Any]:
        return self._achieved
