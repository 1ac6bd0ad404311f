"""Memory that a step of a training has freed stays with the process, for the next step."""

from __future__ import annotations

import ctypes

#: Parameters of glibc's ``mallopt`` (mallopt(3)), and what they are set to, in bytes.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
SETTINGS = {M_MMAP_THRESHOLD: 32 << 20, M_TRIM_THRESHOLD: 1 << 30, M_TOP_PAD: 64 << 20}


def keep_freed_memory() -> bool:
    """Let the C library keep what is freed, rather than give it back to the system; whether it does.

    Each step allocates its activations anew. Given back, every page of them is zeroed by the kernel and faulted in
    again at each step, which took a third of a small network's training. Nothing where there is no glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    results = [mallopt(parameter, value) for parameter, value in SETTINGS.items()]
    return results == [1] * len(SETTINGS)
