/* See er_sc_rows.h. */
    #include "er_sc_v6m.inc"

    .macro byte at
    ldrb r3, [r1]
    adds r1, r1, r2
    eors r3, r5
    strb r3, [r0, #\at]
    .endm

    .macro zeros count
    mov r4, \count
    cmp r4, #0
    beq 8f
7:  strb r6, [r0]
    adds r0, #1
    subs r4, #1
    bne 7b
8:
    .endm

/* void er_sc_copy(const er_sc_copied *p, const int8_t *x, int8_t *to, int32_t rows) */
    function er_sc_copy
    save
    mov r11, r1
    mov lr, r3
    mov r12, r2
    ldmia r0!, {r1, r3, r4}
    mov r8, r1
    mov r9, r3
    mov r10, r4
    ldmia r0!, {r2, r3, r6}
    mov r0, r12
    mov r12, r3
    movs r5, #128
1:  zeros r8
    mov r1, r11
    mov r4, r9
    subs r4, #4
    blo 3f
2:  byte 0
    byte 1
    byte 2
    byte 3
    adds r0, #4
    subs r4, #4
    bhs 2b
3:  adds r4, #4
    beq 5f
4:  byte 0
    adds r0, #1
    subs r4, #1
    bne 4b
5:  zeros r10
    add r11, r12
    mov r3, lr
    subs r3, #1
    mov lr, r3
    bne 1b
    return
    .size er_sc_copy, . - er_sc_copy
