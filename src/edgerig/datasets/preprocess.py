"""From raw samples to a network's input, and from its output to real values.

Everything here is numpy alone, so that a host and a device compute the same from the same `Preprocessing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing, TensorSpec
from edgerig.datasets.placement import place, placement_of
from edgerig.errors import DatasetError, IncompatibleError

Array = NDArray[Any]


def apply(raw: Array | Sequence[Array], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """``(raw * scale - mean) / std`` after resizing, in float32.

    Args:
        raw: Samples of one shape, (n, H, W, C) for images and (n, ...) otherwise; or a list of images (H, W, C),
            whose heights and widths may differ where ``preprocessing.resize`` is given.
        preprocessing: The steps. ``mean`` and ``std`` have one number, or one per element of the last axis.

    Returns:
        Shape (n, ...), float32.

    Raises:
        DatasetError: The samples do not have one shape, or are no images and must be resized.
        IncompatibleError: ``mean`` or ``std`` is of another length than the last axis, or ``std`` contains a 0.

    >>> images = np.array([[[[0], [255]]]], np.uint8)  # one image of 1 x 2 pixels in grey
    >>> apply(images, Preprocessing(scale=1 / 255, mean=(0.5,), std=(0.5,))).tolist()
    [[[[-1.0], [1.0]]]]
    """
    size = preprocessing.resize
    return normalized(
        _stacked(raw).astype(np.float32) if size is None else _resized(raw, preprocessing, size), preprocessing
    )


def normalized(x: NDArray[np.float32], preprocessing: Preprocessing) -> NDArray[np.float32]:
    """The steps of `apply` after resizing, mostly in place: ``x`` is no more what it was. Raises what `apply` does.

    >>> normalized(np.array([[0.0, 255.0]], np.float32), Preprocessing(scale=2 / 255, mean=(1.0,))).tolist()
    [[-1.0, 1.0]]
    """
    mean = _per_channel("mean", preprocessing.mean, x)
    std = _per_channel("std", preprocessing.std, x)
    if not std.all():
        raise IncompatibleError("The preprocessing divides by a std of 0.", "Give a std above 0.")
    # In place and only where it changes something: this is part of the host's time of every measured sample.
    if preprocessing.scale != 1.0:
        x *= np.float32(preprocessing.scale)
    if mean.any():
        x -= mean
    if (std != 1).any():
        x /= std
    return standardized(x) if preprocessing.standardize else x


def changes_nothing(preprocessing: Preprocessing) -> bool:
    """Whether samples go into a network as they are stored.

    >>> changes_nothing(Preprocessing()), changes_nothing(Preprocessing(scale=0.5))
    (True, False)
    """
    usual = Preprocessing()
    return (
        preprocessing.scale == usual.scale
        and not any(preprocessing.mean)
        and set(preprocessing.std) == {1.0}
        and preprocessing.resize is None
        and not preprocessing.standardize
    )


def standardized(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each sample less its mean, over the larger of its standard deviation and ``1 / sqrt(values)``.

    As ``tf.image.per_image_standardization`` does, whose lower bound keeps a uniform image from being divided by 0.

    Args:
        x: Shape (n, ...).

    >>> standardized(np.array([[1.0, 3.0], [5.0, 5.0]], np.float32)).tolist()
    [[-1.0, 1.0], [0.0, 0.0]]
    """
    flat = x.reshape(len(x), -1).astype(np.float64)
    least = 1 / np.sqrt(max(flat.shape[1], 1))
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(flat.std(axis=1, keepdims=True), least)
    return flat.reshape(x.shape).astype(np.float32)


