"""What the kernels of depthwise convolutions have in common: layouts, and the pair with a pointwise convolution."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from edgerig.micro.ir import Conv2D, DepthwiseConv2D, Fused, Node, Value
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.depthwise.pointwise_part import pointwise_fits
from edgerig.micro.kernels.layouts import PLAIN, PLANAR
from edgerig.micro.kernels.refusals import Answer
from edgerig.micro.options import Options


class _PlanarKernel(Kernel):
    """Reads its input, and writes its output, channel by channel or pixel by pixel."""

    needs = frozenset({"thumb2", "dsp"})
    reversible = True
    mild = 1

    def reads(self, node: Node, value: Value) -> tuple[str, ...]:
        return (PLANAR, PLAIN) if value is node.input else (PLAIN,)

    def writes(self, node: Node, value: Value) -> tuple[str, ...]:
        return (PLANAR, PLAIN)


class AloneKernel(_PlanarKernel):
    """A depthwise convolution alone."""

    node = DepthwiseConv2D

    def accepts(self, node: Node, options: Options) -> Answer:
        return isinstance(node, DepthwiseConv2D) and self.fits(node)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, DepthwiseConv2D)
        return self.lower_alone(node, context)

    @abstractmethod
    def fits(self, node: DepthwiseConv2D) -> Answer:
        """Whether it can do ``node``, exactly."""

    @abstractmethod
    def lower_alone(self, node: DepthwiseConv2D, context: Context) -> Lowered:
        """As `Kernel.lower`."""


class SeparableKernel(_PlanarKernel):
    """A depthwise convolution and the pointwise one after it."""

    pattern: ClassVar[tuple[type[Node], ...]] = (DepthwiseConv2D, Conv2D)

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, Fused):
            return False
        first, second = node.parts
        if not isinstance(first, DepthwiseConv2D) or not isinstance(second, Conv2D):
            return False
        return self.fits(first) and pointwise_fits(second)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Fused)
        first, second = node.parts
        assert isinstance(first, DepthwiseConv2D)
        assert isinstance(second, Conv2D)
        return self.lower_pair(first, second, context)

    @abstractmethod
    def fits(self, first: DepthwiseConv2D) -> Answer:
        """Whether it can do the depthwise part, exactly."""

    @abstractmethod
    def lower_pair(self, first: DepthwiseConv2D, second: Conv2D, context: Context) -> Lowered:
        """As `Kernel.lower`."""
