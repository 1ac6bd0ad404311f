"""An event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
#: How long a signal may go unseen, in s.
LOOK_SECONDS = 0.25


def wait_for(event: threading.Event) -> None:
    """Wait until ``event`` is set, or a signal's handler, such as Ctrl-C's, raises.

    The system wakes a wait for a signal only where the signal comes after the wait has begun. One that comes between
    Python's last look and that moment, long on a busy machine, would never be heard of in a wait without end.
    """
    while not event.wait(LOOK_SECONDS):
        pass


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's, which is twice as fast, where it is installed; else Python's own."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class LoopThread:
    """Runs coroutines for other threads, until `close`."""

    def __init__(self) -> None:
        self.loop = new_event_loop()
        self._thread = threading.Thread(target=self._run, name="edgerig serve", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result, from another thread; it goes on if this wait is interrupted."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def close(self) -> None:
        """Cancel what still runs, and end the thread."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
            tasks = asyncio.all_tasks(self.loop)
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
        finally:
            self.loop.close()
