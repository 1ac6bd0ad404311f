"""Assembly of pointwise convolution over columns: three pixels and two output channels at a time.

A half-word of weights is ``256 * wa + wb`` for two output channels a and b: one SMLAD with it gives 256 A + B, one with
its sign-extended low bytes gives B, so that int8 weights need one load and one SXTB16 for four products: 17
instructions for 24 multiplications. 256 A is then just what `prescaled` asks for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.kernels.cortex_m.assembly import Function

#: Steps of four inputs in the unrolled loop, where speed counts and where size does.
STEPS = {"speed": 16, "size": 8}
#: Steps up to which windows have code without a loop, where speed counts: 2 KiB.
_WHOLE = 32
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
    _requantize(code, shift)
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


def is_whole(steps: int, optimize: str) -> bool:
    """Whether windows of so many steps have code without a loop."""
    return optimize == "speed" and steps <= _WHOLE


def code_of(shift: int, steps: int, optimize: str) -> Function:
    """The function for windows of so many steps."""
    return pointwise_whole(shift, steps) if is_whole(steps, optimize) else pointwise(shift, STEPS[optimize])


def whole_name(shift: int, steps: int) -> str:
    """Name of the function for a shift and windows of exactly so many steps."""
    return f"er_pointwise_{shift}_of_{steps}"


def pointwise_whole(shift: int, steps: int) -> Function:
    """The same without a loop over the window: 6 instructions less for six outputs, 8 beyond `STEPS`.

    Its stream has the start value behind the first two words and the addend at the end, so that each takes no load of
    its own.
    """
    code = Function(whole_name(shift, steps), f"Pointwise convolution over columns of {steps} steps.")
    tile, pair = code.label("tile"), code.label("pair")
    # 0 channel and pixel stride, out | 12 columns, end | 20 tiles, tile's out | 28 job
    code.add("push {r4-r11, lr}", "sub sp, #36", "strd r3, r2, [sp, #20]", "str r0, [sp, #28]")
    code.add("ldr r4, [r0, #4]", "strd r1, r4, [sp, #12]", "ldrd r4, r5, [r0, #8]", "strd r4, r5, [sp]")
    code.place(tile)
    code.add("ldrd r0, r6, [sp, #24]", "ldr r6, [r6]", "str r0, [sp, #8]")
    code.place(pair)
    code.add("ldrd r5, lr, [sp, #12]")
    code.add("ldmia r6!, {r3, r4, r7}", "ldmia r5!, {r0-r2}", "smlad r8, r1, r3, r7", "smlad r9, r2, r3, r7")
    code.add("smlad r7, r0, r3, r7", "sxtb16 r3, r3", "smuad r10, r0, r3", "smuad r11, r1, r3", "smuad r12, r2, r3")
    code.add(*_half("r4"))
    for _ in range(steps - 1):
        code.add("ldrd r3, r4, [r6], #8", *_half("r3"), *_half("r4"))
    code.add("ldmia r6!, {r0-r3}")
    _requantize(code, shift)
    code.add("ldmia sp, {r0, r1, r5}")
    code.add("strb r7, [r5]", "strb r8, [r5, r1]", "strb r9, [r5, r1, lsl #1]", "add r5, r5, r0")
    code.add("strb r10, [r5]", "strb r11, [r5, r1]", "strb r12, [r5, r1, lsl #1]", "add r5, r5, r0", "str r5, [sp, #8]")
    code.add("cmp r6, lr", f"bne {pair}")
    code.add("ldr r2, [sp, #28]", "ldr r3, [r2, #24]", "ldr r4, [sp, #12]", "add r4, r4, r3", "str r4, [sp, #12]")
    code.add("add r1, r1, r1, lsl #1", "ldrd r3, r0, [sp, #20]", "add r0, r0, r1", "subs r3, #1")
    code.add("strd r3, r0, [sp, #20]", f"bne {tile}", "add sp, #36", "pop {r4-r11, pc}")
    return code


def _requantize(code: Function, shift: int) -> None:
    """Sums of both channels to int8: start of the second, multipliers and addend in r0 to r3."""
    for a, b in zip(("r7", "r8", "r9"), ("r10", "r11", "r12"), strict=True):
        code.add(f"sub {a}, {a}, {b}", f"add {b}, r0, {b}, lsl #8")
    for register in ("r7", "r8", "r9"):
        code.add(f"smmla {register}, {register}, r1, r3", f"ssat {register}, #8, {register}, asr #{shift}")
    for register in ("r10", "r11", "r12"):
        code.add(f"smmla {register}, {register}, r2, r3", f"ssat {register}, #8, {register}, asr #{shift}")


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
