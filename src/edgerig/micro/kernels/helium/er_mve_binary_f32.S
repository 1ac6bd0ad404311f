/* See er_mve_binary_f32.h. Four numbers: 5 instructions, 9 with limits; what is no number stays none. */
    .syntax unified
    .thumb

    .macro limit
    vpt.f32 gt, q2, q0
    vorrt q0, q2, q2
    vpt.f32 gt, q0, r5
    vdupt.32 q0, r5
    .endm

    .macro nothing
    .endm

    .macro each operation, second, last
    dlstp.32 lr, r12
8:  vldrw.32 q0, [r1], #16
    .ifc \second, next
    vldrw.32 q1, [r2], #16
    .endif
    \operation q0, q0, q1
    \last
    vstrw.32 q0, [r3], #16
    letp lr, 8b
    pop {r4, r5, pc}
    .endm

    .macro line name, operation
    .section .text.\name, "ax", %progbits
    .p2align 2
    .global \name
    .type \name, %function
    .thumb_func
\name:
    push {r4, r5, lr}
    ldrd r12, r4, [r0]
    ldr r5, [r0, #8]
    cmp r4, #0
    bne 2f
    cmp r5, #0
    bne 1f
    each \operation, next, nothing
1:  ldrd r4, r5, [r0, #12]
    vdup.32 q2, r4
    each \operation, next, limit
2:  ldr r4, [r2]
    vdup.32 q1, r4
    cmp r5, #0
    bne 3f
    each \operation, same, nothing
3:  ldrd r4, r5, [r0, #12]
    vdup.32 q2, r4
    each \operation, same, limit
    .size \name, . - \name
    .endm

    line er_mve_sum_f32, vadd.f32
    line er_mve_difference_f32, vsub.f32
    line er_mve_product_f32, vmul.f32
