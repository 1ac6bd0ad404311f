"""Weights of Keras layers, from their configuration alone."""

from __future__ import annotations

from collections.abc import Callable

from edgerig.models.graph.keras_attention import ATTENTION, attention_weights, einsum_weights, embedding_weights
from edgerig.models.graph.keras_layers import MERGES, SAME_SHAPE, SHAPES, WHOLE, dims, or_none
from edgerig.models.graph.keras_preparing import stft_weights
from edgerig.models.graph.keras_recurrent import RECURRENT, recurrent_weights
from edgerig.models.graph.keras_types import OPERATION, Config, Shape, Weights, channels_last, per_axis, with_bias


def weight_shapes(kind: str, config: Config, inputs: list[Shape]) -> Weights | None:
    """Names and shapes of a layer's weights for inputs of these shapes (batch included); None if not known."""
    if config.get("lora_rank") or "Quantized" in str(config.get("dtype")):
        return None
    if kind in RECURRENT:
        return or_none(recurrent_weights, kind, config, inputs)
    if kind in ATTENTION:
        return attention_weights(kind, config, inputs)
    if kind == "STFTSpectrogram":
        return stft_weights(config)
    if kind == "SpectralNormalization":
        weights = weight_shapes(config["layer"]["class_name"], config["layer"]["config"], inputs)
        kernel = next((shape for shape in (weights or {}).values()), None)
        return None if weights is None or kernel is None else {**weights, "vector_u": (1, kernel[-1])}
    maker = _WEIGHTS.get(kind)
    if maker is not None:
        return maker(config, channels_last(config, inputs[0]))
    known = kind.startswith(OPERATION) or kind in SAME_SHAPE or kind in MERGES or kind in SHAPES or kind in WHOLE
    return {} if known else None


def _conv_weights(config: Config, shape: Shape) -> Weights:
    window, filters = per_axis(config["kernel_size"], len(shape) - 2), config["filters"]
    return with_bias(config, {"kernel": (*window, shape[-1] // config.get("groups", 1), filters)}, filters)


def _depthwise_weights(config: Config, shape: Shape) -> Weights:
    window, multiplier = per_axis(config["kernel_size"], len(shape) - 2), config["depth_multiplier"]
    return with_bias(config, {"kernel": (*window, shape[-1], multiplier)}, shape[-1] * multiplier)


def _separable_weights(config: Config, shape: Shape) -> Weights:
    window, multiplier = per_axis(config["kernel_size"], len(shape) - 2), config["depth_multiplier"]
    pointwise = (*(1,) * len(window), shape[-1] * multiplier, config["filters"])
    kernels = {"depthwise_kernel": (*window, shape[-1], multiplier), "pointwise_kernel": pointwise}
    return with_bias(config, kernels, config["filters"])


def _transposed_weights(config: Config, shape: Shape) -> Weights:
    window, filters = per_axis(config["kernel_size"], len(shape) - 2), config["filters"]
    return with_bias(config, {"kernel": (*window, filters, shape[-1])}, filters)


def _dense_weights(config: Config, shape: Shape) -> Weights:
    return with_bias(config, {"kernel": (shape[-1], config["units"])}, config["units"])


def _along(config: Config, shape: Shape) -> Shape:
    """The sizes of the axes that a normalization names."""
    axis = config.get("axis", -1)
    return tuple(shape[number] for number in (axis if isinstance(axis, list | tuple) else [axis]))


def _norm_weights(config: Config, shape: Shape) -> Weights:
    names = [name for name, key in (("gamma", "scale"), ("beta", "center")) if config.get(key, True)]
    return dict.fromkeys(names, _along(config, shape))


def _layer_norm_weights(config: Config, shape: Shape) -> Weights:
    """With ``rms_scaling`` there is a gamma alone, whatever else is set."""
    return {"gamma": _along(config, shape)} if config.get("rms_scaling") else _norm_weights(config, shape)


def _batch_norm_weights(config: Config, shape: Shape) -> Weights:
    weights = _norm_weights(config, shape)
    channels = (shape[config.get("axis", -1)],)
    return {**weights, "moving_mean": channels, "moving_variance": channels}


def _normalization_weights(config: Config, shape: Shape) -> Weights:
    """What the layer found out of the data; nothing where its mean was given."""
    if config.get("mean") is not None:
        return {}
    axis = config.get("axis", -1)
    axes = [] if axis is None else axis if isinstance(axis, list) else [axis]
    sizes = tuple(shape[number] for number in axes)
    return {"mean": sizes, "variance": sizes, "count": ()}


def _prelu_weights(config: Config, shape: Shape) -> Weights:
    shared = config.get("shared_axes") or []
    return {"alpha": tuple(1 if axis in shared else size for axis, size in enumerate(shape[1:], 1))}


def _reversible_weights(config: Config, shape: Shape) -> Weights:
    """The table, and the one back where it is not the same."""
    back = (
        {} if config.get("tie_weights", True) else {"reverse_embeddings": (config["output_dim"], config["input_dim"])}
    )
    return {**embedding_weights(config, shape), **back}


#: Weights that no training step changes: statistics of the data.
NEVER_TRAINED = frozenset({"moving_mean", "moving_variance", "mean", "variance", "count", "vector_u"})

_WEIGHTS: dict[str, Callable[[Config, Shape], Weights]] = {
    **dict.fromkeys(dims("Conv{}D"), _conv_weights),
    **dict.fromkeys(dims("DepthwiseConv{}D", 1, 2), _depthwise_weights),
    **dict.fromkeys(dims("SeparableConv{}D", 1, 2), _separable_weights),
    **dict.fromkeys(dims("Conv{}DTranspose"), _transposed_weights),
    "Dense": _dense_weights,
    "EinsumDense": einsum_weights,
    "Embedding": embedding_weights,
    "ReversibleEmbedding": _reversible_weights,
    "BatchNormalization": _batch_norm_weights,
    "LayerNormalization": _layer_norm_weights,
    "GroupNormalization": _norm_weights,
    "RMSNormalization": lambda config, shape: {"scale": _along(config, shape)},
    "PReLU": _prelu_weights,
    "Normalization": _normalization_weights,
}
