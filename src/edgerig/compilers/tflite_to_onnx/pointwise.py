"""Element-wise operators, softmax, reductions and matrix products."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from edgerig.compilers.tflite_to_onnx.builder import CLIPS, Builder, UnsupportedError, axis_of
from edgerig.models.graph.types import Operator

Rule = Callable[[Builder, Operator], None]


def unary(kind: str) -> Rule:
    """An operator of one input that ONNX has by another name."""

    def rule(b: Builder, op: Operator) -> None:
        first = b.prefers_first(op.inputs[:1])
        b.put(op.outputs[0], b.node(kind, [b.get(op.inputs[0], first)]), first)

    return rule


def binary(kind: str) -> Rule:
    """An operator of two inputs with broadcasting, and an optional fused activation."""

    def rule(b: Builder, op: Operator) -> None:
        first = b.prefers_first(op.inputs[:2])
        b.finish(op, b.node(kind, [b.aligned(index, first) for index in op.inputs[:2]]), first)

    return rule


def clip(b: Builder, op: Operator) -> None:
    """RELU6 and other clamps."""
    first = b.prefers_first(op.inputs[:1])
    limits = map(b.number, CLIPS[op.op])
    b.put(op.outputs[0], b.node("Clip", [b.get(op.inputs[0], first), *limits]), first)


def leaky_relu(b: Builder, op: Operator) -> None:
    """With its slope for negative inputs."""
    first = b.prefers_first(op.inputs[:1])
    value = b.node("LeakyRelu", [b.get(op.inputs[0], first)], alpha=float(op.options["alpha"]))
    b.put(op.outputs[0], value, first)


def square(b: Builder, op: Operator) -> None:
    """x * x."""
    first = b.prefers_first(op.inputs[:1])
    value = b.get(op.inputs[0], first)
    b.put(op.outputs[0], b.node("Mul", [value, value]), first)


def squared_difference(b: Builder, op: Operator) -> None:
    """(x - y) * (x - y)."""
    first = b.prefers_first(op.inputs[:2])
    value = b.node("Sub", [b.aligned(index, first) for index in op.inputs[:2]])
    b.put(op.outputs[0], b.node("Mul", [value, value]), first)


def rsqrt(b: Builder, op: Operator) -> None:
    """1 / sqrt(x)."""
    first = b.prefers_first(op.inputs[:1])
    b.put(op.outputs[0], b.node("Reciprocal", [b.node("Sqrt", [b.get(op.inputs[0], first)])]), first)


def gelu(b: Builder, op: Operator) -> None:
    """x/2 (1 + erf(x / sqrt 2)), or with tanh where TFLite approximates: Hendrycks and Gimpel, 2016."""
    first = b.prefers_first(op.inputs[:1])
    x = b.get(op.inputs[0], first)
    if op.options.get("approximate"):
        cube = b.node("Mul", [b.node("Mul", [x, x]), x])
        inner = b.node("Add", [x, b.node("Mul", [cube, b.number(0.044715)])])
        curve = b.node("Tanh", [b.node("Mul", [inner, b.number(math.sqrt(2 / math.pi))])])
    else:
        curve = b.node("Erf", [b.node("Mul", [x, b.number(math.sqrt(0.5))])])
    half = b.node("Mul", [x, b.number(0.5)])
    b.put(op.outputs[0], b.node("Mul", [half, b.node("Add", [curve, b.number(1.0)])]), first)


def softmax(b: Builder, op: Operator) -> None:
    """Over the last axis; with ``beta`` the input is multiplied first."""
    first = b.prefers_first(op.inputs[:1])
    value = b.get(op.inputs[0], first)
    beta = float(op.options.get("beta", 1.0))
    if op.op == "SOFTMAX" and beta != 1.0:
        value = b.node("Mul", [value, b.number(beta)])
    axis = axis_of(-1, len(b.shape(op.inputs[0])), first)
    kind = "Softmax" if op.op == "SOFTMAX" else "LogSoftmax"
    b.put(op.outputs[0], b.node(kind, [value], axis=axis), first)


def reduction(kind: str) -> Rule:
    """MEAN, SUM and the like over constant axes."""

    def rule(b: Builder, op: Operator) -> None:
        rank = len(b.shape(op.inputs[0]))
        axes = sorted({axis % rank for axis in b.content(op.inputs[1], "axes").astype(int).reshape(-1).tolist()})
        keep = bool(op.options.get("keep_dims"))
        # Channels first only for the usual case, a mean over height and width, after which no order is left to restore.
        first = b.prefers_first(op.inputs[:1]) and axes == [1, 2]
        reduced = [axis_of(axis, rank, first) for axis in axes]
        value = b.get(op.inputs[0], first)
        if first and kind == "ReduceMean":
            value = b.node("GlobalAveragePool", [value])
            if not keep:
                value = b.node("Flatten", [value])
        elif kind == "ReduceSum":
            value = b.node(kind, [value, b.integers(reduced, "axes")], keepdims=int(keep))
        else:
            value = b.node(kind, [value], axes=reduced, keepdims=int(keep))
        b.put(op.outputs[0], value, first and keep)

    return rule


def arg(kind: str) -> Rule:
    """ARG_MAX and ARG_MIN; the first of equal values wins."""

    def rule(b: Builder, op: Operator) -> None:
        from onnx import helper

        axis = int(b.content(op.inputs[1], "axis").reshape(()))
        value = b.node(kind, [b.get(op.inputs[0])], axis=axis, keepdims=0)
        dtype = np.dtype(b.tensor(op.outputs[0]).dtype)
        b.put(op.outputs[0], b.node("Cast", [value], to=helper.np_dtype_to_tensor_dtype(dtype)))

    return rule


def fully_connected(b: Builder, op: Operator) -> None:
    """Gemm with the kernel (out, in) transposed; leading axes are flattened before and restored after it."""
    if op.options.get("weights_format") not in (None, 0, "DEFAULT"):
        raise UnsupportedError("its weights are shuffled")
    data, kernel = op.inputs[:2]
    outer, inner = b.shape(kernel)
    rows = math.prod(b.shape(data)) // inner
    value = b.get(data) if b.shape(data) == (rows, inner) else b.reshape(b.get_flat(data), (rows, inner))
    bias = [b.permuted(op.inputs[2], None, (outer,))] if len(op.inputs) > 2 and op.inputs[2] >= 0 else []
    value = b.activation(op, b.node("Gemm", [value, b.get(kernel), *bias], transB=1))
    if b.shape(op.outputs[0]) != (rows, outer):
        value = b.reshape(value, b.shape(op.outputs[0]))
    b.put(op.outputs[0], value)


def batch_matmul(b: Builder, op: Operator) -> None:
    """MatMul, with the last two axes of either operand transposed on request."""
    sides = []
    for position, flag in ((0, "adj_x"), (1, "adj_y")):
        index = op.inputs[position]
        rank = len(b.shape(index))
        swapped = (*range(rank - 2), rank - 1, rank - 2)
        sides.append(b.permuted(index, swapped) if op.options.get(flag) else b.get(index))
    b.put(op.outputs[0], b.node("MatMul", sides))


def cast(b: Builder, op: Operator) -> None:
    """To the type of the output tensor."""
    from onnx import helper

    first = b.prefers_first(op.inputs[:1])
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(b.tensor(op.outputs[0]).dtype))
    b.put(op.outputs[0], b.node("Cast", [b.get(op.inputs[0], first)], to=kind), first)


def select(b: Builder, op: Operator) -> None:
    """Where, with broadcasting; the old SELECT may select whole rows, which Where cannot."""
    if op.op == "SELECT" and b.shape(op.inputs[0]) not in ((), b.shape(op.inputs[1])):
        raise UnsupportedError("it chooses whole rows")
    first = b.prefers_first(op.inputs[:3])
    b.put(op.outputs[0], b.node("Where", [b.aligned(index, first) for index in op.inputs[:3]]), first)


def not_equal(b: Builder, op: Operator) -> None:
    """Equal, negated: ONNX has no NotEqual."""
    first = b.prefers_first(op.inputs[:2])
    value = b.node("Equal", [b.aligned(index, first) for index in op.inputs[:2]])
    b.put(op.outputs[0], b.node("Not", [value]), first)


def prelu(b: Builder, op: Operator) -> None:
    """With a slope for each channel."""
    first = b.prefers_first(op.inputs[:1]) and b.is_constant(op.inputs[1])
    b.put(op.outputs[0], b.node("PRelu", [b.get(op.inputs[0], first), b.aligned(op.inputs[1], first)]), first)
