"""How a value may lie in memory between two kernels that agree on it. New layouts are added to `LAYOUTS`."""

from __future__ import annotations

from collections.abc import Callable

from edgerig.micro.ir import Value

#: As TFLite has it: NHWC, no gaps.
PLAIN = "plain"
#: The same order, but int16 (of int8 values).
INT16 = "int16"
#: Channel by channel, rows without gaps, each channel padded to 4 bytes: int8 (C, ceil4(H * W)).
PLANAR = "planar"


def _padded(size: int, to: int = 4) -> int:
    return -(-size // to) * to


def _planar(value: Value) -> int:
    channels = value.shape[-1]
    return channels * _padded(value.elements // channels)


#: Layout to bytes that a value takes in it.
LAYOUTS: dict[str, Callable[[Value], int]] = {
    PLAIN: lambda value: value.nbytes,
    INT16: lambda value: 2 * value.elements,
    PLANAR: _planar,
}


def layout_bytes(layout: str, value: Value) -> int:
    """Bytes that ``value`` takes in ``layout``."""
    return LAYOUTS[layout](value)
