"""Assembly of depthwise convolution along a line, generated for one shape: four neighbouring outputs at a time.

Weights lie on the stack in pairs, once as (w0, w1), (w2, w3), ... for outputs at even places and once as (0, w0),
(w1, w2), ... for those at odd places, so that both multiply the same words of inputs: 6 instructions for 8
multiplications. The rest is as in `depthwise_code`; outputs are requantized with both
roundings.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgerig.micro.kernels.cortex_m.assembly import Function
from edgerig.micro.kernels.cortex_m.depthwise.depthwise_code import (
    Shape,
    Target,
    add_constant,
    enter,
    leave,
    to_columns,
    widen,
)

_TABLE = 48
_UNROLLED = 24
#: Outputs of a round of the loop: whole blocks of four and whole tiles of three.
_ROUND = 12


@dataclass(frozen=True)
class Line(Shape):
    """One row; ``taps`` is the length of the window."""

    taps: int = 3

    @property
    def pitch(self) -> int:
        last = (self.out_width - 1) // 4 * 4
        return 4 * max(last // 2 + self.words + 1, -(-self.width // 2))

    @property
    def words(self) -> int:
        """Pairs of weights in the table."""
        return self.taps // 2 + 1

    @property
    def rows(self) -> int:
        return 1

    @property
    def window(self) -> int:
        return 1

    @property
    def name(self) -> str:
        layout = "" if self.planar else "h"
        return f"er_depthwise_line_{self.channels}x{self.width}{layout}_{self.taps}"

    def fits(self) -> bool:
        return self.taps <= 32


def depthwise_line(line: Line) -> Function:
    """A function of the same kind as `depthwise`; its band's addend is twice the output's zero point and one."""
    code = Function(line.name, f"Depthwise, window of {line.taps} along a line of {line.channels} x {line.width}.")
    frame = _TABLE + 8 * (line.words + 1) + 4
    enter(code, frame)
    channel = code.label()
    code.place(channel)
    widen(code, line)
    _unpack(code, line)
    _outputs(code, line)
    leave(code, line, channel, frame)
    return code


def _unpack(code: Function, line: Line) -> None:
    """Twice the weights to the table, twice the bias to r2, multiplier r3, constant r12, shift less one lr."""
    code.add("ldrd r0, r1, [sp, #8]", "ldmia r0!, {r2, r3}")
    words = -(-line.taps // 4)
    for i in range(words):
        at = _TABLE + 16 * i
        code.add("ldr r4, [r1], #4", "sxtb16 r5, r4", "sxtb16 r6, r4, ror #8", "sadd16 r5, r5, r5", "sadd16 r6, r6, r6")
        code.add("pkhbt r8, r5, r6, lsl #16", "pkhtb r10, r6, r5, asr #16", "pkhbt r11, r6, r5")
        code.add("lsl r9, r5, #16" if i == 0 else "pkhbt r9, r7, r5, lsl #16", "lsr r7, r6, #16")
        code.add(f"strd r8, r9, [sp, #{at}]")
        if 2 * i + 1 < line.words:
            code.add(f"strd r10, r11, [sp, #{at + 8}]")
    if line.words > 2 * words:
        code.add(f"str r7, [sp, #{_TABLE + 16 * words + 4}]")
    code.add("strd r0, r1, [sp, #8]", "ldr r12, [sp, #20]", "uxtb lr, r2", "asr r2, r2, #8", "lsl r2, r2, #1")
    code.add("lsl r12, r12, lr")
    to_columns(code)
    code.add("ldr r0, [sp, #24]")


def _outputs(code: Function, line: Line) -> None:
    rounds, rest = divmod(line.out_width, _ROUND)
    if line.out_width <= _UNROLLED:
        rounds, rest = 0, line.out_width
    if rounds:
        again = code.label()
        code.add(f"movs r4, #{rounds}", "str r4, [sp, #40]")
        code.place(again)
        _run(code, line, _ROUND)
        code.add(*add_constant("r0", "r0", 2 * _ROUND), "ldr r4, [sp, #40]", "subs r4, #1", "str r4, [sp, #40]")
        code.add(f"bne {again}")
    _run(code, line, rest)


def _run(code: Function, line: Line, count: int) -> None:
    at = Target(code, line.tile)
    for first in range(0, count, 4):
        some = min(4, count - first)
        _block(code, line, 2 * first, some)
        for i in range(some):
            register = f"r{4 + i}"
            code.add(f"smmlar r8, {register}, r3, r12", f"add r8, r8, {register}, asr #31", "asr r8, r8, lr")
            code.add("ssat r8, #8, r8, asr #1", f"strh r8, [r1, #{at.offset(first + i)}]")
    at.finish(count // 3)


def _block(code: Function, line: Line, offset: int, count: int) -> None:
    """Twice the sums of one to four outputs to r4 to r7."""
    word, following = "r8", "r9"
    code.add(f"ldr {word}, [r0, #{offset}]")
    for j in range(line.words):
        start = [register if j else "r2" for register in ("r4", "r5", "r6", "r7")]
        code.add(f"ldrd r10, r11, [sp, #{_TABLE + 8 * j}]")
        even = 2 * j < line.taps
        if count > 2 or j + 1 < line.words:
            code.add(f"ldr {following}, [r0, #{offset + 4 * j + 4}]")
        for i, (data, weights) in enumerate(((word, "r10"), (word, "r11"), (following, "r10"), (following, "r11"))):
            if i < count and (even or i % 2):
                code.add(f"smlad r{4 + i}, {data}, {weights}, {start[i]}")
        word, following = following, word
