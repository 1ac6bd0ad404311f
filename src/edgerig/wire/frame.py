"""Sends and receives frames, whose layout is in `edgerig.wire.layout`, over a link that moves bytes in order."""

from __future__ import annotations

import time
from collections.abc import Sequence

from edgerig.errors import WireError
from edgerig.wire.crc import crc32
from edgerig.wire.layout import (
    _COVERED,
    _CRC,
    _WORD,
    CHECKED,
    MODEL,
    MORE,
    PREAMBLE,
    SYNC,
    VERSION,
    Flag,
    Frame,
    Kind,
    Limits,
    Preamble,
    decode_preamble,
    encode,
)
from edgerig.wire.link import Link
from edgerig.wire.pace import Deadline

__all__ = [
    "ALIGNMENT", "CHECKED", "GARBAGE_LIMIT", "GARBAGE_SECONDS", "MODEL", "MORE", "PREAMBLE", "SYNC", "VERSION",
    "_COVERED", "_CRC", "Flag", "Frame", "FrameReader", "FrameWriter", "Kind", "Limits", "Preamble", "decode_preamble",
    "encode",
]  # fmt: skip

#: Payloads begin at a multiple of this many bytes in memory, as numbers of every dtype need it.
ALIGNMENT = 16
#: Bytes that are skipped in search of a frame before the peer is given up.
GARBAGE_LIMIT = 64 * 1024
#: Seconds that the search may take, from the first byte that is not part of a frame.
GARBAGE_SECONDS = 30.0
#: Seconds by which a wait may end early.
_CLOSE = 0.01
#: Bytes of garbage that an error message shows.
_SHOWN = 80
_SCRATCH = 64 * 1024
#: Bytes that are allocated at once for a frame; for a larger one as it arrives, whatever it announces.
AT_ONCE = 1024 * 1024
#: Cached preambles with headers at most; there is one for each number of samples in a message.
_HEADS = 64
_SIZE = PREAMBLE.size


class FrameWriter:
    """Sends frames over a link. Preamble and header are cached for messages that differ only in number and checksum.

    Args:
        link: Where bytes go.
        checked: Whether payloads get a CRC-32.
    """

    def __init__(self, link: Link, *, checked: bool) -> None:
        self.link, self.checked = link, checked
        self._heads: dict[tuple[int, bytes, int, int], bytearray] = {}

    def write(
        self, kind: int, request: int, header: bytes = b"", payload: Sequence[memoryview] = (), *, flags: int = 0
    ) -> None:
        """Send a frame; arguments as for `encode`.

        Raises:
            WireError: The header or payload is longer than a frame can say. OSError: as the link's ``send``.
        """
        self.link.send(self.frame(kind, request, header, payload, flags=flags))

    def frame(
        self, kind: int, request: int, header: bytes = b"", payload: Sequence[memoryview] = (), *, flags: int = 0
    ) -> list[bytearray | memoryview]:
        """A frame as buffers to be sent, the first of them valid until the next frame. Arguments as for `encode`."""
        length = crc = 0
        for part in payload:
            length += part.nbytes
        if self.checked and length:
            flags |= CHECKED
            for part in payload:
                crc = crc32(part, crc)
        head = self._heads.get((kind, header, length, flags))
        if head is None:
            head = self._new_head(kind, header, length, flags)
        _WORD.pack_into(head, 8, request)
        if flags & CHECKED:
            _WORD.pack_into(head, 24, crc)
        _WORD.pack_into(head, 28, crc32(head[: _COVERED.size]))
        return [head, *payload] if length else [head]

    def _new_head(self, kind: int, header: bytes, length: int, flags: int) -> bytearray:
        if length > 0xFFFFFFFF:
            raise WireError(f"A payload of {length} B is too long for one frame.")
        (first,) = encode(kind, 0, header, flags=flags)
        head = bytearray(first)
        _WORD.pack_into(head, 16, length)
        if len(self._heads) >= _HEADS:
            self._heads.clear()
        self._heads[kind, header, length, flags] = head
        return head


