"""Assembly of blocks of four outputs of a dense layer, generated for a shift; see er_dense.h.

A step is 27 instructions for 32 multiplications: one product with 256 * wa + wb gives 256 A + B, one with the
sign-extended low bytes gives B.
"""

from __future__ import annotations

from edgerig.micro.kernels.cortex_m.assembly import Function

#: Steps of the unrolled loop where speed counts and where size does, powers of two.
STEPS = {"speed": 16, "size": 8}
#: Bytes of a step: 27 instructions of 4.
_STEP = 108
#: On the stack: entry, inputs and their end, end of the blocks, multipliers and their step or one and the addend,
#: addend, outputs.
_ENTRY, _WIDE, _END, _MULTIPLIERS, _ADDEND, _OUT, _FRAME = 0, 4, 12, 16, 24, 28, 36
_OUTPUTS = ("r8", "r9", "r10", "r11")


def dense_blocks(shift: int, same: bool, steps: int) -> Function:
    """``void name(const er_dense *layer, const int16_t *wide, int8_t *out)``; ``same``: one multiplier for all."""
    size = "" if steps == STEPS["speed"] else f"_{steps}"
    code = Function(
        f"er_dense_blocks_{shift}{'_same' if same else ''}{size}", "Blocks of four outputs; see er_dense.h."
    )
    block, again = code.label("block"), code.label("again")
    _enter(code, same, steps, again)
    code.place(block)
    code.add(
        "ldrd r8, r10, [lr], #8", f"ldr r12, [sp, #{_WIDE}]", "mov r9, #0", "mov r11, #0", f"ldr pc, [sp, #{_ENTRY}]"
    )
    code.add(".p2align 2")
    code.place(again)
    code.add(f".rept {steps}", "ldmia r12!, {r0-r3}", *_products("r0", "r1"), *_products("r2", "r3"), ".endr")
    code.add(f"ldr r0, [sp, #{_WIDE + 4}]", "cmp r12, r0", f"bne {again}")
    code.add("ldrd r0, r1, [lr], #8", "sub r8, r8, r9", "sub r10, r10, r11")
    code.add("add r9, r0, r9, lsl #8", "add r11, r1, r11, lsl #8")
    if same:
        code.add(f"ldrd r0, r4, [sp, #{_MULTIPLIERS}]")
    else:
        code.add(f"ldrd r5, r6, [sp, #{_MULTIPLIERS}]", "ldmia r5, {r0-r3}", "add r5, r5, r6")
        code.add(f"str r5, [sp, #{_MULTIPLIERS}]", f"ldr r4, [sp, #{_ADDEND}]")
    for index, output in enumerate(_OUTPUTS):
        code.add(f"smmla {output}, {output}, r{0 if same else index}, r4")
    code.add(f"ldr r0, [sp, #{_OUT}]")
    code.add(*(f"ssat {output}, #8, {output}{f', asr #{shift}' if shift else ''}" for output in _OUTPUTS))
    code.add(*(f"strb {output}, [r0], #1" for output in _OUTPUTS))
    code.add(f"str r0, [sp, #{_OUT}]", f"ldr r1, [sp, #{_END}]", "cmp lr, r1", f"bne {block}")
    code.add(f"add sp, #{_FRAME}", "pop {r4-r11, pc}")
    return code


def _enter(code: Function, same: bool, steps: int, again: str) -> None:
    """The frame, and where the first of the rounds is entered, which is shorter."""
    code.add("push {r4-r11, lr}", f"sub sp, #{_FRAME}", f"str r2, [sp, #{_OUT}]", "ldrd lr, r2, [r0]")
    code.add(f"str r2, [sp, #{_END}]", "ldrd r4, r5, [r0, #8]", "ldrd r6, r2, [r0, #16]", f"str r6, [sp, #{_ADDEND}]")
    if same:
        code.add("ldr r4, [r4]", "mov r5, r6")
    code.add(f"strd r4, r5, [sp, #{_MULTIPLIERS}]", "add r3, r1, r2, lsl #4", f"strd r1, r3, [sp, #{_WIDE}]")
    code.add("subs r2, #1", f"and r2, r2, #{steps - 1}", f"rsb r2, r2, #{steps - 1}", f"adr r3, {again}")
    code.add(f"mov r4, #{_STEP}", "mla r2, r2, r4, r3", "orr r2, r2, #1", f"str r2, [sp, #{_ENTRY}]")


def _products(first: str, second: str) -> list[str]:
    return [
        "ldmia lr!, {r4-r7}",
        f"smlad r8, {first}, r4, r8",
        f"smlad r10, {first}, r6, r10",
        "sxtb16 r4, r4",
        "sxtb16 r6, r6",
        f"smlad r9, {first}, r4, r9",
        f"smlad r11, {first}, r6, r11",
        f"smlad r8, {second}, r5, r8",
        f"smlad r10, {second}, r7, r10",
        "sxtb16 r5, r5",
        "sxtb16 r7, r7",
        f"smlad r9, {second}, r5, r9",
        f"smlad r11, {second}, r7, r11",
    ]
