/* See er_pairs.h. A step is 17 instructions for 4 inputs of 3 pixels and 2 channels: 0.708 per multiplication.
   One product with 256 * wa + wb gives 256 A + B, one with the sign-extended low bytes gives B. */
    .syntax unified
    .thumb
    .text

/* The frame. */
    .set COLUMNS, 0
    .set OUT, 4
    .set ROUNDS, 8
    .set ENTRY, 12
    .set PIXEL, 16
    .set CHANNEL, 20
    .set FINISH, 24
    .set CUT_STRAIGHT, 28
    .set END, 32
    .set CHANNELS, 36
    .set JOB, 40
    .set FRAME, 44

    .macro STEP
    ldrd r3, r4, [r6], #8
    ldmia r5!, {r0-r2}
    smlad r7, r0, r3, r7
    smlad r8, r1, r3, r8
    smlad r9, r2, r3, r9
    sxtb16 r3, r3
    smlad r10, r0, r3, r10
    smlad r11, r1, r3, r11
    smlad r12, r2, r3, r12
    ldmia r5!, {r0-r2}
    smlad r7, r0, r4, r7
    smlad r8, r1, r4, r8
    smlad r9, r2, r4, r9
    sxtb16 r4, r4
    smlad r10, r0, r4, r10
    smlad r11, r1, r4, r11
    smlad r12, r2, r4, r12
    .endm

/* A doubling high multiplication that rounds, then a shift that rounds halves away from zero. */
    .macro FULL reg, multiplier, constant, shift
    smmlar r0, \reg, \multiplier, \constant
    add r0, r0, \reg, asr #31
    asr r0, r0, \shift
    ssat \reg, #8, r0
    .endm

    .macro CUT reg
    cmp \reg, r0
    it lt
    movlt \reg, r0
    cmp \reg, r1
    it gt
    movgt \reg, r1
    .endm

    .macro SATURATE shift
    ssat r7, #8, r7, asr #\shift
    ssat r8, #8, r8, asr #\shift
    ssat r9, #8, r9, asr #\shift
    ssat r10, #8, r10, asr #\shift
    ssat r11, #8, r11, asr #\shift
    ssat r12, #8, r12, asr #\shift
    b 4f
    .endm

    .global er_pairs_3
    .type er_pairs_3, %function
    .thumb_func
er_pairs_3:
    push {r4-r11, lr}
    sub sp, #FRAME
    strd r1, r2, [sp, #COLUMNS]
    str r0, [sp, #JOB]
    ldrd r6, lr, [r0, #0]
    ldrd r1, r2, [r0, #8]
    strd r1, r2, [sp, #PIXEL]
    ldrd r1, r2, [r0, #16]
    rsb r2, r2, #16
    adr r3, 2f
    mov r4, #(3f - 2f)
    mla r2, r2, r4, r3
    orr r2, r2, #1
    strd r1, r2, [sp, #ROUNDS]
    ldrd r2, r1, [r0, #24]          /* pairs, shift or 0 */
    adr r4, 6f
    adr r5, 7f
    movs r12, #24                   /* bytes of channels, a pair */
    cmp r1, #0
    bne 5f
    mov r4, r5
    movs r12, #28
5:  mla r2, r2, r12, lr
    str r2, [sp, #END]
    orr r4, r4, #1
    sub r1, r1, #7
    mov r2, #(9f - 8f)
    adr r5, 8f
    mla r1, r1, r2, r5
    orr r1, r1, #1
    strd r4, r1, [sp, #FINISH]

1:  ldr r7, [lr]
    str lr, [sp, #CHANNELS]
    mov r8, r7
    mov r9, r7
    mov r10, #0
    mov r11, #0
    mov r12, #0
    ldr r5, [sp, #COLUMNS]
    ldr lr, [sp, #ROUNDS]
    ldr pc, [sp, #ENTRY]

    .balign 4
2:  STEP
3:  .rept 15
    STEP
    .endr
    subs lr, #1
    bne 2b

    ldr lr, [sp, #CHANNELS]
    sub r7, r7, r10
    sub r8, r8, r11
    sub r9, r9, r12
    ldmia lr!, {r0-r5}
    ldr pc, [sp, #FINISH]

/* One rounding, proved equal by prescaled.py. */
    .balign 4
6:  smmla r7, r7, r2, r3
    smmla r8, r8, r2, r3
    smmla r9, r9, r2, r3
    add r10, r1, r10, lsl #8
    add r11, r1, r11, lsl #8
    add r12, r1, r12, lsl #8
    smmla r10, r10, r4, r5
    smmla r11, r11, r4, r5
    smmla r12, r12, r4, r5
    ldr pc, [sp, #CUT_STRAIGHT]

    .balign 4
8:  SATURATE 7
9:  .irp shift, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22
    SATURATE \shift
    .endr

4:  ldr r5, [sp, #OUT]
    ldrd r0, r1, [sp, #PIXEL]
    strb r7, [r5]
    strb r8, [r5, r0]
    strb r9, [r5, r0, lsl #1]
    add r5, r5, r1
    strb r10, [r5]
    strb r11, [r5, r0]
    strb r12, [r5, r0, lsl #1]
    add r5, r5, r1
    ldr r0, [sp, #END]
    str r5, [sp, #OUT]
    cmp r0, lr
    bne 1b
    add sp, #FRAME
    pop {r4-r11, pc}

/* Two roundings. */
    .balign 4
7:  add r10, r1, r10, lsl #1
    add r11, r1, r11, lsl #1
    add r12, r1, r12, lsl #1
    ldr r1, [lr], #4
    asr r7, r7, #7
    asr r8, r8, #7
    asr r9, r9, #7
    FULL r7, r2, r3, r1
    FULL r8, r2, r3, r1
    FULL r9, r2, r3, r1
    lsr r1, r1, #8
    FULL r10, r4, r5, r1
    FULL r11, r4, r5, r1
    FULL r12, r4, r5, r1
    ldr r0, [sp, #JOB]
    ldrd r0, r1, [r0, #32]
    sub r2, r1, r0
    cmp r2, #255
    beq 4b
    CUT r7
    CUT r8
    CUT r9
    CUT r10
    CUT r11
    CUT r12
    b 4b
    .size er_pairs_3, . - er_pairs_3

    .global er_pairs_widen
    .type er_pairs_widen, %function
    .thumb_func
er_pairs_widen:
    push {r4-r6, lr}
    subs r2, #4
    blt 2f
1:  ldmia r0!, {r3-r6}
    sxtb16 r12, r3
    sxtb16 r3, r3, ror #8
    str r12, [r1], #12
    str r3, [r1], #12
    sxtb16 r12, r4
    sxtb16 r4, r4, ror #8
    str r12, [r1], #12
    str r4, [r1], #12
    sxtb16 r12, r5
    sxtb16 r5, r5, ror #8
    str r12, [r1], #12
    str r5, [r1], #12
    sxtb16 r12, r6
    sxtb16 r6, r6, ror #8
    str r12, [r1], #12
    str r6, [r1], #12
    subs r2, #4
    bge 1b
2:  adds r2, #4
    beq 4f
3:  ldr r3, [r0], #4
    sxtb16 r12, r3
    sxtb16 r3, r3, ror #8
    str r12, [r1], #12
    str r3, [r1], #12
    subs r2, #1
    bne 3b
4:  mov r0, r1
    pop {r4-r6, pc}
    .size er_pairs_widen, . - er_pairs_widen
