"""Operators that move data, state, and arithmetic of shapes."""

from __future__ import annotations

import numpy as np

from edgerig.micro import ir
from edgerig.micro.ir import Node
from edgerig.micro.ir.operators.reader import Builder, OperatorReader, same


def reshape(reader: OperatorReader) -> Node:
    value, output = reader.input(), reader.output
    if value.elements != output.elements:
        reader.wrong(f"makes {list(output.shape)} out of {list(value.shape)}")
    same(reader, value, output)
    return ir.Reshape(reader.name, reader.position, [value], [output])


def pad(reader: OperatorReader) -> Node:
    value = reader.input()
    pads = np.array(reader.constant(1), np.int64)
    if pads.size != 2 * len(value.shape) or (pads < 0).any():
        reader.wrong(f"pads {list(value.shape)} by {pads.tolist()}")
    before, after = pads.reshape(-1, 2).T.tolist()
    reader.makes(tuple(int(a + size + b) for a, size, b in zip(before, value.shape, after, strict=True)))
    same(reader, value, reader.output)
    filler: float = 0 if value.quantization is None else value.zero_point
    if reader.op == "PADV2":
        content = reader.input(2)
        if not content.constant or content.elements != 1:
            reader.refuse("what it pads with is not known when compiling")
        same(reader, value, content)
        filler = content.array.reshape(-1)[0].item()
    return ir.Pad(reader.name, reader.position, [value], [reader.output], tuple(before), tuple(after), filler)


def concatenation(reader: OperatorReader) -> Node:
    values = [reader.input(place) for place in range(len(reader.inputs))]
    if not values:
        reader.wrong("has no inputs")
    axis = reader.axis(int(reader.option("axis", 0)), len(values[0].shape))
    others = {(*value.shape[:axis], *value.shape[axis + 1 :]) for value in values}
    if len(others) != 1 or any(len(value.shape) != len(values[0].shape) for value in values):
        reader.wrong(f"joins {[list(value.shape) for value in values]} along axis {axis}")
    shape = list(values[0].shape)
    shape[axis] = sum(value.shape[axis] for value in values)
    reader.makes(tuple(shape))
    same(reader, reader.output, *values)
    if reader.activation() != "NONE":
        reader.refuse("it has a fused activation")
    return ir.Concatenation(*reader.parts(), axis)


def split(reader: OperatorReader) -> Node:
    place = 1 if reader.op == "SPLIT" else 0
    value = reader.input(place)
    rank = len(value.shape)
    axis = reader.axis(reader.constant(0 if reader.op == "SPLIT" else 2)[0], rank)
    sizes = [output.shape[axis] if len(output.shape) == rank else -1 for output in reader.outputs]
    if not reader.outputs or sum(sizes) != value.shape[axis]:
        reader.wrong(f"splits {list(value.shape)} along axis {axis} into {sizes}")
    if reader.op == "SPLIT_V":
        wanted = reader.constant(1)
        rest = value.shape[axis] - sum(size for size in wanted if size >= 0)
        if [rest if size < 0 else size for size in wanted] != sizes:
            reader.wrong(f"splits {value.shape[axis]} into {wanted}, and the file says {sizes}")
    elif len(set(sizes)) != 1:
        reader.wrong(f"splits into unequal parts {sizes}")
    for output, size in zip(reader.outputs, sizes, strict=True):
        reader.makes((*value.shape[:axis], size, *value.shape[axis + 1 :]), output)
    same(reader, value, *reader.outputs)
    return ir.Split(reader.name, reader.position, [value], reader.outputs, axis)


def slice_(reader: OperatorReader) -> Node:
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
    reader.makes(sizes)
    same(reader, value, reader.output)
    return ir.Slice(reader.name, reader.position, [value], [reader.output], tuple(begin), (1,) * len(begin), sizes)


