/* See er_mve_pool.h. A pixel of 16 channels takes 6 instructions of a maximum, one of 8 channels 5 of a mean. */
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

/* Halves away from zero: half of the number of pixels is added to what the sum is without its sign, and n / count is
   the high word of 4 n (2^30 / count + 1), exactly for n below 2^15. */
    .section .text.er_mve_pool_mean, "ax", %progbits
    .p2align 2
    .global er_mve_pool_mean
    .type er_mve_pool_mean, %function
    .thumb_func
er_mve_pool_mean:
    push {r4-r12, lr}
    ldm r2, {r3-r10}
    mov r11, r5
1:  vctp.16 r11
    vmov.i16 q0, #0
    mov r2, r0
    mov r12, r3
2:  dls lr, r4
3:  vpst
    vldrbt.s16 q1, [r2]
    add r2, r2, r5
    vadd.i16 q0, q0, q1
    le lr, 3b
    add r2, r2, r6
    subs r12, r12, #1
    bne 2b
    vabs.s16 q1, q0
    vadd.i16 q1, q1, r9
    vshl.i16 q1, q1, #1
    vmovlb.u16 q2, q1
    vmovlt.u16 q3, q1
    vqdmulh.s32 q2, q2, r10
    vqdmulh.s32 q3, q3, r10
    vmovnb.i32 q1, q2
    vmovnt.i32 q1, q3
    vpt.s16 lt, q0, zr
    vnegt.s16 q1, q1
    vdup.16 q2, r7
    vdup.16 q3, r8
    vmax.s16 q1, q1, q2
    vmin.s16 q1, q1, q3
    vctp.16 r11
    vpst
    vstrbt.16 q1, [r1], #8
    add r0, r0, #8
    subs r11, r11, #8
    bgt 1b
    pop {r4-r12, pc}
    .size er_mve_pool_mean, . - er_mve_pool_mean
