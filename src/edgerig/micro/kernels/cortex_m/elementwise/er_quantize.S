/* See er_elementwise.h; 6.5 instructions an element. */
    .syntax unified
    .thumb

    .section .text.er_quantize_s8, "ax", %progbits
    .p2align 2
    .global er_quantize_s8
    .type er_quantize_s8, %function
    .thumb_func
er_quantize_s8:
    push {r4-r6, lr}
    vmov.f32 s4, s0
    subs r2, #4
    blo 2f
1:  vldmia r0!, {s0-s3}
    vdiv.f32 s0, s0, s4
    vdiv.f32 s1, s1, s4
    vdiv.f32 s2, s2, s4
    vdiv.f32 s3, s3, s4
    vcvta.s32.f32 s0, s0
    vcvta.s32.f32 s1, s1
    vcvta.s32.f32 s2, s2
    vcvta.s32.f32 s3, s3
    vmov r4, r5, s0, s1
    vmov r6, r12, s2, s3
    qadd r4, r4, r3
    qadd r5, r5, r3
    qadd r6, r6, r3
    qadd r12, r12, r3
    ssat r4, #8, r4
    ssat r5, #8, r5
    ssat r6, #8, r6
    ssat r12, #8, r12
    strb r4, [r1], #1
    strb r5, [r1], #1
    strb r6, [r1], #1
    strb r12, [r1], #1
    subs r2, #4
    bhs 1b
2:  adds r2, #4
    beq 4f
3:  vldmia r0!, {s0}
    vdiv.f32 s0, s0, s4
    vcvta.s32.f32 s0, s0
    vmov r4, s0
    qadd r4, r4, r3
    ssat r4, #8, r4
    strb r4, [r1], #1
    subs r2, #1
    bne 3b
4:  pop {r4-r6, pc}
    .size er_quantize_s8, . - er_quantize_s8
