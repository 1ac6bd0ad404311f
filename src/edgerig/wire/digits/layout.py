"""The canonical layout of each message, in which they are written and recognised at once.

FlatBuffers leaves a writer many layouts. These are the ones that come of adding the fields in this order, defaults
included: ``cmd`` before the table in `Commands`; ``version``, ``freq``, ``mode`` in `Stats`; ``timer_ms``,
``output_n``, ``output_f`` in `InferenceOutput`. So they have one size whatever is in them, which clients that read a
fixed number of bytes rely on: a builder that leaves defaults out makes 92 bytes of a reply whose timer is 0.
"""

from __future__ import annotations

import math
import struct

import numpy as np
from numpy.typing import ArrayLike

from edgerig.errors import WireError
from edgerig.wire.digits.messages import OUTPUTS, PIXELS, StatsReply

#: The bytes of an inference request before its floats.
REQUEST_HEAD = bytes.fromhex(
    "10000000 00000a00 0a000900 00000400 0a000000 0c000000 00010600 08000400 06000000 04000000 10030000"
)
_REPLY_HEAD = bytes.fromhex(
    "10000000 0c000a00 09000000 00000400 0c000000 10000000 00020a00 10000400 0b000c00 0a000000 0c000000"
)
_STATS_HEAD = bytes.fromhex("0c000000 08000a00 00000400 08000000 10000000 00000a00 10000f00 08000700 0a000000")
#: After the head: output_n behind three bytes of padding, timer_ms, the vector's length, output_f.
_REPLY_REST = struct.Struct(f"<3xBfI{OUTPUTS}f")
#: After the head: mode behind three bytes of padding, freq, version behind three bytes of padding.
_STATS_REST = struct.Struct("<3xbI3xB")

#: The whole of a request for statistics.
STATS_REQUEST = bytes.fromhex("08000000 04000400 04000000")
#: Bytes of each message.
REQUEST_SIZE = len(REQUEST_HEAD) + 4 * PIXELS
REPLY_SIZE = len(_REPLY_HEAD) + _REPLY_REST.size
STATS_REPLY_SIZE = len(_STATS_HEAD) + _STATS_REST.size


def encode_inference_request(digit: ArrayLike) -> bytes:
    """A request of 3180 bytes for the inference of ``digit``: 784 finite numbers in whatever shape.

    Raises:
        WireError: There are not 784, or one is no number or not finite as float32.
    """
    return REQUEST_HEAD + _floats(digit, PIXELS, "a digit")


def encode_inference_reply(outputs: ArrayLike, timer_ms: float, output_n: int = OUTPUTS) -> bytes:
    """A reply of 96 bytes: the network's 10 ``outputs``, and its time in ms.

    Raises:
        WireError: There are not 10, one is not finite as float32, or the time is not finite or below 0.
    """
    values = np.frombuffer(_floats(outputs, OUTPUTS, "a reply"), "<f4").tolist()
    if not (math.isfinite(timer_ms) and timer_ms >= 0):
        raise WireError(f"A time of {timer_ms} ms cannot be sent: it is not a finite number from 0 up.")
    try:
        return _REPLY_HEAD + _REPLY_REST.pack(output_n, timer_ms, OUTPUTS, *values)
    except (struct.error, OverflowError) as error:
        raise WireError(f"timer_ms={timer_ms} or output_n={output_n} does not fit into a reply: {error}.") from error


def encode_stats_reply(stats: StatsReply) -> bytes:
    """A reply of 48 bytes.

    Raises:
        WireError: A field is outside its range.
    """
    try:
        return _STATS_HEAD + _STATS_REST.pack(stats.mode, stats.freq, stats.version)
    except struct.error as error:
        raise WireError(f"{stats} does not fit into a reply: {error}.") from error


def _floats(values: ArrayLike, count: int, what: str) -> bytes:
    try:
        with np.errstate(over="ignore"):
            array = np.asarray(values, "<f4")
    except (TypeError, ValueError) as error:
        raise WireError(f"The numbers of {what} are no numbers: {error}.") from error
    if array.size != count:
        raise WireError(f"There are {array.size} numbers in {what}, not {count}.")
    if not np.isfinite(array).all():
        raise WireError(f"A number in {what} is not finite.")
    return array.tobytes()
