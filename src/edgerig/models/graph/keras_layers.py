"""Output shapes and weights of Keras layers, from their configuration alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from edgerig.models.graph.keras_attention import (
    ATTENTION,
    attention_shapes,
    dot_shape,
    einsum_shape,
)
from edgerig.models.graph.keras_preparing import (
    SAME_PICTURE,
    adaptive,
    category_shape,
    discretized_shape,
    mel_shape,
    resized,
    stft_shape,
)
from edgerig.models.graph.keras_recurrent import RECURRENT, UnknownCellError, recurrent_shapes
from edgerig.models.graph.keras_types import (
    Config,
    Shape,
    channels_last,
    class_names,
    is_channels_first,
    per_axis,
    slid,
)

#: Layers whose output has the shape of their (first) input.
SAME_SHAPE = SAME_PICTURE | class_names(
    """
    Activation ReLU LeakyReLU PReLU ELU Softmax Identity ActivityRegularization Masking Rescaling Normalization
    BatchNormalization GroupNormalization LayerNormalization RMSNormalization UnitNormalization
    Dropout AlphaDropout GaussianDropout GaussianNoise SpatialDropout1D SpatialDropout2D SpatialDropout3D
    """
)

#: Layers that join inputs of equal (or broadcast) shape element by element.
MERGES = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"})

#: Layers that hand on the type of their input; what others make of integers are floats.
_SAME_TYPE = MERGES | class_names(
    """
    Concatenate Cropping1D Cropping2D Cropping3D Flatten Identity Masking Permute RepeatVector Reshape
    UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
    """
)


def output_shapes(kind: str, config: Config, inputs: list[Shape]) -> list[Shape] | None:
    """The shapes of a layer's outputs (batch included); None if the layer is not known."""
    if kind in RECURRENT:
        return or_none(recurrent_shapes, kind, config, inputs)
    if kind in ATTENTION:
        return attention_shapes(kind, config, inputs)
    if kind == "SpectralNormalization":
        return output_shapes(config["layer"]["class_name"], config["layer"]["config"], inputs)
    if kind in WHOLE:
        return [WHOLE[kind](config, inputs)]
    if kind in SAME_SHAPE:
        return inputs[:1]
    if kind in MERGES:
        return [tuple(max(sizes) for sizes in zip(*inputs, strict=True))]
    maker = SHAPES.get(kind)
    if maker is None:
        return None
    shape = maker(config, channels_last(config, inputs[0]))
    back = is_channels_first(config, inputs[0]) and len(shape) == len(inputs[0])
    return [(shape[0], shape[-1], *shape[1:-1]) if back else shape]


def output_dtype(kind: str, config: Config, dtype: str) -> str:
    """The type of what a layer makes of an input of the type ``dtype``, with Keras on JAX."""
    if kind == "Discretization":
        return "int32" if config.get("output_mode", "int") == "int" else "float32"
    if kind in _SAME_TYPE or dtype.startswith(("float", "bfloat")):
        return dtype
    return "float32"


Shapes = TypeVar("Shapes")


def or_none(
    rule: Callable[[str, Config, list[Shape]], Shapes], kind: str, config: Config, inputs: list[Shape]
) -> Shapes | None:
    """What ``rule`` says of a recurrent layer; None of one with a cell of the user's own."""
    try:
        return rule(kind, config, inputs)
    except UnknownCellError:
        return None


def _convolution(channels: Callable[[Config, Shape], int]) -> Callable[[Config, Shape], Shape]:
    def shape_of(config: Config, shape: Shape) -> Shape:
        rank = len(shape) - 2
        window, strides = per_axis(config["kernel_size"], rank), per_axis(config["strides"], rank)
        dilation = per_axis(config.get("dilation_rate", 1), rank)
        return (shape[0], *slid(config, shape[1:-1], window, strides, dilation), channels(config, shape))

    return shape_of


def _transposed(config: Config, shape: Shape) -> Shape:
    rank = len(shape) - 2
    window, strides = per_axis(config["kernel_size"], rank), per_axis(config["strides"], rank)
    dilation = per_axis(config.get("dilation_rate", 1), rank)
    stated = config.get("output_padding")
    added = (None,) * rank if stated is None else per_axis(stated, rank)
    reach = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
    axes = zip(shape[1:-1], reach, strides, added, strict=True)
    size = tuple(_longer(*axis, same=config["padding"] == "same") for axis in axes)
    return (shape[0], *size, config["filters"])


