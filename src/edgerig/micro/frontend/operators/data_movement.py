"""Operators that move data, state, and arithmetic of shapes."""

from __future__ import annotations

import numpy as np

from edgerig.micro import ir
from edgerig.micro.frontend.operators.reader import Builder, Record, same
from edgerig.micro.ir import Node


def reshape(record: Record) -> Node:
    value, output = record.input(), record.output
    if value.elements != output.elements:
        record.wrong(f"makes {list(output.shape)} out of {list(value.shape)}")
    same(record, value, output)
    return ir.Reshape(record.name, record.position, [value], [output])


def pad(record: Record) -> Node:
    value = record.input()
    pads = np.array(record.constant(1), np.int64)
    if pads.size != 2 * len(value.shape) or (pads < 0).any():
        record.wrong(f"pads {list(value.shape)} by {pads.tolist()}")
    before, after = pads.reshape(-1, 2).T.tolist()
    record.makes(tuple(int(a + size + b) for a, size, b in zip(before, value.shape, after, strict=True)))
    same(record, value, record.output)
    filler: float = 0 if value.quantization is None else value.zero_point
    if record.op == "PADV2":
        content = record.input(2)
        if not content.constant or content.elements != 1:
            record.refuse("what it pads with is not known when compiling")
        same(record, value, content)
        filler = content.array.reshape(-1)[0].item()
    return ir.Pad(record.name, record.position, [value], [record.output], tuple(before), tuple(after), filler)


def concatenation(record: Record) -> Node:
    values = [record.input(place) for place in range(len(record.inputs))]
    if not values:
        record.wrong("has no inputs")
    axis = record.axis(int(record.option("axis", 0)), len(values[0].shape))
    others = {(*value.shape[:axis], *value.shape[axis + 1 :]) for value in values}
    if len(others) != 1 or any(len(value.shape) != len(values[0].shape) for value in values):
        record.wrong(f"joins {[list(value.shape) for value in values]} along axis {axis}")
    shape = list(values[0].shape)
    shape[axis] = sum(value.shape[axis] for value in values)
    record.makes(tuple(shape))
    same(record, record.output, *values)
    if record.activation() != "NONE":
        record.refuse("it has a fused activation")
    return ir.Concatenation(*record.parts(), axis)


def split(record: Record) -> Node:
    place = 1 if record.op == "SPLIT" else 0
    value = record.input(place)
    rank = len(value.shape)
    axis = record.axis(record.constant(0 if record.op == "SPLIT" else 2)[0], rank)
    sizes = [output.shape[axis] if len(output.shape) == rank else -1 for output in record.outputs]
    if not record.outputs or sum(sizes) != value.shape[axis]:
        record.wrong(f"splits {list(value.shape)} along axis {axis} into {sizes}")
    if record.op == "SPLIT_V":
        wanted = record.constant(1)
        rest = value.shape[axis] - sum(size for size in wanted if size >= 0)
        if [rest if size < 0 else size for size in wanted] != sizes:
            record.wrong(f"splits {value.shape[axis]} into {wanted}, and the file says {sizes}")
    elif len(set(sizes)) != 1:
        record.wrong(f"splits into unequal parts {sizes}")
    for output, size in zip(record.outputs, sizes, strict=True):
        record.makes((*value.shape[:axis], size, *value.shape[axis + 1 :]), output)
    same(record, value, *record.outputs)
    return ir.Split(record.name, record.position, [value], record.outputs, axis)


def slice_(record: Record) -> Node:
    value = record.input()
    begin, size = record.constant(1), record.constant(2)
    if not len(begin) == len(size) == len(value.shape):
        record.wrong(f"slices {list(value.shape)} at {begin} by {size}")
    sizes = tuple(
        full - start if count == -1 else count for full, start, count in zip(value.shape, begin, size, strict=True)
    )
    if any(
        start < 0 or count < 1 or start + count > full
        for full, start, count in zip(value.shape, begin, sizes, strict=True)
    ):
        record.wrong(f"slices {list(value.shape)} at {begin} by {size}")
    record.makes(sizes)
    same(record, value, record.output)
    return ir.Slice(record.name, record.position, [value], [record.output], tuple(begin), (1,) * len(begin), sizes)


