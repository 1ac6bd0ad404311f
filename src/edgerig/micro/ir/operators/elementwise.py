"""Pooling, means, sums, products and functions of one value."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgerig.micro import ir
from edgerig.micro.ir import Node
from edgerig.micro.ir.operators.reader import Builder, OperatorReader, same
from edgerig.micro.ir.operators.weighted import windows


def pool(kind: type[ir.Pool2D]) -> Builder:
    def made(reader: OperatorReader) -> Node:
        image = reader.image()
        window = reader.pair("filter_height", "filter_width")
        size, padding, stride = windows(reader, image, window)
        reader.makes((1, *size, image.shape[3]))
        same(reader, image, reader.output)
        return kind(*reader.parts(), window, stride, padding, reader.activation())

    return made


def batch_matmul(reader: OperatorReader) -> Node:
    first, second = reader.input(0), reader.input(1)
    sides = bool(reader.option("adj_x", False)), bool(reader.option("adj_y", False))
    if min(len(first.shape), len(second.shape)) < 2:
        reader.wrong(f"multiplies {list(first.shape)} by {list(second.shape)}")
    (rows, depth), (depth_too, columns) = (
        value.shape[-2:][::-1] if turned else value.shape[-2:]
        for value, turned in zip((first, second), sides, strict=True)
    )
    try:
        batch = np.broadcast_shapes(first.shape[:-2], second.shape[:-2])
    except ValueError:
        reader.wrong(f"multiplies {list(first.shape)} by {list(second.shape)}")
    if depth != depth_too:
        reader.wrong(f"multiplies {list(first.shape)} by {list(second.shape)}")
    reader.makes((*batch, rows, columns))
    for value in (first, second, reader.output):
        if value.dtype != first.dtype:
            reader.refuse(f"it mixes {first.dtype} and {value.dtype}")
        if value.quantization is not None and len(value.quantization.scales) != 1:
            reader.refuse(f"{value.name} has a scale for each channel")
    return ir.BatchMatMul(*reader.parts(), sides)


def mean(reader: OperatorReader) -> Node:
    value = reader.input()
    rank = len(value.shape)
    axes = tuple(sorted({reader.axis(axis, rank) for axis in reader.constant(1)}))
    keep = bool(reader.option("keep_dims", False))
    shape = [1 if axis in axes else size for axis, size in enumerate(value.shape)]
    reader.makes(tuple(size for axis, size in enumerate(shape) if keep or axis not in axes))
    return ir.Mean(reader.name, reader.position, [value], reader.outputs, axes)


def binary(kind: type[ir.Binary]) -> Builder:
    def made(reader: OperatorReader) -> Node:
        first, second = reader.input(0), reader.input(1)
        try:
            shape = np.broadcast_shapes(first.shape, second.shape)
        except ValueError:
            reader.wrong(f"combines {list(first.shape)} and {list(second.shape)}")
        reader.makes(shape)
        if not first.dtype == second.dtype == reader.output.dtype:
            reader.refuse(f"it mixes {first.dtype}, {second.dtype} and {reader.output.dtype}")
        return kind(*reader.parts(), reader.activation())

    return made


def unary(kind: type[Node], **more: Any) -> Builder:
    def made(reader: OperatorReader) -> Node:
        reader.makes(reader.input().shape)
        return kind(reader.name, reader.position, [reader.input()], [reader.output], **more)

    return made


def softmax(reader: OperatorReader) -> Node:
    reader.makes(reader.input().shape)
    if not reader.input().shape:
        reader.wrong("has no axis")
    return ir.Softmax(*reader.parts(), float(reader.option("beta", 1.0)))
