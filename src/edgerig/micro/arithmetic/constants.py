"""What is computed when compiling: arithmetic of shapes, weights stored in another type, data that is only moved.

Operators with weights, pooling and int8 sums are not computed here: they run on the device, on constants as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.micro import ir
from edgerig.micro.arithmetic.conversion import cast, dequantize, quantize
from edgerig.micro.arithmetic.requantize import real_range
from edgerig.micro.arithmetic.tables import look_up
from edgerig.micro.ir import Node
from edgerig.micro.ir.operators.data_movement import Gather
from edgerig.micro.ir.operators.functions import Cast
from edgerig.micro.limits import check_size

Array = NDArray[Any]

#: More elements are not made a constant of: they are cheaper to compute than to keep, and no weights.
LARGEST = 1 << 22


def fold_node(node: Node) -> bool:
    """Turn the outputs of ``node`` into constants, if they can be known now."""
    compute = _compute(node)
    if compute is None or not (isinstance(node, ir.Shape) or all(value.constant for value in node.inputs)):
        return False
    # Weights that are stored in another type are needed as weights, however many they are.
    if not isinstance(node, ir.Dequantize) and any(value.elements > LARGEST for value in node.outputs):
        return False
    check_size(sum(value.nbytes for value in node.outputs), node.where())
    contents = compute(node, [value.array for value in node.inputs if value.constant])
    for value, content in zip(node.outputs, contents, strict=True):
        value.data = np.array(content.reshape(value.shape), value.dtype, order="C")
    return True


def _compute(node: Node) -> Callable[[Any, list[Array]], list[Array]] | None:
    """What computes a node; None for what is left to the device."""
    if isinstance(node, ir.Binary):
        return _binary if node.output.quantization is None else None
    if isinstance(node, ir.Unary):
        return _table if node.input.quantization is not None else None
    return _COMPUTED.get(type(node))


def _binary(node: ir.Binary, inputs: list[Array]) -> list[Array]:
    result = node.on_constants(inputs[0], inputs[1])
    return [np.clip(result, *real_range(node.activation)) if node.activation != "NONE" else result]


def _table(node: Node, inputs: list[Array]) -> list[Array]:
    return [look_up(node, inputs[0])]


def _quantize(node: ir.Quantize, inputs: list[Array]) -> list[Array]:
    return [quantize(inputs[0], node.output)] if inputs[0].dtype == np.float32 else _table(node, inputs)


def _dequantize(node: ir.Dequantize, inputs: list[Array]) -> list[Array]:
    return [dequantize(inputs[0], node.input)]


def _cast(node: Cast, inputs: list[Array]) -> list[Array]:
    return [cast(inputs[0], node.output.dtype)]


def _shape(node: ir.Shape, _: list[Array]) -> list[Array]:
    return [np.array(node.input.shape)]


def _pack(node: ir.Pack, inputs: list[Array]) -> list[Array]:
    return [np.stack(inputs, node.axis)]


def _gather(node: Gather, inputs: list[Array]) -> list[Array]:
    picked = [
        inputs[0][batch].take(inputs[1][batch], node.axis - node.batch)
        for batch in np.ndindex(node.input.shape[: node.batch])
    ]
    return [np.stack(picked)]


def _reshape(_: ir.Reshape, inputs: list[Array]) -> list[Array]:
    return inputs


def _concatenation(node: ir.Concatenation, inputs: list[Array]) -> list[Array]:
    return [np.concatenate(inputs, node.axis)]


def _split(node: ir.Split, inputs: list[Array]) -> list[Array]:
    ends = np.cumsum([value.shape[node.axis] for value in node.outputs])
    return np.split(inputs[0], ends[:-1].tolist(), node.axis)


def _slice(node: ir.Slice, inputs: list[Array]) -> list[Array]:
    indices = [
        begin + step * np.arange(size) for begin, step, size in zip(node.begin, node.step, node.size, strict=True)
    ]
    return [inputs[0][np.ix_(*indices)]]


def _pad(node: ir.Pad, inputs: list[Array]) -> list[Array]:
    pads = tuple(zip(node.before, node.after, strict=True))
    return [np.pad(inputs[0], pads, constant_values=inputs[0].dtype.type(node.value))]


def _transpose(node: ir.Transpose, inputs: list[Array]) -> list[Array]:
    return [inputs[0].transpose(node.permutation)]


def _broadcast_to(node: ir.BroadcastTo, inputs: list[Array]) -> list[Array]:
    return [np.broadcast_to(inputs[0], node.output.shape)]


_COMPUTED: dict[type[Node], Callable[[Any, list[Array]], list[Array]]] = {
    ir.Quantize: _quantize,
    ir.Dequantize: _dequantize,
    Cast: _cast,
    ir.Shape: _shape,
    ir.Pack: _pack,
    Gather: _gather,
    ir.Reshape: _reshape,
    ir.Concatenation: _concatenation,
    ir.Split: _split,
    ir.Slice: _slice,
    ir.Pad: _pad,
    ir.Transpose: _transpose,
    ir.BroadcastTo: _broadcast_to,
}
