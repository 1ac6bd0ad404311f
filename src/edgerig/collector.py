"""The garbage collector, paused while much is imported.

All that is imported stays. The collector looks through it again and again as it grows, and finds nothing: a fifth of
the time that Keras takes.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def paused_collector() -> Iterator[None]:
    """Collect nothing within the block, where something is imported."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
