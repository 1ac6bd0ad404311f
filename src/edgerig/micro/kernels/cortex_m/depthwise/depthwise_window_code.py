"""Assembly of depthwise convolution with any window, generated for one shape: four neighbouring outputs at a time.

Rows lie in a plane as in `depthwise_code`. Weights lie on the stack in pairs, at stride 1 twice, once for outputs at
even places and once for those at odd places, as in `depthwise_line_code`: 19 instructions for 20 multiplications of a
row of 5 taps, 25 for 28 of 7. At stride 2 all places are even, and four neighbours share the words of inputs that they
have in common: 21 and 27. What is dilated along rows has taps of 0. Outputs are requantized with both roundings.
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

#: On the stack: constant and shift of the requantization, rounds that are left of a row, weights.
_CONSTANT, _ROUNDS, _TABLE = 48, 56, 64
#: Outputs of a round of the loop: whole blocks of four and whole tiles of three.
_ROUND = 12
_SUMS = ("r4", "r5", "r6", "r7")
#: Reach of LDR and of LDRD.
_FAR, _NEAR = 4095, 1020


@dataclass(frozen=True)
class Window(Shape):
    """``stride`` is that of the rows.

    Attributes:
        taps: Rows and columns of the window, dilated along rows.
        row_step: Rows from one row of taps to the next.
        stride_x: 1 or 2.
    """

    taps: tuple[int, int] = (3, 3)
    row_step: int = 1
    stride_x: int = 1

    @property
    def words(self) -> int:
        """Pairs of weights of a row of taps."""
        return self.taps[1] // 2 + 1 if self.stride_x == 1 else -(-self.taps[1] // 2)

    @property
    def packed(self) -> int:
        """Bytes of a row of taps as they are stored."""
        return -(-self.taps[1] // 4) * 4

    @property
    def pitch(self) -> int:
        last = (self.out_width - 1) // 4 * 4
        reach = last // 2 + self.words + 1 if self.stride_x == 1 else last + self.words + 3
        return 4 * max(reach, -(-(self.left + self.width + self.right) // 2))

    @property
    def window(self) -> int:
        return (self.taps[0] - 1) * self.row_step + 1

    @property
    def name(self) -> str:
        layout = "" if self.planar else "h"
        steps = f"{self.stride}{self.stride_x}{self.row_step}"
        return (
            f"er_depthwise_window_{self.channels}x{self.height}x{self.width}{layout}_{self.left}{self.right}"
            f"_{self.out_width}_{self.taps[0]}x{self.taps[1]}_{steps}"
        )

    def fits(self) -> bool:
        table = _TABLE + 8 * self.words * self.taps[0]
        return (self.window - 1) * self.pitch + 4 * (self.words + 4) <= _FAR and table <= _NEAR


def depthwise_window(window: Window) -> Function:
    """A function of the same kind as `depthwise`."""
    code = Function(window.name, f"Depthwise, window of {window.taps[0]}x{window.taps[1]}, see depthwise_window_code.")
    frame = _TABLE + 8 * window.words * window.taps[0] + 4
    sums = code.label("sums")
    enter(code, frame)
    channel = code.label()
    code.place(channel)
    widen(code, window)
    _unpack(code, window)
    step = code.label()
    code.place(step)
    for row in range(window.rows):
        _row(code, window, sums, row * window.out_width % 3)
    code.add("ldr r9, [sp, #40]", "subs r9, #1", "str r9, [sp, #40]", f"bne {step}")
    leave(code, window, channel, frame)
    code.place(sums)
    for row in range(window.taps[0]):
        (_sums_1 if window.stride_x == 1 else _sums_2)(code, window, row)
    code.add("bx lr")
    return code


def _unpack(code: Function, window: Window) -> None:
    """Twice the weights to the table, twice the bias to r2, multiplier to r3; constant and shift to the stack."""
    code.add("ldrd r0, r1, [sp, #8]", "ldmia r0!, {r2, r3, r4, r5}")
    code.add(f"strd r4, r5, [sp, #{_CONSTANT}]", f"mov r12, #{window.taps[0]}", f"add lr, sp, #{_TABLE}")
    again = code.label()
    code.place(again)
    for i in range(window.packed // 4):
        code.add("ldr r4, [r1], #4", "sxtb16 r5, r4", "sxtb16 r6, r4, ror #8", "sadd16 r5, r5, r5", "sadd16 r6, r6, r6")
        code.add("pkhbt r8, r5, r6, lsl #16", "pkhtb r10, r6, r5, asr #16", "pkhbt r11, r6, r5")
        code.add("lsl r9, r5, #16" if i == 0 else "pkhbt r9, r7, r5, lsl #16", "lsr r7, r6, #16")
        code.add(f"strd r8, r9, [lr, #{16 * i}]")
        if 2 * i + 1 < window.words:
            code.add(f"strd r10, r11, [lr, #{16 * i + 8}]")
    if window.words > window.packed // 2:
        code.add(f"str r7, [lr, #{4 * window.packed + 4}]")
    code.add(f"add lr, lr, #{8 * window.words}", "subs r12, #1", f"bne {again}", "strd r0, r1, [sp, #8]")
    to_columns(code)
    code.add("ldr r0, [sp, #24]", "ldr r9, [sp, #36]", "str r9, [sp, #40]")


def _row(code: Function, window: Window, sums: str, phase: int) -> None:
    """One row of outputs; ``phase`` is the place of its first pixel in its tile."""
    rounds, rest = divmod(window.out_width, _ROUND)
    if rounds:
        again = code.label()
        code.add(f"mov r9, #{rounds}", f"str r9, [sp, #{_ROUNDS}]")
        code.place(again)
        at = Target(code, window.tile)
        _blocks(code, window, sums, _ROUND, at, phase)
        at.finish(_ROUND // 3)
        code.add(f"ldr r9, [sp, #{_ROUNDS}]", "subs r9, #1", f"str r9, [sp, #{_ROUNDS}]", f"bne {again}")
    at = Target(code, window.tile)
    _blocks(code, window, sums, rest, at, phase)
    at.finish((phase + rest) // 3)
    blocks = rounds * _ROUND // 4 + -(-rest // 4)
    code.add(*_move("r0", window.stride * window.pitch - blocks * 8 * window.stride_x))


def _blocks(code: Function, window: Window, sums: str, count: int, at: Target, phase: int) -> None:
    """So many outputs, four at a time; r0 is moved on by whole blocks."""
    for first in range(0, count, 4):
        code.add(f"bl {sums}", f"ldrd r12, lr, [sp, #{_CONSTANT}]", f"adds r0, #{8 * window.stride_x}")
        for i, register in enumerate(_SUMS[: count - first]):
            code.add(f"smmlar r8, {register}, r3, r12", f"add r8, r8, {register}, asr #31", "asr r8, r8, lr")
            code.add("ssat r8, #8, r8, asr #1", f"strh r8, [r1, #{at.offset(phase + first + i)}]")


def _sums_1(code: Function, window: Window, row: int) -> None:
    """A row of taps at stride 1, added to twice the sums of four outputs."""
    offset, table = row * window.row_step * window.pitch, _TABLE + 8 * window.words * row
    word, following = "r8", "r9"
    code.add(f"ldr {word}, [r0, #{offset}]")
    for j in range(window.words):
        start = [register if row or j else "r2" for register in _SUMS]
        code.add(f"ldrd r10, r11, [sp, #{table + 8 * j}]", f"ldr {following}, [r0, #{offset + 4 * j + 4}]")
        for i, (data, weights) in enumerate(((word, "r10"), (word, "r11"), (following, "r10"), (following, "r11"))):
            if 2 * j < window.taps[1] or i % 2:
                code.add(f"smlad {_SUMS[i]}, {data}, {weights}, {start[i]}")
        word, following = following, word


def _sums_2(code: Function, window: Window, row: int) -> None:
    """The same at stride 2."""
    offset, table = row * window.row_step * window.pitch, _TABLE + 8 * window.words * row
    words = ["r8", "r9", "r10", "r11"]
    for i in range(3):
        code.add(f"ldr {words[i]}, [r0, #{offset + 4 * i}]")
    for j in range(window.words):
        start = [register if row or j else "r2" for register in _SUMS]
        code.add(f"ldr r12, [sp, #{table + 8 * j}]", f"ldr {words[3]}, [r0, #{offset + 4 * j + 12}]")
        code.add(*(f"smlad {_SUMS[i]}, {words[i]}, r12, {start[i]}" for i in range(4)))
        words = [*words[1:], words[0]]


def _move(register: str, distance: int) -> list[str]:
    """To a higher or a lower address."""
    if distance >= 0:
        return add_constant(register, register, distance)
    return [line.replace("addw", "subw") for line in add_constant(register, register, -distance)]