def strided_slice(record: Record) -> Node:
    value = record.input()
    begin, end, step = (record.constant(place) for place in (1, 2, 3))
    if not len(begin) == len(end) == len(step) <= len(value.shape):
        record.wrong(f"slices {list(value.shape)} from {begin} to {end} by {step}")
    if record.option("ellipsis_mask") or record.option("new_axis_mask") or record.option("offset"):
        record.refuse("it uses an ellipsis, a new axis or an offset")
    masks = {key: int(record.option(f"{key}_mask", 0)) for key in ("begin", "end", "shrink_axis")}
    begins, steps, sizes, shape = [], [], [], []
    for axis, full in enumerate(value.shape):
        start, stop, by = (begin[axis], end[axis], step[axis]) if axis < len(begin) else (0, full, 1)
        if by == 0:
            record.wrong("has a step of 0")
        bit = 1 << axis
        if masks["shrink_axis"] & bit:
            start = start + full if start < 0 else start
            if not 0 <= start < full:
                record.wrong(f"takes element {start} of {full}")
            chosen = range(start, start + 1)
        else:
            ignore_begin, ignore_end = masks["begin"] & bit, masks["end"] & bit
            chosen = range(full)[slice(None if ignore_begin else start, None if ignore_end else stop, by)]
            shape.append(len(chosen))
        if not len(chosen):
            record.wrong("takes nothing")
        begins.append(chosen.start)
        steps.append(chosen.step)
        sizes.append(len(chosen))
    record.makes(tuple(shape))
    same(record, value, record.output)
    return ir.Slice(record.name, record.position, [value], [record.output], tuple(begins), tuple(steps), tuple(sizes))


def transpose(record: Record) -> Node:
    value = record.input()
    order = record.constant(1)
    if sorted(order) != list(range(len(value.shape))):
        record.wrong(f"orders {list(value.shape)} by {order}")
    record.makes(tuple(value.shape[axis] for axis in order))
    same(record, value, record.output)
    return ir.Transpose(record.name, record.position, [value], [record.output], tuple(order))


def broadcast_to(record: Record) -> Node:
    value = record.input()
    shape = tuple(record.constant(1))
    try:
        fits = np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        record.wrong(f"repeats {list(value.shape)} to {list(shape)}")
    record.makes(shape)
    same(record, value, record.output)
    return ir.BroadcastTo(record.name, record.position, [value], [record.output])


def resize(kind: type[ir.Resize]) -> Builder:
    def made(record: Record) -> Node:
        image = record.image()
        size = record.constant(1)
        if len(size) != 2 or min(size) < 1:
            record.wrong(f"resizes to {size}")
        record.makes((1, *size, image.shape[3]))
        same(record, image, record.output)
        corners, centers = bool(record.option("align_corners")), bool(record.option("half_pixel_centers"))
        return kind(record.name, record.position, [image], [record.output], corners, centers)

    return made


def read_variable(record: Record) -> Node:
    return ir.ReadVariable(*record.parts())


def assign_variable(record: Record) -> Node:
    same(record, record.input(0), record.input(1))
    if record.input(0).shape != record.input(1).shape:
        record.wrong(f"sets {list(record.input(0).shape)} to {list(record.input(1).shape)}")
    return ir.AssignVariable(*record.parts())


def shape(record: Record) -> Node:
    record.makes((len(record.input().shape),))
    return ir.Shape(*record.parts())


def pack(record: Record) -> Node:
    values = [record.input(place) for place in range(len(record.inputs))]
    if not all(value.constant and value.shape == values[0].shape for value in values):
        record.refuse("it packs what is not known when compiling")
    axis = record.axis(int(record.option("axis", 0)), len(values[0].shape) + 1)
    record.makes((*values[0].shape[:axis], len(values), *values[0].shape[axis:]))
    return ir.Pack(*record.parts(), axis)
