/* Depthwise convolution, band of rows by band of rows, each followed at once by what makes outputs of it. */
#ifndef ER_SEPARABLE_H
#define ER_SEPARABLE_H

#include <stdint.h>

#include "er_depthwise.h"
#include "er_pairs.h"

/* Limits each half of so many words, in place. */
typedef void er_columns_clamp(uint32_t *columns, uint32_t words, uint32_t low, uint32_t high);
er_columns_clamp er_columns_clamp_s16;

typedef struct er_separable {
    er_depthwise_run *depthwise;
    er_pointwise_run *pointwise;
    er_pointwise_run *single; /* makes the first pixel of a tile; 0 if no tile has but one */
    const int8_t *weights;    /* of the depthwise part */
    const int32_t *parameters;
    er_pairs pairs; /* of the pointwise part */
    int32_t addend; /* of the depthwise part's requantization */
    uint16_t height, out_height, out_width;
    uint16_t stride, top;
    uint16_t band;           /* output rows of a band */
    uint16_t step;           /* output rows that fill whole tiles */
    uint16_t window;         /* rows of the window */
    uint16_t first;          /* output row with which the first band begins */
    uint32_t on;             /* rows to the next band, modulo 2^32: from the last band up it is before this one */
    uint32_t row;            /* of the input, bytes */
    uint32_t pitch;          /* of the plane, bytes */
    uint32_t plane_words;    /* of a band and what its windows reach */
    er_columns_clamp *clamp; /* of the depthwise part's outputs, 0 where they have the range of int8 */
    uint32_t low, high;      /* of the clamp, each twice, in halves */
    uint32_t border;         /* two pixels of it */
    uint16_t channels;       /* of the output */
    uint16_t room;           /* pixels that the output has room for after its last one */
    uint32_t other;          /* words to the second buffer of columns, 0 if there is none */
} er_separable;

/* With a second buffer of columns out may be in, if their layouts are the same: a band's outputs are written when the
   next one's inputs were read. columns: a band's, twice if there are two; plane: plane_words; tail: 4 bytes for each
   channel of the output, used if there is no room and no single. */
void er_separable_layer(const er_separable *layer, const int8_t *in, int8_t *out, uint32_t *columns, uint32_t *plane,
                        int8_t *tail);

/* Instead of a pointwise part: columns become int8 as they are; job->rounds is the number of channels. */
void er_columns_store(const er_pointwise *job, const uint32_t *columns, int8_t *out, uint32_t tiles);

#endif
