/* Netduino Plus 2: STM32F405, Cortex-M4. Register names as in ST's reference manual RM0090. */
#include "../common/board.h"

#include <stddef.h>

#include "../common/cortex_m.h"

#define RCC_CR 0x40023800u
#define RCC_PLLCFGR 0x40023804u
#define RCC_CFGR 0x40023808u
#define RCC_AHB1ENR 0x40023830u
#define RCC_APB1ENR 0x40023840u
#define RCC_APB2ENR 0x40023844u
#define FLASH_ACR 0x40023C00u
#define GPIOA 0x40020000u

#define USART_SR 0x00u
#define USART_DR 0x04u
#define USART_BRR 0x08u
#define USART_CR1 0x0Cu

enum { PATIENCE = 100000 };

/* QEMU has no clock tree: the bits never come, and its processor runs at full speed anyway. */
static void wait_for(uint32_t address, uint32_t bits)
{
    uint32_t tries;

    for (tries = 0; tries < PATIENCE && (REGISTER(address) & bits) != bits; tries++) {}
}

/* 168 MHz from the crystal of 25 MHz: M = 25, N = 336, P = 2, Q = 7. */
static void start_clock(void)
{
    REGISTER(RCC_CR) |= 1u << 16; /* HSEON */
    wait_for(RCC_CR, 1u << 17);
    REGISTER(RCC_PLLCFGR) = 25u | 336u << 6 | 1u << 22 | 7u << 24;
    REGISTER(RCC_CR) |= 1u << 24; /* PLLON */
    wait_for(RCC_CR, 1u << 25);
    REGISTER(FLASH_ACR) = 5u | 1u << 8 | 1u << 9 | 1u << 10;
    REGISTER(RCC_CFGR) = 5u << 10 | 4u << 13;
    REGISTER(RCC_CFGR) |= 2u;
    wait_for(RCC_CFGR, 2u << 2);
}

static void alternate(uint32_t port, uint32_t pin, uint32_t function)
{
    uint32_t low = pin % 8 * 4, place = port + 0x20u + pin / 8 * 4;

    REGISTER(place) = (REGISTER(place) & ~(15u << low)) | function << low;
    REGISTER(port) = (REGISTER(port) & ~(3u << pin * 2)) | 2u << pin * 2;
}

static void start_line(uint32_t base, uint32_t clock, uint32_t baud)
{
    REGISTER(base + USART_BRR) = (clock + baud / 2) / baud;
    REGISTER(base + USART_CR1) = 1u << 13 | 1u << 2 | 1u << 3; /* UE, RE, TE */
}

void board_init(void)
{
    start_clock();
    REGISTER(RCC_AHB1ENR) |= 5u;       /* ports A, C */
    REGISTER(RCC_APB2ENR) |= 1u << 4;  /* USART1 */
    REGISTER(RCC_APB1ENR) |= 1u << 17; /* USART2 */
    alternate(GPIOA, 9, 7);
    alternate(GPIOA, 10, 7);
    alternate(GPIOA, 2, 7);
    alternate(GPIOA, 3, 7);
    start_line(BOARD_WIRE_BASE, BOARD_CLOCK_HZ / 2, BOARD_WIRE_BAUD);
    start_line(BOARD_CONSOLE_BASE, BOARD_CLOCK_HZ / 4, BOARD_CONSOLE_BAUD);
    cortex_systick_start();
}

static uint32_t base_of(board_line line)
{
    return line == BOARD_WIRE ? BOARD_WIRE_BASE : BOARD_CONSOLE_BASE;
}

int board_get(board_line line)
{
    uint32_t base = base_of(line);

    return (REGISTER(base + USART_SR) & 1u << 5) != 0 ? (int)(REGISTER(base + USART_DR) & 0xFFu) : -1;
}

void board_put(board_line line, uint8_t byte)
{
    uint32_t base = base_of(line);

    while ((REGISTER(base + USART_SR) & 1u << 7) == 0) {}
    REGISTER(base + USART_DR) = byte;
}

uint32_t board_ticks(void)
{
    return cortex_systick_ticks();
}

const char *board_reset_cause(void)
{
    return NULL;
}
