/* Arm's MPS2 and MPS3 FPGA boards: CMSDK UARTs (Arm DDI 0479), time by SysTick. */
#include "../common/board.h"

#include <stddef.h>

#include "../common/cortex_m.h"

#define UART_DATA 0x00u
#define UART_STATE 0x04u
#define UART_CTRL 0x08u
#define UART_BAUDDIV 0x10u

enum { TX_FULL = 1, RX_FULL = 2 };

static uint32_t base_of(board_line line)
{
    return line == BOARD_WIRE ? BOARD_WIRE_BASE : BOARD_CONSOLE_BASE;
}

static void start_line(uint32_t base, uint32_t baud)
{
    REGISTER(base + UART_BAUDDIV) = BOARD_CLOCK_HZ / baud;
    REGISTER(base + UART_CTRL) = 3u; /* sends and receives */
}

void board_init(void)
{
    start_line(BOARD_WIRE_BASE, BOARD_WIRE_BAUD);
    start_line(BOARD_CONSOLE_BASE, BOARD_CONSOLE_BAUD);
    cortex_systick_start();
}

int board_get(board_line line)
{
    uint32_t base = base_of(line);

    return (REGISTER(base + UART_STATE) & RX_FULL) != 0 ? (int)(REGISTER(base + UART_DATA) & 0xFFu) : -1;
}

void board_put(board_line line, uint8_t byte)
{
    uint32_t base = base_of(line);

    while ((REGISTER(base + UART_STATE) & TX_FULL) != 0) {}
    REGISTER(base + UART_DATA) = byte;
}

uint32_t board_ticks(void)
{
    return cortex_systick_ticks();
}

const char *board_reset_cause(void)
{
    return NULL;
}
