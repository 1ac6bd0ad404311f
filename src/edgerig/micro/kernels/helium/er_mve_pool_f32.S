/* See er_mve_pool.h. A pixel of 4 channels: 5 instructions. */
    .syntax unified
    .thumb

/* \start in q0, then \step with each pixel's channels in q1. r7 is left to \finish. */
    .macro pool name, start, step, finish
    .section .text.\name, "ax", %progbits
    .p2align 2
    .global \name
    .type \name, %function
    .thumb_func
\name:
    push {r4-r11, lr}
    ldm r2, {r3-r6}
    \start
    lsr r9, r5, #2
1:  vctp.32 r9
    vdup.32 q0, r8
    mov r10, r0
    mov r11, r3
2:  dls lr, r4
3:  vpst
    vldrwt.32 q1, [r10]
    add r10, r10, r5
    \step q0, q0, q1
    le lr, 3b
    add r10, r10, r6
    subs r11, r11, #1
    bne 2b
    \finish
    vpst
    vstrwt.32 q0, [r1], #16
    add r0, r0, #16
    subs r9, r9, #4
    bgt 1b
    pop {r4-r11, pc}
    .size \name, . - \name
    .endm

/* The lowest float. */
    .macro lowest
    movw r8, #0xffff
    movt r8, #0xff7f
    .endm

/* 0, and one by the number of pixels. */
    .macro nothing
    mul r7, r3, r4
    vmov s0, r7
    vcvt.f32.s32 s0, s0
    vmov.f32 s1, #1.0
    vdiv.f32 s0, s1, s0
    vmov r7, s0
    mov r8, #0
    .endm

    .macro as_it_is
    .endm

    .macro divided
    vmul.f32 q0, q0, r7
    .endm

    pool er_mve_pool_maximum_f32, lowest, vmaxnm.f32, as_it_is
    pool er_mve_pool_mean_f32, nothing, vadd.f32, divided
