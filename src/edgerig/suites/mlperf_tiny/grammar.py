"""The words of MLPerf Tiny's device protocol, v1.4, as both sides use them.

The host sends ``text%``; the device answers in lines that end in CR LF, the last of which is ``m-ready``. Source: the
public ``api/internally_implemented.cpp`` of MLCommons' reference implementation; errors are spelled as there.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

#: Ends a command of the host.
TERMINATOR = b"%"
#: Ends a line of the device.
NEWLINE = b"\r\n"
#: Bytes that a device keeps of one command.
COMMAND_BYTES = 80
#: Bytes of the largest sample that a device takes.
LARGEST_SAMPLE = 27_648
#: Bytes of data in one ``db`` line of the host, and behind a power manager, which needs room for its prefix.
DATA_BYTES, DATA_BYTES_BEHIND_MANAGER = 31, 26
#: Usual bits a second in energy mode, where the line crosses an isolator.
ENERGY_BAUD = 9600
#: Inferences before the measured ones where the host does not say: it always should.
DEFAULT_WARM_UP = 10
#: Bytes of one line of ``db print``.
PRINTED_BYTES = 8

READY = "m-ready"
INIT_DONE = "m-init-done"
LOAD_DONE = "m-load-done"
WARM_UP_DONE = "m-warmup-done"
INFER_DONE = "m-infer-done"
PROFILE = "ULPMark for tinyML Firmware V0.0.1"

NEEDS_BYTES = "Command 'db load' requires the # of bytes"
NOT_POSITIVE = "Command 'db load' must be >0 bytes"
ODD_DIGITS = "Insufficent number of hex digits"
NEEDS_SUBCOMMAND = "Command 'db' requires a subcommand"
NO_ITERATIONS = "Inference iterations must be >0"
NEGATIVE_WARM_UP = "Inference warmup must be >=0"
#: Of a device of edgerig's on TCP, which the reference knows nothing of.
OCCUPIED = "Another host is connected"

_LINE = re.compile(r"([me])-(?:\[(?P<whole>.*)\]|(?P<words>.*))")


def too_large(count: int) -> str:
    """What a device says of a sample that does not fit."""
    return f"Supplied buffer size {count} exceeds maximum of {LARGEST_SAMPLE}"


def wrong_size(count: int, expected: int) -> str:
    """What a device says of an ``infer`` on a sample of ``count`` bytes that is not whole, or not of its benchmark.

    The reference prints as much without ``e-``, and then runs whatever its input tensor holds.
    """
    return f"Input db has {count} bytes, expected {expected}"


def bad_digit(digits: str) -> str:
    """What a device says of ``digits`` that are no hexadecimal byte."""
    return f"Invalid hex digit '{digits}'"


def unknown_command(command: str) -> str:
    """What a device says of a command that it does not know."""
    return f"Unknown command: {command}"


class Message(msgspec.Struct, frozen=True):
    """A line of the device, taken apart.

    Attributes:
        kind: ``m`` a message, ``e`` an error.
        text: What follows the kind, without brackets around the whole.
    """

    kind: Literal["m", "e"]
    text: str

    def value(self, key: str) -> str | None:
        """What follows ``key-``, without brackets: ``kws01`` of ``m-model-[kws01]``; None if it is no such line."""
        if self.kind != "m" or not self.text.startswith(f"{key}-"):
            return None
        return self.text[len(key) + 1 :].removeprefix("[").removesuffix("]")


def parse_line(line: str) -> Message | None:
    """A line as the device sent it; None for what is neither message nor error, such as a log of its own."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        return None
    whole = match["whole"]
    return Message("m" if match[1] == "m" else "e", match["words"] if whole is None else whole)
