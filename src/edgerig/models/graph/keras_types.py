"""What the modules about Keras layers share: configurations, shapes, sliding windows."""

from __future__ import annotations

from typing import Any

Shape = tuple[int, ...]
Config = dict[str, Any]
Weights = dict[str, Shape]

#: Before the name of an operation on tensors, which is no layer and has no weights: ``ops.Add``.
OPERATION = "ops."
#: Axes of a batch of rows, whose only other axis is the channels'.
MATRIX = 2


def is_channels_first(config: Config, shape: Shape) -> bool:
    """Whether a layer takes (batch, channels, ...); such layers always state it, whatever the default was."""
    return config.get("data_format") == "channels_first" and len(shape) > MATRIX


def channels_last(config: Config, shape: Shape) -> Shape:
    """``shape`` with the channels last."""
    return (shape[0], *shape[2:], shape[1]) if is_channels_first(config, shape) else shape


def per_axis(value: Any, rank: int) -> Shape:
    """A setting that is one number for all of ``rank`` axes, or a number for each."""
    return (value,) * rank if isinstance(value, int) else tuple(value)


def slid(config: Config, size: Shape, window: Shape, strides: Shape, dilation: Shape) -> Shape:
    """How many positions a window takes along each axis of ``size``, by the ``padding`` of ``config``."""
    if config.get("padding") in ("same", "causal"):
        return tuple(-(-n // stride) for n, stride in zip(size, strides, strict=True))
    return tuple(
        (n - (k - 1) * d - 1) // stride + 1 for n, k, stride, d in zip(size, window, strides, dilation, strict=True)
    )


def with_bias(config: Config, weights: Weights, *shape: int) -> Weights:
    """``weights`` and, unless the layer is without one, its bias of ``shape``."""
    return {**weights, "bias": shape} if config.get("use_bias", True) else weights


def class_names(text: str) -> frozenset[str]:
    """Class names, in a text with spaces between them."""
    return frozenset(text.split())
