"""The words of a step's command: what ``${..}`` stands for, and times with their units."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping

from edgerig.errors import SpecError, UnknownNameError
from edgerig.suites.workflow.types import Value

_REFERENCE = re.compile(r"\$(\$)?\{([^{}]*)\}")
_SECONDS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")
#: Longest time that makes sense, in seconds: a year.
LONGEST = 366 * 24 * 3600.0


def split_command(run: str | tuple[str, ...]) -> tuple[str, ...]:
    """The words of a command, as a shell splits them; ``edgerig`` at its beginning is left out.

    Raises:
        SpecError: A quote is not closed, or nothing stands there.
    """
    try:
        words = tuple(shlex.split(run, comments=True)) if isinstance(run, str) else run
    except ValueError as error:
        raise SpecError(f"{run[:80]!r} is not a command: {str(error).lower()}.") from error
    words = words[1:] if words[:1] == ("edgerig",) else words
    if not words:
        raise SpecError("the command is empty", "Write an edgerig command, such as: train unet --dataset nuclei")
    return words


def references(text: str) -> list[str]:
    """What stands in ``${..}`` in ``text``; ``$${..}`` stands for itself.

    >>> references("--out ${outputs.model} $${HOME}")
    ['outputs.model']
    """
    return [match[2].strip() for match in _REFERENCE.finditer(text) if match[1] is None]


def replace(text: str, value_of: Callable[[str], str]) -> str:
    """``text`` with each ``${name}`` replaced by ``value_of(name)``, and ``$${`` by ``${``."""
    return _REFERENCE.sub(
        lambda match: f"${{{match[2]}}}" if match[1] is not None else value_of(match[2].strip()), text
    )


def fill_parameters(text: str, parameters: Mapping[str, Value]) -> str:
    """``text`` with its parameters filled in; references to inputs and outputs stay, and so does ``$${``.

    Raises:
        UnknownNameError: There is no such parameter.
    """

    def value(match: re.Match[str]) -> str:
        name = match[2].strip()
        if match[1] is not None or name.startswith(("inputs.", "outputs.")):
            return match[0]
        if name not in parameters:
            raise UnknownNameError("parameter", name, [*parameters, "inputs.NAME", "outputs.NAME"])
        return as_text(parameters[name])

    return _REFERENCE.sub(value, text)


def as_text(value: Value) -> str:
    """A parameter's value as it stands in a command: numbers and truth values as in YAML."""
    return value if isinstance(value, str) else json.dumps(value)


def parse_duration(text: str, name: str) -> float:
    """Seconds of a time with its unit.

    Raises:
        SpecError: It is no time above 0, or has no unit.

    >>> parse_duration("1.5 min", "timeout")
    90.0
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or (match[2] and match[2] not in _SECONDS):
        raise SpecError(f"{name}: {text[:40]!r} is no time, such as 90 s, 10 min or 2 h")
    if not match[2]:
        raise SpecError(f"{name}: {text[:40]} of what? Write {text[:40]} s, or {text[:40]} min")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if not 0 < seconds <= LONGEST:
        raise SpecError(f"{name}: {text[:40]!r} is not above 0 and below a year")
    return seconds
