"""Operators that only move data."""

from __future__ import annotations

import numpy as np

from edgerig.micro.ir import (
    BroadcastTo,
    Concatenation,
    Node,
    Pack,
    Pad,
    ReadVariable,
    Reshape,
    Shape,
    ShiftState,
    Slice,
    Split,
    Transpose,
)
from edgerig.micro.ir.operators.batches import BatchToSpace, SpaceToBatch
from edgerig.micro.ir.operators.data_movement import Gather, Unpack
from edgerig.micro.ir.operators.rearrangement import DepthToSpace, SpaceToDepth, Tile
from edgerig.micro.reference.operation import Array, Operation


def reshape(node: Node, inputs: list[Array]) -> list[Array]:
    """RESHAPE, SQUEEZE, EXPAND_DIMS."""
    return [inputs[0].reshape(node.output.shape)]


def pad(node: Pad, inputs: list[Array]) -> list[Array]:
    """PAD, PADV2."""
    pads = tuple(zip(node.before, node.after, strict=True))
    return [np.pad(inputs[0], pads, constant_values=inputs[0].dtype.type(node.value))]


def concatenation(node: Concatenation, inputs: list[Array]) -> list[Array]:
    """CONCATENATION."""
    return [np.concatenate(inputs, node.axis)]


def split(node: Split, inputs: list[Array]) -> list[Array]:
    """SPLIT, SPLIT_V."""
    ends = np.cumsum([output.shape[node.axis] for output in node.outputs])[:-1]
    return [np.ascontiguousarray(part) for part in np.split(inputs[0], ends, node.axis)]


def unpack(node: Unpack, inputs: list[Array]) -> list[Array]:
    """UNPACK."""
    return [np.ascontiguousarray(inputs[0].take(index, node.axis)) for index in range(len(node.outputs))]


def slice_(node: Slice, inputs: list[Array]) -> list[Array]:
    """SLICE, STRIDED_SLICE."""
    picked = inputs[0]
    for axis, (begin, step, size) in enumerate(zip(node.begin, node.step, node.size, strict=True)):
        picked = picked.take(begin + step * np.arange(size), axis)
    return [picked.reshape(node.output.shape)]


def transpose(node: Transpose, inputs: list[Array]) -> list[Array]:
    """TRANSPOSE."""
    return [np.ascontiguousarray(inputs[0].transpose(node.permutation))]


def broadcast_to(node: Node, inputs: list[Array]) -> list[Array]:
    """BROADCAST_TO."""
    return [np.array(np.broadcast_to(inputs[0], node.output.shape))]


def tile(node: Tile, inputs: list[Array]) -> list[Array]:
    """TILE."""
    return [np.tile(inputs[0], node.times)]


def space_to_depth(node: SpaceToDepth, inputs: list[Array]) -> list[Array]:
    """SPACE_TO_DEPTH."""
    batch, height, width, channels = inputs[0].shape
    block = node.block
    parts = inputs[0].reshape(batch, height // block, block, width // block, block, channels)
    return [parts.transpose(0, 1, 3, 2, 4, 5).reshape(node.output.shape)]


def depth_to_space(node: DepthToSpace, inputs: list[Array]) -> list[Array]:
    """DEPTH_TO_SPACE."""
    batch, height, width, channels = inputs[0].shape
    block = node.block
    parts = inputs[0].reshape(batch, height, width, block, block, channels // block**2)
    return [parts.transpose(0, 1, 3, 2, 4, 5).reshape(node.output.shape)]


def space_to_batch(node: SpaceToBatch, inputs: list[Array]) -> list[Array]:
    """SPACE_TO_BATCH_ND, one image for each place in a block."""
    pads = ((0, 0), *zip(node.before, node.after, strict=True), (0, 0))
    zero = node.input.zero_point if node.input.quantized else 0
    padded = np.pad(inputs[0], pads, constant_values=inputs[0].dtype.type(zero))
    images = [padded[(slice(None), *starts)] for starts in _starts(node.block)]
    return [np.concatenate(images).reshape(node.output.shape)]


def batch_to_space(node: BatchToSpace, inputs: list[Array]) -> list[Array]:
    """BATCH_TO_SPACE_ND, the other way round."""
    batch = node.output.shape[0]
    whole = np.empty((batch, *node.whole, node.output.shape[-1]), inputs[0].dtype)
    for index, starts in enumerate(_starts(node.block)):
        whole[(slice(None), *starts)] = inputs[0][index * batch : (index + 1) * batch]
    ends = (slice(cut, size - after) for cut, size, after in zip(node.before, node.whole, node.after, strict=True))
    return [np.ascontiguousarray(whole[(slice(None), *ends)])]


def _starts(block: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """Every ``block``-th element along each axis, from each first one on."""
    return [
        tuple(slice(first, None, step) for first, step in zip(firsts, block, strict=True))
        for firsts in np.ndindex(block)
    ]


def shape(node: Node, _: list[Array]) -> list[Array]:
    """SHAPE."""
    return [np.array(node.input.shape, node.output.dtype)]


def pack(node: Pack, inputs: list[Array]) -> list[Array]:
    """PACK."""
    return [np.stack(inputs, node.axis)]


def gather(node: Gather, inputs: list[Array]) -> list[Array]:
    """GATHER."""
    values, indices = inputs
    outer = node.input.shape[: node.batch]
    flat = values.reshape(-1, *node.input.shape[node.batch :])
    each = indices.reshape(flat.shape[0], *node.indices.shape[node.batch :])
    rows = [row.take(which, node.axis - node.batch, mode="clip") for row, which in zip(flat, each, strict=True)]
    return [np.stack(rows).reshape(outer + rows[0].shape)]


def shift(node: Node, inputs: list[Array]) -> list[Array]:
    """The new content of a state variable that is shifted."""
    state, new = inputs[0].reshape(-1), inputs[1].reshape(-1)
    return [np.concatenate([state[new.size :], new]).reshape(node.output.shape)]


def read_variable(_: Node, inputs: list[Array]) -> list[Array]:
    """READ_VARIABLE."""
    return [np.array(inputs[0])]


OPERATIONS: dict[type[Node], Operation] = {
    Reshape: reshape,
    Pad: pad,
    Concatenation: concatenation,
    Split: split,
    Unpack: unpack,
    Slice: slice_,
    Transpose: transpose,
    BroadcastTo: broadcast_to,
    Tile: tile,
    SpaceToDepth: space_to_depth,
    DepthToSpace: depth_to_space,
    SpaceToBatch: space_to_batch,
    BatchToSpace: batch_to_space,
    Shape: shape,
    Pack: pack,
    Gather: gather,
    ShiftState: shift,
    ReadVariable: read_variable,
}
