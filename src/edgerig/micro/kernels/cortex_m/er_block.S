/* See er_block.h. A step is 17 instructions for 2 inputs of 4 image columns by 3 taps, that is 2 pixels by 2 channels:
   0.708 per multiplication. The arithmetic is that of er_pairs.S. */
    .syntax unified
    .thumb

/* The frame. */
    .set COLUMNS, 0
    .set OUT, 4
    .set ROUNDS, 8
    .set ENTRY, 12
    .set WEIGHTS, 16
    .set NUMBERS, 20
    .set PIXEL, 24
    .set ROW, 28
    .set FINISH, 32
    .set SATURATE, 36
    .set END, 40
    .set NEXT, 44
    .set LAST_ROW, 48
    .set OUT_ROW, 52
    .set JOB, 56
    .set BACK, 60
    .set MOST, 64
    .set FRAME, 76

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

    .macro ROUND_OF_STEPS
    .balign 4
2:  STEP
3:  .rept 15
    STEP
    .endr
    subs lr, #1
    bne 2b
    .endm

    .macro LARGER reg, other
    cmp \reg, \other
    it lt
    movlt \reg, \other
    .endm

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

/* Fills the frame; r0 is the job, r1 columns, r2 out. fast and full are where the epilogues start. */
    .macro ENTER fast, full, rows
    push {r4-r11, lr}
    sub sp, #FRAME
    strd r1, r2, [sp, #COLUMNS]
    str r0, [sp, #JOB]
    ldrd r3, r4, [r0, #0]
    strd r3, r4, [sp, #WEIGHTS]
    ldrd r5, r6, [r0, #8]
    strd r5, r6, [sp, #PIXEL]
    ldrd r5, r6, [r0, #16]
    rsb r6, r6, #16
    adr r7, 2f
    mov r8, #(3f - 2f)
    mla r6, r6, r8, r7
    orr r6, r6, #1
    strd r5, r6, [sp, #ROUNDS]
    ldrd r5, r6, [r0, #24]          /* pairs, shift */
    adr r7, \fast
    adr r9, \full
    mov r8, #24
    cmp r6, #0
    bne 5f
    mov r7, r9
    mov r8, #28
5:  orr r7, r7, #1
    str r7, [sp, #FINISH]
    mla r4, r5, r8, r4
    str r4, [sp, #END]
    ldrd r5, r6, [r0, #40]          /* bytes of a row, rows */
    lsl r7, r5, #1
    str r7, [sp, #BACK]
    mla r6, r6, r5, r1
    .if \rows == 2
    ldr r7, [r0, #44]
    mla r6, r7, r5, r6
    .endif
    str r6, [sp, #LAST_ROW]
    .endm

/* Accumulators of the pair whose numbers r10 points at; r11 is the row. */
    .macro START
    ldr r6, [r10]
    mov r8, #0
    mov r9, #0
    mov r7, r6
    ldr r12, [sp, #WEIGHTS]
    ldr lr, [sp, #ROUNDS]
    ldr pc, [sp, #ENTRY]
    .endm

    .section .text.er_block_2, "ax", %progbits
    .p2align 2
    .global er_block_2
    .type er_block_2, %function
    .thumb_func
er_block_2:
    ENTER 6f, 7f, 1
    ldr r0, [r0, #28]
    sub r0, r0, #7
    adr r1, 8f
    mov r2, #(9f - 8f)
    mla r0, r0, r2, r1
    orr r0, r0, #1
    str r0, [sp, #SATURATE]

1:  ldrd r11, r0, [sp, #COLUMNS]
    str r0, [sp, #OUT_ROW]
    ldr r10, [sp, #NUMBERS]
10: START
    ROUND_OF_STEPS
    ldr r10, [sp, #NUMBERS]
    sub r6, r6, r8
    sub r7, r7, r9
    ldmia r10, {r0-r5}
    ldr pc, [sp, #FINISH]

    .balign 4
6:  smmla r6, r6, r2, r3
    smmla r7, r7, r2, r3
    add r8, r1, r8, lsl #8
    add r9, r1, r9, lsl #8
    smmla r8, r8, r4, r5
    smmla r9, r9, r4, r5
    ldr pc, [sp, #SATURATE]
    .macro SATURATED shift
    ssat r6, #8, r6, asr #\shift
    ssat r7, #8, r7, asr #\shift
    ssat r8, #8, r8, asr #\shift
    ssat r9, #8, r9, asr #\shift
    b 4f
    .endm
    .balign 4
8:  SATURATED 7
9:  .irp shift, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22
    SATURATED \shift
    .endr

4:  ldrd r2, r3, [sp, #PIXEL]
    ldr r1, [sp, #OUT_ROW]
    ldr r5, [sp, #LAST_ROW]
    strb r6, [r1]
    strb r8, [r1, #1]
    add r0, r1, r2
    add r1, r1, r3
    strb r7, [r0]
    strb r9, [r0, #1]
    ldr r2, [sp, #BACK]
    str r1, [sp, #OUT_ROW]
    sub r11, r11, r2
    cmp r11, r5
    bne 10b
    ldr r0, [sp, #OUT]
    str r12, [sp, #WEIGHTS]
    add r0, r0, #2
    str r0, [sp, #OUT]
    ldr r0, [sp, #FINISH]
    adr r1, 6b
    orr r1, r1, #1
    cmp r0, r1
    ite eq
    addeq r10, r10, #24
    addne r10, r10, #28
    ldr r0, [sp, #END]
    str r10, [sp, #NUMBERS]
    cmp r0, r10
    bne 1b
    add sp, #FRAME
    pop {r4-r11, pc}

    .balign 4
7:  add r8, r1, r8, lsl #1
    add r9, r1, r9, lsl #1
    ldr r1, [r10, #24]
    asr r6, r6, #7
    asr r7, r7, #7
    FULL r6, r2, r3, r1
    FULL r7, r2, r3, r1
    lsr r1, r1, #8
    FULL r8, r4, r5, r1
    FULL r9, r4, r5, r1
    ldr r0, [sp, #JOB]
    ldrd r0, r1, [r0, #32]
    sub r2, r1, r0
    cmp r2, #255
    beq 4b
    CUT r6
    CUT r7
    CUT r8
    CUT r9
    b 4b
    .size er_block_2, . - er_block_2

    .section .text.er_block_pool, "ax", %progbits
    .p2align 2
    .global er_block_pool
    .type er_block_pool, %function
    .thumb_func
er_block_pool:
    ENTER 6f, 7f, 2
    ldr r0, [r0, #28]
    str r0, [sp, #SATURATE]

1:  ldrd r11, r0, [sp, #COLUMNS]
    str r0, [sp, #OUT_ROW]
    adr r0, 11f
    orr r0, r0, #1
    str r0, [sp, #NEXT]
    ldr r10, [sp, #NUMBERS]
10: START
    ROUND_OF_STEPS
    sub r6, r6, r8
    sub r7, r7, r9
    ldr r2, [sp, #BACK]
    ldr r10, [sp, #NUMBERS]
    LARGER r6, r7
    LARGER r8, r9
    sub r11, r11, r2
    ldr pc, [sp, #NEXT]

/* The first of two rows. */
    .balign 4
11: strd r6, r8, [sp, #MOST]
    adr r0, 12f
    orr r0, r0, #1
    str r0, [sp, #NEXT]
    b 10b

    .balign 4
12: ldrd r7, r9, [sp, #MOST]
    ldmia r10, {r0-r5}
    LARGER r6, r7
    LARGER r8, r9
    ldr r7, [sp, #SATURATE]
    ldr pc, [sp, #FINISH]

    .balign 4
6:  smmla r6, r6, r2, r3
    add r8, r1, r8, lsl #8
    asr r6, r6, r7
    smmla r8, r8, r4, r5
    ssat r6, #8, r6
    asr r8, r8, r7
    ssat r8, #8, r8

4:  ldr r1, [sp, #OUT_ROW]
    ldr r3, [sp, #ROW]
    ldr r5, [sp, #LAST_ROW]
    strb r6, [r1]
    strb r8, [r1, #1]
    add r1, r1, r3
    str r1, [sp, #OUT_ROW]
    adr r0, 11b
    orr r0, r0, #1
    str r0, [sp, #NEXT]
    cmp r11, r5
    bne 10b
    ldr r0, [sp, #OUT]
    str r12, [sp, #WEIGHTS]
    add r0, r0, #2
    str r0, [sp, #OUT]
    ldr r0, [sp, #SATURATE]
    cmp r0, #0
    ite ne
    addne r10, r10, #24
    addeq r10, r10, #28
    ldr r0, [sp, #END]
    str r10, [sp, #NUMBERS]
    cmp r0, r10
    bne 1b
    add sp, #FRAME
    pop {r4-r11, pc}

    .balign 4
7:  add r8, r1, r8, lsl #1
    ldr r1, [r10, #24]
    asr r6, r6, #7
    FULL r6, r2, r3, r1
    lsr r1, r1, #8
    FULL r8, r4, r5, r1
    ldr r0, [sp, #JOB]
    ldrd r0, r1, [r0, #32]
    CUT r6
    CUT r8
    b 4b
    .size er_block_pool, . - er_block_pool

    .section .text.er_block_widen, "ax", %progbits
    .p2align 2
    .global er_block_widen
    .type er_block_widen, %function
    .thumb_func
er_block_widen:
    push {r4, lr}
1:  ldr r3, [r0], #4
    sxtb16 r12, r3
    sxtb16 r3, r3, ror #8
    str r12, [r1], #16
    str r3, [r1], #16
    subs r2, #2
    blt 2f
    ldr r3, [r0], #4
    sxtb16 r12, r3
    sxtb16 r3, r3, ror #8
    str r12, [r1], #16
    str r3, [r1], #16
    bne 1b
2:  pop {r4, pc}
    .size er_block_widen, . - er_block_widen
