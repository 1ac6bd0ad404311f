/* What a reply looks like on the serial line. */
#ifndef REPORT_H
#define REPORT_H

#include <stdint.h>

#include <digits.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Room for any number's text. */
enum { REPORT_NUMBER = 52 };

/* Six digits after the point, rounded as printf's %f does; the number must be finite. Returns `to`. */
char *report_real(char *to, float number);

/* Ticks of a processor's clock of `mhz` MHz as milliseconds, with six digits after the point. Returns `to`. */
char *report_ms(char *to, uint32_t ticks, uint32_t mhz);

/* Writes the lines of a reply to an inference that lies in `bytes` and of the `ticks` that the transaction took. */
void report_results(void (*write_line)(const char *line), const uint8_t *bytes, const digits_message *message,
                    uint32_t ticks, uint32_t mhz);

#ifdef __cplusplus
}
#endif

#endif
