/* See er_sc_rows.h: four outputs at a time, 19 instructions an output of 3x3, 3.1 a product of other windows. */
    #include "er_sc_v7m.inc"

    /* How an output's first product is taken, and the others. */
    .macro first sum, weight
    mul \sum, r11, \weight
    .endm

    .macro more sum, weight
    mla \sum, r11, \weight, \sum
    .endm

    .macro weights line
    ldrsb r8, [r2, #3 * \line]
    ldrsb r9, [r2, #3 * \line + 1]
    ldrsb r10, [r2, #3 * \line + 2]
    .endm

    /* Three columns of four outputs that are one column apart. */
    .macro line_1 begin
    ldrsb r11, [r12]
    \begin r4, r8
    ldrsb r11, [r12, #1]
    more r4, r9
    \begin r5, r8
    ldrsb r11, [r12, #2]
    more r4, r10
    more r5, r9
    \begin r6, r8
    ldrsb r11, [r12, #3]
    more r5, r10
    more r6, r9
    \begin r7, r8
    ldrsb r11, [r12, #4]
    more r6, r10
    more r7, r9
    ldrsb r11, [r12, #5]
    more r7, r10
    .endm

    /* Two columns apart. */
    .macro line_2 begin
    ldrsb r11, [r12]
    \begin r4, r8
    ldrsb r11, [r12, #1]
    more r4, r9
    ldrsb r11, [r12, #2]
    more r4, r10
    \begin r5, r8
    ldrsb r11, [r12, #3]
    more r5, r9
    ldrsb r11, [r12, #4]
    more r5, r10
    \begin r6, r8
    ldrsb r11, [r12, #5]
    more r6, r9
    ldrsb r11, [r12, #6]
    more r6, r10
    \begin r7, r8
    ldrsb r11, [r12, #7]
    more r7, r9
    ldrsb r11, [r12, #8]
    more r7, r10
    .endm

    /* On the stack: blocks left, where the row and its sums begin, weights, lines of the window left; what was saved;
     * rows left. */
    .macro begin
    push {r4-r11, lr}
    sub sp, #20
    str r2, [sp, #12]
    .endm

    .macro begin_row
    ldr r4, [r0, #4]
    str r4, [sp]
    str r1, [sp, #4]
    str r3, [sp, #8]
    .endm

    .macro keep step
    stm r3!, {r4-r7}
    add r1, r1, #4 * \step
    ldr r4, [sp]
    subs r4, #1
    str r4, [sp]
    .endm

    .macro end_row
    ldr r1, [sp, #4]
    ldr r3, [sp, #8]
    ldr r4, [r0, #20]
    ldr r5, [r0, #24]
    add r1, r1, r4
    add r3, r3, r5
    ldr r4, [sp, #56]
    subs r4, #1
    str r4, [sp, #56]
    .endm

    .macro end
    add sp, #20
    pop {r4-r11, pc}
    .endm

    .macro square name, line, step
    function \name
    begin
    ldr lr, [r0]
4:  begin_row
1:  mov r12, r1
    weights 0
    \line first
    add r12, r12, lr
    weights 1
    \line more
    add r12, r12, lr
    weights 2
    \line more
    keep \step
    bne 1b
    end_row
    bne 4b
    end
    .size \name, . - \name
    .endm

    square er_sc_square_1, line_1, 1
    square er_sc_square_2, line_2, 2

    .macro any name, step
    function \name
    begin
    ldr lr, [r0, #16]
4:  begin_row
1:  movs r4, #0
    movs r5, #0
    movs r6, #0
    movs r7, #0
    mov r9, r1
    ldr r2, [sp, #12]
    ldr r8, [r0, #8]
    str r8, [sp, #16]
2:  mov r12, r9
    ldr r10, [r0, #12]
3:  ldrsb r8, [r2], #1
    ldrsb r11, [r12]
    more r4, r8
    ldrsb r11, [r12, #\step]
    more r5, r8
    ldrsb r11, [r12, #2 * \step]
    more r6, r8
    ldrsb r11, [r12, #3 * \step]
    more r7, r8
    add r12, r12, lr
    subs r10, #1
    bne 3b
    ldr r8, [r0]
    add r9, r9, r8
    ldr r8, [sp, #16]
    subs r8, #1
    str r8, [sp, #16]
    bne 2b
    keep \step
    bne 1b
    end_row
    bne 4b
    end
    .size \name, . - \name
    .endm

    any er_sc_any_1, 1
    any er_sc_any_2, 2
