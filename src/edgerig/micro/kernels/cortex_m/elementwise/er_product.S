/* See er_elementwise.h; 11 instructions an element. */
    .syntax unified
    .thumb

/* r1, r2, r3 inputs and output, r4, r5 zero points, the second doubled, r6 multiplier, r7 offset, r8 shift. */
    .macro ELEMENT
    ldrsb r9, [r1], #1
    ldrsb r10, [r2], #1
    sub r9, r9, r4
    rsb r10, r5, r10, lsl #1
    mul r9, r9, r10
    smmlar r10, r9, r6, r7
    add r9, r10, r9, asr #31
    asr r9, r9, r8
    ssat r9, #8, r9
    strb r9, [r3], #1
    .endm

    .section .text.er_product_s8, "ax", %progbits
    .p2align 2
    .global er_product_s8
    .type er_product_s8, %function
    .thumb_func
er_product_s8:
    push {r4-r10, lr}
    ldm r0, {r4-r8}
    ldr r0, [sp, #32]
    subs r0, #4
    blo 2f
1:  ELEMENT
    ELEMENT
    ELEMENT
    ELEMENT
    subs r0, #4
    bhs 1b
2:  adds r0, #4
    beq 4f
3:  ELEMENT
    subs r0, #1
    bne 3b
4:  pop {r4-r10, pc}
    .size er_product_s8, . - er_product_s8
