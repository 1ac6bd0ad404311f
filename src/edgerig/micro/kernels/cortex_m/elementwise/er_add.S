/* See er_elementwise.h; 6.75 instructions an element. */
    .syntax unified
    .thumb

    .macro ELEMENT a, b
    mla r9, \a, r4, r6
    mla r9, \b, r5, r9
    ssat r9, #8, r9, asr #20
    strb r9, [r3], #1
    .endm

    .macro WORD
    ldr r7, [r1], #4
    ldr r8, [r2], #4
    sxtb r9, r7
    sxtb r10, r8
    ELEMENT r9, r10
    sxtb r9, r7, ror #8
    sxtb r10, r8, ror #8
    ELEMENT r9, r10
    sxtb r9, r7, ror #16
    sxtb r10, r8, ror #16
    ELEMENT r9, r10
    asr r7, r7, #24
    asr r8, r8, #24
    ELEMENT r7, r8
    .endm

    .section .text.er_add_s8, "ax", %progbits
    .p2align 2
    .global er_add_s8
    .type er_add_s8, %function
    .thumb_func
er_add_s8:
    push {r4-r10, lr}
    ldm r0, {r4-r6}
    ldr r0, [sp, #32]
    subs r0, #8
    blo 2f
1:  WORD
    WORD
    subs r0, #8
    bhs 1b
2:  adds r0, #8
    beq 4f
3:  ldrsb r7, [r1], #1
    ldrsb r8, [r2], #1
    ELEMENT r7, r8
    subs r0, #1
    bne 3b
4:  pop {r4-r10, pc}
    .size er_add_s8, . - er_add_s8
