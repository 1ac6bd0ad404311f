"""The share of weights that are 0, before and after a compiler, of networks that were pruned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import ZERO_WEIGHTS, Artifact, Origin
from edgerig.errors import ModelError
from edgerig.formats import Format
from edgerig.models.graph.types import Graph

#: The compiler whose networks have weights that are 0, and its record of their share.
PRUNE, SPARSITY = "prune", "sparsity"
#: Operators whose second input are weights, by their names in TFLite and ONNX.
WEIGHTED = frozenset(
    {"CONV_2D", "CONV_3D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL"}
    | {"Conv", "ConvTranspose", "Gemm", "MatMul"}
)
#: Operators by which stored weights become those that are multiplied with.
STORED = frozenset({"DEQUANTIZE", "DequantizeLinear", "Cast", "CAST", "Transpose", "TRANSPOSE"})


def zero_share(graph: Graph, weights: Mapping[int, NDArray[Any]]) -> float | None:
    """The share of the weights of convolutions and dense layers that stand for 0; None where there are none."""
    makers = {output: operator for operator in graph.operators for output in operator.outputs}
    zeros = count = 0
    for index in {op.inputs[1] for op in graph.operators if op.op in WEIGHTED and len(op.inputs) > 1}:
        zero: NDArray[Any] | int = 0
        while index in makers and makers[index].op in STORED:
            operator = makers[index]
            if operator.op == "DequantizeLinear" and len(operator.inputs) > 2:
                zero = _along(weights.get(operator.inputs[2], np.zeros(())), operator.options, weights, operator.inputs)
            index = operator.inputs[0]
        if index not in weights:
            continue
        quantization = graph.tensors[index].quantization
        if quantization is not None and any(quantization.zero_points) and not quantization.per_channel:
            zero = quantization.zero_points[0]
        numbers = weights[index]
        zeros, count = zeros + int((numbers == zero).sum()), count + numbers.size
    return zeros / count if count else None


def was_pruned(artifact: Artifact) -> bool:
    """Whether it comes from the compiler `prune`, by its description."""
    return any(origin.tool == PRUNE for origin in artifact.origins)


def share_before(origins: Sequence[Origin]) -> float | None:
    """The last share of weights that are 0 which was counted; None where none was."""
    for origin in reversed(origins):
        if origin.zero_weights is not None:
            return origin.zero_weights[1]
        if isinstance(share := origin.options.get(SPARSITY), float):
            return share
    return None


def zeros_record(artifact: Artifact, graph: Graph | None, format: Format, stored: Path) -> dict[str, Any]:
    """What the record of a compiled file says of its weights that are 0; empty where they cannot be counted, or the
    network before it, ``artifact``, was not pruned.

    Args:
        graph: The operators of the file. stored: Where it lies now. format: Its own.
    """
    before = share_before(artifact.origins) if was_pruned(artifact) else None
    if graph is None or before is None:
        return {}
    try:
        after = zero_share(graph, format.weights(stored))
    except ModelError:
        # Of this format weights cannot be read.
        return {}
    return {} if after is None else {ZERO_WEIGHTS: [before, round(after, 6)]}


def _along(
    zeros: NDArray[Any], options: Mapping[str, Any], weights: Mapping[int, NDArray[Any]], inputs: Sequence[int]
) -> NDArray[Any]:
    """Zero points in the shape in which they are compared with the numbers of a DequantizeLinear."""
    if zeros.size <= 1 or inputs[0] not in weights:
        return zeros.reshape(-1)[:1] if zeros.size else np.zeros(1)
    axis, rank = int(options.get("axis", 1)), weights[inputs[0]].ndim
    return zeros.reshape([-1 if each == axis % rank else 1 for each in range(rank)])
