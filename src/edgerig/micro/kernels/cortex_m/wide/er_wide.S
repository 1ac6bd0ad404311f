/* See er_wide.h. A step of weights is a word of each of two channels: bytes 0 and 2 go with the first two inputs, bytes
 * 1 and 3 with the next; of packed weights upper halves first, then lower ones with four more inputs. */
    .syntax unified
    .thumb

    .macro function name
    .section .text.\name, "ax", %progbits
    .p2align 2
    .global \name
    .type \name, %function
    .thumb_func
\name:
    .endm

    function er_wide_sums_two
    push {r4-r11, lr}
    mov r10, #0
    mov r11, #0
    mov r12, #0
    mov lr, #0
1:  ldrd r4, r5, [r0], #8
    ldrd r6, r7, [r1], #8
    sxtb16 r8, r4
    sxtb16 r4, r4, ror #8
    sxtb16 r9, r5
    sxtb16 r5, r5, ror #8
    smlad r10, r6, r8, r10
    smlad r11, r6, r9, r11
    smlad r10, r7, r4, r10
    smlad r11, r7, r5, r11
    ldrd r6, r7, [r2], #8
    smlad r12, r6, r8, r12
    smlad lr, r6, r9, lr
    smlad r12, r7, r4, r12
    smlad lr, r7, r5, lr
    subs r3, #1
    bne 1b
    ldr r0, [sp, #36]
    stmia r0, {r10-r12, lr}
    pop {r4-r11, pc}
    .size er_wide_sums_two, . - er_wide_sums_two

    function er_wide_sums
    push {r4-r10, lr}
    mov r12, #0
    mov lr, #0
1:  ldrd r4, r5, [r0], #8
    ldrd r6, r7, [r1], #8
    sxtb16 r8, r4
    sxtb16 r4, r4, ror #8
    sxtb16 r9, r5
    sxtb16 r5, r5, ror #8
    smlad r12, r6, r8, r12
    smlad lr, r6, r9, lr
    smlad r12, r7, r4, r12
    smlad lr, r7, r5, lr
    subs r2, #1
    bne 1b
    str r12, [r3]
    str lr, [r3, #4]
    pop {r4-r10, pc}
    .size er_wide_sums, . - er_wide_sums

    .macro half sum, word:vararg
    and r8, r10, \word
    sxtb16 r9, r8
    sxtb16 r8, r8, ror #8
    smlad \sum, r6, r9, \sum
    smlad \sum, r7, r8, \sum
    .endm

    function er_wide_packed
    push {r4-r10, lr}
    mov r10, #0xF0F0F0F0
    mov r12, #0
    mov lr, #0
1:  ldrd r4, r5, [r0], #8
    ldrd r6, r7, [r1], #8
    half r12, r4
    half lr, r5
    ldrd r6, r7, [r1], #8
    half r12, r4, lsl #4
    half lr, r5, lsl #4
    subs r2, #1
    bne 1b
    str r12, [r3]
    str lr, [r3, #4]
    pop {r4-r10, pc}
    .size er_wide_packed, . - er_wide_packed
