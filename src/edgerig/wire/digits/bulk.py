"""Many messages at once, in the canonical layout: what servers and load generators send and receive by the thousand."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import WireError
from edgerig.wire.digits.layout import REPLY_SIZE, REQUEST_HEAD, REQUEST_SIZE, encode_inference_reply
from edgerig.wire.digits.messages import OUTPUTS, PIXELS

_HEAD = len(REQUEST_HEAD)
_HEAD_ROW = np.frombuffer(REQUEST_HEAD, np.uint8)
_REPLY = np.frombuffer(encode_inference_reply(np.zeros(OUTPUTS), 0.0), np.uint8)
#: Where the outputs, and in front of them their number and the time, lie in a reply.
_OUTPUTS_AT = REPLY_SIZE - 4 * OUTPUTS
_TIMER_AT = _OUTPUTS_AT - 8


def request_digits(data: bytes) -> NDArray[np.float32] | None:
    """The digits, ``(n, 784)``, of n inference requests of `REQUEST_SIZE` bytes each: a view of ``data``.

    None where one has another layout, or a number that is not finite: `decode_request` tells about each by itself.
    """
    count = len(data) // REQUEST_SIZE
    if count == 1:
        if data[:_HEAD] != REQUEST_HEAD:
            return None
        digits: NDArray[np.float32] = np.frombuffer(data, "<f4", PIXELS, _HEAD).reshape(1, PIXELS)
    else:
        rows = np.frombuffer(data, np.uint8, count * REQUEST_SIZE).reshape(count, REQUEST_SIZE)
        if not (rows[:, :_HEAD] == _HEAD_ROW).all():
            return None
        digits = rows[:, _HEAD:].view("<f4")
    return digits if np.isfinite(digits).all() else None


def inference_replies(outputs: NDArray[Any], times_ms: NDArray[Any]) -> bytes:
    """n replies of `REPLY_SIZE` bytes each.

    Args:
        outputs: ``(n, 10)``. times_ms: ``(n,)``, not negative.

    Raises:
        WireError: A number is not finite as float32.
    """
    count = len(outputs)
    numbers = np.empty((count, OUTPUTS + 1), "<f4")
    with np.errstate(over="ignore"):
        numbers[:, 0] = times_ms
        numbers[:, 1:] = outputs
    if not np.isfinite(numbers).all():
        raise WireError("A number in a reply is not finite.")
    replies = np.empty((count, REPLY_SIZE), np.uint8)
    replies[:] = _REPLY
    octets = numbers.view(np.uint8)
    replies[:, _TIMER_AT : _TIMER_AT + 4] = octets[:, :4]
    replies[:, _OUTPUTS_AT:] = octets[:, 4:]
    return replies.tobytes()
