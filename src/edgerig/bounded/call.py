"""Calls that are made in a child process within the block of `bounded`, and directly elsewhere."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from edgerig.bounded.limits import Limits, limits_of_environment
from edgerig.errors import EdgerigError

if TYPE_CHECKING:
    from edgerig.bounded.worker import Worker
    from edgerig.environments.interpreter import Interpreter

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

_limits: ContextVar[Limits | None] = ContextVar("limits", default=None)
#: One child serves a program, since the libraries that it imports, Keras and the quantizer, take seconds to load.
_shared: Worker | None = None
_busy = threading.Lock()


@contextlib.contextmanager
def bounded(limits: Limits | None = None) -> Iterator[None]:
    """Within the block `isolated` calls are made in a child process.

    Args:
        limits: The limits of each call; by default those of the enclosing block, or of the environment.
    """
    token = _limits.set(limits or _limits.get() or limits_of_environment())
    try:
        yield
    finally:
        _limits.reset(token)


def isolated(
    what: str, failed: type[EdgerigError], function: Callable[[*Arguments], Result], *arguments: *Arguments
) -> Result:
    """``function(*arguments)``, in a child process within a block of `bounded`.

    Args:
        what: The work, for messages: ``"Compiling net to int8"``.
        failed: The error if the call has to be killed.
        function: A function that can be imported.
        arguments: Picklable values; datasets and progress are replaced by proxies.

    Raises:
        EdgerigError: The function's own; ``failed`` if it reported no progress for too long, took too much memory, or
            its process died.
        RuntimeError: The function raised something else.
    """
    limits = _limits.get()
    if limits is None:
        return function(*arguments)
    if not _busy.acquire(blocking=False):
        from edgerig.bounded.worker import Worker

        alone = Worker()
        with contextlib.closing(alone):
            result: Result = alone.call(function, arguments, limits, what, failed)
        return result
    try:
        done: Result = _worker().call(function, arguments, limits, what, failed)
        return done
    finally:
        _busy.release()


def isolated_in(
    interpreter: Interpreter,
    what: str,
    failed: type[EdgerigError],
    function: Callable[[*Arguments], Result],
    *arguments: *Arguments,
) -> Result:
    """``function(*arguments)`` in a child process of another interpreter, with the limits of `bounded` in any case.

    Its errors are those of `isolated`. The function's module is edgerig's, or one of the user's that is installed in no
    environment; what it imports is that interpreter's.
    """
    from edgerig.bounded.worker import Worker

    with contextlib.closing(Worker(interpreter)) as alone:
        result: Result = alone.call(function, arguments, _limits.get() or limits_of_environment(), what, failed)
        return result


def _worker() -> Worker:
    """The child of this program, restarted if it is gone."""
    global _shared
    from edgerig.bounded.worker import Worker

    if _shared is None or not _shared.alive:
        end_worker()
        _shared = Worker()
        atexit.unregister(end_worker)
        atexit.register(end_worker)
    return _shared


def end_worker() -> None:
    """End the child of this program, if there is one."""
    global _shared
    worker, _shared = _shared, None
    # Of a process that was forked, it is the other one's.
    if worker is not None and worker.owner == os.getpid():
        worker.close()