class FrameReader:
    """Reads frames off a link; what is no frame is skipped until the next one.

    A frame is received where it stays: in one buffer, placed so that its payload lies at a multiple of ``ALIGNMENT``.
    Only where several small frames came at once is a payload copied to where it does.

    Args:
        link: Where bytes come from.
        limits: What is too large to take.
        read_ahead: Whether more than one frame may be taken off the link at once, which saves system calls.
            Without it the link can be handed over to another reader between two frames.
        grace: Seconds in which a frame that has begun must move on (`edgerig.wire.pace`); None for however slowly.
    """

    def __init__(
        self, link: Link, limits: Limits | None = None, *, read_ahead: bool = True, grace: float | None = None
    ) -> None:
        self.link, self.limits, self.grace = link, limits or Limits(), grace
        self._deadline: Deadline | None = None
        self.skipped = 0
        self._ahead = _SCRATCH if read_ahead else 0
        self._start = self._end = self._skipped = 0
        self._garbage, self._garbage_since = b"", 0.0
        # The next frame is likely to be as long as the last, and to have a header as long.
        self._expected = self._lead = self._place = 0
        self._target: memoryview | None = None
        self._payload = memoryview(b"")
        self._buffer = bytearray()
        self._renew(max(self._ahead, _SIZE))

    @property
    def held(self) -> int:
        """Bytes of memory that are held for frames."""
        return len(self._buffer)

    @property
    def has_ahead(self) -> bool:
        """Whether bytes behind the last frame are here already."""
        return self._end > self._start

    @property
    def unread(self) -> bytes:
        """What came and is no message, or the beginning of one: the first bytes of it that are still here."""
        return (self._garbage + bytes(self._view[self._start : self._end]))[:_SHOWN]

    def read(self) -> Frame:
        """The next whole and undamaged frame.

        Raises:
            WireError: A frame is too large, or its header or payload is damaged, or its version is not ours, or there
                is nothing but garbage. After any but the first and the last the next frame can be read.
            ConnectionError: The peer closed the link. TimeoutError: it fell silent, or sends too slowly.
        """
        self._deadline = None
        while True:
            if self._start == self._end:
                # Fast path: the frame lies where it was expected.
                target = self._target or self._aim()
                self._end = self._lead + self.link.recv_into(target)
                self._start = self._lead
            if self._end - self._start < _SIZE:
                self._receive(_SIZE, self._lead)
            fields = PREAMBLE.unpack_from(self._buffer, self._start)
            sync, version, kind, flags, request, sequence, header_length, length, header_crc, payload_crc, crc = fields
            if sync == SYNC and crc32(self._view[self._start : self._start + _COVERED.size]) == crc:
                break
            self._search()
        self._check_lengths(kind, header_length, length)
        before = _SIZE + header_length
        size = before + length
        if self._end - self._start < size:
            self._receive(size, -before % ALIGNMENT)
        offset = self._start + before
        header, payload = bytes(self._view[offset - header_length : offset]), self._payload
        if offset != self._place or length != len(payload):
            payload, self._place = self._view[offset : offset + length], offset
        self._start, self._payload = offset + length, payload
        if size != self._expected:
            self._expected, self._lead, self._target = size, -before % ALIGNMENT, None
        self._skipped, self._garbage = 0, b""
        if version != VERSION:
            raise WireError(
                f"The peer speaks version {version} of the protocol, this edgerig version {VERSION}.",
                "Install the same edgerig on both sides.",
            )
        if crc32(header) != header_crc:
            raise WireError("A header came damaged: its checksum is wrong.", "Try again; check the link.")
        if flags & CHECKED and crc32(payload) != payload_crc:
            raise WireError("A payload came damaged: its checksum is wrong.", "Try again; check the link.")
        if offset % ALIGNMENT:
            payload = memoryview(bytes(payload))
        return Frame(kind, flags, request, header, payload, version, sequence)

    def take_ahead(self) -> bytes:
        """The bytes behind the last frame that are here already, which another reader is to have (`give_ahead`)."""
        taken, self._start = bytes(self._view[self._start : self._end]), self._end
        return taken

    def give_ahead(self, data: bytes) -> None:
        """Read ``data`` before what the link has; to be called before the first frame is read."""
        self._move(0, max(len(self._buffer), len(data)))
        self._view[: len(data)] = data
        self._start, self._end = 0, len(data)

    def release(self) -> None:
        """Give back the memory of a large payload; its view must not be used any more."""
        if len(self._buffer) > 2 * _SCRATCH:
            self._expected, self._lead, self._target = 0, 0, None
            self._move(0, max(self._ahead, _SIZE, self._end - self._start), shrink=True)

    def _check_lengths(self, kind: int, header_length: int, length: int) -> None:
        limits = self.limits
        if header_length > limits.header:
            raise _too_long("header", header_length, limits.header)
        limit = limits.payload if kind != MODEL or limits.model is None else limits.model
        if length > limit:
            raise _too_long("payload", length, limit)

    def _search(self) -> None:
        """Skip to where the next frame might begin."""
        step = self._next_sync(self._start + 1) - self._start
        if not self._skipped:
            self._garbage, self._garbage_since = b"", time.monotonic()
        if len(self._garbage) < _SHOWN:
            self._garbage += bytes(self._view[self._start : self._start + min(step, _SHOWN)])
        self._start += step
        self.skipped += step
        self._skipped += step
        if self._skipped > GARBAGE_LIMIT or time.monotonic() - self._garbage_since > GARBAGE_SECONDS:
            raise WireError(
                f"{self._skipped} bytes came, and no message among them.",
                "Is it edgerig that answers there? Check the address.",
            )

    def _next_sync(self, start: int) -> int:
        """Where the next frame might begin: a whole sync marker, or the beginnings of one at the end."""
        position = self._buffer.find(SYNC, start, self._end)
        if position >= 0:
            return position
        for length in range(len(SYNC) - 1, 0, -1):
            tail = self._end - length
            if tail >= start and self._buffer.startswith(SYNC[:length], tail):
                return tail
        return self._end

    def _aim(self) -> memoryview:
        """Choose where to receive the next frame, assuming that it has the same size as the last."""
        room = self._room(max(_SIZE, self._expected if self._ahead else 0))
        if self._lead + room > len(self._buffer):
            self._renew(room)
        self._target = self._view[self._lead : self._lead + room]
        return self._target

    def _room(self, need: int) -> int:
        """How many bytes to receive at once, for a frame of ``need`` bytes.

        Nothing beyond a large frame, so that the next one can be received in the same place. With small frames as
        many as come.
        """
        return max(need, self._ahead if need <= self._ahead else 0)

    def _receive(self, need: int, lead: int) -> None:
        """Have at least ``need`` bytes of the frame at ``_start``, which is moved to ``lead`` if it has no room."""
        room = self._room(need)
        begin = min(room, self._granted())
        if self._start + begin > len(self._buffer) or (need > _SIZE and (self._start - lead) % ALIGNMENT):
            self._move(lead, begin)
        if self._deadline is None and self.grace is not None:
            self._deadline = Deadline(self.grace, moved=self._end - self._start)
        while self._end - self._start < need:
            stop = min(self._start + room, len(self._buffer))
            if self._end == stop:
                self._grow(need)
                continue
            self._end += self._receive_some(self._view[self._end : stop])

    def _receive_some(self, target: memoryview) -> int:
        """Receive more of a frame that has begun; how many bytes."""
        if self._deadline is None:
            return self.link.recv_into(target)
        left = self._deadline.left(self._end - self._start)
        until = time.monotonic() + left - _CLOSE
        try:
            return self.link.recv_within(target, left)
        except TimeoutError:
            if time.monotonic() < until:
                raise  # the link's own limit is shorter
            # The deadline decides whether enough has arrived.
            self._deadline.left(self._end - self._start)
            return 0

    def _granted(self) -> int:
        """How much memory a frame may have now: 1.5 times what has arrived of it, whatever length it announces."""
        have = self._end - self._start
        return max(AT_ONCE, have + have // 2)

    def _grow(self, need: int) -> None:
        """Add room behind what is here of a frame of ``need`` bytes."""
        size = min(need, self._granted())
        # Release all views of the buffer, so that it can be enlarged in place.
        self._view = self._payload = memoryview(b"")
        self._place, self._target = 0, None
        try:
            self._buffer += bytes(self._start + size - len(self._buffer))
        except BufferError:  # a view of the frame before this one is still in use
            larger = bytearray(self._start + size + ALIGNMENT)
            larger[: self._end] = memoryview(self._buffer)[: self._end]
            self._buffer = larger
        self._view = memoryview(self._buffer)
        self._payload = self._view[:0]

    def _move(self, lead: int, room: int, *, shrink: bool = False) -> None:
        """Let what is here begin at ``lead``, in a buffer with ``room`` bytes from there on."""
        rest = bytes(self._view[self._start : self._end])
        if shrink or lead + room > len(self._buffer):
            self._renew(room)
        self._start, self._end = lead, lead + len(rest)
        self._view[self._start : self._end] = rest

    def _renew(self, room: int) -> None:
        # CPython's allocator aligns to 16 bytes at least: offsets in the buffer are thus aligned in memory as well.
        self._buffer = bytearray(room + ALIGNMENT)
        self._view = memoryview(self._buffer)
        self._payload, self._place, self._target = self._view[:0], 0, None


def _too_long(what: str, length: int, limit: int) -> WireError:
    return WireError(f"A {what} of {length} B was announced; the limit is {limit} B.")
