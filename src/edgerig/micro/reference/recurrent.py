"""Operators with a state of their own, which they change in place."""

from __future__ import annotations

import numpy as np

from edgerig.micro.arithmetic.requantize import RANGES, real_range, scale_by
from edgerig.micro.arithmetic.scales import svdf_scales
from edgerig.micro.ir import Node
from edgerig.micro.ir.operators.recurrent import Svdf
from edgerig.micro.reference.operation import Array, Operation


def svdf(node: Svdf, inputs: list[Array]) -> list[Array]:
    """SVDF."""
    content, features, time, state = inputs[0], inputs[1], inputs[2], inputs[-1]
    rows = state.reshape(time.shape)
    rows[:, :-1] = rows[:, 1:].copy()
    if content.dtype == np.float32:
        rows[:, -1] = features @ content[0]
        sums = _units(node, (rows * time).sum(1))
        low, high = real_range(node.activation)
        biased = sums + (inputs[3] if node.bias is not None else np.float32(0))
        return [np.clip(biased, low, high).astype(np.float32)[None]]
    first, second = svdf_scales(node)
    products = features.astype(np.int64) @ (content[0].astype(np.int64) - node.input.zero_point)
    rows[:, -1] = np.clip(scale_by(first, products), *RANGES["int16"])
    sums = _units(node, (rows.astype(np.int64) * time).sum(1))
    biased = (sums + (inputs[3] if node.bias is not None else 0)).astype(np.int32).astype(np.int64)
    return [np.clip(scale_by(second, biased) + node.output.zero_point, *RANGES["int8"]).astype(np.int8)[None]]


def _units(node: Svdf, filters: Array) -> Array:
    """The filters of each unit added up."""
    return np.asarray(filters.reshape(-1, node.rank).sum(1))


OPERATIONS: dict[type[Node], Operation] = {Svdf: svdf}
