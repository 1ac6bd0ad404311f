"""Assembly of pointwise convolution over the first pixel of a tile alone, for images whose last tile has no more.

A step is 9 instructions for 8 multiplications, or 8 with weights apart, where a tile takes 17 or 16 for all three
pixels; and nothing is computed that has to be kept from the output.
"""

from __future__ import annotations

from edgerig.micro.kernels.cortex_m.assembly import Function
from edgerig.micro.kernels.cortex_m.depthwise.pointwise_code import Form, whole_name


def pointwise_single(form: Form, shift: int | None, steps: int) -> Function:
    """An er_pointwise_run that makes one pixel and reads the stream of `Form.WHOLE` or `Form.APART`.

    ``shift``: of the one rounding, None for both.
    """
    apart = form is Form.APART
    code = Function(f"{whole_name(shift, steps, apart)}_single", f"Pointwise convolution of {steps} steps, one pixel.")
    pair = code.label("pair")
    # r1 columns, r2 out, r4 stream, r8 and r9 sums, r12 channel stride, lr end of the stream
    code.add("push {r4-r9, lr}", "ldrd r4, lr, [r0]", "ldr r12, [r0, #8]")
    code.place(pair)
    code.add("ldmia r4!, {r6-r9}" if apart else "ldmia r4!, {r6-r8}")
    for word in range(2 * steps):
        code.add(f"ldr r0, [r1, #{12 * word}]")
        if apart:
            if word:
                code.add("ldrd r6, r7, [r4], #8")
            code.add("smlad r8, r0, r6, r8", "smlad r9, r0, r7, r9")
            continue
        if word and word % 2 == 0:
            code.add("ldrd r6, r7, [r4], #8")
        weights = ("r6", "r7")[word % 2]
        code.add(f"smlad r8, r0, {weights}, r8", f"sxtb16 {weights}, {weights}")
        code.add(f"smlad r9, r0, {weights}, r9" if word else f"smuad r9, r0, {weights}")
    _scale(code, shift, apart)
    code.add("strb r8, [r2]", "strb r9, [r2, r12]", "add r2, r2, r12, lsl #1", "cmp r4, lr", f"bne {pair}")
    code.add("pop {r4-r9, pc}")
    return code


def _scale(code: Function, shift: int | None, apart: bool) -> None:
    """Sums of both channels in r8 and r9 to int8."""
    if not apart:
        code.add("ldr r0, [r4], #4", "sub r8, r8, r9", f"add r9, r0, r9, lsl #{1 if shift is None else 8}")
    if shift is not None:
        code.add("ldmia r4!, {r3, r5, r6}", "smmla r8, r8, r3, r6", f"ssat r8, #8, r8, asr #{shift}")
        code.add("smmla r9, r9, r5, r6", f"ssat r9, #8, r9, asr #{shift}")
        return
    if not apart:
        code.add("asr r8, r8, #7")
    for register in ("r8", "r9"):
        code.add("ldmia r4!, {r3, r5, r6}", f"smmlar r0, {register}, r3, r5", f"add r0, r0, {register}, asr #31")
        code.add("asr r0, r0, r6", f"ssat {register}, #8, r0, asr #1")
