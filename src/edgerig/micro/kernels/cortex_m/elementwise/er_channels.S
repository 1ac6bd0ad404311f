/* See er_channels.h; 11 instructions an element and 5 a pixel. */
    .syntax unified
    .thumb

/* r1 input, r2 output, r3 pixels, r4 table or zero point, r5 a number for each channel, r6 multiplier, r7 offset,
   r8 shift, r9 channels. The element's value comes in r12. */
    .macro CHANNELS name, load, value:vararg
    .section .text.\name, "ax", %progbits
    .p2align 2
    .global \name
    .type \name, %function
    .thumb_func
\name:
    push {r4-r11, lr}
    ldm r0, {r4-r9}
1:  mov r10, r5
    mov r11, r9
2:  \load r12, [r1], #1
    ldr r0, [r10], #4
    \value
    smmlar r0, r12, r6, r7
    add r12, r0, r12, asr #31
    asr r12, r12, r8
    ssat r12, #8, r12
    strb r12, [r2], #1
    subs r11, #1
    bne 2b
    subs r3, #1
    bne 1b
    pop {r4-r11, pc}
    .size \name, . - \name
    .endm

    .macro SUM
    ldr r12, [r4, r12, lsl #2]
    add r12, r12, r0
    .endm

    .macro PRODUCT
    sub r12, r12, r4
    mul r12, r12, r0
    .endm

    CHANNELS er_sum_channels_s8, ldrb, SUM
    CHANNELS er_mul_channels_s8, ldrsb, PRODUCT
