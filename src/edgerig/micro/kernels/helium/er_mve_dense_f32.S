/* See er_mve_dense_f32.h. Four inputs of four outputs: 10 instructions. */
    .syntax unified
    .thumb

#include "er_mve_limit_f32.inc"

/* The next row of weights behind \from, or the same if there is none. */
    .macro row to, from, number
    mov \to, \from
    cmp r11, #\number
    it ge
    addge \to, \from, r9
    .endm

    .section .text.er_mve_dense_f32, "ax", %progbits
    .p2align 2
    .global er_mve_dense_f32
    .type er_mve_dense_f32, %function
    .thumb_func
er_mve_dense_f32:
    push {r4-r11, lr}
    vpush {d8-d11}
    ldm r0, {r3, r4, r10, r11}
    mov r12, r4
    lsl r9, r10, #2
1:  mov r4, r3
    row r5, r4, 2
    row r6, r5, 3
    row r7, r6, 4
    add r3, r7, r9
    mov r8, r1
    vmov.i32 q0, #0
    vmov.i32 q1, #0
    vmov.i32 q2, #0
    vmov.i32 q3, #0
    dlstp.32 lr, r10
2:  vldrw.32 q4, [r8], #16
    vldrw.32 q5, [r4], #16
    vfma.f32 q0, q4, q5
    vldrw.32 q5, [r5], #16
    vfma.f32 q1, q4, q5
    vldrw.32 q5, [r6], #16
    vfma.f32 q2, q4, q5
    vldrw.32 q5, [r7], #16
    vfma.f32 q3, q4, q5
    letp lr, 2b
    vadd.f32 s0, s0, s1
    vadd.f32 s2, s2, s3
    vadd.f32 s4, s4, s5
    vadd.f32 s6, s6, s7
    vadd.f32 s8, s8, s9
    vadd.f32 s10, s10, s11
    vadd.f32 s12, s12, s13
    vadd.f32 s14, s14, s15
    vadd.f32 s0, s0, s2
    vadd.f32 s1, s4, s6
    vadd.f32 s2, s8, s10
    vadd.f32 s3, s12, s14
    vctp.32 r11
    vpst
    vldrwt.32 q5, [r12], #16
    vadd.f32 q0, q0, q5
    limit r0, 16, q0
    vctp.32 r11
    vpst
    vstrwt.32 q0, [r2], #16
    subs r11, r11, #4
    bgt 1b
    vpop {d8-d11}
    pop {r4-r11, pc}
    .size er_mve_dense_f32, . - er_mve_dense_f32
