/* The end of detectors: boxes of anchors, of which those that overlap a better one are dropped. */
#ifndef MICRO_DETECTION_H
#define MICRO_DETECTION_H

#include <stdint.h>

typedef struct micro_detection {
    int32_t anchors, code; /* numbers of each encoding, of which four are used */
    int32_t classes, background;
    int32_t most, classes_of_each, of_each_class;
    float threshold, overlap;
    float scales[4]; /* of centre y and x, height and width */
} micro_detection;

typedef struct micro_detections {
    float *boxes, *classes, *scores, *count;
} micro_detections;

/* One list of boxes by their best classes; work: 5 numbers of each anchor, dropped: a byte of each. */
void micro_detection_fast(const micro_detection *p, const float *codes, const float *scores, const float *anchors,
                          const micro_detections *to, float *work, uint8_t *dropped);

/* Each class by itself. */
void micro_detection_regular(const micro_detection *p, const float *codes, const float *scores, const float *anchors,
                             const micro_detections *to, float *work, uint8_t *dropped);

#endif
