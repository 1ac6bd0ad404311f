"""Operators of ONNX that take parts of a tensor: Split, Slice and Gather, as JAX differentiates them."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgerig.models.graph.types import Operator

Shape = tuple[int, ...]


def split(op: Operator, inputs: list[Any], shape: Shape) -> tuple[Any, ...]:
    """Into parts along an axis: of stated sizes, or all alike but for the last one. A part for each output."""
    import jax.numpy as jnp

    data, count = inputs[0], len(op.outputs)
    axis = int(op.options.get("axis", 0))
    if len(inputs) > 1 and inputs[1] is not None:
        sizes = [int(size) for size in np.asarray(inputs[1])]
    else:
        sizes = [-(-data.shape[axis] // count)] * count
    return tuple(jnp.split(data, np.cumsum(sizes[:-1]).tolist(), axis))


def slice_(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """Elements from a start to an end by a step, of each named axis; a start or end below 0 counts from behind."""
    data, starts, ends, axes, steps = [*inputs, None, None][:5]
    begins, stops = (np.asarray(value).tolist() for value in (starts, ends))
    named = range(len(begins)) if axes is None else np.asarray(axes).tolist()
    strides = [1] * len(begins) if steps is None else np.asarray(steps).tolist()
    parts = [slice(None)] * data.ndim
    for axis, begin, stop, stride in zip(named, begins, stops, strides, strict=True):
        # Backwards, Python's end before the first element is none: -1 would be the last one.
        whole = stride < 0 and stop < -data.shape[axis]
        parts[axis] = slice(begin, None if whole else stop, stride)
    return data[tuple(parts)]


def gather(op: Operator, inputs: list[Any], shape: Shape) -> Any:
    """The slices at some indices of an axis; those below 0 count from behind."""
    import jax.numpy as jnp

    data, indices = inputs
    return jnp.take(data, indices, axis=int(op.options.get("axis", 0)), mode="wrap")
