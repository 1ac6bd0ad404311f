#include "micro_detection.h"

#include <string.h>

#include "micro_curves_f32.h"

static void decode(const micro_detection *p, const float *code, const float *anchor, float *box)
{
    for (int32_t side = 0; side < 2; side++) {
        float centre = code[side] / p->scales[side] * anchor[2 + side] + anchor[side];
        float size = code[2 + side] / p->scales[2 + side];
        micro_exp_f32(&size, &size, 1);
        float half = 0.5f * size * anchor[2 + side];
        box[side] = centre - half;
        box[2 + side] = centre + half;
    }
}

static float area(const float *box)
{
    return (box[2] - box[0]) * (box[3] - box[1]);
}

/* Intersection over union. */
static float overlap(const float *a, const float *b)
{
    float first = area(a), second = area(b), shared = 1.0f;
    if (first <= 0.0f || second <= 0.0f)
        return 0.0f;
    for (int32_t side = 0; side < 2; side++) {
        float from = a[side] > b[side] ? a[side] : b[side];
        float end = a[2 + side] < b[2 + side] ? a[2 + side] : b[2 + side];
        shared *= end > from ? end - from : 0.0f;
    }
    return shared / (first + second - shared);
}

/* The best anchor that is not dropped, and drops it and all that overlap it; -1 if none is good enough. */
static int32_t next(const micro_detection *p, const float *boxes, const float *scores, int32_t step, uint8_t *dropped)
{
    int32_t best = -1;
    for (int32_t i = 0; i < p->anchors; i++) {
        if (!dropped[i] && scores[i * step] >= p->threshold && (best < 0 || scores[i * step] > scores[best * step]))
            best = i;
    }
    for (int32_t i = 0; best >= 0 && i < p->anchors; i++)
        dropped[i] |= i == best || (!dropped[i] && overlap(boxes + 4 * best, boxes + 4 * i) > p->overlap);
    return best;
}

static void decode_all(const micro_detection *p, const float *codes, const float *anchors, float *boxes)
{
    for (int32_t i = 0; i < p->anchors; i++)
        decode(p, codes + i * p->code, anchors + 4 * i, boxes + 4 * i);
}

static void clear(const micro_detection *p, const micro_detections *to, uint8_t *dropped)
{
    size_t count = (size_t)p->most * (size_t)p->classes_of_each;
    memset(to->boxes, 0, count * 4 * sizeof(float));
    memset(to->classes, 0, count * sizeof(float));
    memset(to->scores, 0, count * sizeof(float));
    memset(dropped, 0, (size_t)p->anchors);
}

static void put(const micro_detections *to, int32_t place, const float *box, int32_t label, float score)
{
    memcpy(to->boxes + 4 * place, box, 4 * sizeof(float));
    to->classes[place] = (float)label;
    to->scores[place] = score;
}

/* Whether class a comes behind class b among those of an anchor: lower, or as good and later. */
static int32_t behind(const float *scores, int32_t a, int32_t b)
{
    return scores[a] < scores[b] || (!(scores[a] > scores[b]) && a > b);
}

void micro_detection_fast(const micro_detection *p, const float *codes, const float *scores, const float *anchors,
                          const micro_detections *to, float *work, uint8_t *dropped)
{
    float *boxes = work, *best = work + 4 * p->anchors;
    int32_t all = p->classes + p->background, count = 0;
    clear(p, to, dropped);
    decode_all(p, codes, anchors, boxes);
    for (int32_t i = 0; i < p->anchors; i++) {
        const float *of = scores + i * all + p->background;
        best[i] = of[0];
        for (int32_t c = 1; c < p->classes; c++)
            best[i] = of[c] > best[i] ? of[c] : best[i];
    }
    for (int32_t i; count < p->most && (i = next(p, boxes, best, 1, dropped)) >= 0; count++) {
        const float *of = scores + i * all + p->background;
        int32_t last = -1;
        for (int32_t k = 0; k < p->classes_of_each; k++) {
            int32_t found = -1;
            for (int32_t c = 0; c < p->classes; c++) {
                if ((last < 0 || behind(of, c, last)) && (found < 0 || behind(of, found, c)))
                    found = c;
            }
            put(to, count * p->classes_of_each + k, boxes + 4 * i, found, of[found]);
            last = found;
        }
    }
    to->count[0] = (float)count;
}

/* Puts a box where its score belongs among `count`, behind its equals; the last of too many is lost. */
static int32_t insert(const micro_detection *p, const micro_detections *to, int32_t count, const float *box,
                      int32_t label, float score)
{
    int32_t place = count;
    while (place > 0 && to->scores[place - 1] < score)
        place--;
    if (place == p->most)
        return count;
    for (int32_t i = count < p->most ? count : p->most - 1; i > place; i--)
        put(to, i, to->boxes + 4 * (i - 1), (int32_t)to->classes[i - 1], to->scores[i - 1]);
    put(to, place, box, label, score);
    return count < p->most ? count + 1 : count;
}

void micro_detection_regular(const micro_detection *p, const float *codes, const float *scores, const float *anchors,
                             const micro_detections *to, float *work, uint8_t *dropped)
{
    float *boxes = work;
    int32_t all = p->classes + p->background, count = 0;
    decode_all(p, codes, anchors, boxes);
    clear(p, to, dropped);
    for (int32_t c = 0; c < p->classes; c++) {
        const float *of = scores + p->background + c;
        memset(dropped, 0, (size_t)p->anchors);
        int32_t kept = 0;
        for (int32_t i; kept < p->of_each_class && (i = next(p, boxes, of, all, dropped)) >= 0; kept++)
            count = insert(p, to, count, boxes + 4 * i, c, of[i * all]);
    }
    to->count[0] = (float)count;
}
