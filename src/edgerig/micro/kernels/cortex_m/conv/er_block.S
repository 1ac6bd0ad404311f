/* See er_block.h. A step is 17 instructions for 2 inputs of 4 image columns by 3 taps, that is 2 pixels by 2 channels:
   0.708 per multiplication. One product with 256 * wa + wb gives 256 A + B, one with the sign-extended low bytes
   gives B. */
    .syntax unified
    .thumb

/* The frame. */
    .set COLUMNS, 0
    .set OUT, 4
    .set WEIGHTS, 8
    .set FINISH, 12
    .set ROUNDS, 16
    .set ENTRY, 20
    .set OUT_ROW, 24
    .set PIXEL, 28
    .set ROW, 32
    .set BACK, 36
    .set ADDEND, 40
    .set SHIFT, 44
    .set LAST_ROW, 48
    .set JOB, 52
    .set MOST, 56
    .set FRAME, 68

    .macro STEP
    ldmia r11!, {r0-r3}
    ldmia r12!, {r4, r5, r10}
    smlad r6, r0, r4, r6
    smlad r7, r1, r4, r7
    smlad r6, r1, r5, r6
    smlad r7, r2, r5, r7
    smlad r6, r2, r10, r6
    smlad r7, r3, r10, r7
    sxtb16 r4, r4
    sxtb16 r5, r5
    sxtb16 r10, r10
    smlad r8, r0, r4, r8
    smlad r9, r1, r4, r9
    smlad r8, r1, r5, r8
    smlad r9, r2, r5, r9
    smlad r8, r2, r10, r8
    smlad r9, r3, r10, r9
    .endm

