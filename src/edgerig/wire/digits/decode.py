"""From bytes to messages: whatever the bytes are, the result is a message that is right or a `WireError`."""

from __future__ import annotations

import math
import struct

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import WireError
from edgerig.wire.digits.layout import REQUEST_HEAD, REQUEST_SIZE, STATS_REQUEST
from edgerig.wire.digits.messages import (
    OUTPUTS,
    PIXELS,
    Command,
    InferenceReply,
    InferenceRequest,
    Reply,
    Request,
    StatsReply,
    StatsRequest,
)
from edgerig.wire.digits.tables import Data, Incomplete, Walker

_HEAD = len(REQUEST_HEAD)
_F32 = struct.Struct("<f")
_U32 = struct.Struct("<I")


class _Fields(msgspec.Struct):
    """Where the parts of a message lie; 0 and None for what it has not."""

    cmd: int
    end: int
    stats: tuple[int, int, int] | None = None
    digit: tuple[int, int] | None = None
    output_f: tuple[int, int] | None = None
    output_n: int = 0
    timer_ms: int = 0


def message_length(data: Data) -> int | None:
    """How many bytes the message at the start of ``data`` takes; None while more must come to tell or to complete it.

    Messages carry no length: one ends where the last of what its offsets lead to ends.

    Raises:
        WireError: No message begins like this.
    """
    if bytes(data[:_HEAD]) == REQUEST_HEAD:
        return REQUEST_SIZE if len(data) >= REQUEST_SIZE else None
    try:
        return _walk(data).end
    except Incomplete:
        return None


def decode_request(data: Data) -> Request:
    """The request that ``data`` is, of whichever layout. A digit is a view into ``data``: it lives as long as that.

    Raises:
        WireError: It is none: malformed, cut, of the wrong size, with numbers that are not finite, or a reply.
    """
    if len(data) == REQUEST_SIZE and bytes(data[:_HEAD]) == REQUEST_HEAD:
        return InferenceRequest(_finite(np.frombuffer(data, "<f4", PIXELS, _HEAD)))
    if data == STATS_REQUEST:
        return StatsRequest()
    fields = _whole(data)
    if fields.cmd == Command.GET_STATS:
        return StatsRequest()
    if fields.cmd != Command.INFERENCE_INPUT:
        raise WireError(f"The message is no request: its command is {fields.cmd}.")
    return InferenceRequest(_vector(data, fields.digit, PIXELS, "digit"))


def decode_reply(data: Data) -> Reply:
    """The reply that ``data`` is, of whichever layout and with whichever defaults left out.

    Raises:
        WireError: It is none: malformed, cut, of the wrong size, with numbers that are not finite, or a request.
    """
    fields = _whole(data)
    if fields.cmd == Command.GET_STATS:
        if fields.stats is None:
            raise WireError("The message is no reply: it has no statistics.")
        version, freq, mode = fields.stats
        return StatsReply(
            data[version] if version else 0,
            int(_U32.unpack_from(data, freq)[0]) if freq else 0,
            _signed(data[mode]) if mode else 0,
        )
    if fields.cmd != Command.INFERENCE_OUTPUT:
        raise WireError(f"The message is no reply: its command is {fields.cmd}.")
    outputs = _vector(data, fields.output_f, OUTPUTS, "output_f").copy()
    timer_ms = float(_F32.unpack_from(data, fields.timer_ms)[0]) if fields.timer_ms else 0.0
    if not (math.isfinite(timer_ms) and timer_ms >= 0):
        raise WireError(f"The reply's time is {timer_ms} ms, which cannot be.")
    return InferenceReply(outputs, timer_ms, data[fields.output_n] if fields.output_n else 0)


def _whole(data: Data) -> _Fields:
    """The parts of a message that is all of ``data``."""
    try:
        fields = _walk(data)
    except Incomplete as error:
        raise WireError(f"The message is cut: it goes on behind its {len(data)} bytes.") from error
    if fields.end != len(data):
        raise WireError(f"Behind the message of {fields.end} bytes {len(data) - fields.end} more follow.")
    return fields


def _walk(data: Data) -> _Fields:
    """Go through all that the message's offsets lead to."""
    walker = Walker(data)
    cmd, stats, digit_input, output = walker.table(walker.indirect(0), (1, 4, 4, 4))
    fields = _Fields(_signed(data[cmd]) if cmd else 0, 0)
    if stats:
        version, freq, mode = walker.table(walker.indirect(stats), (1, 4, 1))
        fields.stats = (version, freq, mode)
    if digit_input:
        (digit,) = walker.table(walker.indirect(digit_input), (4,))
        fields.digit = walker.floats(walker.indirect(digit)) if digit else None
    if output:
        output_f, fields.output_n, fields.timer_ms = walker.table(walker.indirect(output), (4, 1, 4))
        fields.output_f = walker.floats(walker.indirect(output_f)) if output_f else None
    fields.end = walker.end
    return fields


def _vector(data: Data, where: tuple[int, int] | None, length: int, name: str) -> NDArray[np.float32]:
    position, count = where or (0, 0)
    if count != length:
        raise WireError(f"{name} has {count} numbers, not {length}.")
    return _finite(np.frombuffer(data, "<f4", length, position))


def _finite(values: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(values).all():
        raise WireError("A number in the message is not finite.")
    return values


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte
