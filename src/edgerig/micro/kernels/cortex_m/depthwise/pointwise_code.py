"""Assembly of pointwise convolution over columns: three pixels and two output channels at a time.

A half-word of weights is ``256 * wa + wb`` for two output channels a and b: one SMLAD with it gives 256 A + B, one with
its sign-extended low bytes gives B, so that int8 weights need one load and one SXTB16 for four products: 17
instructions for 24 multiplications. 256 A is then just what `prescaled` asks for.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.kernels.cortex_m.assembly import Function

#: Steps of four inputs in the unrolled loop, where speed counts and where size does.
STEPS = {"speed": 16, "size": 8}
#: Steps up to which windows have code without a loop, where speed counts: 2 KiB.
WHOLE = 32
#: Sums of three pixels for the one and the other channel.
_FIRST, _SECOND = ("r7", "r8", "r9"), ("r10", "r11", "r12")
#: Tried first, so that layers share code.
USUAL_SHIFT = 13


def name_of(shift: int, steps: int) -> str:
    """Name of the function for a shift and so many steps in the loop."""
    return f"er_pointwise_{shift}" + ("" if steps == STEPS["speed"] else f"_{steps}")


def pointwise(shift: int, steps: int) -> Function:
    """``void name(const er_pointwise *job, const uint32_t *columns, int8_t *out, uint32_t tiles)``."""
    code = Function(name_of(shift, steps), "Pointwise convolution over columns; see er_pointwise.h.")
    tile, pair, again, finish, table = (code.label(stem) for stem in ("tile", "pair", "again", "finish", "table"))
    # 0 channel and pixel stride, out | 12 columns, rounds | 20 entry, end, tiles | 32 tile's out, job | 40 addend
    code.add("push {r4-r11, lr}", "sub sp, #44", "strd r2, r0, [sp, #32]", "str r1, [sp, #12]", "str r3, [sp, #28]")
    code.add("ldr r4, [r0, #28]", "str r4, [sp, #40]")
    code.add("ldrd r4, r5, [r0, #8]", "strd r4, r5, [sp]", "ldrd r4, r5, [r0, #16]", "str r4, [sp, #16]")
    code.add(f"adr r6, {table}", "ldr r6, [r6]", "mul r5, r5, r6", f"adr r6, {finish}", "subs r6, r6, r5")
    code.add("orr r6, r6, #1", "ldr r7, [r0, #4]", "strd r6, r7, [sp, #20]")
    code.place(tile)
    code.add("ldr r6, [sp, #36]", "ldr r0, [sp, #32]", "ldr r6, [r6]", "str r0, [sp, #8]")
    code.place(pair)
    code.add("ldr r7, [r6], #4", "ldrd r5, lr, [sp, #12]")
    code.add("ldrd r3, r4, [r6], #8", "ldmia r5!, {r0-r2}", "smlad r8, r1, r3, r7", "smlad r9, r2, r3, r7")
    code.add("smlad r7, r0, r3, r7", "sxtb16 r3, r3", "smuad r10, r0, r3", "smuad r11, r1, r3", "smuad r12, r2, r3")
    code.add(*_half("r4"), "ldr pc, [sp, #20]", ".p2align 2")
    code.place(again)
    code.add(f".rept {steps}", "ldrd r3, r4, [r6], #8", *_half("r3"), *_half("r4"), ".endr", ".p2align 2")
    code.place(finish)
    code.add("subs lr, #1", f"bne {again}", "ldmia r6!, {r0-r2}", "ldr r3, [sp, #40]")
    _separate(code)
    _requantize(code, shift, ("r1", "r2", "r3"))
    code.add("ldmia sp, {r0, r1, r5}", "ldr r2, [sp, #24]")
    code.add("strb r7, [r5]", "strb r8, [r5, r1]", "strb r9, [r5, r1, lsl #1]", "add r5, r5, r0")
    code.add("strb r10, [r5]", "strb r11, [r5, r1]", "strb r12, [r5, r1, lsl #1]", "add r5, r5, r0", "str r5, [sp, #8]")
    code.add("cmp r6, r2", f"bne {pair}")
    code.add(
        "ldrd r0, r2, [sp, #32]", "ldr r3, [r2, #24]", "ldrd r4, r5, [sp, #12]", "add r4, r4, r3", "str r4, [sp, #12]"
    )
    code.add("add r1, r1, r1, lsl #1", "add r0, r0, r1", "str r0, [sp, #32]")
    code.add("ldr r0, [sp, #28]", "subs r0, #1", "str r0, [sp, #28]", f"bne {tile}", "add sp, #44", "pop {r4-r11, pc}")
    code.add(".p2align 2")
    code.place(table)
    code.add(f".word ({finish} - {again}) / {steps}")
    return code


class Form(Enum):
    """How a stream lies, and which code reads it."""

    LOOP = "loop"
    WHOLE = "whole"
    APART = "apart"


def code_of(form: Form, shift: int | None, steps: int, optimize: str) -> Function:
    """The function for windows of so many steps; ``shift``: of the one rounding, None for both, which has no loop."""
    if form is Form.LOOP:
        assert shift is not None
        return pointwise(shift, STEPS[optimize])
    return (pointwise_apart if form is Form.APART else pointwise_whole)(shift, steps)


def whole_name(shift: int | None, steps: int, apart: bool) -> str:
    """Name of the function for a scaling and windows of exactly so many steps."""
    return f"er_pointwise_{'twice' if shift is None else shift}_of_{steps}{'_apart' if apart else ''}"


def pointwise_whole(shift: int | None, steps: int) -> Function:
    """The same without a loop over the window: 6 instructions less for six outputs, 8 beyond `STEPS`.

    Its stream has the start value behind the first two words and the addend at the end, so that each takes no load of
    its own; for both roundings, multiplier, constant and shift less 1 of each channel.
    """
    code = Function(whole_name(shift, steps, False), f"Pointwise convolution over columns of {steps} steps.")
    pair = _enter_whole(code)
    code.add("ldmia r6!, {r3, r4, r7}", "ldmia r5!, {r0-r2}", "smlad r8, r1, r3, r7", "smlad r9, r2, r3, r7")
    code.add("smlad r7, r0, r3, r7", "sxtb16 r3, r3", "smuad r10, r0, r3", "smuad r11, r1, r3", "smuad r12, r2, r3")
    code.add(*_half("r4"))
    for _ in range(steps - 1):
        code.add("ldrd r3, r4, [r6], #8", *_half("r3"), *_half("r4"))
    if shift is None:
        code.add("ldr r0, [r6], #4")
        for a, b in zip(_FIRST, _SECOND, strict=True):
            code.add(f"sub {a}, {a}, {b}", f"add {b}, r0, {b}, lsl #1", f"asr {a}, {a}, #7")
        _round_twice(code)
    else:
        code.add("ldmia r6!, {r0-r3}")
        _separate(code)
        _requantize(code, shift, ("r1", "r2", "r3"))
    _leave_whole(code, *pair)
    return code


def pointwise_apart(shift: int | None, steps: int) -> Function:
    """The same with each weight in a half-word of its own, 256 times as large, which takes twice the flash.

    A step is 16 instructions for 24 multiplications instead of 17, and six less scale six outputs; ten for both
    roundings, which want weights twice as large. The stream has the first inputs' weights and the start values of both
    channels, the other weights of two inputs after two, those of the one and of the other channel, and what scales.
    """
    code = Function(
        whole_name(shift, steps, True), f"Pointwise convolution over columns of {steps} steps, weights apart."
    )
    pair = _enter_whole(code)
    code.add("ldmia r6!, {r3, r4, r7, r10}", "ldmia r5!, {r0-r2}")
    code.add("smlad r8, r1, r3, r7", "smlad r9, r2, r3, r7", "smlad r7, r0, r3, r7")
    code.add("smlad r11, r1, r4, r10", "smlad r12, r2, r4, r10", "smlad r10, r0, r4, r10")
    for _ in range(2 * steps - 1):
        code.add("ldmia r5!, {r0-r2}", "ldrd r3, r4, [r6], #8")
        code.add(*(f"smlad r{7 + i}, r{i}, r3, r{7 + i}" for i in range(3)))
        code.add(*(f"smlad r{10 + i}, r{i}, r4, r{10 + i}" for i in range(3)))
    if shift is None:
        _round_twice(code)
    else:
        code.add("ldmia r6!, {r0-r2}")
        _requantize(code, shift, ("r0", "r1", "r2"))
    _leave_whole(code, *pair)
    return code


def _enter_whole(code: Function) -> tuple[str, str]:
    """Arguments to the stack; a pair of channels begins with columns in r5, stream in r6, its end in lr."""
    tile, pair = code.label("tile"), code.label("pair")
    # 0 channel and pixel stride, out | 12 columns, end | 20 tiles, tile's out | 28 job
    code.add("push {r4-r11, lr}", "sub sp, #36", "strd r3, r2, [sp, #20]", "str r0, [sp, #28]")
    code.add("ldr r4, [r0, #4]", "strd r1, r4, [sp, #12]", "ldrd r4, r5, [r0, #8]", "strd r4, r5, [sp]")
    code.place(tile)
    code.add("ldrd r0, r6, [sp, #24]", "ldr r6, [r6]", "str r0, [sp, #8]")
    code.place(pair)
    code.add("ldrd r5, lr, [sp, #12]")
    return tile, pair


def _leave_whole(code: Function, tile: str, pair: str) -> None:
    """Stores the six outputs; on to the next pair, tile, or back."""
    code.add("ldmia sp, {r0, r1, r5}")
    code.add("strb r7, [r5]", "strb r8, [r5, r1]", "strb r9, [r5, r1, lsl #1]", "add r5, r5, r0")
    code.add("strb r10, [r5]", "strb r11, [r5, r1]", "strb r12, [r5, r1, lsl #1]", "add r5, r5, r0", "str r5, [sp, #8]")
    code.add("cmp r6, lr", f"bne {pair}")
    code.add("ldr r2, [sp, #28]", "ldr r3, [r2, #24]", "ldr r4, [sp, #12]", "add r4, r4, r3", "str r4, [sp, #12]")
    code.add("add r1, r1, r1, lsl #1", "ldrd r3, r0, [sp, #20]", "add r0, r0, r1", "subs r3, #1")
    code.add("strd r3, r0, [sp, #20]", f"bne {tile}", "add sp, #36", "pop {r4-r11, pc}")


def _separate(code: Function) -> None:
    """256 times the sums of both channels, of which one comes with the other's and one plain; start of that in r0."""
    for a, b in zip(_FIRST, _SECOND, strict=True):
        code.add(f"sub {a}, {a}, {b}", f"add {b}, r0, {b}, lsl #8")


