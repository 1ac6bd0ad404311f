"""Operators of ONNX on real numbers, as JAX differentiates them: one sample, in the shapes of the file."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgerig.compilers.qat.onnx_parts import gather, slice_, split
from edgerig.compilers.qat.tflite_operators import Rule, pointwise
from edgerig.errors import CompileError
from edgerig.models.graph.types import Graph, Operator

Shape = tuple[int, ...]


def conv(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """Channels first, kernel (out, in / groups, ...); depthwise ones as a sum of shifted products, which is faster."""
    import jax
    import jax.numpy as jnp

    from edgerig.models.keras.fast_gradients import depthwise_convolution

    data, kernel, *rest = inputs
    axes, groups = kernel.ndim - 2, int(op.options.get("group", 1))
    strides, dilations = _list(op, "strides", axes, 1), _list(op, "dilations", axes, 1)
    pads = _pads(op, data.shape[2:], kernel.shape[2:], strides, dilations)
    depthwise = groups == data.shape[1] == kernel.shape[0]
    if depthwise and axes == 2 and dilations == [1, 1]:
        last = jnp.pad(data, ((0, 0), (0, 0), *pads)).transpose(0, 2, 3, 1)
        result = depthwise_convolution(last, kernel.transpose(2, 3, 0, 1), (strides[0], strides[1]), "VALID")
        result = result.transpose(0, 3, 1, 2)
    else:
        result = jax.lax.conv_general_dilated(
            data, kernel, strides, pads, rhs_dilation=dilations, feature_group_count=groups
        )
    return result + rest[0].reshape(-1, *(1,) * axes) if rest and rest[0] is not None else result


def gemm(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """alpha * A * B + beta * C; either factor may be transposed."""
    left, right = (
        value.T if op.options.get(f"trans{name}") else value for name, value in zip("AB", inputs, strict=False)
    )
    result = op.options.get("alpha", 1.0) * (left @ right)
    return result + op.options.get("beta", 1.0) * inputs[2] if len(inputs) > 2 else result


def pool(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """MaxPool and AveragePool; of the latter padding counts only where the options say so.

    What ``ceil_mode`` appends never counts.
    """
    import jax

    (data,), axes = inputs, inputs[0].ndim - 2
    window, strides = _list(op, "kernel_shape", axes, 1), _list(op, "strides", axes, 1)
    dilations = _list(op, "dilations", axes, 1)
    stated = _pads(op, data.shape[2:], window, strides, dilations)
    reach = [(own - 1) * dilation + 1 for own, dilation in zip(window, dilations, strict=True)]
    up = bool(op.options.get("ceil_mode")) and op.options.get("auto_pad", "NOTSET") == "NOTSET"
    pads = _rounded_up(data.shape[2:], reach, strides, stated) if up else stated

    def over(values: Any, start: float, function: Any, pads: list[tuple[int, int]]) -> Any:
        lengths, steps = (1, 1, *window), (1, 1, *strides)
        return jax.lax.reduce_window(
            values, start, function, lengths, steps, ((0, 0), (0, 0), *pads), None, (1, 1, *dilations)
        )

    if op.op == "MaxPool":
        return over(data, -np.inf, jax.lax.max, pads)
    ones = np.ones((1, 1, *data.shape[2:]), np.float32)
    rest = pads
    if op.options.get("count_include_pad"):
        ones = np.pad(ones, ((0, 0), (0, 0), *stated), constant_values=1)
        rest = [(0, longer - own) for (_, longer), (_, own) in zip(pads, stated, strict=True)]
    return over(data, 0.0, jax.lax.add, pads) / over(ones, 0.0, jax.lax.add, rest)


def global_average(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """The mean of each channel."""
    return inputs[0].mean(tuple(range(2, inputs[0].ndim)), keepdims=True)


def clip(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """Between the second and third input, either of which may be omitted."""
    import jax.numpy as jnp

    low, high = ([*inputs[1:], None, None])[:2]
    return jnp.clip(inputs[0], low, high)


def reshape(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """To the second input: 0 keeps an axis, -1 is what remains."""
    sizes = [int(size) for size in np.asarray(inputs[1])]
    keep = not op.options.get("allowzero")
    return inputs[0].reshape([inputs[0].shape[i] if keep and size == 0 else size for i, size in enumerate(sizes)])


def flatten(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """To two axes, divided at one of them."""
    axis = int(op.options.get("axis", 1))
    axis += inputs[0].ndim if axis < 0 else 0
    return inputs[0].reshape(int(np.prod(inputs[0].shape[:axis])), -1)


def transpose(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """By ``perm``; without it the axes are reversed."""
    return inputs[0].transpose(op.options.get("perm"))


def concat(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """Along an axis."""
    import jax.numpy as jnp

    return jnp.concatenate(inputs, int(op.options["axis"]))


def softmax(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """Over one axis."""
    import jax

    function = jax.nn.softmax if op.op == "Softmax" else jax.nn.log_softmax
    return function(inputs[0], axis=int(op.options.get("axis", -1)))


def reduce_mean(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """Over axes that are an option, or an input since opset 18."""
    given = op.options.get("axes") if len(inputs) < 2 or inputs[1] is None else np.asarray(inputs[1]).tolist()
    if not given and op.options.get("noop_with_empty_axes"):
        return inputs[0]
    axes = None if not given else tuple(int(axis) for axis in given)
    return inputs[0].mean(axes, keepdims=bool(op.options.get("keepdims", 1)))


def squeeze(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """Squeeze and Unsqueeze, by the axes of the second input."""
    import jax.numpy as jnp

    axes = tuple(int(axis) for axis in np.asarray(inputs[1])) if len(inputs) > 1 else ()
    return jnp.squeeze(inputs[0], axes or None) if op.op == "Squeeze" else jnp.expand_dims(inputs[0], axes)


def hard_sigmoid(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """HardSigmoid, and HardSwish, which multiplies with it."""
    import jax.numpy as jnp

    swish = op.op == "HardSwish"
    slope, offset = (1 / 6, 0.5) if swish else (op.options.get("alpha", 0.2), op.options.get("beta", 0.5))
    value = jnp.clip(slope * inputs[0] + offset, 0, 1)
    return inputs[0] * value if swish else value


def leaky_relu(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """With the slope of the options, or PRelu's second input."""
    import jax.numpy as jnp

    slope = inputs[1] if op.op == "PRelu" else op.options.get("alpha", 0.01)
    return jnp.where(inputs[0] >= 0, inputs[0], inputs[0] * slope)


