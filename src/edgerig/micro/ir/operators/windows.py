"""How windows lie on an image: padding, stride and how many there are."""

from __future__ import annotations

from edgerig.micro.ir.core import Padding, Sizes, Value
from edgerig.micro.ir.operators.reader import OperatorReader


def window(
    reader: OperatorReader, size: int, kernel: int, stride: int, dilation: int, kind: str
) -> tuple[int, int, int]:
    """Output size and padding before and after along one axis."""
    reach = (kernel - 1) * dilation + 1
    if kind == "SAME":
        out = -(-size // stride)
        total = max((out - 1) * stride + reach - size, 0)
        return out, total // 2, total - total // 2
    if kind != "VALID":
        reader.refuse(f"its padding {kind} is not supported")
    out = -(-(size - reach + 1) // stride)
    if out < 1:
        reader.wrong(f"has a window of {reach} on {size}")
    return out, 0, 0


def windows(
    reader: OperatorReader, image: Value, kernel: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> tuple[Padding, tuple[int, int]]:
    """Padding and stride that the options of an operator say."""
    stride = reader.pair("stride_h", "stride_w")
    kind = str(reader.option("padding", "SAME"))
    _, top, bottom = window(reader, image.shape[1], kernel[0], stride[0], dilation[0], kind)
    _, left, right = window(reader, image.shape[2], kernel[1], stride[1], dilation[1], kind)
    return Padding(top, left, bottom, right), stride


def window_count(
    shape: Sizes, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], padding: Padding
) -> tuple[int, int]:
    """Windows along height and width of an image of ``shape`` (1, H, W, C)."""
    pads = (padding.top + padding.bottom, padding.left + padding.right)
    height, width = (
        (size + pad - ((length - 1) * spread + 1)) // step + 1
        for size, pad, length, step, spread in zip(shape[1:3], pads, kernel, stride, dilation, strict=True)
    )
    return height, width
