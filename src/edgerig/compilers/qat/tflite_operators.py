"""Operators of TFLite on real numbers, as JAX differentiates them: one sample, in the shapes of the file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgerig.errors import CompileError
from edgerig.models.graph.types import Graph, Operator

#: Operator, its inputs (None for an omitted one), and the shape of its first output; gives that or all outputs.
Rule = Callable[[Operator, list[Any], tuple[int, ...]], Any]


def conv_2d(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
    """Kernel (out, height, width, in)."""
    import jax

    data, kernel, bias = _three(inputs)
    result = jax.lax.conv_general_dilated(
        data,
        kernel,
        pair(op, "stride"),
        op.options["padding"],
        rhs_dilation=pair(op, "dilation", "_factor"),
        dimension_numbers=("NHWC", "OHWI", "NHWC"),
        feature_group_count=data.shape[3] // kernel.shape[3],
    )
    return result if bias is None else result + bias


def depthwise_conv_2d(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
    """Kernel (1, height, width, out)."""
    import jax

    from edgerig.models.keras.fast_gradients import depthwise_convolution

    data, kernel, bias = _three(inputs)
    strides, dilations, padding = pair(op, "stride"), pair(op, "dilation", "_factor"), op.options["padding"]
    _, height, width, channels = kernel.shape
    if channels == data.shape[3] and dilations == (1, 1):
        result = depthwise_convolution(data, kernel.reshape(height, width, channels, 1), strides, padding)
    else:
        result = jax.lax.conv_general_dilated(
            data,
            kernel.reshape(height, width, 1, channels),
            strides,
            padding,
            rhs_dilation=dilations,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=data.shape[3],
        )
    return result if bias is None else result + bias


def transpose_conv(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
    """Inputs: output shape, kernel (out, height, width, in), data, which is spread by the stride and convolved."""
    import jax

    _, kernel, data, *rest = inputs
    strides, pads = pair(op, "stride"), []
    for axis in (1, 2):
        size, reach = kernel.shape[axis], (data.shape[axis] - 1) * strides[axis - 1]
        before = size - 1 - max(reach + size - shape[axis], 0) // 2
        pads.append((before, shape[axis] + size - 2 - reach - before))
    result = jax.lax.conv_general_dilated(
        data,
        kernel[:, ::-1, ::-1],
        (1, 1),
        pads,
        lhs_dilation=strides,
        dimension_numbers=("NHWC", "OHWI", "NHWC"),
    )
    return result + rest[0] if rest and rest[0] is not None else result


def fully_connected(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
    """Kernel (out, in)."""
    data, kernel, bias = _three(inputs)
    result = data.reshape(-1, kernel.shape[1]) @ kernel.T
    return (result if bias is None else result + bias).reshape(shape)


def batch_matmul(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
    """Either side may be transposed."""
    left, right = (
        value.swapaxes(-1, -2) if op.options.get(f"adj_{side}") else value
        for side, value in zip("xy", inputs, strict=True)
    )
    return left @ right


def max_pool(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
    """Windows that do not overlap have a faster gradient."""
    import jax

    from edgerig.models.keras import fast_gradients

    (data,), window, strides = inputs, _window(op), pair(op, "stride")
    whole = op.options["padding"] == "VALID" or all(data.shape[i + 1] % window[i] == 0 for i in (0, 1))
    if window == strides and whole:
        return fast_gradients.max_pool(data, *window)
    return jax.lax.reduce_window(data, -np.inf, jax.lax.max, (1, *window, 1), (1, *strides, 1), op.options["padding"])


def average_pool(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
    """Padding does not count."""
    import jax

    (data,), window = inputs, (1, *_window(op), 1)
    strides, padding = (1, *pair(op, "stride"), 1), op.options["padding"]

    def sums(values: Any) -> Any:
        return jax.lax.reduce_window(values, 0.0, jax.lax.add, window, strides, padding)

    return sums(data) / sums(np.ones((1, *data.shape[1:3], 1), np.float32))


def concatenation(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
    """Along an axis."""
    import jax.numpy as jnp

    return jnp.concatenate(inputs, op.options["axis"])


def pad(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
    """PAD with zeros, PADV2 with its third input, MIRROR_PAD with or without the edge."""
    import jax.numpy as jnp

    widths = [tuple(map(int, row)) for row in np.asarray(inputs[1])]
    if op.op == "MIRROR_PAD":
        return jnp.pad(inputs[0], widths, mode="reflect" if op.options.get("mode") == "REFLECT" else "symmetric")
    return jnp.pad(inputs[0], widths, constant_values=inputs[2].reshape(()) if op.op == "PADV2" else 0.0)


def reduction(name: str) -> Rule:
    """A rule for jax.numpy's function over the axes of the second input."""

    def rule(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
        import jax.numpy as jnp

        axes = tuple(int(axis) for axis in np.asarray(inputs[1]).reshape(-1))
        return getattr(jnp, name)(inputs[0], axes).reshape(shape)

    return rule


def pointwise(name: str) -> Rule:
    """A rule for jax.numpy's or jax.nn's function of one or two tensors."""

    def rule(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
        import jax
        import jax.numpy as jnp

        return getattr(jnp if hasattr(jnp, name) else jax.nn, name)(*inputs)

    return rule


def softmax(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
    """Over the last axis, of the input times ``beta``."""
    import jax

    return jax.nn.softmax(inputs[0] * op.options.get("beta", 1.0))


def leaky_relu(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
    """With the slope of the options, or PRELU's second input."""
    import jax.numpy as jnp

    slope = inputs[1] if op.op == "PRELU" else op.options["alpha"]
    return jnp.where(inputs[0] >= 0, inputs[0], inputs[0] * slope)


def gelu(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
    """By the error function, or by tanh where the options say so."""
    import jax

    return jax.nn.gelu(inputs[0], approximate=bool(op.options.get("approximate")))


def reshape(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
    """To the shape that the file states."""
    return inputs[0].reshape(shape)


def transpose(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
    """By the second input."""
    return inputs[0].transpose([int(axis) for axis in np.asarray(inputs[1])])


def part(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
    """SLICE: from the second input on, as many as the output has."""
    begin = [int(start) for start in np.asarray(inputs[1])]
    return inputs[0][tuple(slice(start, start + size) for start, size in zip(begin, shape, strict=True))]


def split(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
    """Into equal parts along the axis of the first input."""
    import jax.numpy as jnp

    return tuple(jnp.split(inputs[1], len(op.outputs), int(np.asarray(inputs[0]).reshape(()))))


def same(op: Operator, inputs: list[Any], shape: tuple[int, ...]) -> Any:
    """QUANTIZE to another grid, which the output's own does."""
    return inputs[0]


RULES: dict[str, Rule] = {
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "TRANSPOSE_CONV": transpose_conv,
    "FULLY_CONNECTED": fully_connected,
    "BATCH_MATMUL": batch_matmul,
    "MAX_POOL_2D": max_pool,
    "AVERAGE_POOL_2D": average_pool,
    "CONCATENATION": concatenation,
    "PAD": pad,
    "PADV2": pad,
    "MIRROR_PAD": pad,
    "MEAN": reduction("mean"),
    "SUM": reduction("sum"),
    "REDUCE_MAX": reduction("max"),
    "REDUCE_MIN": reduction("min"),
    "ADD": pointwise("add"),
    "SUB": pointwise("subtract"),
    "MUL": pointwise("multiply"),
    "MAXIMUM": pointwise("maximum"),
    "MINIMUM": pointwise("minimum"),
    "SQUARED_DIFFERENCE": lambda op, inputs, shape: (inputs[0] - inputs[1]) ** 2,
    "RSQRT": lambda op, inputs, shape: inputs[0] ** -0.5,
    "SQRT": pointwise("sqrt"),
    "EXP": pointwise("exp"),
    "ABS": pointwise("abs"),
    "LOGISTIC": pointwise("sigmoid"),
    "TANH": pointwise("tanh"),
    "RELU": pointwise("relu"),
    "RELU6": pointwise("relu6"),
    "HARD_SWISH": pointwise("hard_swish"),
    "LOG_SOFTMAX": pointwise("log_softmax"),
    "SOFTMAX": softmax,
    "GELU": gelu,
    "LEAKY_RELU": leaky_relu,
    "PRELU": leaky_relu,
    "RESHAPE": reshape,
    "SQUEEZE": reshape,
    "EXPAND_DIMS": reshape,
    "TRANSPOSE": transpose,
    "SLICE": part,
    "SPLIT": split,
    "QUANTIZE": same,
}


def check_trainable(graph: Graph, file: str) -> None:
    """Refuse a network, in float or in int8, that has an operator without a gradient here.

    Raises:
        CompileError: Names the operator.
    """
    for operator in graph.operators:
        if operator.op not in RULES:
            raise CompileError(
                f"{file} cannot be trained as integers: operator {operator.index} ({operator.op}, {operator.name!r}) "
                "has no gradient here.",
                f"Known are {', '.join(sorted(RULES))}. Compiler int8 quantizes without training.",
            )


def activated(op: Operator, value: Any) -> Any:
    """``value`` after the activation that the operator ends in.

    Raises:
        KeyError: It is none that is known.
    """
    import jax
    import jax.numpy as jnp

    known = {
        "NONE": lambda x: x,
        "RELU": jax.nn.relu,
        "RELU6": jax.nn.relu6,
        "RELU_N1_TO_1": lambda x: jnp.clip(x, -1, 1),
        "TANH": jnp.tanh,
    }
    return known[op.options.get("fused_activation_function") or "NONE"](value)


def pair(op: Operator, what: str, suffix: str = "") -> tuple[int, int]:
    """Height and width of an option such as ``stride_h``, ``stride_w``; 1 where the file leaves it out."""
    return int(op.options.get(f"{what}_h{suffix}", 1)), int(op.options.get(f"{what}_w{suffix}", 1))


def _window(op: Operator) -> tuple[int, int]:
    return int(op.options["filter_height"]), int(op.options["filter_width"])


def _three(inputs: list[Any]) -> tuple[Any, Any, Any]:
    """Data, kernel and bias, which may be omitted."""
    return inputs[0], inputs[1], inputs[2] if len(inputs) > 2 else None
