"""Pooling of int8 and means."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edgerig.micro.arithmetic.requantize import activation_range
from edgerig.micro.arithmetic.scales import mean_multiplier
from edgerig.micro.ir import AveragePool2D, MaxPool2D, Mean, Node, Pool2D
from edgerig.micro.ir.core import Reduction
from edgerig.micro.kernels.access import by_pixels, window_begins
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.portable.common import Portable, front, merged, strides, struct
from edgerig.micro.kernels.portable.convolution import INT8
from edgerig.micro.kernels.refusals import Answer
from edgerig.micro.options import Options


def pool_struct(context: Context, node: Pool2D) -> str:
    """The struct of a pooling of integers."""
    _, height, width, depth = node.input.shape
    low, high = activation_range(node.activation, node.output)
    text = struct(
        height=height,
        width=width,
        depth=depth,
        window_height=node.window[0],
        window_width=node.window[1],
        stride_y=node.stride[0],
        stride_x=node.stride[1],
        top=node.padding.top,
        left=node.padding.left,
        out_height=node.output.shape[1],
        out_width=node.output.shape[2],
        low=low,
        high=high,
        unsigned_by=128 if isinstance(node, AveragePool2D) and node.unsigned else 0,
    )
    return context.struct("pool", "micro_pool_s8", text)


class MaxPoolS8(Portable):
    """Max pooling."""

    name = "portable-max-pool-s8"
    node = MaxPool2D
    types = INT8
    source = "micro_pool_s8"
    supports = "int8, float32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, MaxPool2D)
        x, y = context.read(node.input), context.write(node.output)
        access = by_pixels(node.output, node.input, window_begins(node), mixed=True)
        return replace(
            self.lowered(f"micro_max_pool_s8_run(&{pool_struct(context, node)}, {x}, {y});"), accesses=(access,)
        )


class AveragePoolS8(Portable):
    """Average pooling."""

    name = "portable-average-pool-s8"
    node = AveragePool2D
    types = INT8
    source = "micro_pool_s8"
    supports = "int8, float32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, AveragePool2D)
        x, y = context.read(node.input), context.write(node.output)
        sums = context.scratch(4 * node.input.shape[3], "int32_t")
        lowered = self.lowered(f"micro_average_pool_s8_run(&{pool_struct(context, node)}, {x}, {y}, {sums});")
        return replace(lowered, accesses=(by_pixels(node.output, node.input, window_begins(node)),))


def walks(node: Reduction, gone: str) -> dict[str, Any] | None:
    """Sizes and steps of the axes that stay and of those that do not, whose name in C is ``gone``.

    None if there are more than three of each.
    """
    shape = node.input.shape
    steps = strides(shape)
    fields: dict[str, Any] = {}
    for name, axes in (
        ("kept", [axis for axis in range(len(shape)) if axis not in node.axes]),
        (gone, list(node.axes)),
    ):
        sizes, (each,) = merged([shape[axis] for axis in axes], [steps[axis] for axis in axes])
        if len(sizes) > 3:
            return None
        fields[name], fields[f"{name}_step"] = front(sizes, 3, 1), front(each, 3, 0)
    return fields


class MeanS8(Portable):
    """Mean of int8."""

    name = "portable-mean-s8"
    node = Mean
    types = INT8
    source = "micro_mean_s8"
    supports = "int8, float32"

    def accepts(self, node: Node, options: Options) -> Answer:
        return super().accepts(node, options) and isinstance(node, Mean) and walks(node, "summed") is not None

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Mean)
        count, multiplier, exponent = mean_multiplier(node)
        text = struct(
            **(walks(node, "summed") or {}),
            count_zero=count * node.input.zero_point,
            multiplier=multiplier,
            exponent=exponent,
            output_zero=node.output.zero_point,
        )
        settings = context.struct("mean", "micro_mean_s8", text)
        x, y = context.read(node.input), context.write(node.output)
        return self.lowered(f"micro_mean_s8_run(&{settings}, {x}, {y});")


class MeanF32(Portable):
    """Mean of float."""

    name = "portable-mean-f32"
    node = Mean
    types = (("float32", "float32"),)
    source = "micro_curves_f32"

    def accepts(self, node: Node, options: Options) -> Answer:
        return super().accepts(node, options) and isinstance(node, Mean) and walks(node, "summed") is not None

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Mean)
        settings = context.struct("mean", "micro_mean_f32", struct(**(walks(node, "summed") or {})))
        x, y = context.read(node.input), context.write(node.output)
        return self.lowered(f"micro_mean_f32_run(&{settings}, {x}, {y});")
