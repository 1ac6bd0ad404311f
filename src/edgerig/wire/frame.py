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
from zlib import crc32

import msgspec

from edgerig.errors import WireError
from edgerig.wire.link import Link

VERSION = 1
SYNC = b"\xa5ERG"
PREAMBLE = struct.Struct("<4sBBHIHHIIII")
_COVERED = struct.Struct("<4sBBHIHHIII")
_CRC = struct.Struct("<I")
#: Bytes that may be thrown away in search of a frame before the peer is given up.
GARBAGE_LIMIT = 64 * 1024
_SCRATCH = 64 * 1024
_SIZE = PREAMBLE.size


class Kind(IntEnum):
    """What a frame is. IO, RESET and LOG are reserved."""

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


class Flag(IntFlag):
    """CHECKED: the payload's CRC-32 is given and must be checked. MORE: another answer to the request follows."""

    NONE = 0
    CHECKED = 1
    MORE = 2


#: Plain ints of the flags, for the hot path: an `IntFlag` operation costs more than a whole `struct.pack`.
CHECKED, MORE = int(Flag.CHECKED), int(Flag.MORE)
MODEL = int(Kind.MODEL)


class Limits(msgspec.Struct, frozen=True):
    """The largest header and payload that a receiver takes, in bytes. Nothing larger is ever allocated.

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


class FrameReader:
    """Reads frames off a link; what is no frame is skipped until the next one.

    Args:
        link: Where bytes come from.
        limits: What is too large to take.
        read_ahead: Whether more than one frame may be taken off the link at once, which saves system calls.
            Without it the link can be handed over to another reader between two frames.
    """

    def __init__(self, link: Link, limits: Limits | None = None, *, read_ahead: bool = True) -> None:
        self.link, self.limits = link, limits or Limits()
        self.skipped = 0
        self._scratch = bytearray(_SCRATCH if read_ahead else PREAMBLE.size)
        self._view = memoryview(self._scratch)
        self._start = self._end = 0
        self._large = bytearray()

    def read(self) -> Frame:
        """The next whole and undamaged frame.

        Raises:
            WireError: A frame is too large, or its header or payload is damaged, or its version is not ours, or there
                is nothing but garbage. After any but the first and the last the next frame can be read.
            ConnectionError: The peer closed the link. TimeoutError: it fell silent.
        """
        preamble = self._preamble()
        limits = self.limits
        if preamble.header_length > limits.header:
            raise _too_long("header", preamble.header_length, limits.header)
        limit = limits.payload if preamble.kind != MODEL or limits.model is None else limits.model
        if preamble.payload_length > limit:
            raise _too_long("payload", preamble.payload_length, limit)
        header = bytes(self._take(preamble.header_length))
        payload = self._take(preamble.payload_length)
        if preamble.version != VERSION:
            raise WireError(
                f"The peer speaks version {preamble.version} of the protocol, this edgerig version {VERSION}.",
                "Install the same edgerig on both sides.",
            )
        if crc32(header) != preamble.header_crc:
            raise WireError("A header came damaged: its checksum is wrong.", "Try again; check the link.")
        if preamble.flags & CHECKED and crc32(payload) != preamble.payload_crc:
            raise WireError("A payload came damaged: its checksum is wrong.", "Try again; check the link.")
        return Frame(
            preamble.kind, preamble.flags, preamble.request, header, payload, preamble.version, preamble.sequence
        )

    def release(self) -> None:
        """Give back the memory of a large payload; its view must not be used any more."""
        self._large = bytearray()

    def _preamble(self) -> Preamble:
        skipped = 0
        while True:
            if self._end - self._start < _SIZE:
                self._fill(_SIZE)
            start = self._start
            found = decode_preamble(self._view[start : start + _SIZE])
            if found is not None:
                self._start += _SIZE
                return found
            step = self._next_sync(start + 1) - start
            self._start += step
            self.skipped += step
            skipped += step
            if skipped > GARBAGE_LIMIT:
                raise WireError(
                    f"{skipped} bytes came, and no message among them.",
                    "Is it edgerig that answers there? Check the address.",
                )

    def _next_sync(self, start: int) -> int:
        """Where the next frame might begin: a whole sync marker, or the beginnings of one at the end."""
        found = self._scratch.find(SYNC, start, self._end)
        if found >= 0:
            return found
        for length in range(len(SYNC) - 1, 0, -1):
            place = self._end - length
            if place >= start and self._scratch.startswith(SYNC[:length], place):
                return place
        return self._end

    def _fill(self, count: int) -> None:
        """Have at least ``count`` bytes in the scratch buffer, which holds that many."""
        if self._start == self._end:
            self._start = self._end = 0
        elif self._start:
            rest = self._scratch[self._start : self._end]
            self._view[: len(rest)] = rest
            self._start, self._end = 0, len(rest)
        while self._end < count:
            self._end += self.link.recv_into(self._view[self._end :])

    def _take(self, count: int) -> memoryview:
        """The next ``count`` bytes; what does not lie in the scratch buffer is received in its final place."""
        start = self._start
        if self._end - start >= count:
            self._start += count
            return memoryview(bytes(self._view[start : start + count]))
        if len(self._large) < count:
            self._large = bytearray(count)
        target = memoryview(self._large)[:count]
        have = self._end - start
        target[:have] = self._view[start : self._end]
        self._start = self._end = 0
        while have < count:
            have += self.link.recv_into(target[have:])
        return target


def _too_long(what: str, length: int, limit: int) -> WireError:
    return WireError(f"A {what} of {length} B was announced; the limit is {limit} B.")
