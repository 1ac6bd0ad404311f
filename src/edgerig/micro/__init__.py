"""The C compiler for microcontrollers: TFLite in, a folder of plain C99 out."""