def _longer(size: int, reach: int, stride: int, added: int | None, same: bool) -> int:
    """One axis of a transposed convolution's output, as Keras has it."""
    if added is not None:
        return (size - 1) * stride + reach - (2 * (reach // 2) if same else 0) + added
    return size * stride + (0 if same else max(reach - stride, 0))


def _pool(config: Config, shape: Shape) -> Shape:
    rank = len(shape) - 2
    window = per_axis(config["pool_size"], rank)
    strides = per_axis(config.get("strides") or config["pool_size"], rank)
    return (shape[0], *slid(config, shape[1:-1], window, strides, (1,) * rank), shape[-1])


def _global_pool(config: Config, shape: Shape) -> Shape:
    middle = (1,) * (len(shape) - 2) if config.get("keepdims") else ()
    return (shape[0], *middle, shape[-1])


def _reshape(config: Config, shape: Shape) -> Shape:
    target, total = list(config["target_shape"]), math.prod(shape[1:])
    if -1 in target:
        target[target.index(-1)] = total // -math.prod(target)
    return (shape[0], *target)


def _upsample(config: Config, shape: Shape) -> Shape:
    factors = per_axis(config["size"], len(shape) - 2)
    return (shape[0], *(n * factor for n, factor in zip(shape[1:-1], factors, strict=True)), shape[-1])


def _sides(config: Config, key: str) -> list[Shape]:
    """(before, after) of each axis; with one axis, Keras writes the two alone."""
    sides = config[key]
    return [tuple(sides)] if all(isinstance(side, int) for side in sides) else [per_axis(side, 2) for side in sides]


def _pad(config: Config, shape: Shape) -> Shape:
    pads = _sides(config, "padding")
    return (shape[0], *(n + sum(pad) for n, pad in zip(shape[1:-1], pads, strict=True)), shape[-1])


def _crop(config: Config, shape: Shape) -> Shape:
    crops = _sides(config, "cropping")
    return (shape[0], *(n - sum(crop) for n, crop in zip(shape[1:-1], crops, strict=True)), shape[-1])


def _concatenated(config: Config, inputs: list[Shape]) -> Shape:
    axis = config.get("axis", -1) % len(inputs[0])
    return (*inputs[0][:axis], sum(shape[axis] for shape in inputs), *inputs[0][axis + 1 :])


def dims(name: str, *ranks: int) -> tuple[str, ...]:
    """The names of a layer for one, two and three axes: ``Conv{}D`` is Conv1D, Conv2D, Conv3D."""
    return tuple(name.format(rank) for rank in ranks or (1, 2, 3))


Maker = Callable[[Config, Shape], Shape]

#: Of all inputs.
WHOLE: dict[str, Callable[[Config, list[Shape]], Shape]] = {
    "Concatenate": _concatenated,
    "Dot": dot_shape,
    "STFTSpectrogram": lambda config, inputs: stft_shape(config, inputs[0]),
}

SHAPES: dict[str, Maker] = {
    **dict.fromkeys(
        (*dims("Conv{}D"), *dims("SeparableConv{}D", 1, 2)), _convolution(lambda config, _: int(config["filters"]))
    ),
    **dict.fromkeys(
        dims("DepthwiseConv{}D", 1, 2),
        _convolution(lambda config, shape: int(shape[-1] * config["depth_multiplier"])),
    ),
    **dict.fromkeys(dims("Conv{}DTranspose"), _transposed),
    **dict.fromkeys((*dims("MaxPooling{}D"), *dims("AveragePooling{}D")), _pool),
    **dict.fromkeys((*dims("GlobalMaxPooling{}D"), *dims("GlobalAveragePooling{}D")), _global_pool),
    **dict.fromkeys((*dims("AdaptiveMaxPooling{}D"), *dims("AdaptiveAveragePooling{}D")), adaptive),
    **dict.fromkeys(dims("UpSampling{}D"), _upsample),
    **dict.fromkeys(dims("ZeroPadding{}D"), _pad),
    **dict.fromkeys(dims("Cropping{}D"), _crop),
    **dict.fromkeys(("Resizing", "CenterCrop", "RandomCrop"), resized),
    **dict.fromkeys(("Embedding", "ReversibleEmbedding"), lambda config, shape: (*shape, config["output_dim"])),
    "Dense": lambda config, shape: (*shape[:-1], config["units"]),
    "EinsumDense": einsum_shape,
    "Flatten": lambda _, shape: (shape[0], math.prod(shape[1:])),
    "Reshape": _reshape,
    "Permute": lambda config, shape: (shape[0], *(shape[axis] for axis in config["dims"])),
    "RepeatVector": lambda config, shape: (shape[0], config["n"], shape[1]),
    "CategoryEncoding": category_shape,
    "Discretization": discretized_shape,
    "MelSpectrogram": mel_shape,
}
