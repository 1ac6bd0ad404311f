#include "digits_line.h"

#include <string.h>

#include "../../digits/digits_server.h"
#include "../common/board.h"
#include "../common/clock.h"
#include "../common/network.h"
#include "digits_tensors.h"

enum { CHUNK = 64, VERSION = 1 };

/* A line that was silent for so long has ended its message. */
#define SILENCE (BOARD_TICK_HZ / 100)

static digits_server server;
static uint64_t last;

static float infer(void *context, const uint8_t *bytes, uint32_t at, float *outputs)
{
    uint64_t start;
    uint32_t eighths;

    (void)context;
    digits_set_input(&model_inputs[0], model_input(0), bytes, at);
    start = clock_now();
    network_invoke(NULL);
    /* Eight nanoseconds each: 34 seconds in 32 bits. */
    eighths = (uint32_t)(clock_nanoseconds(clock_now() - start) >> 3);
    digits_get_output(&model_outputs[0], model_output(0), outputs);
    return (float)eighths / 125000.0f;
}

static void put(void *context, const uint8_t *bytes, uint32_t count)
{
    (void)context;
    while (count-- != 0) {
        board_put(BOARD_DIGITS, *bytes++);
    }
}

static const digits_host host = {
    .infer = infer,
    .write = put,
    .freq_hz = BOARD_CLOCK_HZ,
    .version = VERSION,
    .mode = DIGITS_NO_ACCELERATION, /* its kernels are not CMSIS-NN's */
};

void digits_line_init(void)
{
    digits_server_init(&server, &host, NULL);
}

void digits_line_poll(void)
{
    uint8_t bytes[CHUNK];
    uint32_t count;
    int byte;

    for (count = 0; count < CHUNK && (byte = board_get(BOARD_DIGITS)) >= 0; count++) {
        bytes[count] = (uint8_t)byte;
    }
    if (count != 0) {
        digits_server_bytes(&server, bytes, count);
        last = clock_now();
    } else if (clock_now() - last > SILENCE) {
        digits_server_idle(&server);
        last = clock_now();
    }
}
