/* QEMU's RISC-V machine `virt`: two 16550 UARTs, one of them on the PCI bus, and the processor's count of instructions. */
#include "../common/board.h"

#include <stddef.h>

#include "../common/riscv.h"

/* Of the 16550, a byte each. */
#define UART_DATA 0u
#define UART_FIFO 2u
#define UART_LINE 3u
#define UART_STATUS 5u

enum { RECEIVED = 0x01, CAN_SEND = 0x20, EIGHT_BITS = 0x03, FIFO_ON = 0x07 };

/* The configuration of the card in slot 1 of the bus, and where the bus has its I/O ports. */
#define PCI_CARD 0x30008000u
#define PCI_COMMAND 0x04u
#define PCI_PORTS 0x10u
#define PORTS 0x03000000u

/* Ends or restarts the machine. */
#define TEST_DEVICE 0x00100000u
#define RESTART 0x7777u

#define BYTE(address) (*(volatile uint8_t *)(uintptr_t)(address))

static uint32_t base_of(board_line line)
{
    return line == BOARD_WIRE ? BOARD_WIRE_BASE : BOARD_CONSOLE_BASE;
}

static void start_line(uint32_t base)
{
    BYTE(base + UART_LINE) = EIGHT_BITS;
    BYTE(base + UART_FIFO) = FIFO_ON;
}

void board_init(void)
{
    REGISTER(PCI_CARD + PCI_PORTS) = BOARD_CONSOLE_BASE - PORTS;
    REGISTER(PCI_CARD + PCI_COMMAND) = 1u; /* answers at its ports */
    start_line(BOARD_WIRE_BASE);
    start_line(BOARD_CONSOLE_BASE);
}

int board_get(board_line line)
{
    uint32_t base = base_of(line);

    return (BYTE(base + UART_STATUS) & RECEIVED) != 0 ? (int)BYTE(base + UART_DATA) : -1;
}

void board_put(board_line line, uint8_t byte)
{
    uint32_t base = base_of(line);

    while ((BYTE(base + UART_STATUS) & CAN_SEND) == 0) {}
    BYTE(base + UART_DATA) = byte;
}

uint32_t board_ticks(void)
{
    uint32_t count;

    __asm__ volatile(RISCV_CSR("csrr %0, minstret") : "=r"(count) : : "memory");
    return count;
}

void board_reset(void)
{
    REGISTER(TEST_DEVICE) = RESTART;
    for (;;) {}
}

const char *board_reset_cause(void)
{
    return NULL;
}
