/* Sums of a depthwise convolution's row for RISC-V with multiplication, four outputs at a time: 24 instructions an
 * output of 3x3, all of whose weights stay in registers; 4 a product of other windows. */
    .option nopic
    .text

    .macro first output, weight
    mul \output, a6, \weight
    .endm

    .macro tap output, weight
    mul a7, a6, \weight
    add \output, \output, a7
    .endm

    /* Three columns of four outputs that are one column apart; `begin` is how an output's first product is taken. */
    .macro line_1 from, w0, w1, w2, begin
    lb a6, 0(\from)
    \begin t0, \w0
    lb a6, 1(\from)
    tap t0, \w1
    \begin t1, \w0
    lb a6, 2(\from)
    tap t0, \w2
    tap t1, \w1
    \begin t2, \w0
    lb a6, 3(\from)
    tap t1, \w2
    tap t2, \w1
    \begin t3, \w0
    lb a6, 4(\from)
    tap t2, \w2
    tap t3, \w1
    lb a6, 5(\from)
    tap t3, \w2
    .endm

    /* Two columns apart. */
    .macro line_2 from, w0, w1, w2, begin
    lb a6, 0(\from)
    \begin t0, \w0
    lb a6, 1(\from)
    tap t0, \w1
    lb a6, 2(\from)
    tap t0, \w2
    \begin t1, \w0
    lb a6, 3(\from)
    tap t1, \w1
    lb a6, 4(\from)
    tap t1, \w2
    \begin t2, \w0
    lb a6, 5(\from)
    tap t2, \w1
    lb a6, 6(\from)
    tap t2, \w2
    \begin t3, \w0
    lb a6, 7(\from)
    tap t3, \w1
    lb a6, 8(\from)
    tap t3, \w2
    .endm

    .macro keep
    sw t0, 0(a3)
    sw t1, 4(a3)
    sw t2, 8(a3)
    sw t3, 12(a3)
    addi a3, a3, 16
    .endm

    .macro square name, line, step
    .section .text.\name, "ax", @progbits
    .globl \name
    .type \name, @function
    .balign 4
\name:
    addi sp, sp, -48
    sw s0, 0(sp)
    sw s1, 4(sp)
    sw s2, 8(sp)
    sw s3, 12(sp)
    sw s4, 16(sp)
    sw s5, 20(sp)
    sw s6, 24(sp)
    sw s7, 28(sp)
    sw s8, 32(sp)
    lw t5, 0(a0)
    lw t4, 4(a0)
    add a4, a1, t5
    add a5, a4, t5
    lb s0, 0(a2)
    lb s1, 1(a2)
    lb s2, 2(a2)
    lb s3, 3(a2)
    lb s4, 4(a2)
    lb s5, 5(a2)
    lb s6, 6(a2)
    lb s7, 7(a2)
    lb s8, 8(a2)
1:  \line a1, s0, s1, s2, first
    \line a4, s3, s4, s5, tap
    \line a5, s6, s7, s8, tap
    keep
    addi a1, a1, 4 * \step
    addi a4, a4, 4 * \step
    addi a5, a5, 4 * \step
    addi t4, t4, -1
    bnez t4, 1b
    lw s0, 0(sp)
    lw s1, 4(sp)
    lw s2, 8(sp)
    lw s3, 12(sp)
    lw s4, 16(sp)
    lw s5, 20(sp)
    lw s6, 24(sp)
    lw s7, 28(sp)
    lw s8, 32(sp)
    addi sp, sp, 48
    ret
    .size \name, . - \name
    .endm

    square er_sc_square_1, line_1, 1
    square er_sc_square_2, line_2, 2

    .macro any name, step
    .section .text.\name, "ax", @progbits
    .globl \name
    .type \name, @function
    .balign 4
\name:
    addi sp, sp, -32
    sw s0, 0(sp)
    sw s1, 4(sp)
    sw s2, 8(sp)
    sw s3, 12(sp)
    sw s4, 16(sp)
    lw s0, 0(a0)
    lw t4, 4(a0)
    lw s1, 8(a0)
    lw s2, 12(a0)
    lw s3, 16(a0)
1:  li t0, 0
    li t1, 0
    li t2, 0
    li t3, 0
    mv a0, a2
    mv a5, a1
    mv t5, s1
2:  mv a4, a5
    add s4, a0, s2
3:  lb t6, 0(a0)
    lb a6, 0(a4)
    tap t0, t6
    lb a6, \step(a4)
    tap t1, t6
    lb a6, 2 * \step(a4)
    tap t2, t6
    lb a6, 3 * \step(a4)
    tap t3, t6
    add a4, a4, s3
    addi a0, a0, 1
    bne a0, s4, 3b
    add a5, a5, s0
    addi t5, t5, -1
    bnez t5, 2b
    keep
    addi a1, a1, 4 * \step
    addi t4, t4, -1
    bnez t4, 1b
    lw s0, 0(sp)
    lw s1, 4(sp)
    lw s2, 8(sp)
    lw s3, 12(sp)
    lw s4, 16(sp)
    addi sp, sp, 32
    ret
    .size \name, . - \name
    .endm

    any er_sc_any_1, 1
    any er_sc_any_2, 2
