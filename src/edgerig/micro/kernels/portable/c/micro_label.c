#include "micro_label.h"

int32_t micro_label(const float *scores, int32_t classes)
{
    int32_t best = 0;
    for (int32_t k = 1; k < classes; k++)
        best = scores[k] > scores[best] ? k : best;
    return best;
}
