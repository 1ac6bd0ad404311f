"""Ctrl-C, and what else the process is told by a signal, while unicorn runs."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

#: Those by which a user, a terminal or a service manager ends a process.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def held_signals(stop: Callable[[], None]) -> Iterator[list[int]]:
    """Hold back what the handlers of signals do until unicorn has stopped, and let a signal stop it.

    Python calls a handler at the next beginning of a function, which while unicorn runs is one that C has called. An
    exception of the handler, such as Ctrl-C's, would be printed there and dropped, and C would go on with an answer
    that nobody gave. So the handler is called when the block has ended.

    Args:
        stop: Stops unicorn. It has no effect before unicorn runs: what it calls looks at the list, too.

    Yields:
        The numbers of the signals that have come, still empty.

    Raises:
        BaseException: What a handler raises.
    """
    came: list[int] = []
    handlers = {}
    # Python gives signals to the main thread alone.
    if threading.current_thread() is threading.main_thread():
        handlers = {number: call for number in _SIGNALS if callable(call := signal.getsignal(number))}

    def hold(number: int, frame: object) -> None:
        came.append(number)
        stop()

    try:
        for number in handlers:
            signal.signal(number, hold)
        yield came
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for each in came:
            handlers[signal.Signals(each)](each, None)
