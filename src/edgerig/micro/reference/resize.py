"""Resizing of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgerig.micro.arithmetic.resize import bilinear_integer, bilinear_real, nearest_indices
from edgerig.micro.ir import Node, Resize, ResizeBilinear, ResizeNearest
from edgerig.micro.reference.operation import Array, Operation


def nearest(node: Resize, inputs: list[Array]) -> list[Array]:
    """RESIZE_NEAREST_NEIGHBOR."""
    return [np.ascontiguousarray(inputs[0][:, nearest_indices(node, 1)][:, :, nearest_indices(node, 2)])]


def bilinear(node: Resize, inputs: list[Array]) -> list[Array]:
    """RESIZE_BILINEAR."""
    image = inputs[0][0]
    if image.dtype == np.float32:
        rows, columns = bilinear_real(node, 1), bilinear_real(node, 2)
        whole: Any = np.float32(1)
        image = image.astype(np.float64)
    else:
        rows, columns = bilinear_integer(node, 1), bilinear_integer(node, 2)
        whole = 1 << 10
        image = image.astype(np.int64)
    (y0, y1, dy), (x0, x1, dx) = rows, columns
    dy, dx = dy[:, None, None], dx[None, :, None]
    total = (
        image[y0][:, x0] * (whole - dy) * (whole - dx)
        + image[y1][:, x0] * dy * (whole - dx)
        + image[y0][:, x1] * (whole - dy) * dx
        + image[y1][:, x1] * dy * dx
    )
    if inputs[0].dtype == np.float32:
        return [total.astype(np.float32)[None]]
    rounded = total + np.where(total > 0, 1 << 19, -(1 << 19))
    return [(np.sign(rounded) * (np.abs(rounded) >> 20)).astype(inputs[0].dtype)[None]]


OPERATIONS: dict[type[Node], Operation] = {
    ResizeNearest: nearest,
    ResizeBilinear: bilinear,
}