def _round_twice(code: Function) -> None:
    """Twice the sums of both channels to int8: a high multiplication and a shift, which both round as LiteRT does."""
    for registers in (_FIRST, _SECOND):
        code.add("ldmia r6!, {r1-r3}")
        for register in registers:
            code.add(f"smmlar r0, {register}, r1, r2", f"add r0, r0, {register}, asr #31", "asr r0, r0, r3")
            code.add(f"ssat {register}, #8, r0, asr #1")


def _requantize(code: Function, shift: int, numbers: tuple[str, str, str]) -> None:
    """Sums of both channels to int8; ``numbers``: where multipliers and addend are."""
    first, second, addend = numbers
    for register in _FIRST:
        code.add(f"smmla {register}, {register}, {first}, {addend}", f"ssat {register}, #8, {register}, asr #{shift}")
    for register in _SECOND:
        code.add(f"smmla {register}, {register}, {second}, {addend}", f"ssat {register}, #8, {register}, asr #{shift}")


def _half(weights: str) -> list[str]:
    return [
        "ldmia r5!, {r0-r2}",
        *(f"smlad r{7 + i}, r{i}, {weights}, r{7 + i}" for i in range(3)),
        f"sxtb16 {weights}, {weights}",
        *(f"smlad r{10 + i}, r{i}, {weights}, r{10 + i}" for i in range(3)),
    ]


def packs(weights: NDArray[np.int8]) -> bool:
    """Whether pairs of output channels fit into half-words; ``weights`` (O, K)."""
    if weights.shape[0] % 2:
        return False
    halves = _halves(weights)
    room = np.abs(weights.astype(np.int64)).sum(1).max() * 128 < 1 << 23
    return bool((halves >= -32768).all() and (halves <= 32767).all() and room)


def _halves(weights: NDArray[np.int8]) -> NDArray[np.int64]:
    wide = weights.astype(np.int64)
    return np.asarray(256 * wide[0::2] + wide[1::2], np.int64)
