/* A device without a board: the core of the firmware as a program of this machine. */
#define _XOPEN_SOURCE 600

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "../core/er_core.h"
#include "line.h"
#include "network.h"

enum { SILENCE_MS = 200, READ = 16384 };

static volatile sig_atomic_t told_to_stop, told_to_restart;

static faults fault;
static line where = { .listening = -1, .peer = -1, .keeper = -1, .faults = &fault };
static er_core core;

static uint32_t inputs[NETWORK_INPUTS * NETWORK_SAMPLES / 4];
static uint8_t outputs[NETWORK_OUTPUTS * NETWORK_SAMPLES];
static uint64_t times[NETWORK_SAMPLES], layer_ticks[NETWORK_LAYERS];
static long slow_ms, idle_ms = 60000;
static double clock_factor = 1;
static int announce;
static const char *how, *place;
static char log_text[256];

static er_number memory[] = {
    { "arena", "sizeof of the buffers of inputs and outputs", "measured", sizeof inputs + sizeof outputs },
    { "peak_rss", "ru_maxrss of getrusage", "measured", 0 },
    { "stack_peak", "The host's stack is not painted.", NULL, 0 },
};

static const er_pair build[] = {
#if defined(__clang__)
    { "clang", __clang_version__ },
#else
    { "gcc", __VERSION__ },
#endif
};

static er_machine machine = {
    .system = "unknown",
    .architecture = "unknown",
    .host = "er_device",
    .cpu = "of the host",
    .build_count = 1,
    .build = build,
    .software = "edgerig-firmware 0.1.0",
    .kind = "measured",
    .clock = "CLOCK_MONOTONIC",
};

static uint64_t ticks(void *context)
{
    struct timespec now;

    (void)context;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t nanoseconds(void *context, uint64_t count)
{
    (void)context;
    return (uint64_t)((double)count * clock_factor);
}

static int run(void *context, uint32_t sample, uint32_t count, uint64_t *layers)
{
    (void)context;
    if (slow_ms != 0) {
        struct timespec pause = { slow_ms / 1000, slow_ms % 1000 * 1000000 };
        nanosleep(&pause, NULL);
    }
    network_run(er_at((uint8_t *)inputs, network.inputs, 0, sample, count),
                er_at(outputs, network.outputs, 0, sample, count), layers, ticks);
    return 0;
}

static void put(void *context, const uint8_t *bytes, uint32_t count)
{
    (void)context;
    line_write(&where, bytes, count);
}

static void flush(void *context)
{
    (void)context;
    line_flush(&where);
}

static void measure_memory(void *context)
{
    struct rusage usage;

    (void)context;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        memory[1].bytes = (er_size)usage.ru_maxrss * 1024;
    }
}

static const uint8_t *tell_log(void *context, uint32_t *count)
{
    (void)context;
    *count = (uint32_t)strlen(log_text);
    return (const uint8_t *)log_text;
}

static void reset(void *context)
{
    (void)context;
    told_to_restart = 1;
}

static er_device device = {
    .network = &network,
    .machine = &machine,
    .input = (uint8_t *)inputs,
    .output = outputs,
    .times = times,
    .layer_ticks = layer_ticks,
    .max_samples = NETWORK_SAMPLES,
    .reset_cause = "power",
    .memory = memory,
    .memory_count = 3,
    .run = run,
    .ticks = ticks,
    .nanoseconds = nanoseconds,
    .write = put,
    .flush = flush,
    .measure_memory = measure_memory,
    .log = tell_log,
    .reset = reset,
};

static void on_signal(int number)
{
    if (number == SIGHUP) {
        told_to_restart = 1;
    } else {
        told_to_stop = 1;
    }
}

static void start(void)
{
    er_core_init(&core, &device);
    snprintf(log_text, sizeof log_text, "started, boot %08lx\n", (unsigned long)device.boot);
}

/* What a board does when its reset button is pressed. */
static void restart(void)
{
    told_to_restart = 0;
    device.boot++;
    device.reset_cause = "reset";
    where.out_count = 0;
    start();
    if (where.peer >= 0) {
        er_core_announce(&core);
    }
}

