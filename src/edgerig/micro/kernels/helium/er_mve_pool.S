/* See er_mve_pool.h. A pixel of 16 channels: 6 instructions. */
    .syntax unified
    .thumb

    .section .text.er_mve_pool_maximum, "ax", %progbits
    .p2align 2
    .global er_mve_pool_maximum
    .type er_mve_pool_maximum, %function
    .thumb_func
er_mve_pool_maximum:
    push {r4-r11, lr}
    ldm r2, {r3-r8}
    vdup.8 q2, r7
    vdup.8 q3, r8
    mov r9, r5
1:  vctp.8 r9
    vmov.i8 q0, #0x80
    mov r10, r0
    mov r11, r3
2:  mov lr, r4
3:  vpst
    vldrbt.u8 q1, [r10]
    vmax.s8 q0, q0, q1
    add r10, r10, r5
    subs lr, lr, #1
    bne 3b
    add r10, r10, r6
    subs r11, r11, #1
    bne 2b
    vmax.s8 q0, q0, q2
    vmin.s8 q0, q0, q3
    vpst
    vstrbt.8 q0, [r1], #16
    add r0, r0, #16
    subs r9, r9, #16
    bgt 1b
    pop {r4-r11, pc}
    .size er_mve_pool_maximum, . - er_mve_pool_maximum
