"""What stops the simulated processor out of turn: its own faults, and Ctrl-C."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """What went wrong, and where: the address, and the function that it lies in."""

    what: str
    pc: int
    function: str
    address: int | None = None

    def __str__(self) -> str:
        at = f" of {self.address:#010x}" if self.address is not None else ""
        return f"HardFault: {self.what}{at} at {self.pc:#010x} in {self.function}"


@contextlib.contextmanager
def interruptible(engine: Any) -> Iterator[None]:
    """Let Ctrl-C stop the processor.

    Python raises a signal's exception at the next beginning of a function, which while unicorn runs is one that C has
    called: there it would be printed and dropped.
    """
    caught: list[BaseException] = []
    before = sys.unraisablehook

    def keep(what: sys.UnraisableHookArgs) -> None:
        if isinstance(what.exc_value, Exception) or what.exc_value is None:
            before(what)
            return
        caught.append(what.exc_value)
        engine.emu_stop()

    sys.unraisablehook = keep
    try:
        yield
    finally:
        sys.unraisablehook = before
    if caught:
        raise caught[0]