static int serve(void)
{
    static uint8_t bytes[3 * READ];
    size_t count;
    uint64_t last = ticks(NULL);

    while (!told_to_stop && ticks(NULL) - last < (uint64_t)idle_ms * 1000000u) {
        int what = line_wait(&where, SILENCE_MS, bytes, READ, &count);

        if (what == LINE_FAILED) {
            return 1;
        }
        if (what == LINE_SILENT) {
            er_core_idle(&core);
        } else {
            last = ticks(NULL);
        }
        if (what == LINE_OPENED) {
            start();
        }
        er_core_bytes(&core, bytes, (uint32_t)count);
        if (told_to_restart) {
            restart();
        }
    }
    return 0;
}

static const char help[] =
    "er_device --pty | --unix PATH | --tcp ADDRESS:PORT\n"
    "  --idle SECONDS    stop when nothing has come for so long (60)\n"
    "  --announce        say hello as soon as a terminal is open, as a board does after its start\n"
    "  --slow MS         an inference takes so much longer\n"
    "  --clock FACTOR    tell so many times the time that passed (1): a clock that is wrong\n"
    "  --drop P  --flip P  --insert P  --repeat P\n"
    "                    probability that a byte is lost, has a bit changed, comes after an invented one, comes "
    "twice;\n"
    "                    in both directions\n"
    "  --seed N          of these faults (1)\n"
    "SIGHUP restarts the device, SIGTERM stops it.\n";

static int open_line(void)
{
    if (strcmp(how, "--pty") == 0) {
        return line_open_pty(&where);
    }
    return strcmp(how, "--unix") == 0 ? line_open_unix(&where, place) : line_open_tcp(&where, place);
}

/* Takes one option and what stands behind it; how many words that were, 0 if it is none. */
static int take_option(const char *name, const char *value)
{
    static const struct {
        const char *name;
        double *to;
    } probabilities[] = {
        { "--drop", &fault.drop },
        { "--flip", &fault.flip },
        { "--insert", &fault.insert },
        { "--repeat", &fault.repeat },
    };
    size_t i;

    if (strcmp(name, "--announce") == 0) {
        announce = 1;
        return 1;
    }
    if (strcmp(name, "--pty") == 0) {
        how = name;
        return 1;
    }
    if (value == NULL) {
        return 0;
    }
    for (i = 0; i < sizeof probabilities / sizeof probabilities[0]; i++) {
        if (strcmp(name, probabilities[i].name) == 0) {
            *probabilities[i].to = strtod(value, NULL);
            return 2;
        }
    }
    if (strcmp(name, "--unix") == 0 || strcmp(name, "--tcp") == 0) {
        how = name;
        place = value;
    } else if (strcmp(name, "--idle") == 0) {
        idle_ms = (long)(strtod(value, NULL) * 1000);
    } else if (strcmp(name, "--slow") == 0) {
        slow_ms = strtol(value, NULL, 10);
    } else if (strcmp(name, "--clock") == 0) {
        clock_factor = strtod(value, NULL);
    } else if (strcmp(name, "--seed") == 0) {
        faults_seed(&fault, strtoul(value, NULL, 10));
    } else {
        return 0;
    }
    return 2;
}

static void catch_signals(void)
{
    struct sigaction act;

    memset(&act, 0, sizeof act);
    act.sa_handler = on_signal;
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGHUP, &act, NULL);
    act.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &act, NULL);
}

int main(int argc, char **argv)
{
    static struct utsname host;
    int i, words, result;

    if (uname(&host) >= 0) {
        machine.system = host.sysname;
        machine.architecture = host.machine;
    }
    faults_seed(&fault, 1);
    for (i = 1; i < argc; i += words) {
        words = take_option(argv[i], argv[i + 1]);
        if (words == 0) {
            fprintf(stderr, "er_device: cannot make sense of %s\n%s", argv[i], help);
            return 2;
        }
    }
    if (how == NULL) {
        fputs(help, stderr);
        return 2;
    }
    catch_signals();
    device.boot = (er_size)((uint32_t)ticks(NULL) ^ ((uint32_t)getpid() << 16));
    if (open_line() != 0) {
        fprintf(stderr, "er_device: %s: %s\n", place == NULL ? "pseudo-terminal" : place, strerror(errno));
        return 1;
    }
    start();
    printf("listening on %s\n", where.name);
    fflush(stdout);
    if (announce && where.peer >= 0) {
        er_core_announce(&core);
    }
    result = serve();
    line_close(&where);
    return result;
}
