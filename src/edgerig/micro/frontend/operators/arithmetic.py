"""Pooling, means, sums, products and functions of one value."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgerig.micro import ir
from edgerig.micro.frontend.operators.reader import Builder, Record, same
from edgerig.micro.frontend.operators.weighted import windows
from edgerig.micro.ir import Node


def pool(kind: type[ir.Pool2D]) -> Builder:
    def made(record: Record) -> Node:
        image = record.image()
        window = record.pair("filter_height", "filter_width")
        size, padding, stride = windows(record, image, window)
        record.makes((1, *size, image.shape[3]))
        same(record, image, record.output)
        return kind(*record.parts(), window, stride, padding, record.activation())

    return made


def batch_matmul(record: Record) -> Node:
    first, second = record.input(0), record.input(1)
    sides = bool(record.option("adj_x", False)), bool(record.option("adj_y", False))
    if min(len(first.shape), len(second.shape)) < 2:
        record.wrong(f"multiplies {list(first.shape)} by {list(second.shape)}")
    (rows, depth), (depth_too, columns) = (
        value.shape[-2:][::-1] if turned else value.shape[-2:]
        for value, turned in zip((first, second), sides, strict=True)
    )
    try:
        batch = np.broadcast_shapes(first.shape[:-2], second.shape[:-2])
    except ValueError:
        record.wrong(f"multiplies {list(first.shape)} by {list(second.shape)}")
    if depth != depth_too:
        record.wrong(f"multiplies {list(first.shape)} by {list(second.shape)}")
    record.makes((*batch, rows, columns))
    for value in (first, second, record.output):
        if value.dtype != first.dtype:
            record.refuse(f"it mixes {first.dtype} and {value.dtype}")
        if value.quantization is not None and len(value.quantization.scales) != 1:
            record.refuse(f"{value.name} has a scale for each channel")
    return ir.BatchMatMul(*record.parts(), sides)


def mean(record: Record) -> Node:
    value = record.input()
    rank = len(value.shape)
    axes = tuple(sorted({record.axis(axis, rank) for axis in record.constant(1)}))
    keep = bool(record.option("keep_dims", False))
    shape = [1 if axis in axes else size for axis, size in enumerate(value.shape)]
    record.makes(tuple(size for axis, size in enumerate(shape) if keep or axis not in axes))
    return ir.Mean(record.name, record.position, [value], record.outputs, axes)


def binary(kind: type[ir.Binary]) -> Builder:
    def made(record: Record) -> Node:
        first, second = record.input(0), record.input(1)
        try:
            shape = np.broadcast_shapes(first.shape, second.shape)
        except ValueError:
            record.wrong(f"combines {list(first.shape)} and {list(second.shape)}")
        record.makes(shape)
        if not first.dtype == second.dtype == record.output.dtype:
            record.refuse(f"it mixes {first.dtype}, {second.dtype} and {record.output.dtype}")
        return kind(*record.parts(), record.activation())

    return made


def unary(kind: type[Node], **more: Any) -> Builder:
    def made(record: Record) -> Node:
        record.makes(record.input().shape)
        return kind(record.name, record.position, [record.input()], [record.output], **more)

    return made


def softmax(record: Record) -> Node:
    record.makes(record.input().shape)
    if not record.input().shape:
        record.wrong("has no axis")
    return ir.Softmax(*record.parts(), float(record.option("beta", 1.0)))
