"""Captures output of native code on file descriptor 2."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def captured_stderr() -> Iterator[Callable[[], str]]:
    """Capture what native code writes to file descriptor 2; the function returns it after the block.

    The descriptor belongs to the whole process: output of other threads is captured, too.
    """
    with tempfile.TemporaryFile() as file:
        caught = ""

        def text() -> str:
            return caught

        sys.stderr.flush()
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield text
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)
            file.seek(0)
            caught = file.read().decode(errors="replace")
