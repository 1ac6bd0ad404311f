"""Frames: how messages lie on a byte stream, so that any receiver can tell a good one from garbage.

``docs/wire.md`` is the specification. A frame is a preamble of 32 bytes, a header and a payload::

    0  4  sync A5 45 52 47     8  4  request id        20  4  CRC-32 of the header
    4  1  version              12 2  sequence number   24  4  CRC-32 of the payload, if flag CHECKED
    5  1  kind                 14 2  header length     28  4  CRC-32 of bytes 0 to 27
    6  2  flags                16 4  payload length    32     header, then payload

The preamble has a checksum of its own: a receiver never waits for a length that came damaged, and it knows before it
takes in a single byte of the rest how much there will be and whether it wants it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum, IntFlag

import msgspec

from edgerig.errors import WireError
from edgerig.wire.crc import crc32

VERSION = 1
SYNC = b"\xa5ERG"
PREAMBLE = struct.Struct("<4sBBHIHHIIII")
_COVERED = struct.Struct("<4sBBHIHHIII")
_CRC = _WORD = struct.Struct("<I")


class Kind(IntEnum):
    """What a frame is."""

    OK = 1
    ERROR = 2
    DATA = 3
    MODEL = 4
    PROCESS = 5
    OUTPUT = 6
    STATS = 7
    HELLO = 8
    RUN = 9
    PROFILE = 10
    MEMORY = 11
    IO = 12
    RESET = 13
    LOG = 14
    LEASE = 15
    BEGIN = 16
    CENSUS = 17
    RING = 18


class Flag(IntFlag):
    """CHECKED: the payload's CRC-32 is given and must be checked. MORE: another answer to the request follows."""

    NONE = 0
    CHECKED = 1
    MORE = 2


#: Plain ints of the flags, for the hot path: an `IntFlag` operation costs more than a whole `struct.pack`.
CHECKED, MORE = int(Flag.CHECKED), int(Flag.MORE)
MODEL = int(Kind.MODEL)


class Limits(msgspec.Struct, frozen=True):
    """The largest header and payload that a receiver takes, in bytes.

    ``model`` is the limit for the payload of MODEL where it is another one.
    """

    header: int = 60 * 1024
    payload: int = 1024 * 1024 * 1024
    model: int | None = None


class Frame(msgspec.Struct, frozen=True):
    """A received frame. ``payload`` is a view that is valid until the next frame is read."""

    kind: int
    flags: int
    request: int
    header: bytes
    payload: memoryview
    version: int = VERSION
    sequence: int = 0

    @property
    def more(self) -> bool:
        """Whether another answer to the same request follows."""
        return bool(self.flags & MORE)


class Preamble(msgspec.Struct, frozen=True):
    """The decoded first 32 bytes of a frame."""

    version: int
    kind: int
    flags: int
    request: int
    sequence: int
    header_length: int
    payload_length: int
    header_crc: int
    payload_crc: int


def encode(
    kind: int,
    request: int,
    header: bytes = b"",
    payload: Sequence[memoryview] = (),
    *,
    flags: int = 0,
    checked: bool = True,
    sequence: int = 0,
) -> list[bytes | memoryview]:
    """A frame as buffers to be sent one after another; payload buffers are passed on, not copied.

    Args:
        payload: Views of bytes (format ``B``, contiguous), sent in this order as one payload.
        checked: Whether the payload gets a CRC-32.

    Raises:
        WireError: The header or payload is longer than a frame can say.
    """
    length = payload_crc = 0
    for part in payload:
        length += part.nbytes
        if checked:
            payload_crc = crc32(part, payload_crc)
    if len(header) > 0xFFFF or length > 0xFFFFFFFF:
        raise WireError(f"A header of {len(header)} B with a payload of {length} B is too long for one frame.")
    if checked and length:
        flags |= CHECKED
    covered = _COVERED.pack(
        SYNC, VERSION, kind, flags, request, sequence, len(header), length, crc32(header), payload_crc
    )
    first = covered + _CRC.pack(crc32(covered)) + header
    return [first, *payload] if length else [first]


def decode_preamble(data: bytes | bytearray | memoryview) -> Preamble | None:
    """The preamble in the 32 bytes ``data``, or None if it is none: no sync, or a wrong checksum."""
    sync, version, kind, flags, request, sequence, header, payload, header_crc, payload_crc, crc = PREAMBLE.unpack(data)
    if sync != SYNC or crc32(data[:28]) != crc:
        return None
    return Preamble(version, kind, flags, request, sequence, header, payload, header_crc, payload_crc)
