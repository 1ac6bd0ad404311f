"""Operators that move data."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgerig.testing.networks.random_operators.draw import Draw, Generator


def reshape(draw: Draw) -> bytes:
    """RESHAPE, SQUEEZE, EXPAND_DIMS of the output of a RELU, since a network of reshapes alone has only views."""
    shape, like = draw.image(5), draw.quantization()
    x, z = draw.input(shape, like=like), draw.input(shape, "z", like)
    draw.net.operator("RELU", [x], [z])
    if draw.op == "RESHAPE":
        out: tuple[int, ...] = (1, int(np.prod(shape)))
        inputs, options = [z, draw.indices("shape", out)], {"newShape": list(out)}
    elif draw.op == "SQUEEZE":
        out, inputs, options = shape[1:], [z], {"squeezeDims": [0]}
    else:
        axis = draw.whole(0, 4)
        out, inputs, options = (*shape[:axis], 1, *shape[axis:]), [z, draw.indices("axis", axis)], {}
    y = draw.input(out, "y", like)
    draw.operator(inputs, [y], **options)
    return draw.build([x], [y])


def pad(draw: Draw) -> bytes:
    """PAD, PADV2."""
    shape, like = draw.image(5), draw.quantization()
    pads = draw.rng.integers(0, 3, (4, 2)).astype(np.int32)
    pads[0] = 0
    inputs = [x := draw.input(shape, like=like), draw.indices("pads", pads)]
    if draw.op == "PADV2":
        inputs.append(draw.constant("value", draw.content((1,)), like))
    y = draw.input(tuple(int(size + sides.sum()) for size, sides in zip(shape, pads, strict=True)), "y", like)
    draw.operator(inputs, [y])
    return draw.build([x], [y])


def concatenation(draw: Draw) -> bytes:
    """CONCATENATION."""
    shape, like = draw.image(4), draw.quantization()
    axis = draw.whole(1, 3)
    parts = []
    for index in range(draw.whole(1, 3)):
        part = list(shape)
        part[axis] = draw.whole(1, 4)
        parts.append((draw.input(tuple(part), f"x{index}", like), part[axis]))
    out = list(shape)
    out[axis] = sum(size for _, size in parts)
    y = draw.input(tuple(out), "y", like)
    inputs = [index for index, _ in parts]
    draw.operator(inputs, [y], axis=axis - 4 if draw.whole(0, 1) else axis)
    return draw.build(inputs, [y])


def split(draw: Draw) -> bytes:
    """SPLIT, SPLIT_V."""
    like = draw.quantization()
    shape = list(draw.image(4))
    axis, count = draw.whole(1, 3), draw.whole(1, 3)
    equal = draw.op == "SPLIT"
    sizes = [draw.whole(1, 3)] * count if equal else [draw.whole(1, 4) for _ in range(count)]
    shape[axis] = sum(sizes)
    x = draw.input(tuple(shape), like=like)
    outputs = [
        draw.input(tuple(size if i == axis else full for i, full in enumerate(shape)), f"y{index}", like)
        for index, size in enumerate(sizes)
    ]
    where = draw.indices("axis", axis if equal else [axis])
    draw.operator([where, x] if equal else [x, draw.indices("sizes", sizes), where], outputs, numSplits=count)
    return draw.build([x], outputs)


def tile(draw: Draw) -> bytes:
    """TILE, of some axes or of none."""
    shape, like = draw.image(4, 5), draw.quantization()
    times = [1, *(draw.whole(1, 3) for _ in shape[1:])]
    x = draw.input(shape, like=like)
    y = draw.input(tuple(size * count for size, count in zip(shape, times, strict=True)), "y", like)
    draw.operator([x, draw.indices("times", times)], [y])
    return draw.build([x], [y])


def blocks(draw: Draw) -> bytes:
    """SPACE_TO_DEPTH, DEPTH_TO_SPACE."""
    (_, height, width, channels), like, block = draw.image(4, 5), draw.quantization(), draw.whole(1, 3)
    wide, deep = (1, height * block, width * block, channels), (1, height, width, channels * block**2)
    first, second = (wide, deep) if draw.op == "SPACE_TO_DEPTH" else (deep, wide)
    x, y = draw.input(first, like=like), draw.input(second, "y", like)
    draw.operator([x], [y], blockSize=block)
    return draw.build([x], [y])


def unpack(draw: Draw) -> bytes:
    """UNPACK."""
    shape, like, axis = draw.image(4, 4), draw.quantization(), draw.whole(0, 3)
    x = draw.input(shape, like=like)
    out = (*shape[:axis], *shape[axis + 1 :])
    outputs = [draw.input(out, f"y{index}", like) for index in range(shape[axis])]
    draw.operator([x], outputs, num=len(outputs), axis=axis - 4 if draw.whole(0, 1) else axis)
    return draw.build([x], outputs)


def pack(draw: Draw) -> bytes:
    """PACK of activations and of a constant."""
    shape, like, axis = draw.image(4, 4), draw.quantization(), draw.whole(0, 4)
    inputs = [draw.input(shape, f"x{index}", like) for index in range(draw.whole(1, 3))]
    packed = [*inputs, draw.constant("c", draw.content(shape), like)] if draw.whole(0, 1) else inputs
    y = draw.input((*shape[:axis], len(packed), *shape[axis:]), "y", like)
    draw.operator(packed, [y], valuesCount=len(packed), axis=axis - 5 if draw.whole(0, 1) else axis)
    return draw.build(inputs, [y])


def gather(draw: Draw) -> bytes:
    """GATHER by a scalar, a row or a table of indices: constant ones, or those that an ARG_MAX finds within bounds."""
    shape, like, axis = draw.image(6, 5), draw.quantization(), draw.whole(0, 3)
    batch = draw.whole(0, axis) if draw.whole(0, 1) else 0
    sizes = (*shape[:batch], *[(), (draw.whole(1, 5),), (draw.whole(1, 3), draw.whole(1, 3))][draw.whole(0, 2)])
    inputs = [x := draw.input(shape, like=like)]
    if draw.whole(0, 1) or not sizes:
        indices = draw.indices("indices", draw.rng.integers(0, shape[axis], sizes), sizes)
    else:
        inputs.append(scores := draw.input((*sizes, shape[axis]), "scores"))
        indices = draw.net.tensor("indices", sizes, "int32")
        draw.net.operator("ARG_MAX", [scores, draw.indices("last", -1)], [indices], "ArgMaxOptions", outputType=2)
    y = draw.input((*shape[:axis], *sizes[batch:], *shape[axis + 1 :]), "y", like)
    from_behind = 0 < batch < len(sizes) and draw.whole(0, 1)
    options = {
        "axis": axis - 4 if draw.whole(0, 1) else axis,
        "batchDims": batch - len(sizes) if from_behind else batch,
    }
    draw.operator([x, indices], [y], **options)
    return draw.build(inputs, [y])


def transpose(draw: Draw) -> bytes:
    """TRANSPOSE."""
    shape, like = draw.image(5), draw.quantization()
    order = draw.rng.permutation(4)
    x = draw.input(shape, like=like)
    y = draw.input(tuple(shape[axis] for axis in order), "y", like)
    draw.operator([x, draw.indices("order", order)], [y])
    return draw.build([x], [y])


def broadcast_to(draw: Draw) -> bytes:
    """BROADCAST_TO."""
    shape, like = draw.image(4), draw.quantization()
    source = tuple(int(draw.rng.choice([1, size])) for size in shape)[draw.whole(0, 1) :]
    x = draw.input(source, like=like)
    y = draw.input(shape, "y", like)
    draw.operator([x, draw.indices("shape", shape)], [y])
    return draw.build([x], [y])


def shape_arithmetic(draw: Draw) -> bytes:
    """SHAPE, STRIDED_SLICE, PACK and RESHAPE, as converters write a flexible batch."""
    shape, like = draw.image(5), draw.quantization()
    x, z = draw.input(shape, like=like), draw.input(shape, "z", like)
    out = (1, int(np.prod(shape[1:])))
    y = draw.input(out, "y", like)
    sizes, batch, target = (
        draw.net.tensor(name, dims, "int32") for name, dims in (("sizes", (4,)), ("batch", ()), ("target", (2,)))
    )
    options: dict[str, Any] = {"shrinkAxisMask": 1}
    begin, end = draw.indices("begin", [0]), draw.indices("end", [1])
    draw.net.operator("RELU", [x], [z])
    draw.net.operator("SHAPE", [z], [sizes], "ShapeOptions", outType=2)
    draw.net.operator("STRIDED_SLICE", [sizes, begin, end, end], [batch], "StridedSliceOptions", **options)
    draw.net.operator("PACK", [batch, draw.indices("rest", out[1])], [target], "PackOptions", valuesCount=2)
    draw.net.operator("RESHAPE", [z, target], [y], "ReshapeOptions")
    return draw.build([x], [y])


def batches(draw: Draw) -> bytes:
    """SPACE_TO_BATCH_ND, BATCH_TO_SPACE_ND, of images or of sequences."""
    spatial, like, depth = draw.whole(1, 2), draw.quantization(), draw.whole(1, 4)
    block, sizes = ([draw.whole(1, 3) for _ in range(spatial)] for _ in range(2))
    whole = [step * size for step, size in zip(block, sizes, strict=True)]
    before = [draw.whole(0, size - 1) for size in whole]
    after = [draw.whole(0, size - 1 - first) for size, first in zip(whole, before, strict=True)]
    inner = [size - first - last for size, first, last in zip(whole, before, after, strict=True)]
    wide, dealt = (1, *inner, depth), (int(np.prod(block)), *sizes, depth)
    first, second = (wide, dealt) if draw.op == "SPACE_TO_BATCH_ND" else (dealt, wide)
    x, y = draw.input(first, like=like), draw.input(second, "y", like)
    sides = list(zip(before, after, strict=True))
    draw.operator([x, draw.indices("block", block), draw.indices("sides", sides)], [y])
    return draw.build([x], [y])


def state(draw: Draw) -> bytes:
    """VAR_HANDLE, CALL_ONCE, READ_VARIABLE, ASSIGN_VARIABLE: a window over a sequence that arrives in chunks.

    The oldest chunk is dropped at the front, the new one is appended; or the output is the previous state.
    """
    depth, new, old, like = draw.whole(1, 4), draw.whole(1, 3), draw.whole(1, 4), draw.quantization()
    shapes = {"x": (1, new, depth), "old": (1, old, depth), "window": (1, new + old, depth), "next": (1, old, depth)}
    x, before, window, after = (draw.input(shape, name, like) for name, shape in shapes.items())
    handle = draw.net.tensor("handle", (), "resource")
    bounds = [draw.indices(name, values) for name, values in (("begin", [0, new, 0]), ("size", [1, old, depth]))]
    start = draw.content((1, old, depth))
    filling = draw.net.subgraph()
    inner = draw.net.tensor("handle", (), "resource")
    first = draw.constant("first", start, like)
    draw.net.operator("VAR_HANDLE", [], [inner], "VarHandleOptions", sharedName=b"state")
    draw.net.operator("ASSIGN_VARIABLE", [inner, first], [], "AssignVariableOptions")
    draw.net.main()
    draw.net.operator("CALL_ONCE", [], [], "CallOnceOptions", initSubgraphIndex=filling)
    draw.net.operator("VAR_HANDLE", [], [handle], "VarHandleOptions", sharedName=b"state")
    draw.net.operator("READ_VARIABLE", [handle], [before], "ReadVariableOptions")
    draw.net.operator("CONCATENATION", [before, x], [window], "ConcatenationOptions", axis=1)
    draw.net.operator("SLICE", [window, *bounds], [after], "SliceOptions")
    draw.net.operator("ASSIGN_VARIABLE", [handle, after], [], "AssignVariableOptions")
    return draw.build([x], [window] if draw.whole(0, 1) else [window, after])


GENERATORS: dict[str, Generator] = {
    "RESHAPE": reshape,
    "SQUEEZE": reshape,
    "EXPAND_DIMS": reshape,
    "PAD": pad,
    "PADV2": pad,
    "CONCATENATION": concatenation,
    "SPLIT": split,
    "SPLIT_V": split,
    "TRANSPOSE": transpose,
    "BROADCAST_TO": broadcast_to,
    "UNPACK": unpack,
    "PACK": pack,
    "GATHER": gather,
    "TILE": tile,
    "SPACE_TO_DEPTH": blocks,
    "DEPTH_TO_SPACE": blocks,
    "SPACE_TO_BATCH_ND": batches,
    "BATCH_TO_SPACE_ND": batches,
    "VAR_HANDLE": state,
    "READ_VARIABLE": state,
    "ASSIGN_VARIABLE": state,
    "CALL_ONCE": state,
    "SHAPE": shape_arithmetic,
}
