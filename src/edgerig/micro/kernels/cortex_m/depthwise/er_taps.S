/* See er_taps.h. Two taps of four channels: 21 instructions. The stream of a group: bytes of a first tap if their
   number is odd; by pairs of taps a and b the bytes a0 a1 b0 b1, a2 a3 b2 b3; by channel 256 * bias + shift - 1 and
   multiplier. */
    .syntax unified
    .thumb

    .set IN, 0
    .set OUT, 4
    .set GROUPS, 8
    .set FRAME, 12
    .set TAP, FRAME + 36
    .set TAPS, FRAME + 40
    .set CENTRE, FRAME + 44

    .macro CHANNEL sum
    ldrd r0, r1, [r3], #8
    add \sum, \sum, r0, asr #8
    uxtb r0, r0
    lsl \sum, \sum, #1
    lsl r12, r2, r0
    smmlar r1, \sum, r1, r12
    add r1, r1, \sum, asr #31
    asr r1, r1, r0
    ssat r1, #8, r1, asr #1
    strb r1, [r4], #1
    .endm

    .section .text.er_taps_groups, "ax", %progbits
    .p2align 2
    .global er_taps_groups
    .type er_taps_groups, %function
    .thumb_func
er_taps_groups:
    push {r4-r11, lr}
    sub sp, #FRAME
    strd r1, r2, [sp, #IN]
    str r3, [sp, #GROUPS]
    mov r3, r0

1:  ldr r4, [sp, #IN]
    add r0, r4, #4
    str r0, [sp, #IN]
    ldrd r5, r6, [sp, #TAP]
    mov r8, #0
    mov r9, #0
    mov r10, #0
    mov r11, #0
    lsrs r6, r6, #1
    bcc 2f
    ldr r0, [r3], #4
    ldr r1, [r4]
    add r4, r4, r5
    sxtb16 r2, r0
    sxtb16 r12, r1
    smulbb r8, r2, r12
    smultt r10, r2, r12
    sxtb16 r2, r0, ror #8
    sxtb16 r12, r1, ror #8
    smulbb r9, r2, r12
    smultt r11, r2, r12
2:  cbz r6, 4f

3:  ldr r0, [r4]
    ldr r1, [r4, r5]
    add r4, r4, r5, lsl #1
    ldrd r7, lr, [r3], #8
    pkhbt r2, r0, r1, lsl #16
    pkhtb r1, r1, r0, asr #16
    sxtb16 r0, r2
    sxtb16 r12, r7
    smlad r8, r0, r12, r8
    sxtb16 r0, r2, ror #8
    sxtb16 r12, r7, ror #8
    smlad r9, r0, r12, r9
    sxtb16 r0, r1
    sxtb16 r12, lr
    smlad r10, r0, r12, r10
    sxtb16 r0, r1, ror #8
    sxtb16 r12, lr, ror #8
    smlad r11, r0, r12, r11
    subs r6, #1
    bne 3b

4:  ldr r2, [sp, #CENTRE]
    ldr r4, [sp, #OUT]
    CHANNEL r8
    CHANNEL r9
    CHANNEL r10
    CHANNEL r11
    str r4, [sp, #OUT]
    ldr r0, [sp, #GROUPS]
    subs r0, #1
    str r0, [sp, #GROUPS]
    bne 1b
    mov r0, r3
    add sp, #FRAME
    pop {r4-r11, pc}
    .size er_taps_groups, . - er_taps_groups
