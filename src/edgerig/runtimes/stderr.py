"""What native code writes to file descriptor 2."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def captured_stderr() -> Iterator[Callable[[], str]]:
    """Catch what native code writes to file descriptor 2; the function tells it after the block.

    The descriptor belongs to the whole process: other threads' words are caught, too.
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
