"""Arithmetic of Keras layers."""

from __future__ import annotations

import math

from edgerig.models.graph.cost_rules import (
    CURVE_COST,
    CURVES,
    SOFTMAX_COST,
    Cost,
    Costs,
    Rule,
    UncountableError,
    alike,
    biases,
    elementwise,
    free,
    kernel,
    matmul,
    normalization,
    reduction,
    scatter,
)
from edgerig.models.graph.keras_attention import contracted
from edgerig.models.graph.keras_preparing import ALWAYS, SAME_PICTURE
from edgerig.models.graph.keras_recurrent import GATES, RECURRENT
from edgerig.models.graph.keras_types import MATRIX
from edgerig.models.graph.types import Tensor


def _keras_pool(costs: Costs) -> Cost:
    window = costs.option("pool_size")
    rank = len(costs.output.shape) - 2
    sizes = [window] * rank if isinstance(window, int) else window
    if not isinstance(sizes, list | tuple):
        raise ValueError
    return 0, costs.output.elements * math.prod(sizes)


def _separable(costs: Costs) -> Cost:
    depthwise, pointwise = costs.need(1).shape, costs.need(2).shape
    points = costs.output.elements // pointwise[-1]
    return points * (math.prod(depthwise) + math.prod(pointwise)), biases(costs, 3)


def _keras_activation(costs: Costs) -> Cost:
    return 0, CURVES.get(str(costs.option("activation")).lower(), 1) * costs.output.elements


def _weights(costs: Costs, ending: str) -> list[Tensor]:
    """The weights whose name ends so."""
    tensors = (costs.graph.tensors[index] for index in costs.operator.inputs if index >= 0)
    return [tensor for tensor in tensors if tensor.constant and tensor.name.endswith(ending)]


def _recurrent(costs: Costs) -> Cost:
    """Each step takes all kernels of the cells at each position (one, or those of a picture), and a curve for each
    gate and candidate, and for the state that an LSTM gives out."""
    batch, steps = costs.need(0).shape[:2]
    recurrent = [tensor.shape for tensor in _weights(costs, "recurrent_kernel")]
    results = costs.output.elements // (steps if costs.option("return_sequences") else 1)
    positions = steps * results // recurrent[-1][-2]
    if len(recurrent[0]) == MATRIX:
        positions = batch * steps
    curves = sum(shape[-1] + (shape[-2] if shape[-1] == GATES["LSTM"] * shape[-2] else 0) for shape in recurrent)
    kernels = sum(tensor.elements for tensor in _weights(costs, "kernel"))
    return positions * kernels, positions * curves * CURVE_COST


def _einsum(costs: Costs) -> Cost:
    return costs.output.elements * contracted(costs.operator.options, costs.need(1).shape), 0


def _dot(costs: Costs) -> Cost:
    axes = costs.option("axes")
    axis = axes[0] if isinstance(axes, list | tuple) else int(str(axes))
    return costs.output.elements * costs.need(0).shape[axis], 0


def _attention(costs: Costs) -> Cost:
    """Each query with each key (added ones have no product there), and the weighted sum of the values."""
    query, value, key = (costs.need(position) for position in range(3))
    pairs = math.prod(query.shape[:-1]) * key.shape[-2]
    scores = query.shape[-1]
    if costs.operator.op == "AdditiveAttention" or costs.option("score_mode", "dot") != "dot":
        return pairs * value.shape[-1], pairs * (scores * CURVE_COST + SOFTMAX_COST)
    return pairs * (scores + value.shape[-1]), pairs * SOFTMAX_COST


def _multi_head(costs: Costs) -> Cost:
    """The projections of queries, keys, values and results; in each head every query with every key of its axes."""
    query, value, key = (costs.need(position) for position in range(3))
    sources = {"query": query, "gate": query, "attention_output": query, "key": key, "value": value}
    kernels = {tensor.name.rsplit("/", 2)[1]: tensor for tensor in _weights(costs, "/kernel")}
    macs = sum(math.prod(sources[name].shape[:-1]) * tensor.elements for name, tensor in kernels.items())
    axes = costs.option("attention_axes") or range(1, len(key.shape) - 1)
    if not isinstance(axes, list | tuple | range) or min(axes) < 0:
        raise ValueError
    heads, size = kernels["query"].shape[1:]
    pairs = math.prod(query.shape[:-1]) * math.prod(key.shape[axis] for axis in axes) * heads
    return macs + pairs * (size + kernels["value"].shape[-1]), pairs * SOFTMAX_COST


