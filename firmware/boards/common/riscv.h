/* What C for a RISC-V processor needs beside the language. */
#ifndef RISCV_H
#define RISCV_H

/* An instruction for the control registers. They are an extension of their own, which the name of an architecture may
 * leave out: GCC finds its library by that name. */
#define RISCV_CSR(instruction) ".option push\n.option arch, +zicsr\n" instruction "\n.option pop\n"

#endif
