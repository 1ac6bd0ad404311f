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


def shape(node: Node, _: list[Array]) -> list[Array]:
    """SHAPE."""
    return [np.array(node.input.shape, node.output.dtype)]


def pack(node: Pack, inputs: list[Array]) -> list[Array]:
    """PACK."""
    return [np.stack(inputs, node.axis)]


def gather(node: Gather, inputs: list[Array]) -> list[Array]:
    """GATHER."""
    return [inputs[0].take(node.indices, node.axis).reshape(node.output.shape)]


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
    Shape: shape,
    Pack: pack,
    Gather: gather,
    ShiftState: shift,
    ReadVariable: read_variable,
}
