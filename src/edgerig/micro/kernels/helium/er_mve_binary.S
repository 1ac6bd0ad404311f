/* See er_mve_binary.h. Four elements: 25 instructions of a sum or a difference, 14 of a product. */
    .syntax unified
    .thumb

#include "er_mve_scale.inc"

/* One side in the units of both: r1 or r2, its zero point and multiplier, shift in a vector; uses q2. */
    .macro SIDE q from zero multiplier shift
    vldrb.s32 \q, [\from], #4
    vsub.i32 \q, \q, \zero
    vshl.i32 \q, \q, #20
    SCALE FULL \q \multiplier \shift q2
    .endm

    .macro STORE
    vadd.i32 q0, q0, r9
    vmax.s32 q0, q0, q7
    vmin.s32 q0, q0, q3
    vstrb.32 q0, [r3], #4
    .endm

    .macro SIDES name operation
    .section .text.\name, "ax", %progbits
    .p2align 2
    .global \name
    .type \name, %function
    .thumb_func
\name:
    push {r4-r12, lr}
    vpush {d8-d15}
    ldr lr, [sp, #104]
    ldm r0!, {r4-r12}
    vdup.32 q4, r10
    vdup.32 q5, r11
    vdup.32 q6, r12
    ldrd r10, r11, [r0]
    vdup.32 q7, r10
    vdup.32 q3, r11
    wlstp.32 lr, lr, 2f
1:  SIDE q0 r1 r4 r5 q4
    SIDE q1 r2 r6 r7 q5
    \operation q0, q0, q1
    SCALE FULL q0 r8 q6 q2
    STORE
    letp lr, 1b
2:  vpop {d8-d15}
    pop {r4-r12, pc}
    .size \name, . - \name
    .endm

    SIDES er_mve_sum vadd.i32
    SIDES er_mve_difference vsub.i32

/* r4 and r6 zero points, r8 multiplier, r9 zero point of the output, q6 shift, q7 and q3 limits. */
    .macro FACTORS
    ldm r0, {r4, r6, r8-r12}
    vdup.32 q6, r10
    vdup.32 q7, r11
    vdup.32 q3, r12
    .endm

    .macro FACTOR
    vldrb.s32 q0, [r1], #4
    vldrb.s32 q1, [r2], #4
    vsub.i32 q0, q0, r4
    vsub.i32 q1, q1, r6
    vmul.i32 q0, q0, q1
    SCALE FULL q0 r8 q6 q2
    STORE
    .endm

    .section .text.er_mve_product, "ax", %progbits
    .p2align 2
    .global er_mve_product
    .type er_mve_product, %function
    .thumb_func
er_mve_product:
    push {r4-r12, lr}
    vpush {d8-d15}
    ldr lr, [sp, #104]
    FACTORS
    wlstp.32 lr, lr, 2f
1:  FACTOR
    letp lr, 1b
2:  vpop {d8-d15}
    pop {r4-r12, pc}
    .size er_mve_product, . - er_mve_product

    .section .text.er_mve_product_channels, "ax", %progbits
    .p2align 2
    .global er_mve_product_channels
    .type er_mve_product_channels, %function
    .thumb_func
er_mve_product_channels:
    push {r4-r12, lr}
    vpush {d8-d15}
    FACTORS
    ldrd r10, r11, [sp, #104]
    mov r12, r2
1:  mov r2, r12
    wlstp.32 lr, r11, 3f
2:  FACTOR
    letp lr, 2b
3:  /* Pointers went on by whole vectors. */
    rsb r5, r11, #0
    and r5, r5, #3
    sub r1, r1, r5
    sub r3, r3, r5
    subs r10, r10, #1
    bne 1b
    vpop {d8-d15}
    pop {r4-r12, pc}
    .size er_mve_product_channels, . - er_mve_product_channels
