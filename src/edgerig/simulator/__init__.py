"""A microcontroller in software: an STM32F746 that counts what it executes."""
