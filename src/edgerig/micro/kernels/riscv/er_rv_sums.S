/* Sums of products for RISC-V with multiplication. Of its 31 registers 16 hold sums, 4 weights, 6 addresses: a product
 * takes 2.5 instructions and a sixteenth of a loop, and nothing goes to the stack in between. */
    .option nopic
    .text

    .macro product sum, weight
    mul a3, a2, \weight
    add \sum, \sum, a3
    .endm

    .macro pixel from, k, sum0, sum1, sum2, sum3
    lb a2, \k(\from)
    product \sum0, t4
    product \sum1, t5
    product \sum2, t6
    product \sum3, ra
    .endm

    .macro weights k
    lb t4, 4*\k(a0)
    lb t5, 4*\k+1(a0)
    lb t6, 4*\k+2(a0)
    lb ra, 4*\k+3(a0)
    .endm

    .macro input k
    weights \k
    pixel a1, \k, s0, s1, s2, s3
    pixel a4, \k, s4, s5, s6, s7
    pixel a5, \k, s8, s9, s10, s11
    pixel a6, \k, t0, t1, t2, t3
    .endm

    .macro clear registers:vararg
    .irp register, \registers
    li \register, 0
    .endr
    .endm

/* void er_rv_sums(const int8_t *weights, const int8_t *x, int32_t length, er_rv_block *sums) */
    .section .text.er_rv_sums, "ax", @progbits
    .globl er_rv_sums
    .type er_rv_sums, @function
    .balign 4
er_rv_sums:
    addi sp, sp, -64
    sw ra, 0(sp)
    sw s0, 4(sp)
    sw s1, 8(sp)
    sw s2, 12(sp)
    sw s3, 16(sp)
    sw s4, 20(sp)
    sw s5, 24(sp)
    sw s6, 28(sp)
    sw s7, 32(sp)
    sw s8, 36(sp)
    sw s9, 40(sp)
    sw s10, 44(sp)
    sw s11, 48(sp)
    sw a3, 52(sp)
    add a4, a1, a2
    add a5, a4, a2
    add a6, a5, a2
    sw a4, 56(sp)
    andi a7, a2, 3
    sub a7, a4, a7
    clear s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t0, t1, t2, t3
    beq a1, a7, 2f
1:  input 0
    input 1
    input 2
    input 3
    addi a0, a0, 16
    addi a1, a1, 4
    addi a4, a4, 4
    addi a5, a5, 4
    addi a6, a6, 4
    bne a1, a7, 1b
2:  lw a7, 56(sp)
    beq a1, a7, 4f
3:  input 0
    addi a0, a0, 4
    addi a1, a1, 1
    addi a4, a4, 1
    addi a5, a5, 1
    addi a6, a6, 1
    bne a1, a7, 3b
4:  lw a3, 52(sp)
    sw s0, 0(a3)
    sw s1, 4(a3)
    sw s2, 8(a3)
    sw s3, 12(a3)
    sw s4, 16(a3)
    sw s5, 20(a3)
    sw s6, 24(a3)
    sw s7, 28(a3)
    sw s8, 32(a3)
    sw s9, 36(a3)
    sw s10, 40(a3)
    sw s11, 44(a3)
    sw t0, 48(a3)
    sw t1, 52(a3)
    sw t2, 56(a3)
    sw t3, 60(a3)
    lw ra, 0(sp)
    lw s0, 4(sp)
    lw s1, 8(sp)
    lw s2, 12(sp)
    lw s3, 16(sp)
    lw s4, 20(sp)
    lw s5, 24(sp)
    lw s6, 28(sp)
    lw s7, 32(sp)
    lw s8, 36(sp)
    lw s9, 40(sp)
    lw s10, 44(sp)
    lw s11, 48(sp)
    addi sp, sp, 64
    ret
    .size er_rv_sums, . - er_rv_sums

/* void er_rv_sums_pixel(const int8_t *weights, const int8_t *x, int32_t length, int32_t sums[4]) */
    .section .text.er_rv_sums_pixel, "ax", @progbits
    .globl er_rv_sums_pixel
    .type er_rv_sums_pixel, @function
    .balign 4
er_rv_sums_pixel:
    mv a5, ra
    mv a6, a3
    add a4, a1, a2
    andi a7, a2, 3
    sub a7, a4, a7
    clear t0, t1, t2, t3
    beq a1, a7, 2f
1:  .irp k, 0, 1, 2, 3
    weights \k
    pixel a1, \k, t0, t1, t2, t3
    .endr
    addi a0, a0, 16
    addi a1, a1, 4
    bne a1, a7, 1b
2:  beq a1, a4, 4f
3:  weights 0
    pixel a1, 0, t0, t1, t2, t3
    addi a0, a0, 4
    addi a1, a1, 1
    bne a1, a4, 3b
4:  sw t0, 0(a6)
    sw t1, 4(a6)
    sw t2, 8(a6)
    sw t3, 12(a6)
    jr a5
    .size er_rv_sums_pixel, . - er_rv_sums_pixel
