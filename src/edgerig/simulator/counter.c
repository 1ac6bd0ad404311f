/* Counts instructions and modelled cycles while unicorn runs: what counter.py does, a hundred times faster. Compiled for
 * this machine when a simulator starts; the struct is laid out as `_State` in counter.py. */
#include <stdint.h>

enum { LINK_REGISTER = 10 /* UC_ARM_REG_LR */ };

typedef struct block {
    uint16_t bytes;
    uint16_t instructions;
    uint32_t cycles;
    uint32_t next;    /* where the processor went from here last */
    uint32_t history; /* the number of the history that this is part of */
} block;

typedef struct frame {
    uint64_t back;                 /* where the call returns to */
    uint64_t instructions, cycles; /* when it began */
    uint64_t address;
} frame;

typedef struct call {
    uint64_t address;
    uint64_t instructions, cycles;
} call;

typedef struct counter {
    uint64_t instructions, cycles;
    uint64_t origin; /* of the flash */
    uint64_t length;
    const uint8_t *code;
    block *blocks;          /* by half word of the flash: what was decoded there last */
    uint64_t *hits;         /* by half word: instructions of the blocks that begin there */
    const uint8_t *watched; /* by half word: whether a function begins there whose calls are of interest */
    int32_t (*read_register)(void *engine, int32_t id, void *value);
    frame *frames;
    uint64_t frame_limit, depth;
    call *calls;
    uint64_t call_limit, call_count;
    uint32_t (*model)(uint64_t address, uint32_t bytes); /* cycles of a block that is new */
    uint64_t taken, missed; /* cycles of going on elsewhere, and elsewhere than the last time */
    block *last;            /* the block before, and where the one after it in memory begins */
    uint64_t following;
    uint64_t history; /* of branches: begun anew by every watched call, so that it costs the same whatever ran before */
    uint64_t allowed; /* blocks until the processor is stopped */
    uint64_t stopped; /* whether that has happened */
    int32_t (*stop)(void *engine);
} counter;

/* How many instructions `bytes` bytes of Thumb code are: words whose highest bits are 11101, 11110, 11111 begin one of
 * four bytes (Armv7-M Architecture Reference Manual, A5.1). */
static uint16_t decode(const uint8_t *code, uint32_t bytes)
{
    uint32_t at = 0;
    uint16_t count = 0;

    while (at < bytes) {
        at += (code[at + 1] >> 3) >= 0x1D ? 4 : 2;
        count++;
    }
    return count;
}

void edgerig_end_calls(counter *state, uint64_t address);

/* The processor is about to be at `address`: calls that return there have returned. */
void edgerig_end_calls(counter *state, uint64_t address)
{
    while (state->depth != 0 && state->frames[state->depth - 1].back == address) {
        const frame *done = &state->frames[--state->depth];

        if (state->call_count < state->call_limit) {
            call *kept = &state->calls[state->call_count++];

            kept->address = done->address;
            kept->instructions = state->instructions - done->instructions;
            kept->cycles = state->cycles - done->cycles;
        }
    }
}

static void begin_call(void *engine, counter *state, uint64_t address)
{
    uint32_t link = 0;

    if (state->depth < state->frame_limit) {
        frame *now = &state->frames[state->depth++];

        state->read_register(engine, LINK_REGISTER, &link);
        now->back = link & ~(uint32_t)1;
        now->instructions = state->instructions;
        now->cycles = state->cycles;
        now->address = address;
        if (state->depth == 1) {
            state->history++;
            state->last = 0;
        }
    }
}

/* What the way from the block before to `address` costs. */
static void arrive(counter *state, uint64_t address)
{
    block *last = state->last;
    uint32_t history = (uint32_t)state->history, foreseen = (uint32_t)state->following;

    if (last == 0) {
        return;
    }
    if (address != state->following) {
        state->cycles += state->taken;
    }
    if (last->history == history) {
        foreseen = last->next;
    }
    if (foreseen != (uint32_t)address) {
        state->cycles += state->missed;
    }
    last->next = (uint32_t)address;
    last->history = history;
}

void edgerig_on_block(void *engine, uint64_t address, uint32_t bytes, void *user);

/* A block is about to begin. Here alone unicorn stops where it says that it does: stopped anywhere else, it runs this
 * block to its end, and once more when it goes on. */
void edgerig_on_block(void *engine, uint64_t address, uint32_t bytes, void *user)
{
    counter *state = user;
    uint64_t place = address - state->origin, half = place / 2;
    block *known;

    if (state->allowed == 0) {
        state->stopped = 1;
        state->stop(engine);
        return;
    }
    state->allowed--;
    if (place >= state->length || bytes > state->length - place) {
        return;
    }
    known = &state->blocks[half];
    if (known->bytes != bytes) {
        known->bytes = (uint16_t)bytes;
        known->instructions = decode(state->code + place, bytes);
        known->cycles = state->model(address, bytes);
    }
    arrive(state, address);
    if (state->depth != 0) {
        edgerig_end_calls(state, address);
    }
    if (state->watched[half]) {
        begin_call(engine, state, address);
    }
    state->last = known;
    state->following = address + bytes;
    state->instructions += known->instructions;
    state->cycles += known->cycles;
    state->hits[half] += known->instructions;
}