def resize(image: Array, size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize one image by bilinear interpolation, with antialiasing where it shrinks.

    The triangle filter of width ``max(1, in / out)``, separable, centres aligned at half pixels, weights normalized
    at the borders: equal to Pillow's ``BILINEAR`` on a float image.

    Args:
        image: Shape (H, W, C), any real dtype.
        size: The new height and width.

    Returns:
        Shape (*size, C), float32.

    >>> resize(np.array([[[0], [100]]]), (1, 4))[0, :, 0].tolist()
    [0.0, 25.0, 75.0, 100.0]
    """
    height, width, channels = image.shape
    x = image.astype(np.float32)
    if width != size[1]:
        x = np.einsum("ow,hwc->hoc", _weights(width, size[1]), x, optimize=True)
    if height != size[0]:
        rows = x.reshape(height, -1)
        x = (_weights(height, size[0]) @ rows).reshape(size[0], size[1], channels)
    return np.ascontiguousarray(x)


def quantize_input(x: Array, spec: TensorSpec) -> Array:
    """``x`` in the dtype of the input tensor ``spec``.

    ``q = round(x / scale) + zero_point`` in float32, rounded to the nearest integer with halves away from zero, then
    clamped to the dtype's range: TFLite's reference QUANTIZE operator. An integer tensor without quantization takes
    the rounded, clamped values themselves, and integers exactly.

    Args:
        x: Preprocessed inputs, float32, or integers and booleans, any shape; for per-channel quantization, whose axis
            counts the batch, that of ``spec``.

    Raises:
        DatasetError: ``x`` contains a NaN, which no integer can represent, or integers beyond those of the input.

    >>> from edgerig.artifact import Quantization
    >>> spec = TensorSpec("x", (1, 4), "int8", Quantization((0.5,), (-10,)))
    >>> quantize_input(np.array([[0.0, 0.75, -0.75, 1000.0]], np.float32), spec).tolist()  # halves away from zero
    [[-10, -8, -12, 127]]
    """
    dtype = np.dtype(spec.dtype)
    if dtype.kind == "f":
        return x.astype(dtype, copy=False)
    if dtype.kind == "b":
        return x.astype(np.bool_)
    if x.dtype.kind in "iub":
        if spec.quantization is None:
            return _integers(x, spec)
        x = x.astype(np.float32)
    if np.isnan(x).any():
        raise DatasetError(
            f"The input for {spec.name!r} holds NaN, which cannot be quantized to {spec.dtype}.",
            "Look for NaN in the dataset, or for a preprocessing that makes them.",
        )
    scale, zero_point = affine(spec, x.ndim, np.float32)
    limits = _limits(dtype)
    with np.errstate(over="ignore"):
        scaled = x if spec.quantization is None else x / scale
    # float32 holds all integers of 16 bits and the sums of two of them.
    small = dtype.itemsize <= 2 and scaled.dtype == np.float32
    wide = scaled + np.copysign(_BELOW_HALF, scaled) if small else _rounded(scaled)
    # The method: `numpy.clip` takes twice as long for a small input.
    wide.clip(limits.min - zero_point, limits.max - zero_point, out=wide)
    if small and not isinstance(zero_point, np.ndarray):
        # The conversion to integers cuts the fraction off.
        q = wide.astype(np.int32)
        q += int(zero_point)
        return q.astype(dtype)
    np.trunc(wide, out=wide)
    return np.asarray(wide + zero_point, dtype)


#: The float32 below 0.5. Added to a float32, away from 0, it makes its integer part the nearest integer, halves away
#: from zero, as C compilers lower ``roundf``: 0.49999997 + 0.5 would be 1.
_BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))


def _rounded(scaled: Array) -> NDArray[np.float64]:
    """Numbers that become the nearest integers where their fraction is cut off; float64 holds these sums exactly."""
    wide = scaled.astype(np.float64)
    wide += np.copysign(0.5, wide)
    return wide


@lru_cache(16)
def _limits(dtype: np.dtype[Any]) -> np.iinfo[Any]:
    return np.iinfo(dtype)


def _integers(x: Array, spec: TensorSpec) -> Array:
    """Integers of a dataset for an integer input without a scale, such as indices of words: exactly these."""
    limits = np.iinfo(np.dtype(spec.dtype))
    if x.size and (int(x.min()) < limits.min or int(x.max()) > limits.max):
        raise DatasetError(
            f"The input {spec.name!r} takes {spec.dtype}, {limits.min} to {limits.max}; the samples hold "
            f"{int(x.min())} to {int(x.max())}.",
            "Use a dataset that the network was made for.",
        )
    return x.astype(spec.dtype)


def dequantize(y: Array, spec: TensorSpec) -> NDArray[np.float32]:
    """``scale * (y - zero_point)`` for a quantized tensor, else ``y`` itself.

    Args:
        y: In the dtype of ``spec``, any shape; for per-channel quantization that of ``spec``.
        spec: The tensor that ``y`` is of.

    Returns:
        float32, the shape of ``y``.

    >>> from edgerig.artifact import Quantization
    >>> spec = TensorSpec("y", (1, 3), "int8", Quantization((0.5,), (-10,)))
    >>> dequantize(np.array([[-10, -8, 127]], np.int8), spec).tolist()
    [[0.0, 1.0, 68.5]]
    """
    if spec.quantization is None or np.dtype(spec.dtype).kind == "f":
        return y.astype(np.float32, copy=False)
    scale, zero_point = affine(spec, y.ndim, np.float64)
    return (scale * (y.astype(np.float64) - zero_point)).astype(np.float32)


@lru_cache(64)
def affine(spec: TensorSpec, ndim: int, dtype: type[np.floating[Any]]) -> tuple[Array, Array | float]:
    """Scale and zero point of a tensor, in a shape that broadcasts over ``ndim`` axes.

    >>> from edgerig.artifact import Quantization
    >>> spec = TensorSpec("w", (2, 3), "int8", Quantization((0.5, 0.25), (0, 0), 0))
    >>> scale, zero_point = affine(spec, 2, np.float64)
    >>> scale.tolist(), zero_point.tolist()
    ([[0.5], [0.25]], [[0.0], [0.0]])
    """
    if spec.quantization is None:
        return np.ones((), dtype), 0.0
    scale = np.array(spec.quantization.scales, dtype)
    zero_point = np.asarray(spec.quantization.zero_points, np.float64)
    shape = spec.quantization.spread(ndim)
    # Remembered, and so not to be changed.
    scale.flags.writeable = zero_point.flags.writeable = False
    # A plain float keeps float32 arrays float32.
    return scale.reshape(shape), zero_point.reshape(shape) if shape else spec.quantization.zero_point


def _stacked(raw: Array | Sequence[Array]) -> Array:
    if isinstance(raw, np.ndarray):
        return raw
    shapes = sorted({sample.shape for sample in raw})
    if len(shapes) > 1:
        raise DatasetError(
            f"The samples differ in shape: {list(shapes[0])} and {list(shapes[1])}.",
            "Let the preprocessing resize them: give 'resize' a height and a width.",
        )
    return np.stack(list(raw))


def _resized(raw: Array | Sequence[Array], preprocessing: Preprocessing, size: tuple[int, int]) -> NDArray[np.float32]:
    first = next(iter(raw), None)
    if first is not None and first.ndim != 3:
        raise DatasetError(
            f"Samples of shape {list(first.shape)} are no images (height, width, channels) and cannot be resized.",
            "Leave out 'resize'.",
        )
    if isinstance(raw, np.ndarray) and raw.shape[1:3] == tuple(size):
        return raw.astype(np.float32)
    images = []
    for image in raw:
        at = placement_of(preprocessing, *image.shape[:2])
        images.append(place(resize(image, (at.height, at.width)), at, preprocessing.fill))
    return np.ascontiguousarray(_stacked(images), dtype=np.float32)


def _per_channel(name: str, values: tuple[float, ...], x: NDArray[np.float32]) -> NDArray[np.float32]:
    channels = x.shape[-1] if x.ndim > 1 else 1
    if len(values) not in (1, channels):
        raise IncompatibleError(
            f"The preprocessing's {name} holds {len(values)} numbers, the samples have {channels} channels.",
            f"Give {name} one number, or one for each channel.",
        )
    return np.asarray(values, np.float32)


@lru_cache(maxsize=64)
def _weights(old: int, new: int) -> NDArray[np.float32]:
    """The filter as a matrix, shape (new, old); each row sums to 1."""
    step = old / new
    support = max(1.0, step)
    centres = (np.arange(new) + 0.5) * step
    distance = np.abs(np.arange(old)[None, :] + 0.5 - centres[:, None]) / support
    weights = np.maximum(0.0, 1.0 - distance)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
