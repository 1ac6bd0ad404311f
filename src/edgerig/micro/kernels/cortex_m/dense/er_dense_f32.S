/* See er_dense_f32.h. Eight inputs of four outputs: 37 instructions for 32 multiplications. */
    .syntax unified
    .thumb

    .macro FOUR_INPUTS x0, x1, x2, x3
    vldmia r0!, {s16-s31}
    vfma.f32 s8, \x0, s16
    vfma.f32 s9, \x0, s17
    vfma.f32 s10, \x0, s18
    vfma.f32 s11, \x0, s19
    vfma.f32 s8, \x1, s20
    vfma.f32 s9, \x1, s21
    vfma.f32 s10, \x1, s22
    vfma.f32 s11, \x1, s23
    vfma.f32 s8, \x2, s24
    vfma.f32 s9, \x2, s25
    vfma.f32 s10, \x2, s26
    vfma.f32 s11, \x2, s27
    vfma.f32 s8, \x3, s28
    vfma.f32 s9, \x3, s29
    vfma.f32 s10, \x3, s30
    vfma.f32 s11, \x3, s31
    .endm

    .section .text.er_dense_f32_blocks, "ax", %progbits
    .p2align 2
    .global er_dense_f32_blocks
    .type er_dense_f32_blocks, %function
    .thumb_func
er_dense_f32_blocks:
    push {r4-r7, lr}
    vpush {s16-s31}
    ldr r4, [sp, #84]
    lsr r5, r4, #3
    and r6, r4, #7
1:  vldmia r0!, {s8-s11}
    mov r7, r1
    movs r12, r5
    beq 3f
2:  vldmia r7!, {s0-s7}
    FOUR_INPUTS s0, s1, s2, s3
    FOUR_INPUTS s4, s5, s6, s7
    subs r12, #1
    bne 2b
3:  movs r12, r6
    beq 5f
4:  vldmia r7!, {s0}
    vldmia r0!, {s16-s19}
    vfma.f32 s8, s0, s16
    vfma.f32 s9, s0, s17
    vfma.f32 s10, s0, s18
    vfma.f32 s11, s0, s19
    subs r12, #1
    bne 4b
5:  vstmia r2!, {s8-s11}
    subs r3, #1
    bne 1b
    vpop {s16-s31}
    pop {r4-r7, pc}
    .size er_dense_f32_blocks, . - er_dense_f32_blocks

    .section .text.er_dense_f32_sum, "ax", %progbits
    .p2align 2
    .global er_dense_f32_sum
    .type er_dense_f32_sum, %function
    .thumb_func
er_dense_f32_sum:
    vpush {s16-s23}
    mov r3, #0
    vmov s1, r3
    vmov.f32 s2, s1
    vmov.f32 s3, s1
    subs r2, #8
    blo 2f
1:  vldmia r0!, {s8-s15}
    vldmia r1!, {s16-s23}
    vfma.f32 s0, s8, s16
    vfma.f32 s1, s9, s17
    vfma.f32 s2, s10, s18
    vfma.f32 s3, s11, s19
    vfma.f32 s0, s12, s20
    vfma.f32 s1, s13, s21
    vfma.f32 s2, s14, s22
    vfma.f32 s3, s15, s23
    subs r2, #8
    bhs 1b
2:  adds r2, #8
    beq 4f
3:  vldmia r0!, {s8}
    vldmia r1!, {s16}
    vfma.f32 s0, s8, s16
    subs r2, #1
    bne 3b
4:  vadd.f32 s2, s2, s3
    vadd.f32 s0, s0, s1
    vadd.f32 s0, s0, s2
    vpop {s16-s23}
    bx lr
    .size er_dense_f32_sum, . - er_dense_f32_sum
