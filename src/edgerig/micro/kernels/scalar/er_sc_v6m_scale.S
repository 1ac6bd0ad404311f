/* See er_sc_scale.h; 19 instructions an output. */
    #include "er_sc_v6m.inc"

/* void er_sc_scale_pieces(const er_sc_channel *channel, const er_sc_range *range, const int32_t *sums, int32_t count,
 *                         int8_t *y, int32_t step) */
    function er_sc_scale_pieces
    save
    ldmia r0!, {r4, r5, r6, r7}
    cmp r7, #31
    bhi 4f
    lsls r3, r3, #2
    adds r3, r3, r2
    mov r12, r3
    ldr r3, [r1, #8]
    mov r10, r3
    ldr r3, [r1, #12]
    mov r11, r3
    ldr r1, [sp, #36]
    ldr r3, [sp, #40]
    mov lr, r3
    mov r8, r4
1:  ldmia r2!, {r0}
    add r0, r8
    lsls r3, r0, #21
    lsrs r3, r3, #21
    muls r3, r5
    adds r3, r3, r6
    lsrs r3, r3, #11
    asrs r0, r0, #11
    muls r0, r5
    adds r0, r0, r3
    asrs r0, r7
    cmp r0, r11
    ble 2f
    mov r0, r11
2:  cmp r0, r10
    bge 3f
    mov r0, r10
3:  strb r0, [r1]
    add r1, lr
    cmp r2, r12
    bne 1b
    return
4:  ldr r4, [sp, #36]
    ldr r5, [sp, #40]
    sub sp, #4
    push {r4, r5}
    subs r0, #16
    bl er_sc_scale_long
    add sp, #12
    return
    .size er_sc_scale_pieces, . - er_sc_scale_pieces
