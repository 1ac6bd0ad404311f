"""Memory that a frame or a step has freed stays with the process, for the next one."""

from __future__ import annotations

import ctypes

#: Parameters of glibc's ``mallopt`` (mallopt(3)).
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
#: Bytes of a request from which memory comes from the system directly; more than this the library refuses.
LARGEST = 32 << 20


def keep_freed_memory(kept: int, *, ahead: int = 128 << 10) -> bool:
    """Let the C library keep what is freed, rather than give it back to the system.

    A frame of a video and a step of a training allocate their arrays anew. Given back, each page of them is zeroed by
    the kernel and faulted in again the next time, which took a third of a small network's training; a mask was drawn
    over a frame of 640x480 in 4.2 ms instead of 1.2.

    Args:
        kept: Bytes of freed memory that stay with the process at most.
        ahead: Bytes asked of the system beyond what is needed, by default as glibc has it.

    Returns:
        Whether the C library has these settings; others than glibc are left as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    settings = {M_MMAP_THRESHOLD: LARGEST, M_TRIM_THRESHOLD: kept, M_TOP_PAD: ahead}
    results = [mallopt(parameter, value) for parameter, value in settings.items()]
    return results == [1] * len(settings)
