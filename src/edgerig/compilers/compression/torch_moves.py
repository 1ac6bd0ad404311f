"""Operators of PyTorch that move channels, or leave them where they are."""

from __future__ import annotations

from typing import Any

import msgspec

from edgerig.compilers.compression.channels import Channels, Labels
from edgerig.compilers.compression.torch_graph import shape_of
from edgerig.models.torch.engine import import_torch


class Track(msgspec.Struct, frozen=True, eq=False):
    """The axis of a tensor along which channels run, and the channel at each position of it."""

    axis: int
    labels: Labels


def moved(node: Any, track: Track, channels: Channels) -> Track | None:
    """The channels of what an operator that only moves values gives.

    The operator itself moves their numbers. Where these lie along two axes afterwards, as in a shuffle of channels,
    the shorter one keeps its size: channels at the same position of the longer one are one.
    """
    torch = import_torch()
    before = shape_of(node.args[0]) or ()
    numbers = torch.from_numpy(track.labels).reshape([-1 if i == track.axis else 1 for i in range(len(before))])
    result: Labels = node.target(numbers.expand(before).contiguous(), *node.args[1:], **node.kwargs).numpy()
    varying = [axis for axis in range(result.ndim) if (result != result.take([0], axis)).any()]
    if len(varying) > 2:
        return None
    if len(varying) < 2:
        # All values of one channel, which stays, may lie along any axis.
        axis = varying[0] if varying else min(1, result.ndim - 1)
        return Track(axis, _line(result, axis))
    stays, shrinks = sorted(varying, key=lambda axis: result.shape[axis])
    for position in range(1, result.shape[stays]):
        channels.unite(_line(result, shrinks), _line(result.take([position], stays), shrinks))
    return Track(shrinks, _line(result, shrinks))


def _line(values: Labels, axis: int) -> Labels:
    """What is at the beginning of all axes but one."""
    line: Labels = values[tuple(slice(None) if i == axis else 0 for i in range(values.ndim))].copy()
    return line


def parts(node: Any, track: Track, channels: Channels) -> list[Track]:
    """The channels of each part that a tensor is cut into; of equal parts along channels those at equal positions are
    one, so that parts stay equal. Empty where they are not equal."""
    count, rank = int(node.args[1]), len(shape_of(node.args[0]) or (1,))
    if (node.args[2] if len(node.args) > 2 else 0) % rank != track.axis:
        return [track] * count
    if len(track.labels) % count:
        return []
    rows = track.labels.reshape(count, -1)
    for row in rows[1:]:
        channels.unite(rows[0], row)
    return [Track(track.axis, row) for row in rows]


def reduced(node: Any, track: Track) -> Track | None:
    rank = len(shape_of(node.args[0]) or ())
    if len(node.args) < 2 or not isinstance(node.args[1], list | tuple):
        return None
    axes = {axis % rank for axis in node.args[1]}
    if track.axis in axes or not axes:
        return None
    kept = bool(node.args[2]) if len(node.args) > 2 else False
    return Track(track.axis if kept else track.axis - sum(axis < track.axis for axis in axes), track.labels)


def padded(node: Any, track: Track) -> Track | None:
    rank = len(shape_of(node.args[0]) or ())
    return track if track.axis < rank - len(node.args[1]) // 2 else None


def sliced(node: Any, track: Track) -> Track | None:
    """Cuts along other axes, or none at all."""
    before, after = shape_of(node.args[0]), shape_of(node)
    return track if before and after and before[track.axis] == after[track.axis] else None


def normed(node: Any, track: Track) -> Track | None:
    rank = len(shape_of(node) or (1,))
    return track if node.args[1] % rank != track.axis else None
