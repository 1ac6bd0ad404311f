/* See er_sc_rows.h. */
    #include "er_sc_v7m.inc"

    .macro zeros count
    movs r10, \count
    beq 8f
7:  strb r9, [r2], #1
    subs r10, r10, #1
    bne 7b
8:
    .endm

/* void er_sc_copy(const er_sc_copied *p, const int8_t *x, int8_t *to, int32_t rows) */
    function er_sc_copy
    push {r4-r11, lr}
    ldm r0, {r4-r9}
1:  zeros r4
    mov r11, r1
    subs r10, r5, #4
    blo 3f
2:  ldrb r0, [r11]
    ldrb r12, [r11, r7]
    add r11, r11, r7, lsl #1
    strb r0, [r2]
    strb r12, [r2, #1]
    ldrb r0, [r11]
    ldrb r12, [r11, r7]
    add r11, r11, r7, lsl #1
    strb r0, [r2, #2]
    strb r12, [r2, #3]
    adds r2, #4
    subs r10, r10, #4
    bhs 2b
3:  adds r10, r10, #4
    beq 5f
4:  ldrb r0, [r11]
    add r11, r11, r7
    strb r0, [r2], #1
    subs r10, r10, #1
    bne 4b
5:  zeros r6
    add r1, r1, r8
    subs r3, #1
    bne 1b
    pop {r4-r11, pc}
    .size er_sc_copy, . - er_sc_copy
