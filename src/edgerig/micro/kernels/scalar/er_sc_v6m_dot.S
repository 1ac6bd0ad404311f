/* See er_sc_pairs.h and er_sc_dense.h. A low register holds what is multiplied, high ones hold sums: additions are all
 * that high registers can do, and need no other. */
    #include "er_sc_v6m.inc"

    /* One value of four pixels: r4 and r5 have their products. */
    .macro products
    ldmia r1!, {r4, r5}
    ldrsb r3, [r0, r2]
    muls r4, r3
    muls r5, r3
    .endm

    /* The sum of a run in \low: all of it is added up, and its upper half, of which the lower one, where it is negative,
     * has taken 1: the bit that is shifted out last. */
    .macro split low, whole, upper
    add \whole, \low
    asrs \low, \low, #16
    adcs \upper, \low
    .endm

    .macro alone
    products
    split r4, r10, r6
    split r5, r11, r7
    .endm

    .macro first
    products
    mov r8, r4
    mov r9, r5
    adds r2, #1
    .endm

    .macro more
    products
    add r8, r4
    add r9, r5
    adds r2, #1
    .endm

    .macro last
    products
    add r4, r8
    add r5, r9
    split r4, r10, r6
    split r5, r11, r7
    .endm

    .macro next
    adds r2, #1
    .endm

    .macro run count
    first
    .rept \count - 2
    more
    .endr
    last
    .endm

    /* The upper sums stand in r6 and r7, the whole ones in r10 and r11; r2 counts up to 0. */
    .macro begin
    save
    push {r3}
    adds r0, r0, r2
    rsbs r2, r2, #0
    movs r6, #0
    movs r7, #0
    mov r10, r6
    mov r11, r6
    .endm

    .macro end
    mov r2, r10
    mov r4, r11
    lsls r0, r6, #16
    subs r2, r2, r0
    lsls r0, r7, #16
    subs r4, r4, r0
    mov r3, r6
    mov r5, r7
    pop {r0}
    stmia r0!, {r2, r3, r4, r5}
    return
    .endm

/* void er_sc_dot_1(const int8_t *weights, const int32_t *pairs, int32_t length, int32_t *sums); others likewise */
    function er_sc_dot_1
    begin
1:  .rept 3
    alone
    next
    .endr
    alone
    next
    bne 1b
    end
    .size er_sc_dot_1, . - er_sc_dot_1

    function er_sc_dot_2
    begin
1:  run 2
    next
    run 2
    next
    bne 1b
    end
    .size er_sc_dot_2, . - er_sc_dot_2

    function er_sc_dot_3
    begin
1:  run 3
    next
    run 3
    next
    run 2
    next
    bne 1b
    end
    .size er_sc_dot_3, . - er_sc_dot_3

    function er_sc_dot_4
    begin
1:  run 4
    next
    bne 1b
    end
    .size er_sc_dot_4, . - er_sc_dot_4

    function er_sc_dot_8
    begin
1:  run 8
    next
    bne 1b
    end
    .size er_sc_dot_8, . - er_sc_dot_8

    .macro pack upper, lower
    ldrsb r0, [\upper, r7]
    lsls r0, r0, #16
    ldrsb r1, [\lower, r7]
    adds r0, r0, r1
    stmia r2!, {r0}
    .endm

/* void er_sc_pack(const int8_t *const from[4], int32_t count, int32_t *to) */
    function er_sc_pack
    push {r4-r7, lr}
    ldmia r0!, {r3, r4, r5, r6}
    rsbs r7, r1, #0
    adds r3, r3, r1
    adds r4, r4, r1
    adds r5, r5, r1
    adds r6, r6, r1
1:  pack r4, r3
    pack r6, r5
    adds r7, #1
    bne 1b
    pop {r4-r7, pc}
    .size er_sc_pack, . - er_sc_pack

    /* An input by weights of four channels, 128 added to each. */
    .macro input k, offset
    ldrsb r2, [r1, \offset]
    ldrb r3, [r0, #4 * \k]
    muls r3, r2
    add r8, r3
    ldrb r3, [r0, #4 * \k + 1]
    muls r3, r2
    add r9, r3
    ldrb r3, [r0, #4 * \k + 2]
    muls r3, r2
    add r10, r3
    ldrb r3, [r0, #4 * \k + 3]
    muls r3, r2
    add r11, r3
    .endm

/* void er_sc_dot_pixel(const int8_t *weights, const int8_t *x, int32_t length, int32_t sums[4]) */
    function er_sc_dot_pixel
    save
    push {r3}
    movs r4, #0
    movs r5, #1
    movs r6, #2
    movs r7, #3
    mov r8, r4
    mov r9, r4
    mov r10, r4
    mov r11, r4
    adds r3, r1, r2
    mov lr, r3
    bics r2, r7
    adds r3, r1, r2
    mov r12, r3
    cmp r1, r12
    beq 2f
1:  input 0, r4
    input 1, r5
    input 2, r6
    input 3, r7
    adds r0, #16
    adds r1, #4
    cmp r1, r12
    bne 1b
2:  cmp r1, lr
    beq 4f
3:  input 0, r4
    adds r0, #4
    adds r1, #1
    cmp r1, lr
    bne 3b
4:  pop {r0}
    mov r1, r8
    mov r2, r9
    mov r3, r10
    mov r4, r11
    stmia r0!, {r1, r2, r3, r4}
    return
    .size er_sc_dot_pixel, . - er_sc_dot_pixel
