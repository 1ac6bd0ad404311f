"""Operators whose output must have the scale and zero point of their inputs, or fixed ones.

From the specification of TFLite's 8-bit quantization (ai.google.dev/edge/litert/models/quantization_spec). Kernels of
these operators move numbers and do not scale them: where the scales differ, the result is wrong without any error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from edgerig.artifact import Quantization
from edgerig.models.graph.types import Graph, Operator, Tensor

#: Operator to the positions of the inputs that share their scale with every output; None for all inputs.
SHARED: dict[str, tuple[int, ...] | None] = {
    **dict.fromkeys(
        (
            "AVERAGE_POOL_2D", "MAX_POOL_2D", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "PAD", "MIRROR_PAD",
            "GATHER", "GATHER_ND", "SLICE", "STRIDED_SLICE", "SPLIT_V", "UNPACK", "REVERSE_V2", "TILE", "BROADCAST_TO",
            "SPACE_TO_DEPTH", "DEPTH_TO_SPACE", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND", "RESIZE_BILINEAR",
            "RESIZE_NEAREST_NEIGHBOR", "REDUCE_MAX", "REDUCE_MIN", "TOPK_V2",
        ),
        (0,),
    ),
    "SPLIT": (1,),
    "PADV2": (0, 2),
    "DYNAMIC_UPDATE_SLICE": (0, 1),
    "SELECT": (1, 2),
    "SELECT_V2": (1, 2),
    **dict.fromkeys(("CONCATENATION", "PACK", "MAXIMUM", "MINIMUM"), None),
}  # fmt: skip
#: Outputs of fixed scale and zero point, by operator and type.
FIXED = {
    "LOGISTIC": {"int8": (1 / 256, -128), "int16": (1 / 32768, 0)},
    "SOFTMAX": {"int8": (1 / 256, -128), "int16": (1 / 32768, 0)},
    "TANH": {"int8": (1 / 128, 0), "int16": (1 / 32768, 0)},
    "LOG_SOFTMAX": {"int8": (16 / 256, 127)},
    "L2_NORMALIZATION": {"int8": (1 / 128, 0)},
}
#: Relative tolerance of scales, which are float32.
_RELATIVE = 1e-6
_QUANTIZED = frozenset({"int8", "uint8", "int16"})


def scale_faults(graph: Graph) -> Iterator[str]:
    """Faults in the scales of a quantized TFLite graph, one clause for each operator."""
    for operator in graph.operators:
        fault = _shared_fault(graph, operator) if operator.op in SHARED else _fixed_fault(graph, operator)
        if fault is not None:
            yield f"operator {operator.index} ({operator.op}) {fault}"


def _shared_fault(graph: Graph, operator: Operator) -> str | None:
    places = SHARED[operator.op]
    inputs = operator.inputs if places is None else [operator.inputs[i] for i in places if i < len(operator.inputs)]
    outputs = operator.outputs[:1] if operator.op == "TOPK_V2" else operator.outputs
    sides = [graph.tensors[index] for index in (*inputs, *outputs) if index >= 0]
    sides = [tensor for tensor in sides if tensor.dtype in _QUANTIZED and tensor.quantization is not None]
    for other in sides[1:]:
        if not _same(sides[0].quantization, other.quantization):
            return (
                f"moves numbers from {_described(sides[0])} to {_described(other)}, which must be the same"
                if other.index in outputs
                else f"joins {_described(sides[0])} and {_described(other)}, which must be the same"
            )
    return None


def _fixed_fault(graph: Graph, operator: Operator) -> str | None:
    for index in operator.outputs:
        tensor = graph.tensors[index] if index >= 0 else None
        if tensor is None or tensor.quantization is None:
            continue
        wanted = FIXED.get(operator.op, {}).get(tensor.dtype)
        if wanted is not None and not _same(tensor.quantization, Quantization((wanted[0],), (wanted[1],))):
            return f"writes {_described(tensor)}; it computes with scale {wanted[0]:.7g} and zero point {wanted[1]}"
    return None


def _same(first: Quantization | None, other: Quantization | None) -> bool:
    assert first is not None, "tensors without scales are left out"
    assert other is not None, "tensors without scales are left out"
    if len(first.scales) != len(other.scales):
        return False
    near = (math.isclose(a, b, rel_tol=_RELATIVE) for a, b in zip(first.scales, other.scales, strict=True))
    return all(near) and first.zero_points == other.zero_points


def _described(tensor: Tensor) -> str:
    quantization = tensor.quantization
    assert quantization is not None, "tensors without scales are left out"
    return f"{tensor.name!r} (scale {quantization.scales[0]:.7g}, zero point {quantization.zero_points[0]})"
