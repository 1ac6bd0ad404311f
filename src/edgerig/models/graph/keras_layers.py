"""Output shapes and weights of Keras layers, from their configuration alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Shape = tuple[int, ...]
Config = dict[str, Any]

#: Axes of a batch of rows, whose only other axis is the channels'.
MATRIX = 2
#: Layers whose output has the shape of their (first) input.
SAME_SHAPE = frozenset(
    {
        "Activation",
        "ReLU",
        "LeakyReLU",
        "PReLU",
        "ELU",
        "Softmax",
        "BatchNormalization",
        "LayerNormalization",
        "Dropout",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "GaussianNoise",
        "GaussianDropout",
        "Rescaling",
        "Normalization",
        "Identity",
        "ActivityRegularization",
        "RandomFlip",
        "RandomRotation",
        "RandomZoom",
        "RandomTranslation",
        "RandomContrast",
        "RandomBrightness",
    }
)

#: Layers that join inputs of equal (or broadcast) shape element by element.
MERGES = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"})


def weight_shapes(kind: str, config: Config, shape: Shape) -> dict[str, Shape] | None:
    """Names and shapes of a layer's weights for an input of ``shape`` (batch included); None if not known."""
    maker = _WEIGHTS.get(kind)
    if maker is not None:
        return maker(config, _channels_last(config, shape))
    return {} if kind in SAME_SHAPE or kind in MERGES or kind in _SHAPES else None


def output_shape(kind: str, config: Config, inputs: list[Shape]) -> Shape | None:
    """The shape of a layer's output (batch included); None if the layer is not known."""
    if kind in SAME_SHAPE:
        return inputs[0]
    if kind in MERGES:
        return tuple(max(sizes) for sizes in zip(*inputs, strict=True))
    if kind == "Concatenate":
        axis = config.get("axis", -1) % len(inputs[0])
        joined = sum(shape[axis] for shape in inputs)
        return (*inputs[0][:axis], joined, *inputs[0][axis + 1 :])
    maker = _SHAPES.get(kind)
    if maker is None:
        return None
    shape = maker(config, _channels_last(config, inputs[0]))
    back = _is_channels_first(config, inputs[0]) and len(shape) == len(inputs[0])
    return (shape[0], shape[-1], *shape[1:-1]) if back else shape


def _is_channels_first(config: Config, shape: Shape) -> bool:
    """Whether a layer takes (batch, channels, ...); such layers always state it, whatever the default was."""
    return config.get("data_format") == "channels_first" and len(shape) > MATRIX


def _channels_last(config: Config, shape: Shape) -> Shape:
    """``shape`` with the channels last, as everything below has it."""
    return (shape[0], *shape[2:], shape[1]) if _is_channels_first(config, shape) else shape


def _pair(value: Any, rank: int) -> Shape:
    return (value,) * rank if isinstance(value, int) else tuple(value)


