/* See er_mve_conv.h. Two pixels by four channels: their eight sums are all even registers, which VMLADAVA needs, so that
 * pointers are in odd ones and there is no register left for a loop of LE. 16 instructions for 128 products, 36 for the
 * beginning and the scaling of eight outputs (42 where the rounding is FULL). */
    .syntax unified
    .thumb
#include "er_mve_scale.inc"

    .set X0, 0
    .set X1, 4
    .set Y0, 8
    .set Y1, 12
    .set LEFT, 16
    .set ROUNDS, 20
    .set PAIRS, 24
    .set CHANNELS, 28
    .set STREAM, 32
    .set X_STEP, 36
    .set Y_STEP, 40
    .set Y, 44
    .set FRAME, 48

    /* Inputs in q0 and q1, weights from r5 on; \sum is vmladav or vmladava */
    .macro PRODUCTS sum
    vldrw.u32 q2, [r5], #64
    \sum\().s8 r0, q2, q0
    \sum\().s8 r8, q2, q1
    vldrw.u32 q3, [r5, #-48]
    \sum\().s8 r2, q3, q0
    \sum\().s8 r10, q3, q1
    vldrw.u32 q2, [r5, #-32]
    \sum\().s8 r4, q2, q0
    \sum\().s8 r12, q2, q1
    vldrw.u32 q3, [r5, #-16]
    \sum\().s8 r6, q3, q0
    \sum\().s8 lr, q3, q1
    .endm

    /* Sums of four channels: two pixels in q0 and q1. r9: inputs of the first step */
    .macro SUMS
    ldrd r1, r3, [sp, #X0]
    vctp.8 r9
    vpstt
    vldrbt.u8 q0, [r1]
    vldrbt.u8 q1, [r3]
    add r1, r1, r9
    add r3, r3, r9
    ldr r7, [sp, #ROUNDS]
    PRODUCTS vmladav
    cbz r7, 2f
1:  vldrb.u8 q0, [r1], #16
    vldrb.u8 q1, [r3], #16
    PRODUCTS vmladava
    subs r7, r7, #1
    bne 1b
2:  vmov q0[2], q0[0], r0, r4
    vmov q0[3], q0[1], r2, r6
    vmov q1[2], q1[0], r8, r12
    vmov q1[3], q1[1], r10, lr
    .endm

    .macro PROLOGUE name
    .section .text.\name, "ax", %progbits
    .p2align 2
    .global \name
    .type \name, %function
    .thumb_func
\name:
    push {r4-r11, lr}
    vpush {d8-d15}
    sub sp, sp, #FRAME
    ldr r4, [r0, #20]
    vdup.32 q6, r4
    ldr r4, [r0, #24]
    vdup.32 q7, r4
    ldrd r9, r4, [r0, #8]
    str r4, [sp, #ROUNDS]
    ldr r11, [r0, #16]
    ldrd r4, r5, [r0]
    str r5, [sp, #CHANNELS]
    str r4, [sp, #STREAM]
    .endm

    .macro BEGIN name
    PROLOGUE \name
    ldrd r4, r5, [r3]
    strd r4, r5, [sp, #X_STEP]
    ldr r5, [r3, #8]
    str r5, [sp, #PAIRS]
    str r2, [sp, #Y]
    mov r0, r1
    .endm

    .macro FINISH name
    add sp, sp, #FRAME
    vpop {d8-d15}
    pop {r4-r11, pc}
    .size \name, . - \name
    .endm

    .macro CONV name rounding
    BEGIN \name
3:  ldrd r2, r4, [sp, #X_STEP]
    add r1, r0, r2
    strd r0, r1, [sp, #X0]
    ldr r6, [sp, #Y]
    add r7, r6, r4
    strd r6, r7, [sp, #Y0]
    ldrd r6, r5, [sp, #CHANNELS]
    str r6, [sp, #LEFT]
4:  SUMS
    vldrw.u32 q2, [r5], #48
    vldrw.u32 q3, [r5, #-32]
    vldrw.u32 q4, [r5, #-16]
    vadd.i32 q0, q0, q2
    vadd.i32 q1, q1, q2
    SCALE \rounding q0 q3 q4 q5
    SCALE \rounding q1 q3 q4 q5
    vadd.i32 q0, q0, r11
    vadd.i32 q1, q1, r11
    vmax.s32 q0, q0, q6
    vmax.s32 q1, q1, q6
    ldr r2, [sp, #LEFT]
    vmin.s32 q0, q0, q7
    vmin.s32 q1, q1, q7
    ldrd r1, r3, [sp, #Y0]
    vctp.32 r2
    vpstt
    vstrbt.32 q0, [r1], #4
    vstrbt.32 q1, [r3], #4
    strd r1, r3, [sp, #Y0]
    subs r2, r2, #4
    str r2, [sp, #LEFT]
    bgt 4b
    ldrd r2, r4, [sp, #X_STEP]
    ldr r0, [sp, #X1]
    ldr r6, [sp, #Y]
    add r0, r0, r2
    add r6, r6, r4, lsl #1
    str r6, [sp, #Y]
    ldr r6, [sp, #PAIRS]
    subs r6, r6, #1
    str r6, [sp, #PAIRS]
    bne 3b
    FINISH \name
    .endm

    CONV er_mve_conv_once, ONCE
    CONV er_mve_conv_floor, FLOOR
    CONV er_mve_conv_full, FULL

    /* STREAM is the block of four channels, LEFT the channels left; q4 holds the greatest sums so far. */
    .macro POOL name rounding
    PROLOGUE \name
    str r3, [sp, #PAIRS]
    str r1, [sp, #Y]
    str r2, [sp, #Y0]
    str r5, [sp, #LEFT]
    mov r5, r4
3:  ldr r1, [sp, #Y]
    ldr r2, [sp, #PAIRS]
    vmov.i32 q4, #0x80000000
    str r5, [sp, #STREAM]
4:  ldr r4, [sp, #ROUNDS]
    str r2, [sp, #X_STEP]
    add r3, r1, r9
    add r3, r3, r4, lsl #4
    strd r1, r3, [sp, #X0]
    ldr r5, [sp, #STREAM]
    SUMS
    ldr r2, [sp, #X_STEP]
    vmax.s32 q0, q0, q1
    mov r1, r3
    vmax.s32 q4, q4, q0
    subs r2, r2, #1
    bne 4b
    vldrw.u32 q2, [r5], #48
    vldrw.u32 q3, [r5, #-32]
    vldrw.u32 q1, [r5, #-16]
    vadd.i32 q0, q4, q2
    SCALE \rounding q0 q3 q1 q5
    vadd.i32 q0, q0, r11
    ldr r1, [sp, #Y0]
    vmax.s32 q0, q0, q6
    ldr r2, [sp, #LEFT]
    vmin.s32 q0, q0, q7
    vctp.32 r2
    vpst
    vstrbt.32 q0, [r1], #4
    str r1, [sp, #Y0]
    subs r2, r2, #4
    str r2, [sp, #LEFT]
    bgt 3b
    FINISH \name
    .endm

    POOL er_mve_conv_pool_floor, FLOOR
    POOL er_mve_conv_pool_full, FULL
