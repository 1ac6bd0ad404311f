"""The limits of a call in the child process."""

from __future__ import annotations

import os

import msgspec

from edgerig.errors import UsageError

TIMEOUT_VARIABLE = "EDGERIG_STAGE_TIMEOUT"
MEMORY_VARIABLE = "EDGERIG_STAGE_MEMORY"
#: Seconds without progress. The slowest step of a valid network that reports no progress, converting one of Keras with
#: a hundred layers, takes some twenty on two cores.
SILENCE = 120.0
#: Share of the memory that is available when the call begins.
MEMORY_SHARE = 0.75


class Limits(msgspec.Struct, frozen=True):
    """The limits of a call.

    Attributes:
        silence: Seconds without progress (a sample calibrated, a message, an answer) after which it is killed.
        memory: Bytes of resident memory, or None for three quarters of what is available when it begins.
    """

    silence: float = SILENCE
    memory: int | None = None

    def memory_bytes(self) -> int:
        """The limit of memory in bytes for a call that begins now."""
        import psutil

        return self.memory if self.memory is not None else int(MEMORY_SHARE * psutil.virtual_memory().available)


def limits_of_environment() -> Limits:
    """The limits set by the environment (``EDGERIG_STAGE_TIMEOUT`` in s, ``EDGERIG_STAGE_MEMORY`` in bytes).

    Raises:
        UsageError: A variable is not a positive number.
    """
    silence, memory = _positive(TIMEOUT_VARIABLE), _positive(MEMORY_VARIABLE)
    return Limits(SILENCE if silence is None else silence, None if memory is None else int(memory))


def _positive(variable: str) -> float | None:
    text = os.environ.get(variable)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise UsageError(f"{variable} is {text!r}.", "Set it to a number above 0, or unset it.")
    return value
