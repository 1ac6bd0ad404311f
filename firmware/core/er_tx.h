/* The transmitter: a header and a payload are written twice, once to know their length and checksum and once to be
 * sent. So nothing is ever collected in a buffer. */
#ifndef ER_TX_H
#define ER_TX_H

#include <stdint.h>

typedef struct er_tx {
    void *context;
    void (*write)(void *context, const uint8_t *bytes, uint32_t count);
    uint32_t length; /* of what was put since it was last set to 0 */
    uint32_t crc;    /* and its checksum */
    uint8_t sending; /* whether it is sent too */
} er_tx;

/* A value of er_pack's format. Every member is read as it was written, so that a struct of nothing but pointers to text
 * and er_size can be passed as an array of these. */
typedef uintptr_t er_size;
typedef union er_word {
    const char *text;
    er_size number;
    float real;
} er_word;

/* Puts msgpack. The format is a string of bytes. Those from 20 to 7E are a text, of at most 31 characters. These take
 * the next word: */
#define TEXT "\xC1"    /* a text; nil if it is NULL */
#define KNOWN "\xC2"   /* an unsigned number; nil if it is 0 */
#define U32 "\xCE"     /* an unsigned number */
#define I32 "\xD2"     /* a signed number */
#define F32 "\xCA"     /* a float */
#define U64 "\xCF\xC3" /* an unsigned number of 64 bits: takes two words, high half first */
#define LIST "\xDD"    /* the head of an array: its length */
#define DICT "\xDF"    /* the head of a map: its length */
/* And other bytes stand for themselves: small numbers, heads of small arrays ("\x90") and maps ("\x80"); */
#define NIL "\xC0"
/* but this one for nothing: it parts two texts. */
#define AND "\x7F"

void er_put(er_tx *tx, const void *bytes, uint32_t count);
void er_pack(er_tx *tx, const char *format, const er_word *words);

#endif
