"""Checks that several kernels share, with their reasons."""

from __future__ import annotations

from collections.abc import Sequence

from edgerig.micro.ir import Conv2D, DepthwiseConv2D
from edgerig.micro.kernels.refusals import Answer, by, counted, require


def window_3x3(node: Conv2D | DepthwiseConv2D) -> Answer:
    """A window of 3x3 without dilation."""
    return require(node.kernel == (3, 3), f"{by(node.kernel)} window, 3x3 is needed") and require(
        node.dilation == (1, 1), f"dilation {by(node.dilation)}"
    )


def stride_one(node: Conv2D | DepthwiseConv2D) -> Answer:
    """Stride 1 in both directions."""
    return require(node.stride == (1, 1), f"stride {by(node.stride)}, 1x1 is needed")


def sizes_below(sizes: Sequence[int], limit: int) -> Answer:
    """All sizes fit into the fields of the kernel's structs."""
    return require(max(sizes) < limit, f"a size of {max(sizes):,}, less than {limit:,} is needed")


def whole_words(channels: int) -> Answer:
    """Channels in fours."""
    return require(channels % 4 == 0, f"{counted(channels, 'channel')}, a multiple of 4 is needed")


def full_range(low: int, high: int) -> Answer:
    """The activation clamps as int8 does, which SSAT does for nothing."""
    return require((low, high) == (-128, 127), f"the activation clamps to {low}..{high}, -128..127 is needed")