/* Two pixels by the two channels whose weights r12 points at; r11 is the row. */
    .macro SUMS
    ldr r6, [r12], #4
    ldr lr, [sp, #ROUNDS]
    ldmia r11!, {r0-r3}
    ldmia r12!, {r4, r5, r10}
    smlad r7, r1, r4, r6
    smlad r6, r0, r4, r6
    smlad r7, r2, r5, r7
    smlad r6, r1, r5, r6
    smlad r7, r3, r10, r7
    smlad r6, r2, r10, r6
    sxtb16 r4, r4
    sxtb16 r5, r5
    sxtb16 r10, r10
    smuad r8, r0, r4
    smuad r9, r1, r4
    smlad r8, r1, r5, r8
    smlad r9, r2, r5, r9
    smlad r8, r2, r10, r8
    smlad r9, r3, r10, r9
    ldr pc, [sp, #ENTRY]
    .p2align 2
2:  .rept 7
    STEP
    .endr
    .p2align 2
3:  STEP
    .p2align 2
4:  subs lr, #1
    bne 2b
    sub r6, r6, r8
    sub r7, r7, r9
    .endm

    .macro LARGER reg, other
    cmp \reg, \other
    it lt
    movlt \reg, \other
    .endm

/* A doubling high multiplication that rounds, then a shift by r3 + 1 that rounds halves away from zero. */
    .macro SCALE reg, multiplier, constant
    smmlar r0, \reg, \multiplier, \constant
    add r0, r0, \reg, asr #31
    asr r0, r0, r3
    ssat \reg, #8, r0, asr #1
    .endm

    .macro CUT reg
    cmp \reg, r0
    it lt
    movlt \reg, r0
    cmp \reg, r1
    it gt
    movgt \reg, r1
    .endm

    .macro ENTER name
    .section .text.\name, "ax", %progbits
    .p2align 2
    .global \name
    .type \name, %function
    .thumb_func
\name:
    push {r4-r11, lr}
    sub sp, #FRAME
    strd r1, r2, [sp, #COLUMNS]
    str r0, [sp, #JOB]
    ldm r0, {r2-r9}
    str r2, [sp, #WEIGHTS]
    str r4, [sp, #PIXEL]
    str r5, [sp, #ROW]
    str r6, [sp, #ROUNDS]
    strd r8, r9, [sp, #ADDEND]
    adr r4, 4f
    mov r5, #(4f - 3f)
    mls r4, r7, r5, r4
    orr r4, r4, #1
    str r4, [sp, #ENTRY]
    adr r4, 6f
    adr r5, 7f
    cmp r9, #0
    it eq
    moveq r4, r5
    orr r4, r4, #1
    str r4, [sp, #FINISH]
    ldrd r5, r6, [r0, #40]
    lsl r7, r5, #1
    str r7, [sp, #BACK]
    mla r6, r6, r5, r1
    str r6, [sp, #LAST_ROW]
    .endm

/* r11 is the next row, r12 behind the pair's numbers. */
    .macro LEAVE
    ldr r0, [sp, #JOB]
    ldr r1, [sp, #OUT]
    ldr r0, [r0, #4]
    add r1, r1, #2
    str r12, [sp, #WEIGHTS]
    str r1, [sp, #OUT]
    cmp r0, r12
    bne 1b
    add sp, #FRAME
    pop {r4-r11, pc}
    .endm

    ENTER er_block_2
1:  ldrd r11, r0, [sp, #COLUMNS]
    str r0, [sp, #OUT_ROW]
5:  ldr r12, [sp, #WEIGHTS]
    SUMS
    ldr pc, [sp, #FINISH]

    .p2align 2
6:  ldmia r12!, {r0-r2}
    ldrd r3, r4, [sp, #ADDEND]
    smmla r6, r6, r1, r3
    smmla r7, r7, r1, r3
    add r8, r0, r8, lsl #8
    add r9, r0, r9, lsl #8
    smmla r8, r8, r2, r3
    smmla r9, r9, r2, r3
    asr r6, r6, r4
    asr r7, r7, r4
    asr r8, r8, r4
    asr r9, r9, r4
    ssat r6, #8, r6
    ssat r7, #8, r7
    ssat r8, #8, r8
    ssat r9, #8, r9

8:  ldrd r0, r1, [sp, #OUT_ROW]
    ldrd r2, r3, [sp, #ROW]
    add r1, r0, r1
    strb r6, [r0]
    strb r8, [r0, #1]
    strb r7, [r1]
    strb r9, [r1, #1]
    ldr r5, [sp, #LAST_ROW]
    add r0, r0, r2
    sub r11, r11, r3
    str r0, [sp, #OUT_ROW]
    cmp r11, r5
    bne 5b
    LEAVE

    .p2align 2
7:  ldmia r12!, {r0-r3}
    ldr r5, [sp, #ADDEND]
    add r8, r0, r8, lsl #1
    add r9, r0, r9, lsl #1
    asr r6, r6, #7
    asr r7, r7, #7
    lsl r4, r5, r3
    SCALE r6, r1, r4
    SCALE r7, r1, r4
    lsr r3, r3, #8
    lsl r4, r5, r3
    SCALE r8, r2, r4
    SCALE r9, r2, r4
    ldr r0, [sp, #JOB]
    ldrd r0, r1, [r0, #32]
    sub r2, r1, r0
    cmp r2, #255
    beq 8b
    CUT r6
    CUT r7
    CUT r8
    CUT r9
    b 8b
    .size er_block_2, . - er_block_2

    ENTER er_block_pool
1:  ldrd r11, r0, [sp, #COLUMNS]
    str r0, [sp, #OUT_ROW]
5:  mov r0, #0x80000000
    mov r1, r0
    strd r0, r1, [sp, #MOST]
9:  ldr r12, [sp, #WEIGHTS]
    SUMS
    ldrd r0, r1, [sp, #MOST]
    ldr r3, [sp, #BACK]
    LARGER r6, r7
    LARGER r8, r9
    sub r11, r11, r3
    cmp r0, #0x80000000
    ittt eq
    cmpeq r1, r0
    strdeq r6, r8, [sp, #MOST]
    beq 9b
    LARGER r6, r0
    LARGER r8, r1
    ldr pc, [sp, #FINISH]

    .p2align 2
6:  ldmia r12!, {r0-r2}
    ldrd r3, r4, [sp, #ADDEND]
    smmla r6, r6, r1, r3
    add r8, r0, r8, lsl #8
    asr r6, r6, r4
    smmla r8, r8, r2, r3
    ssat r6, #8, r6
    asr r8, r8, r4
    ssat r8, #8, r8

8:  ldr r0, [sp, #OUT_ROW]
    ldr r2, [sp, #ROW]
    ldr r5, [sp, #LAST_ROW]
    strb r6, [r0]
    strb r8, [r0, #1]
    add r0, r0, r2
    str r0, [sp, #OUT_ROW]
    cmp r11, r5
    bne 5b
    LEAVE

    .p2align 2
7:  ldmia r12!, {r0-r3}
    ldr r5, [sp, #ADDEND]
    add r8, r0, r8, lsl #1
    asr r6, r6, #7
    lsl r4, r5, r3
    SCALE r6, r1, r4
    lsr r3, r3, #8
    lsl r4, r5, r3
    SCALE r8, r2, r4
    ldr r0, [sp, #JOB]
    ldrd r0, r1, [r0, #32]
    CUT r6
    CUT r8
    b 8b
    .size er_block_pool, . - er_block_pool

    .section .text.er_block_fill, "ax", %progbits
    .p2align 2
    .global er_block_fill
    .type er_block_fill, %function
    .thumb_func
er_block_fill:
    push {r4-r11, lr}
    ldm r0, {r8-r11}
1:  ldr r4, [r8], #4
    ldr r5, [r9], #4
    ldr r6, [r10], #4
    ldr r7, [r11], #4
    sxtb16 r0, r4
    sxtb16 r3, r5
    sxtb16 r12, r6
    sxtb16 lr, r7
    stmia r1!, {r0, r3, r12, lr}
    sxtb16 r4, r4, ror #8
    sxtb16 r5, r5, ror #8
    sxtb16 r6, r6, ror #8
    sxtb16 r7, r7, ror #8
    stmia r1!, {r4-r7}
    subs r2, #1
    bne 1b
    pop {r4-r11, pc}
    .size er_block_fill, . - er_block_fill
