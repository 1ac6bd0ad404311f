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

    .section .text.er_mve_copy_windows, "ax", %progbits
    .p2align 2
    .global er_mve_copy_windows
    .type er_mve_copy_windows, %function
    .thumb_func
er_mve_copy_windows:
    push {r4-r10, lr}
    ldrd r4, r5, [r2]
    ldrd r6, r7, [r2, #8]
    ldr r10, [sp, #32]
    cmp r5, #16
    bgt 3f
    vctp.8 r5
1:  mov r8, r1
    dls lr, r4
2:  vpstt
    vldrbt.u8 q0, [r8]
    vstrbt.8 q0, [r0]
    add r0, r0, r6
    add r8, r8, r7
    le lr, 2b
    add r1, r1, r10
    subs r3, r3, #1
    bne 1b
    pop {r4-r10, pc}
3:  mov r8, r1
    mov r9, r4
4:  mov r12, r0
    mov r2, r8
    wlstp.8 lr, r5, 6f
5:  vldrb.u8 q0, [r2], #16
    vstrb.8 q0, [r12], #16
    letp lr, 5b
6:  add r0, r0, r6
    add r8, r8, r7
    subs r9, r9, #1
    bne 4b
    add r1, r1, r10
    subs r3, r3, #1
    bne 3b
    pop {r4-r10, pc}
    .size er_mve_copy_windows, . - er_mve_copy_windows
