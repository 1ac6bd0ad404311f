"""ADD, SUB and MUL of int8 in one exact scaling an element: what comes before it is looked up, or a constant.

With ``t`` doubled, high32(t * multiplier + 2**31) is the rounding doubling high multiply of TensorFlow Lite. The
rounding shift after it adds half of what it drops, less 1 if the product is negative; where ``t`` is, and the product
is 0, that changes nothing. So both roundings are ``(high32(..) + offset - (t < 0)) >> shift``, zero point included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import activation_range, scale_by
from edgerig.micro.arithmetic.scales import product_scale, sides_scales
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Add, Binary, Mul, Node, Sub, Value, Weighted
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.sources import calling
from edgerig.micro.kernels.refusals import Answer, Refusal, counted, exact, require
from edgerig.micro.options import Options

#: Elements from which on tables of 1 or 2 KiB are worth their flash.
_LEAST = {"speed": 256, "size": 4096}
#: Beyond it the zero point, moved left by the shift, leaves too little of 32 bits.
_MOST_SHIFT = 22


def sides(node: Binary) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each byte of either side of a sum, from -128 on, in units that both sides have in common."""
    scales = sides_scales(node)
    first, second = (
        scale_by(scale, (np.arange(-128, 128, dtype=np.int64) - value.zero_point) << scales.left_shift)
        for value, scale in zip(node.inputs[:2], (scales.first, scales.second), strict=True)
    )
    return first, second


def scaling(node: Binary, scale: tuple[int, int], least: int, most: int) -> tuple[int, int, int] | Refusal:
    """Multiplier, offset and shift of the formula above for sums or products from ``least`` to ``most``.

    A refusal where it does not hold. An activation that clamps more than SSAT does is left to `clamping`.
    """
    multiplier, exponent = scale
    if exponent > 0:
        return Refusal("scale asks for a left shift")
    if not 1 <= -exponent <= _MOST_SHIFT:
        return Refusal(f"scale asks for a shift of {-exponent}, 1 to {_MOST_SHIFT} are possible")
    if max(-least, most) >= 1 << 30:
        return Refusal("sums or products of more than 30 bits")
    return multiplier, (1 << (-exponent - 1)) + (node.output.zero_point << -exponent), -exponent


def clamping(node: Binary | Weighted, y: str) -> str:
    """C that limits the output to the activation's range, where that is less than SSAT's; after the kernel's call."""
    low, high = activation_range(node.activation, node.output)
    if (low, high) == (-128, 127):
        return ""
    limits = ", ".join(f"0x{(limit & 0xFF) * 0x01010101:08x}u" for limit in (low, high))
    return f"er_clamp_s8({y}, {node.output.elements}, {limits});"


def clamped(call: str, clamp: str, header: str, *names: str, generated: Mapping[str, str] | None = None) -> Lowered:
    """The kernel's call and `clamping` behind it."""
    lowered = calling(call, header, *names, generated=generated)
    if not clamp:
        return lowered
    more = calling(clamp, "er_elementwise.h", "er_clamp.S")
    headers = tuple(dict.fromkeys((*lowered.headers, *more.headers)))
    return replace(lowered, body=f"{call}\n{clamp}", files=(*lowered.files, *more.files), headers=headers)


def by_byte(numbers: NDArray[np.int64]) -> NDArray[np.int32]:
    """Doubled numbers of each integer, from -128 on, in the order of the integers' bytes."""
    return np.roll(2 * numbers, 128).astype(np.int32)


def pays(node: Binary, options: Options) -> Answer:
    """Whether tables are worth their flash."""
    least = _LEAST[options.optimize]
    return require(
        node.output.elements >= least,
        f"{counted(node.output.elements, 'element')}: its tables pay for {options.optimize} from {least:,} on",
    )


class ChannelConstants(Kernel):
    """ADD, SUB and MUL of an int8 tensor and a constant for each channel, 11 instructions an element.

    So does a batch normalization that no convolution could take. Sums take a table of 1 KiB.
    """

    name = "channel-constants"
    needs = frozenset({"thumb2", "dsp"})
    node = Binary

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, Add | Sub | Mul) or any(value.dtype != "int8" for value in (*node.inputs, node.output)):
            return False
        return (
            require(constant_side(node) is not None, "no input is a constant for each channel")
            and exact(channel_numbers(node))
            and (isinstance(node, Mul) or pays(node, options))
        )

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Binary)
        side, numbers = constant_side(node), channel_numbers(node)
        assert side is not None
        assert not isinstance(numbers, Refusal)
        first, constants, scale = numbers
        channels = node.output.shape[-1]
        names = [context.constant("constants", constants, stands_for=[node.inputs[side]]), *map(str, scale), channels]
        kind = "mul" if isinstance(node, Mul) else "sum"
        head = str(first) if isinstance(first, int) else context.constant("table", first)
        layer = context.struct(kind, f"er_{kind}_channels", initializer([head, *names]))
        x, y = context.read(node.inputs[1 - side]), context.write(node.output)
        call = f"er_{kind}_channels_s8(&{layer}, {x}, {y}, {node.output.elements // channels});"
        return clamped(call, clamping(node, y), "er_channels.h", "er_channels.S")

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        return tuple((node.output, value) for value in node.inputs if not value.constant)


def constant_side(node: Binary) -> int | None:
    """Which input is a constant of one number, or of one a channel; None if neither is."""
    for index, value in enumerate(node.inputs):
        other = node.inputs[1 - index]
        broadcast = value.elements == 1 or (value.shape[-1:] == (value.elements,) == node.output.shape[-1:])
        if value.constant and broadcast and not other.constant and other.shape == node.output.shape != ():
            return index
    return None


def channel_numbers(node: Binary) -> tuple[NDArray[np.int32] | int, NDArray[np.int32], tuple[int, int, int]] | Refusal:
    """Table by byte, or of a product the zero point; the constants; multiplier, offset and shift; or why not."""
    side = constant_side(node)
    assert side is not None
    constant, other = node.inputs[side], node.inputs[1 - side]
    stored = np.broadcast_to(constant.array.reshape(-1), node.output.shape[-1:]).astype(np.int64)
    if isinstance(node, Mul):
        factors = stored - constant.zero_point
        ends = np.array([-128, 127])[:, None] - other.zero_point
        numbers = scaling(node, product_scale(node), int((ends * factors).min()), int((ends * factors).max()))
        return numbers if isinstance(numbers, Refusal) else (other.zero_point, (2 * factors).astype(np.int32), numbers)
    both = list(sides(node))
    if isinstance(node, Sub):
        both[1] = -both[1]
    table, constants = both[1 - side], both[side][stored + 128]
    least, most = int(table.min() + constants.min()), int(table.max() + constants.max())
    numbers = scaling(node, sides_scales(node).output, least, most)
    return numbers if isinstance(numbers, Refusal) else (by_byte(table), (2 * constants).astype(np.int32), numbers)
