"""SLICE and STRIDED_SLICE."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from edgerig.micro.ir.core import DataMovement, Node, Sizes
from edgerig.micro.ir.operators.data_movement import MOVES
from edgerig.micro.ir.operators.reader import OperatorReader, same
from edgerig.micro.ir.operators.record import OperatorRecord


@dataclass(eq=False)
class Slice(DataMovement):
    """``output[i] = input[begin + i * step]`` per axis of the input; ``size`` steps.

    The output has that many elements in the shape ``shape``, in which axes of 1 may be left out or added.
    """

    op: ClassVar[str] = "STRIDED_SLICE"
    begin: tuple[int, ...] = ()
    step: tuple[int, ...] = ()
    size: tuple[int, ...] = ()
    shape: Sizes = ()

    def output_shapes(self) -> tuple[Sizes, ...]:
        return (self.shape,)


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
    return Slice(reader.name, reader.position, [value], [reader.output], tuple(begin), (1,) * len(begin), sizes, sizes)


#: The masks of STRIDED_SLICE: a bit for each entry of begin, end and step.
_MASKS = ("begin", "end", "shrink_axis", "new_axis", "ellipsis")


def strided_slice(reader: OperatorReader) -> Node:
    """Reads STRIDED_SLICE."""
    value = reader.input()
    begin, end, step = (reader.constant(position) for position in (1, 2, 3))
    if not len(begin) == len(end) == len(step):
        reader.wrong(f"slices {list(value.shape)} from {begin} to {end} by {step}")
    offset = bool(reader.option("offset", False))
    masks = {key: int(reader.option(f"{key}_mask", 0)) for key in _MASKS}
    if offset and (masks["new_axis"] or masks["ellipsis"] or len(begin) != len(value.shape)):
        reader.refuse("its ends are offsets from its beginnings, which engines have with one entry for each axis alone")
    if any(masks[key] >> len(begin) for key in ("new_axis", "ellipsis")):
        reader.refuse("its masks name entries that it does not have, which engines understand differently")
    ranges: list[range] = []
    shape: list[int] = []
    for entry, bits in _entries(reader, masks, len(begin), len(value.shape)):
        if bits["new_axis"]:
            shape.append(1)
            continue
        full = value.shape[len(ranges)]
        bounds = (0, full, 1) if entry is None else (begin[entry], end[entry], step[entry])
        ranges.append(_chosen(reader, full, bounds, {**bits, "offset": offset}))
        if not bits["shrink_axis"]:
            shape.append(len(ranges[-1]))
    same(reader, value, reader.output)
    return Slice(
        reader.name,
        reader.position,
        [value],
        [reader.output],
        tuple(chosen.start for chosen in ranges),
        tuple(chosen.step for chosen in ranges),
        tuple(len(chosen) for chosen in ranges),
        tuple(shape),
    )


def _entries(
    reader: OperatorReader, masks: dict[str, int], count: int, rank: int
) -> Iterator[tuple[int | None, dict[str, bool]]]:
    """Each of ``count`` entries and its bits; None for each axis that is taken whole: of an ellipsis, or behind all."""
    bits = [{key: bool(mask >> entry & 1) for key, mask in masks.items()} for entry in range(count)]
    ellipses = [entry for entry in range(count) if bits[entry]["ellipsis"]]
    axes = sum(not each["ellipsis"] and not each["new_axis"] for each in bits)
    if len(ellipses) > 1 or axes > rank:
        reader.wrong(f"slices {rank} axes by {count} entries with {len(ellipses)} ellipses")
    if ellipses and axes == rank:
        reader.refuse("its ellipsis stands for no axis, which engines understand differently")
    whole: list[tuple[int | None, dict[str, bool]]] = [(None, dict.fromkeys(_MASKS, False))] * (rank - axes)
    for entry in range(count):
        if bits[entry]["ellipsis"]:
            yield from whole
        else:
            yield entry, bits[entry]
    if not ellipses:
        yield from whole


def _chosen(reader: OperatorReader, full: int, bounds: tuple[int, int, int], masks: dict[str, bool]) -> range:
    """The positions along an axis of ``full`` elements that begin, end and step choose."""
    start, stop, step = bounds
    if step == 0:
        reader.wrong("has a step of 0")
    if masks["shrink_axis"]:
        # Where the beginning is left out, too, engines take the first element, whatever it says.
        start = 0 if masks["begin"] else start + full if start < 0 else start
        if step < 0:
            reader.wrong(f"takes one element of an axis with a step of {step}")
        if not 0 <= start < full:
            reader.wrong(f"takes element {start} of {full}")
        return range(start, start + 1)
    first = None if masks["begin"] else start
    if masks.get("offset"):
        # Counted from where the slice begins, before a sum below 0 is counted from the end.
        stop += slice(first, None, step).indices(full)[0]
    chosen = range(full)[slice(first, None if masks["end"] else stop, step)]
    if not len(chosen):
        reader.wrong("takes nothing")
    return chosen


RECORDS = (
    OperatorRecord("SLICE", Slice, slice_, MOVES, "SliceOptions"),
    OperatorRecord("STRIDED_SLICE", Slice, strided_slice, MOVES, "StridedSliceOptions"),
)
