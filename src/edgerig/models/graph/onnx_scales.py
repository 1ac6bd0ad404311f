"""Scales and zero points of the integer tensors of an ONNX network.

They stand beside the operators: at QuantizeLinear and DequantizeLinear, and at those that compute on integers (ONNX's
operators QLinearConv and QLinearMatMul, and the QLinear ones of ONNX Runtime, onnxruntime/docs/ContribOperators.md).
What only moves numbers leaves them their scale, so that ends of a network behind it have one as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from edgerig.artifact import Quantization

#: Of operators on integers: for each input its position, those of its scale and zero point, and the axis of its
#: channels where it has several; then the positions of the output's scale and zero point.
_PAIR: tuple[tuple[int, int, int, int | None], ...] = ((0, 1, 2, None), (3, 4, 5, None))
_ONE: tuple[tuple[int, int, int, int | None], ...] = ((0, 1, 2, None),)
_INTEGER: dict[str, tuple[tuple[tuple[int, int, int, int | None], ...], tuple[int, int]]] = {
    "QLinearConv": (((0, 1, 2, None), (3, 4, 5, 0)), (6, 7)),
    "QLinearMatMul": (((0, 1, 2, -2), (3, 4, 5, -1)), (6, 7)),
    "QGemm": (_PAIR, (7, 8)),
    **dict.fromkeys(("QLinearAdd", "QLinearMul"), (_PAIR, (6, 7))),
    **dict.fromkeys(
        (
            "QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearReduceMean", "QLinearSigmoid",
            "QLinearSoftmax",
        ),
        (_ONE, (3, 4)),
    ),
    "QLinearWhere": (((1, 2, 3, None), (4, 5, 6, None)), (7, 8)),
}  # fmt: skip
#: Operators that move numbers, from their first input to all outputs.
_MOVES = frozenset(
    {
        "DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity", "MaxPool", "Pad",
        "ReduceMax", "ReduceMin", "Reshape", "Resize", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose",
        "Unsqueeze", "Upsample",
    }
)  # fmt: skip


def quantizations(nodes: Sequence[Any], constants: Mapping[str, Any]) -> dict[str, Quantization]:
    """Of integer tensors, by their names; without those whose scale is computed when the network runs.

    One that is read by several scales has all of these, and no axis: whoever needs its scale finds out.

    Args:
        nodes: Those of the graph. constants: Its constants, by name.
    """
    scales: dict[str, Quantization] = {}
    for node in nodes:
        for name, quantization in _stated(node, constants):
            first = scales.get(name, quantization)
            scales[name] = first if first == quantization else _both(first, quantization)
    _hand_on(nodes, scales)
    return scales


def _stated(node: Any, constants: Mapping[str, Any]) -> Iterator[tuple[str, Quantization]]:
    """The tensors of which a node says how they are quantized."""
    if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
        integers = {item.name: item.i for item in node.attribute}
        # Scales of blocks along an axis are no scales of its channels: whoever needs those must find that out.
        axis = None if integers.get("block_size") else integers.get("axis", 1)
        name = node.output[0] if node.op_type == "QuantizeLinear" else node.input[0]
        sides = [(name, 1, 2, axis)]
    elif node.op_type in _INTEGER:
        inputs, (scale, zero) = _INTEGER[node.op_type]
        sides = [(_at(node, position), of, zero_at, axis) for position, of, zero_at, axis in inputs]
        sides.append((node.output[0], scale, zero, None))
        if node.op_type == "QGemm":
            transposed = any(item.name == "transB" and item.i for item in node.attribute)
            sides[1] = (_at(node, 3), 4, 5, 0 if transposed else 1)
    elif node.op_type == "QLinearConcat":
        sides = [(node.output[0], 0, 1, None)]
        sides += [
            (node.input[position], position + 1, position + 2, None) for position in range(2, len(node.input) - 2, 3)
        ]
    else:
        return
    for name, scale, zero, axis in sides:
        quantization = _quantization(_at(node, scale), _at(node, zero), axis, constants)
        if name and quantization is not None:
            yield name, quantization


def _at(node: Any, position: int) -> str:
    return node.input[position] if position < len(node.input) else ""


def _quantization(scale: str, zero: str, axis: int | None, constants: Mapping[str, Any]) -> Quantization | None:
    from onnx import numpy_helper

    if scale not in constants or (zero and zero not in constants):
        return None
    scales = numpy_helper.to_array(constants[scale]).astype(np.float64).reshape(-1).tolist()
    zeros = [0] * len(scales)
    if zero:
        zeros = numpy_helper.to_array(constants[zero]).astype(np.int64).reshape(-1).tolist()
    if len(scales) != len(zeros) or not all(map(math.isfinite, scales)):
        return None
    return Quantization(tuple(scales), tuple(zeros), axis if len(scales) > 1 else None)


def _hand_on(nodes: Sequence[Any], scales: dict[str, Quantization]) -> None:
    """Enter what operators that only move numbers take and give: the scale of the one for the other."""
    moving = [node for node in nodes if node.op_type in _MOVES and node.input and node.output]
    for order in (moving, reversed(moving)):
        for node in order:
            names = [node.input[0], *(name for name in node.output[: _moved(node)] if name)]
            several = dict.fromkeys(scales[name] for name in names if name in scales)
            if len(several) == 1 and not next(iter(several)).per_channel:
                for name in names:
                    scales.setdefault(name, next(iter(several)))
            elif len(several) > 1 and not any(each.per_channel for each in several):
                scales[names[0]] = reduce(_both, several)


def _moved(node: Any) -> int:
    """How many outputs hold numbers: a MaxPool's second one has positions."""
    return 1 if node.op_type == "MaxPool" else len(node.output)


def _both(first: Quantization, other: Quantization) -> Quantization:
    return Quantization((*first.scales, *other.scales), (*first.zero_points, *other.zero_points))
