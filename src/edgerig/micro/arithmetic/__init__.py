"""The integer arithmetic of quantized operators: scales, multipliers and tables, as LiteRT defines them."""