def _spectrogram(costs: Costs) -> Cost:
    """A convolution with one kernel, or two, for each frequency; ``stft`` gives out both results."""
    kernels = _weights(costs, "kernel")
    results = costs.output.elements // (2 if costs.option("mode") == "stft" else 1)
    return results * kernels[0].shape[0] * len(kernels), 0


def _wrapped(costs: Costs) -> Cost:
    """What the layer within computes."""
    rule = KERAS_RULES.get(str(costs.option("layer")))
    if rule is None:
        raise UncountableError(f"operator {costs.option('layer')} is not known")
    return rule(costs)


KERAS_RULES: dict[str, Rule] = {
    # Kernels (height, width, in, out), depthwise (height, width, in, multiplier), transposed (height, width, out, in)
    **alike("Conv1D Conv2D Conv3D", kernel(slice(0, -1), 2)),
    **alike("DepthwiseConv1D DepthwiseConv2D", kernel(slice(0, -2), 2)),
    **alike("SeparableConv1D SeparableConv2D", _separable),
    **alike("Conv1DTranspose Conv2DTranspose Conv3DTranspose", scatter(0, slice(0, -1), 2)),
    "Dense": matmul,
    "EinsumDense": _einsum,
    "Dot": _dot,
    **dict.fromkeys(sorted(RECURRENT), _recurrent),
    **alike("Attention AdditiveAttention", _attention),
    **alike("MultiHeadAttention GroupQueryAttention", _multi_head),
    "STFTSpectrogram": _spectrogram,
    "SpectralNormalization": _wrapped,
    **alike("MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D", _keras_pool),
    **alike("GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D", reduction),
    **alike("GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D", reduction),
    **alike("AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D", reduction),
    **alike("AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D", reduction),
    "Activation": _keras_activation,
    **alike("ELU", elementwise(CURVE_COST)),
    **alike("ReLU LeakyReLU PReLU Rescaling Normalization", elementwise()),
    **alike("Subtract Multiply Average Maximum Minimum", elementwise()),
    **alike("GroupNormalization RMSNormalization UnitNormalization", normalization),
    **alike("Resizing Discretization CategoryEncoding", elementwise()),
    **alike("Embedding ReversibleEmbedding Masking RepeatVector Concatenate Permute CenterCrop RandomCrop", free),
    **alike("UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D", free),
    **alike("Cropping1D Cropping2D Cropping3D ActivityRegularization AlphaDropout GaussianDropout", free),
    **alike("SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianNoise", free),
    # Operations on tensors, which are no layers.
    **alike("ops.Add ops.Subtract ops.Multiply ops.Divide ops.TrueDivide ops.Maximum ops.Minimum", elementwise()),
    **alike("ops.Negative ops.Absolute ops.Abs ops.Square ops.Clip ops.Relu ops.Relu6 ops.Where", elementwise()),
    **alike("ops.Exp ops.Log ops.Sqrt ops.Tanh ops.Sigmoid ops.Gelu ops.Silu ops.Power", elementwise(CURVE_COST)),
    "ops.Softmax": elementwise(SOFTMAX_COST),
    "ops.Matmul": matmul,
    **alike("ops.Mean ops.Sum ops.Max ops.Min ops.Prod ops.Argmax ops.Argmin", reduction),
    **alike("ops.Reshape ops.Transpose ops.Concatenate ops.Stack ops.Split ops.GetItem ops.ExpandDims", free),
    **alike("ops.Squeeze ops.Cast ops.Pad ops.Tile ops.BroadcastTo ops.Take ops.Flip ops.Ravel", free),
    # They change pictures in training alone.
    **dict.fromkeys(sorted(SAME_PICTURE - ALWAYS), free),
}
