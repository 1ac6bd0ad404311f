/* See er_dense.h. A step is 27 instructions for 32 multiplications: one product with 256 * wa + wb gives 256 A + B,
   one with the sign-extended low bytes gives B. */
    .syntax unified
    .thumb
    .text

    .macro PRODUCTS first, second
    ldmia lr!, {r4-r7}
    smlad r8, \first, r4, r8
    smlad r10, \first, r6, r10
    sxtb16 r4, r4
    sxtb16 r6, r6
    smlad r9, \first, r4, r9
    smlad r11, \first, r6, r11
    smlad r8, \second, r5, r8
    smlad r10, \second, r7, r10
    sxtb16 r5, r5
    sxtb16 r7, r7
    smlad r9, \second, r5, r9
    smlad r11, \second, r7, r11
    .endm

/* The frame. */
    .set ENTRY, 0
    .set WIDE, 4
    .set WIDE_END, 8
    .set END, 12
    .set MULTIPLIERS, 16
    .set MULTIPLIERS_STEP, 20
    .set ADDEND, 24
    .set SHIFT, 28
    .set OUT, 32
    .set FRAME, 36

/* Bytes of a step: 27 instructions of 4. */
    .set STEP, 108

    .section .text.er_dense_blocks, "ax", %progbits
    .p2align 2
    .global er_dense_blocks
    .type er_dense_blocks, %function
    .thumb_func
er_dense_blocks:
    push {r4-r11, lr}
    sub sp, #FRAME
    str r2, [sp, #OUT]
    ldrd lr, r2, [r0]
    str r2, [sp, #END]
    ldrd r4, r5, [r0, #8]
    strd r4, r5, [sp, #MULTIPLIERS]
    ldrd r4, r5, [r0, #16]
    strd r4, r5, [sp, #ADDEND]
    ldr r2, [r0, #24]
    add r3, r1, r2, lsl #4
    strd r1, r3, [sp, #WIDE]
    subs r2, #1
    and r2, r2, #7
    rsb r2, r2, #7
    adr r3, 2f
    mov r4, #STEP
    mla r2, r2, r4, r3
    orr r2, r2, #1
    str r2, [sp, #ENTRY]

1:  ldrd r8, r10, [lr], #8
    ldr r12, [sp, #WIDE]
    mov r9, #0
    mov r11, #0
    ldr pc, [sp, #ENTRY]

    .p2align 2
2:  ldmia r12!, {r0-r3}
    PRODUCTS r0, r1
    PRODUCTS r2, r3
3:  .rept 7
    ldmia r12!, {r0-r3}
    PRODUCTS r0, r1
    PRODUCTS r2, r3
    .endr
    ldr r0, [sp, #WIDE_END]
    cmp r12, r0
    bne 2b

    ldrd r0, r1, [lr], #8
    sub r8, r8, r9
    sub r10, r10, r11
    add r9, r0, r9, lsl #8
    add r11, r1, r11, lsl #8
    ldrd r5, r6, [sp, #MULTIPLIERS]
    ldmia r5, {r0-r3}
    add r5, r5, r6
    str r5, [sp, #MULTIPLIERS]
    ldrd r4, r5, [sp, #ADDEND]
    smmla r8, r8, r0, r4
    smmla r9, r9, r1, r4
    smmla r10, r10, r2, r4
    smmla r11, r11, r3, r4
    ldr r0, [sp, #OUT]
    asr r8, r8, r5
    asr r9, r9, r5
    asr r10, r10, r5
    asr r11, r11, r5
    ssat r8, #8, r8
    ssat r9, #8, r9
    ssat r10, #8, r10
    ssat r11, #8, r11
    strb r8, [r0], #1
    strb r9, [r0], #1
    strb r10, [r0], #1
    strb r11, [r0], #1
    str r0, [sp, #OUT]
    ldr r1, [sp, #END]
    cmp lr, r1
    bne 1b
    add sp, #FRAME
    pop {r4-r11, pc}
    .size er_dense_blocks, . - er_dense_blocks

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
