/* See er_dense.h. */
    .syntax unified
    .thumb

    .section .text.er_dense_sum, "ax", %progbits
    .p2align 2
    .global er_dense_sum
    .type er_dense_sum, %function
    .thumb_func
er_dense_sum:
    push {r4-r8, lr}
    mov r12, #0
1:  ldmia r1!, {r3-r6}
    ldmia r0!, {r7, r8}
    sxtb16 lr, r7
    sxtb16 r7, r7, ror #8
    smlad r12, r3, lr, r12
    smlad r12, r4, r7, r12
    sxtb16 lr, r8
    sxtb16 r8, r8, ror #8
    smlad r12, r5, lr, r12
    smlad r12, r6, r8, r12
    subs r2, #1
    bne 1b
    mov r0, r12
    pop {r4-r8, pc}
    .size er_dense_sum, . - er_dense_sum

    .section .text.er_dense_widen, "ax", %progbits
    .p2align 2
    .global er_dense_widen
    .type er_dense_widen, %function
    .thumb_func
er_dense_widen:
    push {r4-r6, lr}
1:  ldr r3, [r0], #4
    ldr r5, [r0], #4
    sxtb16 r4, r3, ror #8
    sxtb16 r3, r3
    sxtb16 r6, r5, ror #8
    sxtb16 r5, r5
    stmia r1!, {r3-r6}
    subs r2, #1
    bne 1b
    pop {r4-r6, pc}
    .size er_dense_widen, . - er_dense_widen
