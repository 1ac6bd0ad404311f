/* See er_float_tile.h. Two inputs are 2 loads and 32 (or 24) multiplications. */
#include "er_fpu.h" /* made for the CPU: whether there is VMAXNM */

    .syntax unified
    .thumb

    .macro LARGER reg, other
#if ER_FPV5
    vmaxnm.f32 \reg, \reg, \other
#else
    vcmp.f32 \reg, \other
    vmrs APSR_nzcv, fpscr
    it mi
    vmovmi.f32 \reg, \other
#endif
    .endm

    .macro SMALLER reg, other
#if ER_FPV5
    vminnm.f32 \reg, \reg, \other
#else
    vcmp.f32 \reg, \other
    vmrs APSR_nzcv, fpscr
    it gt
    vmovgt.f32 \reg, \other
#endif
    .endm

/* One input by 4 channels: inputs of pixels from x on, weights from w on. */
    .macro FOUR op, x0, x1, x2, x3, w0, w1, w2, w3, pixels
    \op\().f32 s0, s\x0, s\w0
    \op\().f32 s1, s\x0, s\w1
    \op\().f32 s2, s\x0, s\w2
    \op\().f32 s3, s\x0, s\w3
    \op\().f32 s4, s\x1, s\w0
    \op\().f32 s5, s\x1, s\w1
    \op\().f32 s6, s\x1, s\w2
    \op\().f32 s7, s\x1, s\w3
    \op\().f32 s8, s\x2, s\w0
    \op\().f32 s9, s\x2, s\w1
    \op\().f32 s10, s\x2, s\w2
    \op\().f32 s11, s\x2, s\w3
    .if \pixels == 4
    \op\().f32 s12, s\x3, s\w0
    \op\().f32 s13, s\x3, s\w1
    \op\().f32 s14, s\x3, s\w2
    \op\().f32 s15, s\x3, s\w3
    .endif
    .endm

    .macro TWO first, pixels
    vldmia r5!, {s24-s31}
    .if \pixels == 4
    vldmia r4!, {s16-s23}
    FOUR \first, 16, 17, 18, 19, 24, 25, 26, 27, 4
    FOUR vfma, 20, 21, 22, 23, 28, 29, 30, 31, 4
    .else
    vldmia r4!, {s16-s21}
    FOUR \first, 16, 17, 18, 18, 24, 25, 26, 27, 3
    FOUR vfma, 19, 20, 21, 21, 28, 29, 30, 31, 3
    .endif
    .endm

    .macro ONE pixels
    vldmia r5!, {s24-s27}
    .if \pixels == 4
    vldmia r4!, {s16-s19}
    .else
    vldmia r4!, {s16-s18}
    .endif
    FOUR vmul, 16, 17, 18, 19, 24, 25, 26, 27, \pixels
    .endm

/* r0 the job, r1 columns, r2 out, r3 entry, r4 inputs, r5 weights, r6 odd, r7 rounds, r8 clamp, r9 stride, r12 quads. */
    .macro ENTER name
    .section .text.\name, "ax", %progbits
    .p2align 2
    .global \name
    .type \name, %function
    .thumb_func
\name:
    push {r4-r9, lr}
    vpush {s16-s31}
    ldrd r5, r6, [r0, #0]
    ldrd r7, r8, [r0, #8]
    ldr r12, [r0, #16]
    adr r3, 3f
    mov r9, #(3f - 2f)
    mls r3, r8, r9, r3
    orr r3, r3, #1
    ldrd r9, r8, [r0, #20]
    .endm

    .macro SUMS pixels
1:  mov r4, r1
    mov lr, r7
    cmp r6, #0
    beq 5f
    ONE \pixels
    bx r3
    .p2align 2
5:  TWO vmul, \pixels
    bx r3
    .p2align 2
6:  .rept 3
    TWO vfma, \pixels
    .endr
    .p2align 2
2:  TWO vfma, \pixels
    .p2align 2
3:  subs lr, #1
    bne 6b
    vldmia r5!, {s24-s27}
    .endm

    .macro ADD4 a, b, c, d
    vadd.f32 s\a, s\a, s24
    vadd.f32 s\b, s\b, s25
    vadd.f32 s\c, s\c, s26
    vadd.f32 s\d, s\d, s27
    .endm

    .macro AT_LEAST registers:vararg
    tst r8, #1
    beq 7f
    vldr s28, [r0, #28]
    .irp one, \registers
    LARGER \one, s28
    .endr
7:
    .endm

    .macro AT_MOST registers:vararg
    tst r8, #2
    beq 8f
    vldr s28, [r0, #32]
    .irp one, \registers
    SMALLER \one, s28
    .endr
8:
    .endm

    .macro LEAVE
    subs r12, #1
    bne 1b
    vpop {s16-s31}
    pop {r4-r9, pc}
    .endm

    ENTER er_float_tile_pool
    SUMS 4
    .irp other, s4, s8, s12
    LARGER s0, \other
    .endr
    .irp other, s5, s9, s13
    LARGER s1, \other
    .endr
    .irp other, s6, s10, s14
    LARGER s2, \other
    .endr
    .irp other, s7, s11, s15
    LARGER s3, \other
    .endr
    ADD4 0, 1, 2, 3
    AT_LEAST s0, s1, s2, s3
    AT_MOST s0, s1, s2, s3
    vstmia r2!, {s0-s3}
    LEAVE
    .size er_float_tile_pool, . - er_float_tile_pool

    ENTER er_float_tile_4
    SUMS 4
    ADD4 0, 1, 2, 3
    ADD4 4, 5, 6, 7
    ADD4 8, 9, 10, 11
    ADD4 12, 13, 14, 15
    AT_LEAST s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15
    AT_MOST s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15
    add r4, r2, r9
    vstmia r2!, {s0-s3}
    vstmia r4, {s4-s7}
    add r4, r4, r9
    vstmia r4, {s8-s11}
    add r4, r4, r9
    vstmia r4, {s12-s15}
    LEAVE
    .size er_float_tile_4, . - er_float_tile_4

    ENTER er_float_tile_3
    SUMS 3
    ADD4 0, 1, 2, 3
    ADD4 4, 5, 6, 7
    ADD4 8, 9, 10, 11
    AT_LEAST s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11
    AT_MOST s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11
    add r4, r2, r9
    vstmia r2!, {s0-s3}
    vstmia r4, {s4-s7}
    add r4, r4, r9
    vstmia r4, {s8-s11}
    LEAVE
    .size er_float_tile_3, . - er_float_tile_3

/* r0 from, r1 to, r2 count, r3 rows, on the stack bytes from row to row: to every third or fourth word. */
    .macro SPREAD name, step
    .section .text.\name, "ax", %progbits
    .p2align 2
    .global \name
    .type \name, %function
    .thumb_func
\name:
    push {r4-r8, lr}
    ldr r8, [sp, #24]
1:  mov lr, r0
    subs r7, r2, #4
    blt 3f
2:  ldmia r0!, {r4-r6, r12}
    subs r7, #4
    str r4, [r1], #\step
    str r5, [r1], #\step
    str r6, [r1], #\step
    str r12, [r1], #\step
    bge 2b
3:  adds r7, #4
    beq 5f
4:  ldr r4, [r0], #4
    subs r7, #1
    str r4, [r1], #\step
    bne 4b
5:  add r0, lr, r8
    subs r3, #1
    bne 1b
    mov r0, r1
    pop {r4-r8, pc}
    .size \name, . - \name
    .endm

    SPREAD er_float_spread_4, 16
    SPREAD er_float_spread_3, 12
