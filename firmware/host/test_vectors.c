/* Reads tests/wire/vectors/frames.txt and gives its bytes to the receiver: at once, one by one, and split in two at every
 * place. Says what differs; exit code 0 if nothing does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/er_rx.h"

enum { LINE = 65536, BYTES = 16384, EVENTS = 16, LIMIT = 4096 };

static char expected[EVENTS][LINE], found[EVENTS][LINE], name[256];
static int expected_count, found_count;
static uint8_t payload[LIMIT];
static er_rx rx;
static unsigned long tried, wrong;

static size_t from_hex(const char *text, uint8_t *to)
{
    size_t count = 0;
    unsigned value;

    for (; sscanf(text, "%2x", &value) == 1 && count < BYTES; text += 2) {
        to[count++] = (uint8_t)value;
    }
    return count;
}

static size_t to_hex(char *text, const uint8_t *bytes, size_t count)
{
    size_t i;

    strcpy(text, "-");
    for (i = 0; i < count; i++) {
        sprintf(text + 2 * i, "%02x", (unsigned)bytes[i]);
    }
    return count == 0 ? 1 : 2 * count;
}

static void note_failure(const char *what)
{
    if (found_count < EVENTS) {
        sprintf(found[found_count++], "%s %lu", what, (unsigned long)rx.skipped);
    }
}

static uint8_t *accept(void *owner)
{
    (void)owner;
    if (rx.frame.payload_length > LIMIT) {
        note_failure("too-long");
        er_rx_ignore(&rx);
        return NULL;
    }
    return payload;
}

static void judge(void *owner, er_verdict verdict)
{
    static const char *const words[] = { "", "too-long", "version", "damaged", "cut" };
    const er_frame *frame = &rx.frame;
    char *line;

    (void)owner;
    if (verdict != ER_GOOD) {
        note_failure(words[verdict]);
        return;
    }
    if (found_count < EVENTS) {
        line = found[found_count++];
        line += sprintf(line, "frame %lu %u %u %lu %u ", (unsigned long)rx.skipped, (unsigned)frame->kind,
                        (unsigned)frame->flags, (unsigned long)frame->request, (unsigned)frame->sequence);
        line += to_hex(line, (const uint8_t *)rx.header, frame->header_length);
        *line++ = ' ';
        to_hex(line, payload, frame->payload_length);
    }
}

static void compare(const char *how, size_t place)
{
    int i, differs = found_count != expected_count;

    tried++;
    for (i = 0; !differs && i < found_count; i++) {
        differs = strcmp(found[i], expected[i]) != 0;
    }
    if (differs) {
        wrong++;
        printf("%s, %s %lu: %d events instead of %d\n", name, how, (unsigned long)place, found_count, expected_count);
        for (i = 0; i < found_count; i++) {
            printf("  %.200s\n", found[i]);
        }
    }
}

static void begin(void)
{
    found_count = 0;
    er_rx_init(&rx, NULL, accept, judge);
}

static void try_all(const uint8_t *bytes, size_t count)
{
    size_t i;

    begin();
    for (i = 0; i < count; i++) {
        er_rx_bytes(&rx, bytes + i, 1);
    }
    compare("one by one", 0);
    for (i = 0; i <= count; i++) {
        begin();
        er_rx_bytes(&rx, bytes, (uint32_t)i);
        er_rx_bytes(&rx, bytes + i, (uint32_t)(count - i));
        compare("split at", i);
    }
}

int main(int argc, char **argv)
{
    static char line[LINE];
    static uint8_t bytes[BYTES];
    size_t count = 0;
    unsigned long vectors = 0;
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;

    if (file == NULL) {
        fputs("usage: er_vectors frames.txt\n", stderr);
        return 2;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "vector ", 7) == 0) {
            snprintf(name, sizeof name, "%.200s", line + 7);
            expected_count = 0;
        } else if (strncmp(line, "bytes ", 6) == 0) {
            count = from_hex(line + 6, bytes);
        } else if (strcmp(line, "end") == 0) {
            vectors++;
            try_all(bytes, count);
        } else if (line[0] != '#' && expected_count < EVENTS) {
            strcpy(expected[expected_count++], line);
        }
    }
    fclose(file);
    printf("vectors %lu, tried %lu, wrong %lu\n", vectors, tried, wrong);
    return wrong == 0 && vectors != 0 ? 0 : 1;
}
