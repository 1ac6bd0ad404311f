"""Limits of what a device can mean, and the error of an answer beyond them."""

from __future__ import annotations

from edgerig.errors import AnswerError
from edgerig.text import one_line

#: No device has more tensors, dimensions, elements, threads or bytes.
MOST_TENSORS, MOST_DIMENSIONS, MOST_ELEMENTS = 256, 16, 2**40
MOST_THREADS, MOST_CORES, MOST_BYTES = 4096, 65536, 2**60
#: Longest plausible duration, in seconds: a larger one means that a clock was read wrongly.
LONGEST_SECONDS = 1e7
#: Names of figures, layers and packages that are kept.
MOST_NAMES = 1000
#: Characters of a name, and of a message.
NAME, MESSAGE = 200, 4000


def refused(who: str, what: str) -> AnswerError:
    """The error of a device that ``what``: ``tells 3 inputs``."""
    return AnswerError(
        f"{who} {what}, which cannot be.", "Its software is at fault, or of another version: docs/wire.md says what is."
    )


def is_sha256(text: str) -> bool:
    """Whether a text is a SHA-256 in hexadecimal digits."""
    return len(text) == 64 and all(char in "0123456789abcdef" for char in text)


def text_of(value: str | None) -> str | None:
    """A text that may be missing, as a name."""
    return None if value is None else one_line(value, NAME)
