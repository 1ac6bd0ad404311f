/* Finds memory accesses that a Cortex-M refuses and unicorn lets pass: what alignment.py does, many times faster. The
 * struct is laid out as `_State` there. */
#include <stdint.h>

enum { REGISTER_0 = 66 /* UC_ARM_REG_R0 */, LINK_REGISTER = 10 /* UC_ARM_REG_LR */ };

typedef struct alignment {
    uint64_t origin; /* of the flash */
    uint64_t length;
    const uint8_t *code;
    int32_t (*read_register)(void *engine, int32_t id, void *value);
    int32_t (*stop)(void *engine);
    uint64_t found;    /* whether there was one */
    uint64_t at;       /* the instruction */
    uint64_t accessed; /* what the register held */
} alignment;

/* The register that must hold a multiple of four for the instruction that begins with this half word, or -1. */
static int strict_register(unsigned half)
{
    unsigned base = half & 15;

    if (half >> 12 == 0xC) {
        return (int)(half >> 8 & 7); /* LDM, STM of two bytes */
    }
    if (half >> 9 == 0x74) {
        /* LDM, STM, LDRD, STRD, LDREX, STREX, but not their neighbours TBB, TBH and what is exclusive of less than a
         * word. */
        return (half & 0xFFE0) == 0xE8C0 || base == 13 || base == 15 ? -1 : (int)base;
    }
    if (half >> 9 == 0x76) {
        /* VLDR, VSTR, VLDM, VSTM, but not VMOV of two registers. */
        return (half & 0xFFE0) == 0xEC40 || base == 13 || base == 15 ? -1 : (int)base;
    }
    return -1;
}

void edgerig_on_instruction(void *engine, uint64_t address, uint32_t size, void *user);

void edgerig_on_instruction(void *engine, uint64_t address, uint32_t size, void *user)
{
    alignment *state = user;
    uint64_t place = address - state->origin;
    uint32_t value = 0;
    int base;

    if (place >= state->length || size > state->length - place || size < 2 || state->found) {
        return;
    }
    base = strict_register(state->code[place] | (unsigned)state->code[place + 1] << 8);
    if (base < 0) {
        return;
    }
    state->read_register(engine, base == 14 ? LINK_REGISTER : REGISTER_0 + base, &value);
    if ((value & 3) != 0) {
        state->found = 1;
        state->at = address;
        state->accessed = value;
        state->stop(engine);
    }
}
