"""One process runs a step; another one of the same step waits, and then takes its result."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from edgerig.errors import Interrupted, storing

#: Seconds between two looks at a lock.
LOOK = 0.2


@contextlib.contextmanager
def step_lock(root: Path, key: str, name: str, stopping: threading.Event, log: Callable[[str], None]) -> Iterator[int]:
    """Hold the lock of a step; yields its descriptor.

    The step's process inherits it: where this process is killed and the step's lives on for a while, whoever comes next
    waits until that has ended, too.

    Raises:
        Interrupted: ``stopping`` was set while another process held it.
    """
    with storing(root):
        (root / "locks").mkdir(parents=True, exist_ok=True)
        handle = os.open(root / "locks" / f"step-{key}", os.O_CREAT | os.O_RDWR, 0o666)
    try:
        waits = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waits:
                    log(f"{name}: another process runs this step; waiting for it")
                waits = True
            if stopping.wait(LOOK):
                raise Interrupted(f"Stopped in the step {name!r}.")
        yield handle
    finally:
        os.close(handle)
