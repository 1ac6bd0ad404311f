#include "machine.h"

#include "board.h"
#include "build_config.h"

/* Made by the build: BOARD_BUILD is a list of pairs. */
static const er_pair build[] = { BOARD_BUILD };

const er_machine machine = {
    .host = BOARD_NAME,
    .system = "bare metal",
    .architecture = BOARD_ARCHITECTURE,
    .cpu = BOARD_CPU,
    .memory_bytes = BOARD_RAM_BYTES,
    .frequency_hz = BOARD_CLOCK_HZ,
    .build_count = sizeof build / sizeof build[0],
    .build = build,
    .software = BOARD_SOFTWARE,
    .kind = "measured",
    .clock = BOARD_COUNTER,
};
