/* See er_elementwise.h; 2 instructions an element. */
    .syntax unified
    .thumb

    .macro CLAMP
    ssub8 r12, r4, r2
    sel r4, r4, r2
    ssub8 r12, r3, r4
    sel r4, r4, r3
    .endm

    .section .text.er_clamp_s8, "ax", %progbits
    .p2align 2
    .global er_clamp_s8
    .type er_clamp_s8, %function
    .thumb_func
er_clamp_s8:
    push {r4, lr}
    subs r1, #4
    blo 2f
1:  ldr r4, [r0]
    CLAMP
    str r4, [r0], #4
    subs r1, #4
    bhs 1b
2:  adds r1, #4
    beq 4f
3:  ldrb r4, [r0]
    CLAMP
    strb r4, [r0], #1
    subs r1, #1
    bne 3b
4:  pop {r4, pc}
    .size er_clamp_s8, . - er_clamp_s8
