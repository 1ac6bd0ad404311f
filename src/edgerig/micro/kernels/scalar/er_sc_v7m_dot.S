/* See er_sc_pairs.h and er_sc_dense.h: four products take two multiplications, 1.1 to 1.6 instructions each. */
    #include "er_sc_v7m.inc"

    /* One value of four pixels; the lower sum of a run begins with 2^15, so that it is never below 0. */
    .macro products first, second
    ldrd r4, r5, [r1], #8
    ldrsb r3, [r0], #1
    mla r6, r3, r4, \first
    mla r7, r3, r5, \second
    .endm

    /* A run's sums: all of it is added up, and its upper half. */
    .macro split
    add r8, r8, r6
    add r9, r9, r6, asr #16
    add r10, r10, r7
    add r11, r11, r7, asr #16
    .endm

    .macro run count
    products r12, r12
    .rept \count - 1
    products r6, r7
    .endr
    split
    .endm

    /* The sums of both pixels from 2^15 for each run, and from the upper ones. */
    .macro apart runs, bits
    sub r8, r8, \runs, lsl #\bits
    sub r10, r10, \runs, lsl #\bits
    sub r8, r8, r9, lsl #16
    sub r10, r10, r11, lsl #16
    .endm

    .macro begin
    push {r3-r11, lr}
    movs r3, #0
    mov r8, r3
    mov r9, r3
    mov r10, r3
    mov r11, r3
    mov r12, #1 << 15
    add lr, r1, r2, lsl #3
    .endm

    .macro end
    pop {r3}
    stm r3, {r8-r11}
    pop {r4-r11, pc}
    .endm

    .macro dot count, times, bits
    function er_sc_dot_\count
    begin
1:  .rept \times
    run \count
    .endr
    cmp r1, lr
    bne 1b
    apart r2, 15 - \bits
    end
    .size er_sc_dot_\count, . - er_sc_dot_\count
    .endm

/* void er_sc_dot_1(const int8_t *weights, const int32_t *pairs, int32_t length, int32_t *sums); others likewise */
    dot 1, 4, 0
    dot 2, 2, 1
    dot 4, 1, 2
    dot 8, 1, 3

    function er_sc_dot_3
    begin
1:  run 3
    run 3
    run 2
    cmp r1, lr
    bne 1b
    add r2, r2, r2, lsl #1
    apart r2, 12
    end
    .size er_sc_dot_3, . - er_sc_dot_3

/* void er_sc_pack(const int8_t *const from[4], int32_t count, int32_t *to) */
    function er_sc_pack
    push {r4-r8, lr}
    ldm r0, {r3-r6}
1:  ldrsb r7, [r4], #1
    ldrsb r12, [r3], #1
    ldrsb r8, [r6], #1
    ldrsb lr, [r5], #1
    add r7, r12, r7, lsl #16
    add r8, lr, r8, lsl #16
    strd r7, r8, [r2], #8
    subs r1, #1
    bne 1b
    pop {r4-r8, pc}
    .size er_sc_pack, . - er_sc_pack

    .macro input
    ldrsb r8, [r1], #1
    ldrsb r12, [r0], #1
    mla r4, r12, r8, r4
    ldrsb r12, [r0], #1
    mla r5, r12, r8, r5
    ldrsb r12, [r0], #1
    mla r6, r12, r8, r6
    ldrsb r12, [r0], #1
    mla r7, r12, r8, r7
    .endm

/* void er_sc_dot_pixel(const int8_t *weights, const int8_t *x, int32_t length, int32_t sums[4]) */
    function er_sc_dot_pixel
    push {r4-r8, lr}
    movs r4, #0
    movs r5, #0
    movs r6, #0
    movs r7, #0
    subs r2, #4
    blo 2f
1:  .rept 4
    input
    .endr
    subs r2, #4
    bhs 1b
2:  adds r2, #4
    beq 4f
3:  input
    subs r2, #1
    bne 3b
4:  stm r3, {r4-r7}
    pop {r4-r8, pc}
    .size er_sc_dot_pixel, . - er_sc_dot_pixel
