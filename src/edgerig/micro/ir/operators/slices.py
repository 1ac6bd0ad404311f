"""SLICE and STRIDED_SLICE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edgerig.micro.ir.core import DataMovement, Node, Sizes
from edgerig.micro.ir.operators.data_movement import MOVES
from edgerig.micro.ir.operators.reader import OperatorReader, same
from edgerig.micro.ir.operators.record import OperatorRecord


@dataclass(eq=False)
class Slice(DataMovement):
    """``output[i] = input[begin + i * step]`` per axis of the input; ``size`` steps; axes ``dropped`` go."""

    op: ClassVar[str] = "STRIDED_SLICE"
    begin: tuple[int, ...] = ()
    step: tuple[int, ...] = ()
    size: tuple[int, ...] = ()
    dropped: frozenset[int] = frozenset()

    def output_shapes(self) -> tuple[Sizes, ...]:
        return (tuple(size for axis, size in enumerate(self.size) if axis not in self.dropped),)


def slice_(reader: OperatorReader) -> Node:
    """Reads SLICE."""
    value = reader.input()
    begin, size = reader.constant(1), reader.constant(2)
    if not len(begin) == len(size) == len(value.shape):
        reader.wrong(f"slices {list(value.shape)} at {begin} by {size}")
    sizes = tuple(
        full - start if count == -1 else count for full, start, count in zip(value.shape, begin, size, strict=True)
    )
    if any(
        start < 0 or count < 1 or start + count > full
        for full, start, count in zip(value.shape, begin, sizes, strict=True)
    ):
        reader.wrong(f"slices {list(value.shape)} at {begin} by {size}")
    same(reader, value, reader.output)
    return Slice(reader.name, reader.position, [value], [reader.output], tuple(begin), (1,) * len(begin), sizes)


def strided_slice(reader: OperatorReader) -> Node:
    """Reads STRIDED_SLICE."""
    value = reader.input()
    begin, end, step = (reader.constant(position) for position in (1, 2, 3))
    if not len(begin) == len(end) == len(step) <= len(value.shape):
        reader.wrong(f"slices {list(value.shape)} from {begin} to {end} by {step}")
    if reader.option("ellipsis_mask") or reader.option("new_axis_mask") or reader.option("offset"):
        reader.refuse("it uses an ellipsis, a new axis or an offset")
    masks = {key: int(reader.option(f"{key}_mask", 0)) for key in ("begin", "end", "shrink_axis")}
    ranges = []
    for axis, full in enumerate(value.shape):
        bounds = (begin[axis], end[axis], step[axis]) if axis < len(begin) else (0, full, 1)
        bits = {key: bool(mask >> axis & 1) for key, mask in masks.items()}
        ranges.append(_chosen(reader, full, bounds, bits))
    same(reader, value, reader.output)
    return Slice(
        reader.name,
        reader.position,
        [value],
        [reader.output],
        tuple(chosen.start for chosen in ranges),
        tuple(chosen.step for chosen in ranges),
        tuple(len(chosen) for chosen in ranges),
        frozenset(axis for axis in range(len(ranges)) if masks["shrink_axis"] >> axis & 1),
    )


def _chosen(reader: OperatorReader, full: int, bounds: tuple[int, int, int], masks: dict[str, bool]) -> range:
    """The positions along an axis of ``full`` elements that begin, end and step choose."""
    start, stop, step = bounds
    if step == 0:
        reader.wrong("has a step of 0")
    if masks["shrink_axis"]:
        start = start + full if start < 0 else start
        if not 0 <= start < full:
            reader.wrong(f"takes element {start} of {full}")
        return range(start, start + 1)
    chosen = range(full)[slice(None if masks["begin"] else start, None if masks["end"] else stop, step)]
    if not len(chosen):
        reader.wrong("takes nothing")
    return chosen


RECORDS = (
    OperatorRecord("SLICE", Slice, slice_, MOVES, "SliceOptions"),
    OperatorRecord("STRIDED_SLICE", Slice, strided_slice, MOVES, "StridedSliceOptions"),
)
