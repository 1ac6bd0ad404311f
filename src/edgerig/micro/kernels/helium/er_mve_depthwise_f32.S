/* See er_mve_depthwise_f32.h. A tap of 16 channels: 15 instructions, of 8 channels 9. */
    .syntax unified
    .thumb

#include "er_mve_limit_f32.inc"

/* The next four channels of a tap, \at bytes behind its first. */
    .macro products sum, at
    vldrw.32 q4, [r4, #\at]
    vldrw.32 q5, [r5, #\at]
    vfma.f32 \sum, q4, q5
    .endm

/* r4 x, r5 weights, r6 rows, r7 columns, r8 and r9 from tap to tap, r10 and r11 from row to row. */
    .macro next loop, row
    add r4, r4, r8
    add r5, r5, r9
    le lr, \loop
    add r4, r4, r10
    add r5, r5, r11
    subs r6, r6, #1
    bne \row
    .endm

/* So many channels further. */
    .macro further channels
    ldrd r4, r5, [r0]
    add r4, r4, #4 * \channels
    add r5, r5, #4 * \channels
    strd r4, r5, [r0]
    subs r12, r12, #\channels
    .endm

    .section .text.er_mve_depthwise_f32_pixel, "ax", %progbits
    .p2align 2
    .global er_mve_depthwise_f32_pixel
    .type er_mve_depthwise_f32_pixel, %function
    .thumb_func
er_mve_depthwise_f32_pixel:
    push {r3-r11, lr}
    vpush {d8-d11}
    mov r3, r0
    mov r0, r1
    ldrsh r12, [r3, #12]
    ldr r1, [r3, #4]
    cmp r12, #16
    blt 4f
1:  ldm r0, {r4-r11}
    vldrw.32 q0, [r1], #16
    vldrw.32 q1, [r1], #16
    vldrw.32 q2, [r1], #16
    vldrw.32 q3, [r1], #16
2:  dls lr, r7
3:  products q0, 0
    products q1, 16
    products q2, 32
    products q3, 48
    next 3b, 2b
    limit r3, 36, q0, q1, q2, q3
    vstrw.32 q0, [r2], #16
    vstrw.32 q1, [r2], #16
    vstrw.32 q2, [r2], #16
    vstrw.32 q3, [r2], #16
    further 16
    beq 10f
    cmp r12, #16
    bge 1b
4:  cmp r12, #8
    blt 7f
    ldm r0, {r4-r11}
    vldrw.32 q0, [r1], #16
    vldrw.32 q1, [r1], #16
5:  dls lr, r7
6:  products q0, 0
    products q1, 16
    next 6b, 5b
    limit r3, 36, q0, q1
    vstrw.32 q0, [r2], #16
    vstrw.32 q1, [r2], #16
    further 8
    beq 10f
7:  ldm r0, {r4-r11}
    vctp.32 r12
    vpst
    vldrwt.32 q0, [r1], #16
8:  dls lr, r7
9:  vpstt
    vldrwt.32 q4, [r4]
    vldrwt.32 q5, [r5]
    vfma.f32 q0, q4, q5
    next 9b, 8b
    limit r3, 36, q0
    vctp.32 r12
    vpst
    vstrwt.32 q0, [r2], #16
    further 4
    bgt 7b
10: vpop {d8-d11}
    pop {r3-r11, pc}
    .size er_mve_depthwise_f32_pixel, . - er_mve_depthwise_f32_pixel
