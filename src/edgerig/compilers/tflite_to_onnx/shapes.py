"""Operators that move numbers without computing: reshape, transpose, concatenate, slice, repeat."""

from __future__ import annotations

import math

import numpy as np

from edgerig.compilers.tflite_to_onnx.builder import Builder, UnsupportedError, axis_of
from edgerig.models.graph.types import Operator


def reshape(b: Builder, op: Operator) -> None:
    """RESHAPE, SQUEEZE and EXPAND_DIMS: all to the output's fixed shape."""
    b.put(op.outputs[0], b.reshape(b.get_flat(op.inputs[0]), b.shape(op.outputs[0])))


def transpose(b: Builder, op: Operator) -> None:
    """By a constant permutation."""
    order = b.content(op.inputs[1], "permutation").astype(int).reshape(-1).tolist()
    b.put(op.outputs[0], b.node("Transpose", [b.get(op.inputs[0])], perm=order))


def concatenation(b: Builder, op: Operator) -> None:
    """Along an axis, in the layout that most inputs are in."""
    first = b.prefers_first(op.inputs)
    axis = axis_of(int(op.options.get("axis", 0)), len(b.shape(op.outputs[0])), first)
    b.finish(op, b.node("Concat", [b.get(index, first) for index in op.inputs], axis=axis), first)


def split(b: Builder, op: Operator) -> None:
    """SPLIT and SPLIT_V."""
    data, where = (op.inputs[1], op.inputs[0]) if op.op == "SPLIT" else (op.inputs[0], op.inputs[2])
    first = b.prefers_first([data])
    stated = int(b.content(where, "axis").reshape(()))
    sizes = [b.shape(output)[stated] for output in op.outputs]
    axis = axis_of(stated, len(b.shape(data)), first)
    inputs = [b.get(data, first), b.integers(sizes, "sizes")]
    for output, value in zip(op.outputs, b.nodes_outputs("Split", inputs, len(op.outputs), axis=axis), strict=True):
        b.put(output, value, first)


def pack(b: Builder, op: Operator) -> None:
    """Stack along a new axis."""
    axis = int(op.options.get("axis", 0)) % len(b.shape(op.outputs[0]))
    axes = b.integers([axis], "axes")
    parts = [b.node("Unsqueeze", [b.get(index), axes]) for index in op.inputs]
    b.put(op.outputs[0], b.node("Concat", parts, axis=axis))


def unpack(b: Builder, op: Operator) -> None:
    """Split along an axis, which is removed."""
    axis = int(op.options.get("axis", 0)) % len(b.shape(op.inputs[0]))
    sizes = b.integers([1] * len(op.outputs), "sizes")
    parts = b.nodes_outputs("Split", [b.get(op.inputs[0]), sizes], len(op.outputs), axis=axis)
    for output, part in zip(op.outputs, parts, strict=True):
        b.put(output, b.reshape(part, b.shape(output)))


def slice_(b: Builder, op: Operator) -> None:
    """From constant starts, with constant sizes; -1 is up to the end."""
    shape = b.shape(op.inputs[0])
    begins = b.content(op.inputs[1], "begin").astype(int).reshape(-1).tolist()
    sizes = b.content(op.inputs[2], "size").astype(int).reshape(-1).tolist()
    ends = [n if size < 0 else begin + size for n, begin, size in zip(shape, begins, sizes, strict=True)]
    b.put(op.outputs[0], _cut(b, op, begins, ends, [1] * len(shape)))


def strided_slice(b: Builder, op: Operator) -> None:
    """With masks for open starts and ends, and for axes of which a single index is taken."""
    for mask in ("ellipsis_mask", "new_axis_mask"):
        if op.options.get(mask):
            raise UnsupportedError(f"its {mask} is not 0")
    shape = b.shape(op.inputs[0])
    begins, ends, strides = (
        b.content(op.inputs[position], what).astype(int).reshape(-1).tolist()
        for position, what in ((1, "begin"), (2, "end"), (3, "stride"))
    )
    far = 2**31 - 1
    for axis in range(len(begins)):
        if op.options.get("shrink_axis_mask", 0) >> axis & 1:
            begins[axis] += shape[axis] if begins[axis] < 0 else 0
            ends[axis], strides[axis] = begins[axis] + 1, 1
            continue
        if op.options.get("begin_mask", 0) >> axis & 1:
            begins[axis] = 0 if strides[axis] > 0 else far
        if op.options.get("end_mask", 0) >> axis & 1:
            ends[axis] = far if strides[axis] > 0 else -far
    value = _cut(b, op, begins, ends, strides)
    if op.options.get("shrink_axis_mask"):
        value = b.reshape(value, b.shape(op.outputs[0]))
    b.put(op.outputs[0], value)


def _cut(b: Builder, op: Operator, begins: list[int], ends: list[int], strides: list[int]) -> str:
    axes = list(range(len(begins)))
    parts = [b.integers(v, n) for v, n in ((begins, "begins"), (ends, "ends"), (axes, "axes"), (strides, "strides"))]
    return b.node("Slice", [b.get(op.inputs[0]), *parts])


def gather(b: Builder, op: Operator) -> None:
    """Rows by index."""
    if op.options.get("batch_dims"):
        raise UnsupportedError("its batch_dims is not 0")
    axis = int(op.options.get("axis", 0))
    b.put(op.outputs[0], b.node("Gather", [b.get(op.inputs[0]), b.get(op.inputs[1])], axis=axis))


def broadcast_to(b: Builder, op: Operator) -> None:
    """Repeat along axes of size 1 up to the output's shape."""
    b.put(op.outputs[0], b.node("Expand", [b.get(op.inputs[0]), b.integers(b.shape(op.outputs[0]))]))


def tile(b: Builder, op: Operator) -> None:
    """Repeat whole axes."""
    repeats = b.content(op.inputs[1], "multiples").astype(int).reshape(-1).tolist()
    b.put(op.outputs[0], b.node("Tile", [b.get(op.inputs[0]), b.integers(repeats, "repeats")]))


def shape_(b: Builder, op: Operator) -> None:
    """All shapes are fixed, so this is a constant."""
    kind = np.dtype(b.tensor(op.outputs[0]).dtype)
    b.put(op.outputs[0], b.constant(np.array(b.shape(op.inputs[0]), kind), f"{b.scope}/shape"))


def fill(b: Builder, op: Operator) -> None:
    """A tensor of one value; small ones only, since it becomes a constant."""
    shape = b.shape(op.outputs[0])
    if math.prod(shape) > 1 << 20:
        raise UnsupportedError("its output is too large to be kept as a constant")
    value = b.content(op.inputs[1], "value")
    b.put(op.outputs[0], b.constant(np.full(shape, value.reshape(())), f"{b.scope}/fill"))
