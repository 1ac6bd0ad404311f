"""ADD and SUB of two int8 tensors by a table for each side: two look-ups, a sum and a saturating shift.

TensorFlow Lite scales both sides, adds, and scales the sum. In units of a small part of the output's step, the tables
hold what either side adds to the output. Rounding makes that inexact only next to the sums at which the output steps:
the table of one side is chosen within the limits that the other one leaves it, in turns, until all 65536 pairs of bytes
give what they must.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import scale_by
from edgerig.micro.arithmetic.scales import sides_scales
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Add, Binary, Node, Sub, Value
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.assembly import Function, source
from edgerig.micro.kernels.cortex_m.elementwise.sums import clamped, clamping, pays, sides
from edgerig.micro.kernels.refusals import Answer, Refusal, exact, require
from edgerig.micro.options import Options

Ints = NDArray[np.int64]
#: Bits below the output's step, the most and the least.
_SHIFTS = range(20, 11, -1)
#: How far the ends of the tables are drawn apart, in their units: halves are rounded away from zero.
_SPREADS = (0, 256, 2048)
_TURNS = 4
_FAR = 1 << 40


def tables_fit(node: Node, options: Options) -> Answer:
    """Whether two tables add up two tensors of one shape exactly, and are worth their flash."""
    if not isinstance(node, Add | Sub) or any(value.dtype != "int8" for value in (*node.inputs, node.output)):
        return False
    same = node.inputs[0].shape == node.inputs[1].shape == node.output.shape
    return require(same, "the inputs have different shapes") and pays(node, options) and exact(sum_tables(node))


class SumTables(Kernel):
    """Two tensors of one shape, 7.4 instructions an element. The tables take 2 KiB of flash."""

    name = "sum-tables"
    needs = frozenset({"thumb2", "dsp"})
    node = Binary

    def accepts(self, node: Node, options: Options) -> Answer:
        return tables_fit(node, options)

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Add | Sub)
        tables = sum_tables(node)
        assert not isinstance(tables, Refusal)
        *both, shift = tables
        names = [context.constant(f"side{index}", np.roll(table, 128)) for index, table in enumerate(both)]
        layer = context.struct("sum", "er_sum", initializer(names))
        code = _code(shift)
        context.structs.append(f"extern er_sum_run {code.name};")
        x0, x1, y = context.read(node.inputs[0]), context.read(node.inputs[1]), context.write(node.output)
        call = f"{code.name}(&{layer}, {x0}, {x1}, {y}, {node.output.elements});"
        generated = {f"{code.name}.S": source([code])}
        return clamped(call, clamping(node, y), "er_elementwise.h", generated=generated)

    def overlays(self, node: Node) -> tuple[tuple[Value, Value], ...]:
        return tuple((node.output, value) for value in node.inputs)


def sum_tables(node: Add | Sub) -> tuple[NDArray[np.int32], NDArray[np.int32], int] | Refusal:
    """Tables of both sides by integer, from -128 on, and the shift; or why there are none."""
    first, second = sides(node)
    second = -second if isinstance(node, Sub) else second
    return _tables(first.tobytes(), second.tobytes(), sides_scales(node).output, node.output.zero_point)


# A plan within little RAM looks at the same sum dozens of times: in every choice of bands, and when it is written.
@lru_cache(maxsize=256)
def _tables(
    left: bytes, right: bytes, scale: tuple[int, int], zero: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], int] | Refusal:
    """`sum_tables` of two sides (256 int64 each) by the scale and zero point of the output."""
    first, second = (np.frombuffer(side, np.int64) for side in (left, right))
    multiplier, exponent = scale
    wanted = np.clip(scale_by(scale, first[:, None] + second[None, :]) + zero, -128, 127)
    step = multiplier * 2.0 ** (exponent - 31)
    reach = step * float(np.abs(first).max() + np.abs(second).max()) + 256
    shift = next((shift for shift in _SHIFTS if reach * 2.0**shift < (1 << 31) - (1 << 20)), None)
    if shift is None:
        return Refusal("the output's scale is far below those of the inputs")
    top = max(int(np.abs(first).max()), int(np.abs(second).max()), 1)
    for spread in _SPREADS:
        units = step * 2.0**shift + spread / top
        starts = [np.rint(side * units).astype(np.int64) for side in (first, second)]
        starts[0] += (2 * zero + 1) << shift >> 1
        tables = _in_turns(wanted, starts[0], starts[1], shift)
        if tables is not None and _exact(*tables, wanted, shift):
            both = [table.astype(np.int32) for table in tables]
            for table in both:
                table.flags.writeable = False
            return both[0], both[1], shift
    return Refusal("no two tables are exact for all pairs of bytes")


def _in_turns(wanted: Ints, first: Ints, second: Ints, shift: int) -> tuple[Ints, Ints] | None:
    """Tables next to ``first`` and ``second`` whose sums, shifted and saturated, are ``wanted`` (256, 256)."""
    least = np.where(wanted > -128, wanted << shift, -_FAR)
    most = np.where(wanted < 127, (wanted + 1 << shift) - 1, _FAR)
    for _ in range(_TURNS):
        low, high = (least - second).max(1), (most - second).min(1)
        if (low <= high).all():
            return np.clip(first, low, high), second
        first = _between(low, high, first)
        low, high = (least - first[:, None]).max(0), (most - first[:, None]).min(0)
        if (low <= high).all():
            return first, np.clip(second, low, high)
        second = _between(low, high, second)
    return None


def _between(low: Ints, high: Ints, start: Ints) -> Ints:
    """The middle of both limits; where there is but one, what is nearest to ``start``: it must fit 32 bits."""
    open_ended = (low < -_FAR // 2) | (high > _FAR // 2)
    return np.where(open_ended, np.clip(start, low, high), (low + high) // 2)


def _exact(first: Ints, second: Ints, wanted: Ints, shift: int) -> bool:
    """Whether sums of the tables stay within 32 bits, and are what they must be for all pairs."""
    if int(np.abs(first).max()) + int(np.abs(second).max()) >= 1 << 31:
        return False
    return np.array_equal(np.clip(first[:, None] + second[None, :] >> shift, -128, 127), wanted)


def _code(shift: int) -> Function:
    """An er_sum_run."""
    code = Function(f"er_sum_{shift}", f"Sums by two tables, in units of 2**-{shift}; see er_elementwise.h.")
    element = (
        *("ldrb r9, [r1], #1", "ldrb r10, [r2], #1", "ldr r9, [r4, r9, lsl #2]", "ldr r10, [r5, r10, lsl #2]"),
        *("add r9, r9, r10", f"ssat r9, #8, r9, asr #{shift}", "strb r9, [r3], #1"),
    )
    many, rest, single, end = (code.label(stem) for stem in ("many", "rest", "single", "end"))
    code.add("push {r4, r5, r9, r10, r11, lr}", "ldm r0, {r4, r5}", "ldr r0, [sp, #24]", "subs r0, #8", f"blo {rest}")
    code.place(many)
    code.add(".rept 8", *element, ".endr", "subs r0, #8", f"bhs {many}")
    code.place(rest)
    code.add("adds r0, #8", f"beq {end}")
    code.place(single)
    code.add(*element, "subs r0, #1", f"bne {single}")
    code.place(end)
    code.add("pop {r4, r5, r9, r10, r11, pc}")
    return code