def strided_slice(reader: OperatorReader) -> Node:
    value = reader.input()
    begin, end, step = (reader.constant(place) for place in (1, 2, 3))
    if not len(begin) == len(end) == len(step) <= len(value.shape):
        reader.wrong(f"slices {list(value.shape)} from {begin} to {end} by {step}")
    if reader.option("ellipsis_mask") or reader.option("new_axis_mask") or reader.option("offset"):
        reader.refuse("it uses an ellipsis, a new axis or an offset")
    masks = {key: int(reader.option(f"{key}_mask", 0)) for key in ("begin", "end", "shrink_axis")}
    begins, steps, sizes, shape = [], [], [], []
    for axis, full in enumerate(value.shape):
        start, stop, by = (begin[axis], end[axis], step[axis]) if axis < len(begin) else (0, full, 1)
        if by == 0:
            reader.wrong("has a step of 0")
        bit = 1 << axis
        if masks["shrink_axis"] & bit:
            start = start + full if start < 0 else start
            if not 0 <= start < full:
                reader.wrong(f"takes element {start} of {full}")
            chosen = range(start, start + 1)
        else:
            ignore_begin, ignore_end = masks["begin"] & bit, masks["end"] & bit
            chosen = range(full)[slice(None if ignore_begin else start, None if ignore_end else stop, by)]
            shape.append(len(chosen))
        if not len(chosen):
            reader.wrong("takes nothing")
        begins.append(chosen.start)
        steps.append(chosen.step)
        sizes.append(len(chosen))
    reader.makes(tuple(shape))
    same(reader, value, reader.output)
    return ir.Slice(reader.name, reader.position, [value], [reader.output], tuple(begins), tuple(steps), tuple(sizes))


def transpose(reader: OperatorReader) -> Node:
    value = reader.input()
    order = reader.constant(1)
    if sorted(order) != list(range(len(value.shape))):
        reader.wrong(f"orders {list(value.shape)} by {order}")
    reader.makes(tuple(value.shape[axis] for axis in order))
    same(reader, value, reader.output)
    return ir.Transpose(reader.name, reader.position, [value], [reader.output], tuple(order))


def broadcast_to(reader: OperatorReader) -> Node:
    value = reader.input()
    shape = tuple(reader.constant(1))
    try:
        fits = np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        reader.wrong(f"repeats {list(value.shape)} to {list(shape)}")
    reader.makes(shape)
    same(reader, value, reader.output)
    return ir.BroadcastTo(reader.name, reader.position, [value], [reader.output])


def resize(kind: type[ir.Resize]) -> Builder:
    def made(reader: OperatorReader) -> Node:
        image = reader.image()
        size = reader.constant(1)
        if len(size) != 2 or min(size) < 1:
            reader.wrong(f"resizes to {size}")
        reader.makes((1, *size, image.shape[3]))
        same(reader, image, reader.output)
        corners, centers = bool(reader.option("align_corners")), bool(reader.option("half_pixel_centers"))
        return kind(reader.name, reader.position, [image], [reader.output], corners, centers)

    return made


def read_variable(reader: OperatorReader) -> Node:
    return ir.ReadVariable(*reader.parts())


def assign_variable(reader: OperatorReader) -> Node:
    same(reader, reader.input(0), reader.input(1))
    if reader.input(0).shape != reader.input(1).shape:
        reader.wrong(f"sets {list(reader.input(0).shape)} to {list(reader.input(1).shape)}")
    return ir.AssignVariable(*reader.parts())


def shape(reader: OperatorReader) -> Node:
    reader.makes((len(reader.input().shape),))
    return ir.Shape(*reader.parts())


def pack(reader: OperatorReader) -> Node:
    values = [reader.input(place) for place in range(len(reader.inputs))]
    if not all(value.constant and value.shape == values[0].shape for value in values):
        reader.refuse("it packs what is not known when compiling")
    axis = reader.axis(int(reader.option("axis", 0)), len(values[0].shape) + 1)
    reader.makes((*values[0].shape[:axis], len(values), *values[0].shape[axis:]))
    return ir.Pack(*reader.parts(), axis)
