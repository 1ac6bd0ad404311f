/* See er_mve_conv_f32.h. Two pixels by eight channels: four inputs are 2 loads of them, 8 of weights and 16 products. */
    .syntax unified
    .thumb

#include "er_mve_limit_f32.inc"

/* An input of two pixels, in \a and \b, times the weights that come next. */
    .macro products width, a, b
    vldrw.32 q4, [r3], #16
    vfma.f32 q0, q4, \a
    vfma.f32 q2, q4, \b
    .if \width == 8
    vldrw.32 q4, [r3], #16
    vfma.f32 q1, q4, \a
    vfma.f32 q3, q4, \b
    .endif
    .endm

/* Sums and biases of the windows at r1 and r2, to q0 and q1, q2 and q3. Takes r4 to r11, lr, q4. */
    .macro sums width
    ldrd r4, r5, [r0, #8]
    vmov.i32 q0, #0
    vmov.i32 q2, #0
    .if \width == 8
    vmov.i32 q1, #0
    vmov.i32 q3, #0
    .endif
    lsr r4, r4, #2
    dls lr, r4
81: ldr r6, [r1], #4
    ldr r7, [r2], #4
    products \width, r6, r7
    le lr, 81b
    wls lr, r5, 83f
82: ldm r1!, {r4-r7}
    ldm r2!, {r8-r11}
    products \width, r4, r8
    products \width, r5, r9
    products \width, r6, r10
    products \width, r7, r11
    le lr, 82b
83: vldrw.32 q4, [r3], #16
    vadd.f32 q0, q0, q4
    vadd.f32 q2, q2, q4
    .if \width == 8
    vldrw.32 q4, [r3], #16
    vadd.f32 q1, q1, q4
    vadd.f32 q3, q3, q4
    .endif
    .endm

/* On the stack: x, step of x, y, step of y, pairs, bytes of channels that are left. */
    .section .text.er_mve_conv_f32, "ax", %progbits
    .p2align 2
    .global er_mve_conv_f32
    .type er_mve_conv_f32, %function
    .thumb_func
er_mve_conv_f32:
    push {r4-r11, lr}
    vpush {d8-d9}
    ldm r3, {r4-r6}
    sub sp, sp, #28
    strd r1, r4, [sp]
    strd r2, r5, [sp, #8]
    str r6, [sp, #16]
1:  ldrd r3, r4, [r0]
    ldr r12, [sp, #8]
    str r4, [sp, #20]
2:  ldrd r1, r2, [sp]
    ldr r4, [sp, #20]
    add r2, r2, r1
    cmp r4, #16
    ble 3f
    sums 8
    limit r0, 16, q0, q1, q2, q3
    ldrd r5, r6, [sp, #12]
    ldr r4, [sp, #20]
    add r5, r5, r12
    vstrw.32 q0, [r12], #16
    vstrw.32 q2, [r5], #16
    sub r4, r4, #16
    lsr r6, r4, #2
    vctp.32 r6
    vpstt
    vstrwt.32 q1, [r12], #16
    vstrwt.32 q3, [r5]
    subs r4, r4, #16
    str r4, [sp, #20]
    bgt 2b
    b 4f
3:  sums 4
    limit r0, 16, q0, q2
    ldr r5, [sp, #12]
    ldr r4, [sp, #20]
    add r5, r5, r12
    lsr r6, r4, #2
    vctp.32 r6
    vpstt
    vstrwt.32 q0, [r12]
    vstrwt.32 q2, [r5]
4:  ldrd r1, r4, [sp]
    ldrd r2, r5, [sp, #8]
    ldr r6, [sp, #16]
    add r1, r1, r4, lsl #1
    add r2, r2, r5, lsl #1
    str r1, [sp]
    str r2, [sp, #8]
    subs r6, r6, #1
    str r6, [sp, #16]
    bne 1b
    add sp, sp, #28
    vpop {d8-d9}
    pop {r4-r11, pc}
    .size er_mve_conv_f32, . - er_mve_conv_f32

/* On the stack: columns, bytes of a window, pairs, the stream's next block, bytes of channels that are left. */
    .macro greatest width
    vdup.32 q6, r4
    vdup.32 q7, r4
1:  ldr r3, [sp, #12]
    ldr r2, [sp, #4]
    add r2, r2, r1
    sums \width
    vmaxnm.f32 q6, q6, q0
    vmaxnm.f32 q6, q6, q2
    .if \width == 8
    vmaxnm.f32 q7, q7, q1
    vmaxnm.f32 q7, q7, q3
    .endif
    mov r1, r2
    subs r12, r12, #1
    bne 1b
    str r3, [sp, #12]
    .endm

    .section .text.er_mve_conv_pool_f32, "ax", %progbits
    .p2align 2
    .global er_mve_conv_pool_f32
    .type er_mve_conv_pool_f32, %function
    .thumb_func
er_mve_conv_pool_f32:
    push {r4-r11, lr}
    vpush {d8-d9}
    vpush {d12-d15}
    sub sp, sp, #28
    ldm r0, {r4-r7}
    add r6, r6, r7, lsl #4
    strd r1, r6, [sp]
    str r3, [sp, #8]
    strd r4, r5, [sp, #12]
    str r2, [sp, #20]
2:  ldr r1, [sp]
    ldr r12, [sp, #8]
    ldr r5, [sp, #16]
    movw r4, #0
    movt r4, #0xff80
    cmp r5, #16
    ble 3f
    greatest 8
    limit r0, 16, q6, q7
    ldrd r4, r2, [sp, #16]
    vstrw.32 q6, [r2], #16
    sub r4, r4, #16
    lsr r6, r4, #2
    vctp.32 r6
    vpst
    vstrwt.32 q7, [r2], #16
    subs r4, r4, #16
    strd r4, r2, [sp, #16]
    bgt 2b
    b 4f
3:  greatest 4
    limit r0, 16, q6
    ldrd r4, r2, [sp, #16]
    lsr r6, r4, #2
    vctp.32 r6
    vpst
    vstrwt.32 q6, [r2]
4:  add sp, sp, #28
    vpop {d12-d15}
    vpop {d8-d9}
    pop {r4-r11, pc}
    .size er_mve_conv_pool_f32, . - er_mve_conv_pool_f32
