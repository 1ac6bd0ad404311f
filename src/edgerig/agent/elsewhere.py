"""Sessions of engines that live in an interpreter of their own: the process of the session becomes that interpreter.

Which network comes is known only when it is there; the socket, the folder and the limits stay what they are, and the
process is the same to whoever watches it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from edgerig.agent.worker_process import own_environment
from edgerig.environments.choice import interpreter_for
from edgerig.environments.interpreter import Interpreter
from edgerig.errors import UsageError
from edgerig.plugins import find
from edgerig.runtimes.base import Runtime

#: In the session's folder: what the interpreter that takes over has to know.
_HANDED = "handed-over.json"
#: The option that tells it so.
OPTION = "--handed-over"


class HandedOver(msgspec.Struct, frozen=True):
    """A MODEL that has arrived as a whole.

    Attributes:
        header: The request's, as it came. request: Its number. checked: Whether answers get checksums.
        path: Where the network lies. ahead: What the host has sent behind it already.
    """

    header: bytes
    request: int
    checked: bool
    path: str
    ahead: bytes = b""


def engines_named(words: Sequence[str]) -> dict[str, str]:
    """Interpreters by the names of runtimes, from ``NAME=PYTHON``, each tried.

    Raises:
        UsageError: It is not written so. UnknownNameError: There is no such runtime.
        NotInstalledError, EngineError: The interpreter lacks the engine, or cannot run edgerig's part.
    """
    engines = {}
    for word in words:
        name, equals, python = word.partition("=")
        if not (name and equals and python):
            raise UsageError(
                f"--engine {word} does not say which interpreter.", "Write --engine openvino=/path/to/venv."
            )
        interpreter_for(find("runtime", name, Runtime), python)
        engines[name] = python
    return engines


def interpreter_of(runtime: type[Runtime], engines: Mapping[str, str] | None) -> Interpreter | None:
    """The interpreter that a runtime's session is to go on in: the one that ``engines`` names, or of an environment
    that `edgerig engines install` has made on this machine; None for this one. Without ``engines`` always this one."""
    return None if engines is None else interpreter_for(runtime, engines.get(runtime.name))


def hand_over(interpreter: Interpreter, folder: Path, handed: HandedOver) -> NoReturn:
    """Go on in another interpreter, in this process."""
    file = folder / _HANDED
    file.write_bytes(msgspec.json.encode(handed))
    words = [interpreter.executable, "-P", "-m", "edgerig.agent.worker", *sys.argv[1:], OPTION, str(file)]
    os.execve(interpreter.executable, words, own_environment(interpreter))


def taken_over(file: Path) -> HandedOver:
    """What another interpreter has handed over to this one."""
    handed = msgspec.json.decode(file.read_bytes(), type=HandedOver)
    file.unlink()
    return handed
