/* See er_separable.h; 4 instructions a half. */
    .syntax unified
    .thumb

    .section .text.er_columns_clamp_s16, "ax", %progbits
    .p2align 2
    .global er_columns_clamp_s16
    .type er_columns_clamp_s16, %function
    .thumb_func
er_columns_clamp_s16:
    push {r4, lr}
1:  ldr r4, [r0]
    ssub16 r12, r4, r2
    sel r4, r4, r2
    ssub16 r12, r3, r4
    sel r4, r4, r3
    str r4, [r0], #4
    subs r1, #1
    bne 1b
    pop {r4, pc}
    .size er_columns_clamp_s16, . - er_columns_clamp_s16
