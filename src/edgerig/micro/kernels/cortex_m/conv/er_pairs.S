/* See er_pairs.h. A step is 17 instructions for 4 inputs of 3 pixels and 2 channels: 0.708 per multiplication.
   One product with 256 * wa + wb gives 256 A + B, one with the sign-extended low bytes gives B. */
    .syntax unified
    .thumb

/* The frame. */
    .set CHANNEL, 0
    .set PIXEL, 4
    .set OUT, 8
    .set COLUMNS, 12
    .set ROUNDS, 16
    .set ENTRY, 20
    .set END, 24
    .set TILES, 28
    .set TILE_OUT, 32
    .set JOB, 36
    .set LOW, 40
    .set FRAME, 52

    .macro HALF weights
    ldmia r5!, {r0-r2}
    smlad r7, r0, \weights, r7
    smlad r8, r1, \weights, r8
    smlad r9, r2, \weights, r9
    sxtb16 \weights, \weights
    smlad r10, r0, \weights, r10
    smlad r11, r1, \weights, r11
    smlad r12, r2, \weights, r12
    .endm

    .macro STEP
    ldrd r3, r4, [r6], #8
    HALF r3
    HALF r4
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

    .section .text.er_pairs_full, "ax", %progbits
    .p2align 2
    .global er_pairs_full
    .type er_pairs_full, %function
    .thumb_func
er_pairs_full:
    push {r4-r11, lr}
    sub sp, #FRAME
    strd r2, r0, [sp, #TILE_OUT]
    str r1, [sp, #COLUMNS]
    str r3, [sp, #TILES]
    ldrd r4, r5, [r0, #32]
    strd r4, r5, [sp, #LOW]
    ldrd r4, r5, [r0, #8]
    strd r4, r5, [sp, #CHANNEL]
    ldrd r4, r5, [r0, #16]
    str r4, [sp, #ROUNDS]
    adr r6, 4f
    mov r7, #(4f - 3f)
    mls r6, r5, r7, r6
    orr r6, r6, #1
    ldr r7, [r0, #4]
    strd r6, r7, [sp, #ENTRY]

1:  ldr r6, [sp, #JOB]
    ldr r0, [sp, #TILE_OUT]
    ldr r6, [r6]
    str r0, [sp, #OUT]
2:  ldr r7, [r6], #4
    ldrd r5, lr, [sp, #COLUMNS]
    mov r8, r7
    mov r9, r7
    mov r10, #0
    mov r11, #0
    mov r12, #0
    STEP
    ldr pc, [sp, #ENTRY]

    .p2align 2
6:  .rept 3
    STEP
    .endr
    .p2align 2
3:  STEP
    .p2align 2
4:  subs lr, #1
    bne 6b
    ldmia r6!, {r0-r3}
    ldr r5, [sp, #JOB]
    ldr r5, [r5, #28]
    sub r7, r7, r10
    sub r8, r8, r11
    sub r9, r9, r12
    add r10, r0, r10, lsl #1
    add r11, r0, r11, lsl #1
    add r12, r0, r12, lsl #1
    asr r7, r7, #7
    asr r8, r8, #7
    asr r9, r9, #7
    lsl r4, r5, r3
    SCALE r7, r1, r4
    SCALE r8, r1, r4
    SCALE r9, r1, r4
    lsr r3, r3, #8
    lsl r4, r5, r3
    SCALE r10, r2, r4
    SCALE r11, r2, r4
    SCALE r12, r2, r4
    ldrd r0, r1, [sp, #LOW]
    sub r2, r1, r0
    cmp r2, #255
    beq 5f
    CUT r7
    CUT r8
    CUT r9
    CUT r10
    CUT r11
    CUT r12
5:  ldm sp, {r0, r1, r5}
    ldr r2, [sp, #END]
    strb r7, [r5]
    strb r8, [r5, r1]
    strb r9, [r5, r1, lsl #1]
    add r5, r5, r0
    strb r10, [r5]
    strb r11, [r5, r1]
    strb r12, [r5, r1, lsl #1]
    add r5, r5, r0
    str r5, [sp, #OUT]
    cmp r6, r2
    bne 2b
    ldrd r0, r2, [sp, #TILE_OUT]
    ldr r3, [r2, #24]
    ldr r4, [sp, #COLUMNS]
    add r1, r1, r1, lsl #1
    add r4, r4, r3
    add r0, r0, r1
    str r4, [sp, #COLUMNS]
    str r0, [sp, #TILE_OUT]
    ldr r0, [sp, #TILES]
    subs r0, #1
    str r0, [sp, #TILES]
    bne 1b
    add sp, #FRAME
    pop {r4-r11, pc}
    .size er_pairs_full, . - er_pairs_full

    .section .text.er_pairs_widen, "ax", %progbits
    .p2align 2
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

    .section .text.er_pairs_copy, "ax", %progbits
    .p2align 2
    .global er_pairs_copy
    .type er_pairs_copy, %function
    .thumb_func
er_pairs_copy:
    push {r4-r7, lr}
    orr r3, r0, r1
    lsls r3, r3, #30
    bne 3f
1:  subs r2, #16
    blt 5f
2:  ldmia r1!, {r3-r6}
    subs r2, #16
    stmia r0!, {r3-r6}
    bge 2b
    b 5f
/* LDM and STM want whole words, LDR and STR do not. */
3:  subs r2, #16
    blt 5f
4:  ldr r3, [r1], #4
    ldr r4, [r1], #4
    ldr r5, [r1], #4
    ldr r6, [r1], #4
    str r3, [r0], #4
    str r4, [r0], #4
    str r5, [r0], #4
    str r6, [r0], #4
    subs r2, #16
    bge 4b
5:  adds r2, #16
    beq 7f
    subs r2, #4
    blt 8f
9:  ldr r3, [r1], #4
    subs r2, #4
    str r3, [r0], #4
    bge 9b
8:  adds r2, #4
    beq 7f
6:  ldrb r3, [r1], #1
    subs r2, #1
    strb r3, [r0], #1
    bne 6b
7:  pop {r4-r7, pc}
    .size er_pairs_copy, . - er_pairs_copy
