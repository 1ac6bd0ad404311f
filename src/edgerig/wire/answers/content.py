"""The content of an answer as the type that it must be of."""

from __future__ import annotations

from typing import Any

from edgerig.errors import AnswerError, WireError
from edgerig.text import lines
from edgerig.wire.frame import Frame
from edgerig.wire.messages import unpack, unpack_tensors

#: Characters of a log.
LOG = 4096


def decoded(data: bytes | memoryview, kind: Any, what: str, who: str) -> Any:
    """The content of an answer to ``what``, decoded as the type ``kind``.

    Raises:
        AnswerError: It is of another type.
    """
    try:
        return unpack(data, kind)
    except WireError as error:
        raise AnswerError(f"{who} answers {what} with what it cannot be: {error.message}", error.hint) from error


def tensors(frame: Frame, who: str, before: int = 0) -> tuple[int, list[memoryview]]:
    """As `edgerig.wire.messages.unpack_tensors`, out of an answer.

    Raises:
        AnswerError: Header and payload do not agree.
    """
    try:
        return unpack_tensors(frame.header, frame.payload, before)
    except WireError as error:
        raise AnswerError(f"{who} answers with tensors that cannot be: {error.message}", error.hint) from error


def checked_log(payload: memoryview) -> str:
    """The last lines of a device's log."""
    return lines(bytes(payload[-4 * LOG :]).decode(errors="replace"), LOG)
