"""Which input rows and columns an output row or column is made of, when an image is resized."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.ir import Resize

Array = NDArray[Any]


def nearest_indices(node: Resize, axis: int) -> NDArray[np.int64]:
    """For each output row (axis 1) or column (axis 2) the input's, as GetNearestNeighbor of TensorFlow Lite."""
    size, out = node.input.shape[axis], node.output.shape[axis]
    corners = node.align_corners and out > 1
    scale = np.float32(size - 1) / np.float32(out - 1) if corners else np.float32(size) / np.float32(out)
    offset = np.float32(0.5 if node.half_pixel_centers else 0)
    position = (np.arange(out).astype(np.float32) + offset) * scale
    indices = np.floor(position + np.float32(0.5)) if node.align_corners else np.floor(position)
    return np.asarray(np.clip(indices, 0, size - 1), np.int64)


def bilinear_integer(node: Resize, axis: int) -> tuple[Array, Array, Array]:
    """Lower and upper input index, and the weight of the upper in 1/1024, for int8; one per output row or column."""
    size, out = node.input.shape[axis], node.output.shape[axis]
    scale = ((1 << 10) * size + out // 2) // out
    if node.align_corners and out > 1:
        scale = ((1 << 10) * (size - 1) + (out - 1) // 2) // (out - 1)
    position = np.arange(out, dtype=np.int64) * scale
    if node.half_pixel_centers:
        position = position + scale // 2 - (1 << 9)
    lower = np.maximum(np.sign(position) * (np.abs(position) >> 10), 0)
    above = position + (1 << 10) - 1
    upper = np.minimum(np.sign(above) * (np.abs(above) >> 10), size - 1)
    return lower, upper, position - (lower << 10)


def bilinear_real(node: Resize, axis: int) -> tuple[Array, Array, NDArray[np.float32]]:
    """Lower and upper input index, and the weight of the upper, for float32."""
    size, out = node.input.shape[axis], node.output.shape[axis]
    scale = np.float32(size) / np.float32(out)
    if node.align_corners and out > 1:
        scale = np.float32(size - 1) / np.float32(out - 1)
    position = np.arange(out).astype(np.float32)
    position = (position + np.float32(0.5)) * scale - np.float32(0.5) if node.half_pixel_centers else position * scale
    lower = np.maximum(np.floor(position), 0).astype(np.int64)
    upper = np.minimum(np.ceil(position), size - 1).astype(np.int64)
    return lower, upper, (position - lower.astype(np.float32)).astype(np.float32)
