/* See er_depthwise_f32.h. A tap of eight channels: 14 instructions. */
    .syntax unified
    .thumb

    .macro ENTER name
    .section .text.\name, "ax", %progbits
    .p2align 2
    .global \name
    .type \name, %function
    .thumb_func
\name:
    push {r4-r9, lr}
    ldm r0, {r3-r9, lr}
    mov r12, r6
    .endm

    /* r3 x, r4 weights, r5 rows, r6 columns, r7 and r8 from tap to tap, r9 and lr from row to row. */
    .macro NEXT again
    add r3, r3, r7
    add r4, r4, r8
    subs r6, #1
    bne \again
    add r3, r3, r9
    add r4, r4, lr
    mov r6, r12
    subs r5, #1
    bne \again
    .endm

    ENTER er_taps_f32_8
    vpush {s16-s23}
    vldmia r1, {s0-s7}
1:  vldmia r3, {s8-s15}
    vldmia r4, {s16-s23}
    vfma.f32 s0, s8, s16
    vfma.f32 s1, s9, s17
    vfma.f32 s2, s10, s18
    vfma.f32 s3, s11, s19
    vfma.f32 s4, s12, s20
    vfma.f32 s5, s13, s21
    vfma.f32 s6, s14, s22
    vfma.f32 s7, s15, s23
    NEXT 1b
    vstmia r2, {s0-s7}
    vpop {s16-s23}
    pop {r4-r9, pc}
    .size er_taps_f32_8, . - er_taps_f32_8

    ENTER er_taps_f32_4
    vldmia r1, {s0-s3}
1:  vldmia r3, {s4-s7}
    vldmia r4, {s8-s11}
    vfma.f32 s0, s4, s8
    vfma.f32 s1, s5, s9
    vfma.f32 s2, s6, s10
    vfma.f32 s3, s7, s11
    NEXT 1b
    vstmia r2, {s0-s3}
    pop {r4-r9, pc}
    .size er_taps_f32_4, . - er_taps_f32_4

    ENTER er_taps_f32_1
    vldr s0, [r1]
1:  vldr s1, [r3]
    vldr s2, [r4]
    vfma.f32 s0, s1, s2
    NEXT 1b
    vstr s0, [r2]
    pop {r4-r9, pc}
    .size er_taps_f32_1, . - er_taps_f32_1
