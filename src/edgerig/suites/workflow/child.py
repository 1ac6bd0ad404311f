"""The process of a step: ``python -m edgerig.suites.workflow.child PARENT COMMAND ..``.

It is edgerig itself, which is asked to stop when the workflow that started it is gone, even by ``kill -9``.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def stop_with(parent: int) -> None:
    """Let the kernel send SIGTERM to this process when the thread that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    stop_with(int(sys.argv[1]))
    # A shell that starts a program in the background lets it ignore Ctrl-C, and that is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["edgerig", *sys.argv[2:]]
    runpy.run_module("edgerig", run_name="__main__")
