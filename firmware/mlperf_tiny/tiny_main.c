/* The firmware of a board that is a device of MLPerf Tiny: each of its lines answers whoever sends commands on it. */
#include "board.h"
#include "clock.h"
#include "processor.h"
#include "model.h"
#include "tiny.h"

static void serve(board_line line)
{
    int byte = board_get(line);

    if (byte >= 0) {
        tiny_byte(line, (uint8_t)byte);
    }
}

int main(void)
{
    board_init();
    (void)processor_count_start();
    model_init();
    tiny_boot();
    for (;;) {
        serve(BOARD_WIRE);
        serve(BOARD_CONSOLE);
        (void)clock_now();
    }
}
