"""Finds frames in bytes that may be damaged, missing or too many."""

from __future__ import annotations

import msgspec

from edgerig.wire.crc import crc32
from edgerig.wire.frame import CHECKED, PREAMBLE, SYNC, VERSION, Frame, Limits, Preamble, decode_preamble

_ROOM = 64 * 1024


class Damage(msgspec.Struct, frozen=True):
    """A frame whose first 32 bytes were good and the rest was not. ``version`` is the sender's."""

    kind: int
    request: int
    sequence: int
    version: int
    why: str


class Scanner:
    """A buffer that bytes are put into as they come, and that frames are taken from.

    What a damaged frame seemed to hold is searched for frames too: bytes that were lost make it swallow what follows.

    Args:
        limits: Longer frames count as damaged.

    Attributes:
        skipped: Bytes that were part of no frame.
        frames: Good frames that were found.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.skipped = self.frames = 0
        self._data = bytearray(_ROOM)
        self._view = memoryview(self._data)
        self._start = self._end = 0
        self._preamble: Preamble | None = None
        # Checksum of the current payload so far, and the number of bytes in it. It is computed while bytes arrive, so
        # that it takes no time after the last of them.
        self._crc = self._summed = 0

    @property
    def partial(self) -> bool:
        """Whether there are bytes that might be the beginning of a frame."""
        return self._end > self._start

    @property
    def arrived(self) -> int:
        """Bytes that are here and not taken yet."""
        return self._end - self._start

    @property
    def awaited(self) -> int:
        """Total bytes of the current frame; 0 if none has begun."""
        return _length(self._preamble) if self._preamble is not None else 0

    @property
    def missing(self) -> int:
        """Bytes of the current frame that have not arrived yet; 0 if none has begun."""
        return max(0, _length(self._preamble) - self._end + self._start) if self._preamble is not None else 0

    def space(self) -> memoryview:
        """Where the next bytes are to be put; views of frames that were taken before end with this call."""
        have = self._end - self._start
        if have == 0:
            self._start = self._end = 0
        # Room is made for half as much again as has come, whatever length was announced.
        want = min(max(self.awaited, PREAMBLE.size), have + max(_ROOM, have // 2))
        if self._start + want > len(self._data) or self._end == len(self._data):
            size = max(want, have) + _ROOM // 2
            data = bytearray(size) if size > len(self._data) else self._data
            # Copied by way of bytes where it moves within one buffer.
            rest = self._view[self._start : self._end]
            data[:have] = bytes(rest) if data is self._data else rest
            self._data, self._view = data, memoryview(data)
            self._start, self._end = 0, have
        return self._view[self._end :]

    def put(self, count: int) -> None:
        """``count`` bytes were put into `space`."""
        self._end += count
        if self._preamble is not None:
            self._sum(self._preamble)

    def feed(self, data: bytes) -> None:
        """Put ``data``, all of it."""
        rest = memoryview(data)
        while rest:
            space = self.space()[: len(rest)]
            space[:] = rest[: len(space)]
            self.put(len(space))
            rest = rest[len(space) :]

    def next(self) -> Frame | Damage | None:
        """The next frame, or what is wrong with it; None if more bytes are needed. A frame is a view into `space`."""
        while True:
            preamble = self._preamble or self._hunt()
            if preamble is None:
                return None
            if self._preamble is None:
                self._preamble, self._crc, self._summed = preamble, 0, 0
            limits = self.limits
            if preamble.header_length > limits.header or preamble.payload_length > limits.payload:
                return self._damaged("it is too long")
            whole = _length(preamble)
            if self._end - self._start < whole:
                return None
            body = self._view[self._start + PREAMBLE.size : self._start + whole]
            header, payload = body[: preamble.header_length], body[preamble.header_length :]
            if preamble.version != VERSION:
                return self._damaged(f"it is of version {preamble.version}")
            if crc32(header) != preamble.header_crc:
                return self._damaged("its header came damaged")
            self._sum(preamble)
            if preamble.flags & CHECKED and self._crc != preamble.payload_crc:
                return self._damaged("its payload came damaged")
            self._start += whole
            self._preamble = None
            self.frames += 1
            return Frame(
                preamble.kind,
                preamble.flags,
                preamble.request,
                bytes(header),
                payload,
                preamble.version,
                preamble.sequence,
            )

    def idle(self) -> Damage | None:
        """Give up the current frame after a silence. To be called until it returns None."""
        if self._preamble is not None:
            return self._damaged("it ended in the middle")
        self.skipped += self._end - self._start
        self._start = self._end = 0
        return None

    def _sum(self, preamble: Preamble) -> None:
        """Take into the checksum what has come of the payload of the frame behind ``preamble``."""
        payload = self._start + PREAMBLE.size + preamble.header_length
        stop = min(self._end, payload + preamble.payload_length)
        if preamble.flags & CHECKED and stop > payload + self._summed:
            self._crc = crc32(self._view[payload + self._summed : stop], self._crc)
            self._summed = stop - payload

    def _damaged(self, why: str) -> Damage:
        preamble = self._preamble
        assert preamble is not None
        self._preamble = None
        # Skip only the sync marker: another frame may begin anywhere behind it.
        self._start += 1
        self.skipped += 1
        return Damage(preamble.kind, preamble.request, preamble.sequence, preamble.version, why)

    def _hunt(self) -> Preamble | None:
        """The next good preamble; what stands before it is dropped."""
        while True:
            position = self._data.find(SYNC, self._start, self._end)
            if position < 0:
                position = self._tail()
            self.skipped += position - self._start
            self._start = position
            if self._end - position < PREAMBLE.size:
                return None
            preamble = decode_preamble(self._view[position : position + PREAMBLE.size])
            if preamble is not None:
                return preamble
            self._start += 1
            self.skipped += 1

    def _tail(self) -> int:
        """Where a sync marker might begin whose end has not arrived yet."""
        for length in range(min(len(SYNC) - 1, self._end - self._start), 0, -1):
            if self._data.startswith(SYNC[:length], self._end - length):
                return self._end - length
        return self._end


def _length(preamble: Preamble) -> int:
    return PREAMBLE.size + preamble.header_length + preamble.payload_length