def _slide(config: Config, size: Shape, window: Shape, strides: Shape, dilation: Shape) -> Shape:
    if config.get("padding") in ("same", "causal"):
        return tuple(-(-n // stride) for n, stride in zip(size, strides, strict=True))
    return tuple(
        (n - (k - 1) * d - 1) // stride + 1 for n, k, stride, d in zip(size, window, strides, dilation, strict=True)
    )


def _convolution(channels: Callable[[Config, Shape], int]) -> Callable[[Config, Shape], Shape]:
    def shape_of(config: Config, shape: Shape) -> Shape:
        rank = len(shape) - 2
        window, strides = _pair(config["kernel_size"], rank), _pair(config["strides"], rank)
        dilation = _pair(config.get("dilation_rate", 1), rank)
        return (shape[0], *_slide(config, shape[1:-1], window, strides, dilation), channels(config, shape))

    return shape_of


def _transposed(config: Config, shape: Shape) -> Shape:
    rank = len(shape) - 2
    window, strides = _pair(config["kernel_size"], rank), _pair(config["strides"], rank)
    if config["padding"] == "same":
        size = tuple(n * stride for n, stride in zip(shape[1:-1], strides, strict=True))
    else:
        size = tuple(n * s + max(k - s, 0) for n, k, s in zip(shape[1:-1], window, strides, strict=True))
    return (shape[0], *size, config["filters"])


def _pool(config: Config, shape: Shape) -> Shape:
    rank = len(shape) - 2
    window = _pair(config["pool_size"], rank)
    strides = _pair(config.get("strides") or config["pool_size"], rank)
    return (shape[0], *_slide(config, shape[1:-1], window, strides, (1,) * rank), shape[-1])


def _global_pool(config: Config, shape: Shape) -> Shape:
    middle = (1,) * (len(shape) - 2) if config.get("keepdims") else ()
    return (shape[0], *middle, shape[-1])


def _reshape(config: Config, shape: Shape) -> Shape:
    target, total = list(config["target_shape"]), math.prod(shape[1:])
    if -1 in target:
        target[target.index(-1)] = total // -math.prod(target)
    return (shape[0], *target)


def _upsample(config: Config, shape: Shape) -> Shape:
    factors = _pair(config["size"], len(shape) - 2)
    return (shape[0], *(n * factor for n, factor in zip(shape[1:-1], factors, strict=True)), shape[-1])


def _pad(config: Config, shape: Shape) -> Shape:
    pads = [_pair(pad, 2) for pad in config["padding"]]
    return (shape[0], *(n + sum(pad) for n, pad in zip(shape[1:-1], pads, strict=True)), shape[-1])


def _crop(config: Config, shape: Shape) -> Shape:
    crops = [_pair(crop, 2) for crop in config["cropping"]]
    return (shape[0], *(n - sum(crop) for n, crop in zip(shape[1:-1], crops, strict=True)), shape[-1])


_SHAPES: dict[str, Callable[[Config, Shape], Shape]] = {
    "Conv1D": _convolution(lambda config, _: int(config["filters"])),
    "Conv2D": _convolution(lambda config, _: int(config["filters"])),
    "SeparableConv2D": _convolution(lambda config, _: int(config["filters"])),
    "DepthwiseConv2D": _convolution(lambda config, shape: int(shape[-1] * config["depth_multiplier"])),
    "Conv2DTranspose": _transposed,
    "Dense": lambda config, shape: (*shape[:-1], config["units"]),
    "Flatten": lambda _, shape: (shape[0], math.prod(shape[1:])),
    "Reshape": _reshape,
    "Permute": lambda config, shape: (shape[0], *(shape[axis] for axis in config["dims"])),
    "UpSampling1D": _upsample,
    "UpSampling2D": _upsample,
    "ZeroPadding2D": _pad,
    "Cropping2D": _crop,
    "Resizing": lambda config, shape: (shape[0], config["height"], config["width"], shape[-1]),
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D"), _pool),
    **dict.fromkeys(
        ("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D"), _global_pool
    ),
    "Concatenate": lambda _, shape: shape,
}


def _with_bias(config: Config, weights: dict[str, Shape], channels: int) -> dict[str, Shape]:
    return {**weights, "bias": (channels,)} if config.get("use_bias", True) else weights


def _conv_weights(config: Config, shape: Shape) -> dict[str, Shape]:
    window, filters = _pair(config["kernel_size"], len(shape) - 2), config["filters"]
    return _with_bias(config, {"kernel": (*window, shape[-1] // config.get("groups", 1), filters)}, filters)


def _depthwise_weights(config: Config, shape: Shape) -> dict[str, Shape]:
    window, multiplier = _pair(config["kernel_size"], len(shape) - 2), config["depth_multiplier"]
    return _with_bias(config, {"kernel": (*window, shape[-1], multiplier)}, shape[-1] * multiplier)


def _separable_weights(config: Config, shape: Shape) -> dict[str, Shape]:
    window, multiplier = _pair(config["kernel_size"], len(shape) - 2), config["depth_multiplier"]
    pointwise = (1, 1, shape[-1] * multiplier, config["filters"])
    kernels = {"depthwise_kernel": (*window, shape[-1], multiplier), "pointwise_kernel": pointwise}
    return _with_bias(config, kernels, config["filters"])


def _transposed_weights(config: Config, shape: Shape) -> dict[str, Shape]:
    window, filters = _pair(config["kernel_size"], len(shape) - 2), config["filters"]
    return _with_bias(config, {"kernel": (*window, filters, shape[-1])}, filters)


def _dense_weights(config: Config, shape: Shape) -> dict[str, Shape]:
    return _with_bias(config, {"kernel": (shape[-1], config["units"])}, config["units"])


def _norm_weights(config: Config, shape: Shape) -> dict[str, Shape]:
    axis = config.get("axis", -1)
    channels = tuple(shape[number] for number in (axis if isinstance(axis, list) else [axis]))
    names = [name for name, key in (("gamma", "scale"), ("beta", "center")) if config.get(key, True)]
    return dict.fromkeys(names, channels)


def _batch_norm_weights(config: Config, shape: Shape) -> dict[str, Shape]:
    weights = _norm_weights(config, shape)
    channels = (shape[config.get("axis", -1)],)
    return {**weights, "moving_mean": channels, "moving_variance": channels}


def _normalization_weights(config: Config, shape: Shape) -> dict[str, Shape]:
    """What the layer found out of the data; nothing where its mean was given."""
    if config.get("mean") is not None:
        return {}
    axis = config.get("axis", -1)
    axes = [] if axis is None else axis if isinstance(axis, list) else [axis]
    sizes = tuple(shape[number] for number in axes)
    return {"mean": sizes, "variance": sizes, "count": ()}


def _prelu_weights(config: Config, shape: Shape) -> dict[str, Shape]:
    shared = config.get("shared_axes") or []
    return {"alpha": tuple(1 if axis in shared else size for axis, size in enumerate(shape[1:], 1))}


#: Weights that no training step changes: statistics of the data.
NEVER_TRAINED = frozenset({"moving_mean", "moving_variance", "mean", "variance", "count"})

_WEIGHTS: dict[str, Callable[[Config, Shape], dict[str, Shape]]] = {
    "Conv1D": _conv_weights,
    "Conv2D": _conv_weights,
    "DepthwiseConv2D": _depthwise_weights,
    "SeparableConv2D": _separable_weights,
    "Conv2DTranspose": _transposed_weights,
    "Dense": _dense_weights,
    "BatchNormalization": _batch_norm_weights,
    "LayerNormalization": _norm_weights,
    "PReLU": _prelu_weights,
    "Normalization": _normalization_weights,
}
