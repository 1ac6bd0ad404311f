/* STM32F746-Discovery. Register names as in ST's reference manual RM0385. */
#include "../common/board.h"

#include <stddef.h>

#include "../common/cortex_m.h"

#define RCC 0x40023800u
#define RCC_CR (RCC + 0x00u)
#define RCC_PLLCFGR (RCC + 0x04u)
#define RCC_CFGR (RCC + 0x08u)
#define RCC_AHB1ENR (RCC + 0x30u)
#define RCC_APB1ENR (RCC + 0x40u)
#define RCC_APB2ENR (RCC + 0x44u)
#define RCC_CSR (RCC + 0x74u)
#define PWR_CR1 0x40007000u
#define PWR_CSR1 0x40007004u
#define FLASH_ACR 0x40023C00u
#define GPIOA 0x40020000u
#define GPIOB 0x40020400u
#define GPIOC 0x40020800u
#define GPIOF 0x40021400u
#define GPIOI 0x40022000u

#define GPIO_BSRR 0x18u
#define USART_CR1 0x00u
#define USART_BRR 0x0Cu
#define USART_ISR 0x1Cu
#define USART_ICR 0x20u
#define USART_RDR 0x24u
#define USART_TDR 0x28u

#define SCB_CCSIDR 0xE000ED80u
#define SCB_CSSELR 0xE000ED84u
#define SCB_ICIALLU 0xE000EF50u
#define SCB_DCISW 0xE000EF60u

enum { MHZ = 1000000, HSI_HZ = 16 * MHZ, OVERDRIVE_FROM = 180 * MHZ };
enum { WAIT_STATES = (BOARD_CLOCK_HZ - 1) / (30 * MHZ) };
/* What the data sheet allows. */
#define MOST_CLOCK (216 * MHZ)
#define MOST_APB1 (54 * MHZ)
#define MOST_APB2 (108 * MHZ)
#define LEAST_N 50
#define MOST_N 432

#define CLOCK_MHZ (BOARD_CLOCK_HZ / MHZ)
#define OVERCLOCKED (BOARD_CLOCK_HZ > MOST_CLOCK)
#define FROM_CRYSTAL (!OVERCLOCKED || CLOCK_MHZ % 5 == 0)
/* The PLL's source over M is from 1 to 2 MHz; that times N is twice the clock. Above 216 MHz, M = 25 would take an N that
 * there is not: M = 15 gives multiples of 5 MHz, the internal oscillator over 8 all others. */
#define PLL_SOURCE_MHZ (FROM_CRYSTAL ? 25 : 16)
#define PLL_M (!OVERCLOCKED ? 25 : FROM_CRYSTAL ? 15 : 8)
#define PLL_N (!OVERCLOCKED ? 2 * CLOCK_MHZ : FROM_CRYSTAL ? CLOCK_MHZ / 5 * 6 : CLOCK_MHZ)
/* The buses stay within their own limits. */
#define APB1_OVER (OVERCLOCKED ? 8 : 4)
#define APB2_OVER (OVERCLOCKED ? 4 : 2)

/* Checked while this is compiled: an array of -1 bytes is none. */
#define USES_PLL (BOARD_CLOCK_HZ != HSI_HZ)
typedef char the_pll_has_this_n[!USES_PLL || (PLL_N >= LEAST_N && PLL_N <= MOST_N) ? 1 : -1];
typedef char the_pll_gives_this_clock[!USES_PLL || PLL_SOURCE_MHZ * PLL_N == 2 * CLOCK_MHZ * PLL_M ? 1 : -1];
typedef char
    no_bus_is_too_fast[BOARD_CLOCK_HZ / APB1_OVER <= MOST_APB1 && BOARD_CLOCK_HZ / APB2_OVER <= MOST_APB2 ? 1 : -1];

static void barrier(void)
{
    __asm__ volatile("dsb\nisb" ::: "memory");
}

static void wait_for(uint32_t address, uint32_t bits)
{
    while ((REGISTER(address) & bits) != bits) {}
}

