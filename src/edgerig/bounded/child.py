"""The child process: ``python -m edgerig.bounded.child FD PARENT``.

It serves one pickled call after another, until the program closes the socket FD or is gone.
"""

from __future__ import annotations

import gc

if __name__ == "__main__":  # The collector would look through all that is imported: see `edgerig.collector`.
    gc.disable()

import ctypes
import io
import os
import pickle
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import Any

from edgerig import child_logs
from edgerig.bounded.channel import Channel
from edgerig.bounded.remote import RequestUnpickler
from edgerig.errors import EdgerigError, ForeignTraceback, foreign_trace

#: Kinds of messages to the program: the result, an `EdgerigError`, another exception, a request, a log record.
DONE, ERROR, FAULT, QUESTION, LOG = range(5)
_PR_SET_PDEATHSIG = 1


def serve(channel: Channel) -> None:
    """Serve calls until the other end closes the connection."""

    # Any thread may log, also while another one waits for an answer.
    lock = threading.Lock()

    def send(message: bytes) -> None:
        with lock:
            channel.send(message)

    def log(level: int, name: str, text: str, created: float) -> None:
        send(pickle.dumps((LOG, level, name, text, created), protocol=5))

    def ask(question: str, *arguments: Any) -> Any:
        send(pickle.dumps((QUESTION, question, arguments), protocol=5))
        kind, *content = pickle.loads(channel.receive())
        if kind == ERROR:
            raise revived(*content)
        if kind == FAULT:
            raise RuntimeError(content[0])
        return content[0]

    while True:
        try:
            request = channel.receive()
        except EOFError:
            return
        answer = _answer(request, ask, log)
        del request
        send(answer)


def _answer(request: bytes, ask: Any, log: child_logs.Sender) -> bytes:
    try:
        surroundings, call = pickle.loads(request)
        os.chdir(surroundings["folder"])
        if surroundings["path"] is not None:
            sys.path[:] = surroundings["path"]
        os.environ.clear()
        os.environ.update(surroundings["environment"])
        child_logs.forward(log, surroundings["levels"])
        function, arguments = RequestUnpickler(io.BytesIO(call), ask).load()
        return pickle.dumps((DONE, function(*arguments)), protocol=5)
    except EdgerigError as error:
        return pickle.dumps((ERROR, *flattened(error), foreign_trace(error)), protocol=5)
    except MemoryError:
        return pickle.dumps((FAULT, "MemoryError", "it ran out of memory", ""), protocol=5)
    except Exception as error:
        text = (type(error).__name__, str(error), traceback.format_exc())
        return pickle.dumps((FAULT, *text), protocol=5)


def flattened(error: EdgerigError) -> tuple[str, str, dict[str, Any]]:
    """Module, name and attributes of an error; its constructor may take other arguments than these."""
    return type(error).__module__, type(error).__qualname__, vars(error)


def revived(module: str, name: str, attributes: dict[str, Any], trace: str | None = None) -> EdgerigError:
    """The error from `flattened`; a plain `EdgerigError` where its class is not one of edgerig's.

    Args:
        trace: The traceback in the child, of an error that it did not raise on purpose.
    """
    import edgerig.errors

    member = getattr(edgerig.errors, name, None) if module == "edgerig.errors" else None
    kind = member if isinstance(member, type) and issubclass(member, EdgerigError) else EdgerigError
    error = kind.__new__(kind, attributes["message"])
    error.args = (attributes["message"],)
    vars(error).update(attributes)
    if trace is not None:
        error.__cause__ = ForeignTraceback(trace)
    return error


def die_with(parent: int) -> None:
    """Let the kernel kill this process when the thread that started it ends, even in the middle of native code."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # If memory runs out, the kernel should kill this process first.
        with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 - one line, at once
            file.write("1000")
    if os.getppid() != parent:
        os._exit(0)


def main(arguments: Sequence[str]) -> None:
    """``FD PARENT``."""
    gc.freeze()
    gc.enable()
    # Ctrl-C in the terminal is handled by the program, which ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with(int(arguments[1]))
    serve(Channel(socket.socket(fileno=int(arguments[0]))))


if __name__ == "__main__":
    main(sys.argv[1:])
