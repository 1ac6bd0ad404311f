/* The firmware of every board: the wire on one line, the console on the other, the network between them. */
#include <stddef.h>

#include "../../core/er_core.h"
#include "board.h"
#include "build_config.h"
#include "clock.h"
#include "console.h"
#include "processor.h"
#include "machine.h"
#include "network.h"
#include "text.h"
#if BOARD_DIGITS_BASE
#include "../digits/digits_line.h"
#endif

enum { LOG = 256, CHUNK = 64, MOST_SAMPLES = 256, TIME = sizeof(uint64_t) };

static er_core core;
static uint64_t layer_ticks[MODEL_LAYERS], one_time;
static uint64_t silence_ticks;
static char log_text[LOG];
static uint32_t log_count;
static int reset_wanted;

enum { STACK_PEAK };

static er_number memory[] = {
    { "stack_peak", "painted at the start; the part that changed since", "measured", 0 },
    { "stack_reserved", "as board.toml says", "measured", BOARD_STACK_BYTES },
    { "arena", "static buffer that the compiler planned", "measured", MODEL_ARENA_BYTES },
    { "tensor_sum", "bytes of all tensors, as if none shared memory", "measured", BOARD_TENSOR_SUM },
};

static uint64_t ticks(void *context)
{
    (void)context;
    return network_clock();
}

static uint64_t nanoseconds(void *context, uint64_t count)
{
    (void)context;
    return clock_nanoseconds(count);
}

static void put(void *context, const uint8_t *bytes, uint32_t count)
{
    (void)context;
    while (count-- != 0) {
        board_put(BOARD_WIRE, *bytes++);
    }
}

static void measure_memory(void *context)
{
    (void)context;
    memory[STACK_PEAK].bytes = processor_stack_peak();
}

static const uint8_t *tell_log(void *context, uint32_t *count)
{
    (void)context;
    *count = log_count;
    return (const uint8_t *)log_text;
}

static void begin(void *context)
{
    (void)context;
    model_init();
}

static void reset(void *context)
{
    (void)context;
    /* From the main loop, so that the answer is out. */
    reset_wanted = 1;
}

static int run(void *context, uint32_t sample, uint32_t count, uint64_t *layers);

static er_device device = {
    .network = &network,
    .machine = &machine,
    .layer_ticks = layer_ticks,
    .memory = memory,
    .memory_count = sizeof memory / sizeof memory[0],
    .run = run,
    .ticks = ticks,
    .nanoseconds = nanoseconds,
    .write = put,
    .measure_memory = measure_memory,
    .log = tell_log,
    .reset = reset,
    .begin = begin,
};

static int run(void *context, uint32_t sample, uint32_t count, uint64_t *layers)
{
    (void)context;
    network_run(device.input, device.output, sample, count, layers);
    return 0;
}

/* Memory that nothing else needs holds samples: as many as fit, and where not even one does, the network's own. */
static void share_out_memory(void)
{
    er_size input = network.input_bytes, output = network.output_bytes;
    er_size each = input + output + TIME + 8;
    uint8_t *at = (uint8_t *)er_free;
    er_size count = (er_size)((uint8_t *)er_ram_end - at) / each;

    if (count == 0) {
        device.input = model_input(0);
        device.output = (uint8_t *)(uintptr_t)model_output(0);
        device.times = &one_time;
        device.max_samples = 1;
        device.in_place = 1;
        return;
    }
    count = count < MOST_SAMPLES ? count : MOST_SAMPLES;
    device.max_samples = count;
    device.times = (uint64_t *)(void *)at;
    at += count * TIME;
    device.input = at;
    at += (count * input + 7u) & ~(er_size)7u;
    device.output = at;
}

static void log_byte(char byte)
{
    if (log_count < LOG) {
        log_text[log_count++] = byte;
    }
}

static void log_number(const char *what, uint32_t number)
{
    text_put(log_byte, what);
    text_hex(log_byte, number);
}

/* Tells what brought the processor here, and forgets it. */
static void note_start(void)
{
    processor_fault *fault = &processor_last_fault;

    device.boot = processor_count_start();
    device.reset_cause = board_reset_cause();
    log_number("started, boot ", (uint32_t)device.boot);
    if (fault->magic == FAULT_MAGIC) {
        device.reset_cause = "fault";
        log_number("\nfault before: pc ", fault->pc);
        log_number(PROCESSOR_LINK, fault->lr);
        log_number(PROCESSOR_STATUS, fault->status);
        log_number(" HFSR ", fault->hard);
        log_number(" address ", fault->address);
        fault->magic = 0;
    }
    text_put(log_byte, "\nready after ");
    text_number(log_byte, (uint32_t)clock_nanoseconds(clock_now()), 0);
    text_put(log_byte, " ns\n");
}

static void serve(void)
{
    uint8_t bytes[CHUNK];
    uint64_t last = clock_now();
    uint32_t count;
    int byte;

    for (;;) {
        for (count = 0; count < CHUNK && (byte = board_get(BOARD_WIRE)) >= 0; count++) {
            bytes[count] = (uint8_t)byte;
        }
        if (count != 0) {
            er_core_bytes(&core, bytes, count);
            last = clock_now();
        } else if (clock_now() - last > silence_ticks) {
            er_core_idle(&core);
            last = clock_now();
        }
        byte = board_get(BOARD_CONSOLE);
        if (byte >= 0) {
            console_byte((uint8_t)byte);
        }
#if BOARD_DIGITS_BASE
        digits_line_poll();
#endif
        if (reset_wanted) {
            processor_reset();
        }
    }
}

int main(void)
{
    board_init();
    silence_ticks = BOARD_TICK_HZ * BOARD_SILENCE_MS / 1000;
    network_init();
    share_out_memory();
    note_start();
    er_core_init(&core, &device);
    er_core_announce(&core);
    console_greet();
#if BOARD_DIGITS_BASE
    digits_line_init();
#endif
    serve();
    return 0;
}
