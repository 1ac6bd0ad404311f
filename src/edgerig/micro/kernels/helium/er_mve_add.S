/* See er_mve_add.h. Four elements: 9 instructions. */
    .syntax unified
    .thumb

    .section .text.er_mve_add, "ax", %progbits
    .p2align 2
    .global er_mve_add
    .type er_mve_add, %function
    .thumb_func
er_mve_add:
    push {r4-r6, lr}
    ldr r4, [sp, #16]
    ldrd r5, r6, [r0]
    ldr r0, [r0, #8]
    vmov.i32 q2, #127
    vmvn.i32 q3, #127
    wlstp.32 lr, r4, 2f
1:  vldrb.s32 q0, [r1], #4
    vldrb.s32 q1, [r2], #4
    vmul.i32 q0, q0, r5
    vmla.s32 q0, q1, r6
    vadd.i32 q0, q0, r0
    vshr.s32 q0, q0, #20
    vmin.s32 q0, q0, q2
    vmax.s32 q0, q0, q3
    vstrb.32 q0, [r3], #4
    letp lr, 1b
2:  pop {r4-r6, pc}
    .size er_mve_add, . - er_mve_add
