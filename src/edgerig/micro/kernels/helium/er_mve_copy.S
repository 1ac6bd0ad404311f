/* See er_mve_copy.h. */
    .syntax unified
    .thumb

    .section .text.er_mve_copy, "ax", %progbits
    .p2align 2
    .global er_mve_copy
    .type er_mve_copy, %function
    .thumb_func
er_mve_copy:
    push {r4-r9, lr}
    ldrd r3, r4, [r2]
    ldrd r5, r6, [r2, #8]
    cbz r3, 4f
    cmp r4, #16
    bgt 1f
    vctp.8 r4
    dls lr, r3
5:  vpstt
    vldrbt.u8 q0, [r1]
    vstrbt.8 q0, [r0]
    add r0, r0, r5
    add r1, r1, r6
    le lr, 5b
    pop {r4-r9, pc}
1:  mov r7, r0
    mov r8, r1
    wlstp.8 lr, r4, 3f
2:  vldrb.u8 q0, [r8], #16
    vstrb.8 q0, [r7], #16
    letp lr, 2b
3:  add r0, r0, r5
    add r1, r1, r6
    subs r3, r3, #1
    bne 1b
4:  pop {r4-r9, pc}
    .size er_mve_copy, . - er_mve_copy

    .section .text.er_mve_fill, "ax", %progbits
    .p2align 2
    .global er_mve_fill
    .type er_mve_fill, %function
    .thumb_func
er_mve_fill:
    push {r4, lr}
    vdup.8 q0, r1
    wlstp.8 lr, r2, 2f
1:  vstrb.8 q0, [r0], #16
    letp lr, 1b
2:  pop {r4, pc}
    .size er_mve_fill, . - er_mve_fill
