/* See er_sc_rows.h: six outputs at a time of inputs from 0 to 255, 37 instructions an output of 3x3, 4.4 a product of
 * other windows. */
    #include "er_sc_v6m.inc"

    /* The six inputs from \from on that one weight meets. */
    .macro tap from, column, step
    ldrsb r3, [r1, r4]
    adds r4, #1
    product \from, \column, r8
    product \from, \column + \step, r9
    product \from, \column + 2 * \step, r10
    product \from, \column + 3 * \step, r11
    product \from, \column + 4 * \step, r12
    product \from, \column + 5 * \step, lr
    .endm

    .macro product from, offset, sum
    ldrb r2, [\from, #\offset]
    muls r2, r3
    add \sum, r2
    .endm

    /* On the stack: lines of the window left, blocks left, where the row and its sums begin; row, x, weights, sums; what
     * was saved; rows left. */
    .macro begin
    save
    push {r0-r3}
    sub sp, #16
    str r1, [sp, #8]
    str r3, [sp, #12]
    .endm

    .macro begin_row
    ldr r0, [sp, #16]
    ldr r4, [r0, #4]
    str r4, [sp, #4]
    .endm

    .macro end_row
    ldr r0, [sp, #16]
    ldr r1, [r0, #20]
    ldr r2, [sp, #8]
    adds r2, r2, r1
    str r2, [sp, #8]
    str r2, [sp, #20]
    ldr r1, [r0, #24]
    ldr r2, [sp, #12]
    adds r2, r2, r1
    str r2, [sp, #12]
    str r2, [sp, #28]
    ldr r1, [sp, #68]
    subs r1, #1
    str r1, [sp, #68]
    .endm

    .macro clear
    movs r4, #0
    mov r8, r4
    mov r9, r4
    mov r10, r4
    mov r11, r4
    mov r12, r4
    mov lr, r4
    ldr r7, [sp, #20]
    ldr r1, [sp, #24]
    .endm

    .macro keep step
    ldr r0, [sp, #28]
    mov r1, r8
    mov r2, r9
    mov r3, r10
    mov r4, r11
    mov r5, r12
    mov r7, lr
    stmia r0!, {r1, r2, r3, r4, r5, r7}
    str r0, [sp, #28]
    ldr r0, [sp, #20]
    adds r0, #6 * \step
    str r0, [sp, #20]
    ldr r0, [sp, #4]
    subs r0, #1
    str r0, [sp, #4]
    .endm

    .macro square name, step
    function \name
    begin
    ldr r6, [r0]
4:  begin_row
1:  clear
    movs r5, #3
2:  tap r7, 0, \step
    tap r7, 1, \step
    tap r7, 2, \step
    adds r7, r7, r6
    subs r5, #1
    bne 2b
    keep \step
    bne 1b
    end_row
    bne 4b
    add sp, #32
    return
    .size \name, . - \name
    .endm

    square er_sc_square_1, 1
    square er_sc_square_2, 2

    .macro any name, step
    function \name
    begin
    ldr r6, [r0, #16]
4:  begin_row
1:  clear
    ldr r0, [sp, #16]
    ldr r0, [r0, #8]
    str r0, [sp]
2:  mov r0, r7
    ldr r2, [sp, #16]
    ldr r5, [r2, #12]
3:  tap r0, 0, \step
    adds r0, r0, r6
    subs r5, #1
    bne 3b
    ldr r2, [sp, #16]
    ldr r2, [r2]
    adds r7, r7, r2
    ldr r2, [sp]
    subs r2, #1
    str r2, [sp]
    bne 2b
    keep \step
    bne 1b
    end_row
    bne 4b
    add sp, #32
    return
    .size \name, . - \name
    .endm

    any er_sc_any_1, 1
    any er_sc_any_2, 2
