"""Resizing of images: by the nearest pixel of any type, and of int8 by the four around."""

from __future__ import annotations

import numpy as np

from edgerig.artifact import ITEM_SIZES
from edgerig.micro import ir
from edgerig.micro.arithmetic.resize import bilinear_integer, nearest_indices
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Node, ResizeBilinear, ResizeNearest
from edgerig.micro.kernels.base import C_TYPES, Context, Kernel, Lowered
from edgerig.micro.kernels.portable.common import Portable, files, struct
from edgerig.micro.kernels.portable.convolution import INT8
from edgerig.micro.options import Options


class NearestPixel(Kernel):
    """RESIZE_NEAREST_NEIGHBOR."""

    name = "portable-nearest"
    node = ResizeNearest
    supports = "all types"

    def accepts(self, node: Node, options: Options) -> bool:
        return node.input.dtype in C_TYPES and max(node.input.shape) < 1 << 16

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, ir.Resize)
        rows, columns = (
            context.constant(name, nearest_indices(node, axis).astype(np.uint16))
            for name, axis in (("rows", 1), ("columns", 2))
        )
        _, _, width, depth = node.input.shape
        unit = depth * ITEM_SIZES[node.input.dtype]
        x, y = context.read(node.input), context.write(node.output)
        _, out_height, out_width, _ = node.output.shape
        sizes = f"{out_height}, {out_width}, {width * unit}, {unit}"
        return files(f"micro_pick_run({rows}, {columns}, {sizes}, {x}, {y});", "micro_move")


class ResizeS8(Portable):
    """RESIZE_BILINEAR of int8."""

    name = "portable-resize-s8"
    node = ResizeBilinear
    types = INT8
    source = "micro_resize_s8"
    supports = "int8, int16, float32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, ResizeBilinear)
        names = []
        for name, axis in (("rows", 1), ("columns", 2)):
            entries = [
                struct(lower=a, upper=b, weight=w) for a, b, w in zip(*bilinear_integer(node, axis), strict=True)
            ]
            names.append(context.struct(name, "micro_tap", initializer(entries), len(entries)))
        _, out_height, out_width, depth = node.output.shape
        text = struct(
            width=node.input.shape[2],
            depth=depth,
            out_height=out_height,
            out_width=out_width,
            rows=names[0],
            columns=names[1],
        )
        settings = context.struct("resize", "micro_resize_s8", text)
        x, y = context.read(node.input), context.write(node.output)
        return self.lowered(f"{self.source}_run(&{settings}, {x}, {y});")


class ResizeS16(ResizeS8):
    """RESIZE_BILINEAR of int16."""

    name = "portable-resize-s16"
    types = (("int16", "int16"),)
    source = "micro_resize_s16"