/* Over the PLL, from the crystal of 25 MHz where that can be; 16 MHz means the oscillator that runs after reset, and no PLL. */
static void start_clock(void)
{
    if (BOARD_CLOCK_HZ == HSI_HZ) {
        return;
    }
    if (FROM_CRYSTAL) {
        REGISTER(RCC_CR) |= 1u << 16; /* HSEON */
        wait_for(RCC_CR, 1u << 17);
    }
    REGISTER(RCC_APB1ENR) |= 1u << 28; /* PWREN */
    REGISTER(PWR_CR1) |= 3u << 14;     /* VOS: scale 1 */
    /* P = 2; Q = 9; bit 29 stays set. */
    REGISTER(RCC_PLLCFGR) = PLL_M | (uint32_t)PLL_N << 6 | (uint32_t)FROM_CRYSTAL << 22 | 9u << 24 | 1u << 29;
    REGISTER(RCC_CR) |= 1u << 24; /* PLLON */
    if (BOARD_CLOCK_HZ > OVERDRIVE_FROM) {
        REGISTER(PWR_CR1) |= 1u << 16; /* ODEN */
        wait_for(PWR_CSR1, 1u << 16);
        REGISTER(PWR_CR1) |= 1u << 17; /* ODSWEN */
        wait_for(PWR_CSR1, 1u << 17);
    }
    wait_for(RCC_CR, 1u << 25);
    /* One wait state for each 30 MHz at 2.7 V and more; prefetch and the accelerator on. */
    REGISTER(FLASH_ACR) = WAIT_STATES | 1u << 8 | 1u << 9;
    wait_for(FLASH_ACR, WAIT_STATES);
    /* APB1 a quarter or an eighth, APB2 half or a quarter of the clock. */
    REGISTER(RCC_CFGR) = (OVERCLOCKED ? 6u : 5u) << 10 | (OVERCLOCKED ? 5u : 4u) << 13;
    REGISTER(RCC_CFGR) |= 2u; /* the PLL */
    wait_for(RCC_CFGR, 2u << 2);
}

static void start_caches(void)
{
    uint32_t size, sets, ways, set, way;

    barrier();
    REGISTER(SCB_ICIALLU) = 0;
    barrier();
    REGISTER(SCB_CSSELR) = 0;
    barrier();
    size = REGISTER(SCB_CCSIDR);
    sets = size >> 13 & 0x7FFFu;
    ways = size >> 3 & 0x3FFu;
    for (set = 0; set <= sets; set++) {
        for (way = 0; way <= ways; way++) {
            REGISTER(SCB_DCISW) = set << 5 | way << 30;
        }
    }
    barrier();
    REGISTER(SCB_CCR) |= 1u << 16 | 1u << 17;
    barrier();
}

static void start_counter(void)
{
    REGISTER(SCB_DEMCR) |= 1u << 24; /* TRCENA */
    REGISTER(DWT_LAR) = 0xC5ACCE55u;
    REGISTER(DWT_CYCCNT) = 0;
    REGISTER(DWT_CTRL) |= 1u;
}

/* Gives a pin to a peripheral. */
static void alternate(uint32_t port, uint32_t pin, uint32_t function)
{
    uint32_t low = pin % 8 * 4, place = port + 0x20u + pin / 8 * 4;

    REGISTER(place) = (REGISTER(place) & ~(15u << low)) | function << low;
    REGISTER(port) = (REGISTER(port) & ~(3u << pin * 2)) | 2u << pin * 2;
}

static void start_line(uint32_t base, uint32_t baud)
{
    uint32_t clock = BOARD_CLOCK_HZ == HSI_HZ ? HSI_HZ : BOARD_CLOCK_HZ / APB2_OVER;

    REGISTER(base + USART_BRR) = (clock + baud / 2) / baud;
    REGISTER(base + USART_CR1) = 1u << 0 | 1u << 2 | 1u << 3; /* UE, RE, TE */
}

