"""OpenVINO's entry, one for the process."""

from __future__ import annotations

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def openvino_core() -> Any:
    """The ``openvino.Core`` of this process, which stays until it ends.

    A core's CPU plugin gives the thread a stack for signal handlers. When the plugin goes, it puts back the stack that
    was there before, and frees its own. Of two that do not go in reverse order, one puts back a stack that is freed:
    the next signal with a handler, such as Ctrl-C's, would end the process by a segmentation fault.
    """
    import openvino

    return openvino.Core()