def layer_normalization(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """Over the axes from ``axis`` on: (x - mean) / sqrt(variance + epsilon), times a scale, plus a bias."""
    data, scale, bias = (*inputs, None)[:3]
    axes = tuple(range(int(op.options.get("axis", -1)) % data.ndim, data.ndim))
    result = _standardized(data, axes, op) * scale
    return result if bias is None else result + bias


def instance_normalization(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """The same of each channel over what follows it; scale and bias by channel."""
    data, scale, bias = inputs
    along = (-1, *(1,) * (data.ndim - 2))
    return _standardized(data, tuple(range(2, data.ndim)), op) * scale.reshape(along) + bias.reshape(along)


def _standardized(data: Any, axes: tuple[int, ...], op: Operator) -> Any:
    centred = data - data.mean(axes, keepdims=True)
    return centred * ((centred**2).mean(axes, keepdims=True) + op.options.get("epsilon", 1e-5)) ** -0.5


def gelu(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """By the error function, or by tanh where the options say so."""
    import jax

    return jax.nn.gelu(inputs[0], approximate=op.options.get("approximate", "none") == "tanh")


def error_function(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """Erf."""
    import jax

    return jax.scipy.special.erf(inputs[0])


RULES: dict[str, Rule] = {
    "Conv": conv,
    "Gemm": gemm,
    "MatMul": pointwise("matmul"),
    "MaxPool": pool,
    "AveragePool": pool,
    "GlobalAveragePool": global_average,
    "Add": pointwise("add"),
    "Sub": pointwise("subtract"),
    "Mul": pointwise("multiply"),
    "Div": pointwise("divide"),
    "Abs": pointwise("abs"),
    "Erf": error_function,
    "Exp": pointwise("exp"),
    "Gelu": gelu,
    "InstanceNormalization": instance_normalization,
    "LayerNormalization": layer_normalization,
    "Neg": pointwise("negative"),
    "Pow": pointwise("power"),
    "Reciprocal": pointwise("reciprocal"),
    "Softplus": pointwise("softplus"),
    "Sqrt": pointwise("sqrt"),
    "Relu": pointwise("relu"),
    "Sigmoid": pointwise("sigmoid"),
    "Tanh": pointwise("tanh"),
    "Clip": clip,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": hard_sigmoid,
    "LeakyRelu": leaky_relu,
    "PRelu": leaky_relu,
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "ReduceMean": reduce_mean,
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": squeeze,
    "Transpose": transpose,
    "Concat": concat,
    "Split": split,
    "Slice": slice_,
    "Gather": gather,
    "Identity": lambda op, inputs, shape: inputs[0],
}


#: Operators whose inputs behind the first say what they do, and must be known when a network is traced.
_STATED = frozenset({"ReduceMean", "Reshape", "Slice", "Split", "Squeeze", "Unsqueeze"})


def check_trainable(graph: Graph, file: str) -> None:
    """Refuse a network, in float or in QDQ form, that has an operator without a gradient here.

    Raises:
        CompileError: Names the operator.
    """
    results = {index for operator in graph.operators for index in operator.outputs} | set(graph.inputs)
    for operator in graph.operators:
        if operator.op not in RULES and operator.op not in ("QuantizeLinear", "DequantizeLinear"):
            raise CompileError(
                f"{file} cannot be trained as integers: operator {operator.index} ({operator.op}, {operator.name!r}) "
                "has no gradient here.",
                f"Known are {', '.join(sorted(RULES))}. Compiler onnx-int8 quantizes without training.",
            )
        if operator.op == "MaxPool" and set(operator.options.get("dilations") or [1]) != {1}:
            raise CompileError(
                f"{file} cannot be trained as integers: the maxima of operator {operator.index} "
                f"({operator.name!r}) are dilated, which has no gradient here.",
                "Compiler onnx-int8 quantizes without training.",
            )
        computed = next((index for index in operator.inputs[1:] if index in results), None)
        if operator.op in _STATED and computed is not None:
            raise CompileError(
                f"{file} cannot be trained as integers: operator {operator.index} ({operator.op}, {operator.name!r}) "
                f"takes {graph.tensors[computed].name!r}, which is computed and not a constant.",
                "Export the network with fixed shapes. Compiler onnx-int8 quantizes without training.",
            )


def _list(op: Operator, name: str, axes: int, usual: int) -> list[int]:
    return [int(value) for value in op.options.get(name) or [usual] * axes]


def _pads(op: Operator, sizes: Any, window: Any, strides: list[int], dilations: list[int]) -> list[tuple[int, int]]:
    """Pixels before and behind each axis: stated, or by ``auto_pad``."""
    kind, axes = op.options.get("auto_pad", "NOTSET"), len(strides)
    if kind == "NOTSET":
        given = _list(op, "pads", 2 * axes, 0)
        return list(zip(given[:axes], given[axes:], strict=True))
    if kind == "VALID":
        return [(0, 0)] * axes
    pads = []
    for size, own, stride, dilation in zip(sizes, window, strides, dilations, strict=True):
        total = max((-(-size // stride) - 1) * stride + (own - 1) * dilation + 1 - size, 0)
        less = total // 2
        pads.append((less, total - less) if kind == "SAME_UPPER" else (total - less, less))
    return pads


def _rounded_up(sizes: Any, reach: list[int], strides: list[int], pads: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """``pads``, longer behind so that a last window that begins before their end is whole."""
    longer = []
    for size, own, stride, (before, behind) in zip(sizes, reach, strides, pads, strict=True):
        count = -(-(size + before + behind - own) // stride) + 1
        if (count - 1) * stride >= size + before:
            count -= 1
        longer.append((before, max(behind, (count - 1) * stride + own - size - before)))
    return longer
