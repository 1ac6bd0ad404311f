/* The digits' protocol on a line of its own, beside the wire and the console. */
#ifndef DIGITS_LINE_H
#define DIGITS_LINE_H

void digits_line_init(void);

/* Takes what has come on the line and answers it. To be called over and over. */
void digits_line_poll(void);

#endif