#if BOARD_DIGITS_BASE
/* UART7 on the Arduino connector: A4 (PF7) sends, A5 (PF6) receives. Its clock is APB1's. */
static void start_digits(void)
{
    uint32_t clock = BOARD_CLOCK_HZ == HSI_HZ ? HSI_HZ : BOARD_CLOCK_HZ / APB1_OVER;

    REGISTER(RCC_AHB1ENR) |= 1u << 5;  /* port F */
    REGISTER(RCC_APB1ENR) |= 1u << 30; /* UART7 */
    barrier();
    alternate(GPIOF, 6, 8);
    alternate(GPIOF, 7, 8);
    REGISTER(BOARD_DIGITS_BASE + USART_BRR) = (clock + BOARD_DIGITS_BAUD / 2) / BOARD_DIGITS_BAUD;
    REGISTER(BOARD_DIGITS_BASE + USART_CR1) = 1u << 0 | 1u << 2 | 1u << 3; /* UE, RE, TE */
}
#endif

void board_init(void)
{
    start_clock();
    start_caches();
    start_counter();
    REGISTER(RCC_AHB1ENR) |= 7u;                /* ports A, B, C */
    REGISTER(RCC_APB2ENR) |= 1u << 4 | 1u << 5; /* USART1, USART6 */
    barrier();
    alternate(GPIOA, 9, 7);
    alternate(GPIOB, 7, 7);
    alternate(GPIOC, 6, 8);
    alternate(GPIOC, 7, 8);
    start_line(BOARD_WIRE_BASE, BOARD_WIRE_BAUD);
    start_line(BOARD_CONSOLE_BASE, BOARD_CONSOLE_BAUD);
#if BOARD_DIGITS_BASE
    start_digits();
#endif
}

static uint32_t base_of(board_line line)
{
#if BOARD_DIGITS_BASE
    if (line == BOARD_DIGITS) {
        return BOARD_DIGITS_BASE;
    }
#endif
    return line == BOARD_WIRE ? BOARD_WIRE_BASE : BOARD_CONSOLE_BASE;
}

int board_get(board_line line)
{
    uint32_t base = base_of(line), status = REGISTER(base + USART_ISR);

    if ((status & 1u << 3) != 0) {
        REGISTER(base + USART_ICR) = 1u << 3; /* a byte was lost; its frame's checksum tells */
    }
    return (status & 1u << 5) != 0 ? (int)(REGISTER(base + USART_RDR) & 0xFFu) : -1;
}

void board_put(board_line line, uint8_t byte)
{
    uint32_t base = base_of(line);

    while ((REGISTER(base + USART_ISR) & 1u << 7) == 0) {}
    REGISTER(base + USART_TDR) = byte;
}

uint32_t board_ticks(void)
{
    return REGISTER(DWT_CYCCNT);
}

/* D7 of the Arduino connector, PI3; high between the pulls. */
void board_pull_pin(void)
{
    enum { PIN = 3, LOW_TICKS = 2 * (BOARD_CLOCK_HZ / MHZ) };
    static int started;
    uint32_t begin;

    if (!started) {
        REGISTER(RCC_AHB1ENR) |= 1u << 8;
        barrier();
        REGISTER(GPIOI + GPIO_BSRR) = 1u << PIN;
        REGISTER(GPIOI) = (REGISTER(GPIOI) & ~(3u << PIN * 2)) | 1u << PIN * 2;
        started = 1;
    }
    REGISTER(GPIOI + GPIO_BSRR) = 1u << (PIN + 16);
    begin = board_ticks();
    while (board_ticks() - begin < LOW_TICKS) {}
    REGISTER(GPIOI + GPIO_BSRR) = 1u << PIN;
}

const char *board_reset_cause(void)
{
    static const char *const causes[] = { "pin", "power", "software", "watchdog", "watchdog", "low power" };
    uint32_t flags = REGISTER(RCC_CSR) >> 26;
    uint32_t i;

    REGISTER(RCC_CSR) |= 1u << 24; /* RMVF */
    /* The pin's flag is set with every other one. */
    for (i = 5; i != 0; i--) {
        if ((flags & 1u << i) != 0) {
            return causes[i];
        }
    }
    return (flags & 1u) != 0 ? causes[0] : NULL;
}
