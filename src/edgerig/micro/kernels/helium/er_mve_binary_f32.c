#include "er_mve_binary_f32.h"

void er_mve_binary_f32(const micro_binary_f32 *p, const er_mve_line *line, er_mve_line_run *run, const float *a,
                       const float *b, float *y)
{
    const int32_t *n = p->size, *s = p->step_a, *t = p->step_b;
    for (int32_t h = 0; h < n[0]; h++) {
        for (int32_t i = 0; i < n[1]; i++) {
            for (int32_t j = 0; j < n[2]; j++) {
                for (int32_t k = 0; k < n[3]; k++, y += n[4])
                    run(line, a + h * s[0] + i * s[1] + j * s[2] + k * s[3],
                        b + h * t[0] + i * t[1] + j * t[2] + k * t[3], y);
            }
        }
    }
}
