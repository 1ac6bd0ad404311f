"""The frames of docs/wire.md over a socket."""

import struct
from zlib import crc32

OK, ERROR, DATA, MODEL, PROCESS, OUTPUT, STATS, HELLO, RUN, PROFILE, MEMORY, IO, RESET, LOG = range(1, 15)
CHECKED, MORE = 1, 2
_FIRST = struct.Struct("<4sBBHIHHIII")


def send(connection, kind, request, header=b"", payload=b"", flags=0):
    """One frame. ``payload`` gets a checksum where ``flags`` has CHECKED."""
    checksum = crc32(payload) if flags & CHECKED else 0
    first = _FIRST.pack(b"\xa5ERG", 1, kind, flags, request, 0, len(header), len(payload), crc32(header), checksum)
    connection.sendall(first + struct.pack("<I", crc32(first)) + header + payload)


def receive(connection, most=1 << 28):
    """Kind, flags, request, header and payload of the next frame.

    Raises:
        EOFError: The other side hung up. ValueError: What came is no frame of this version, or too large, or damaged.
    """
    first = _take(connection, 32)
    sync, version, kind, flags, request, _, header_length, length, header_crc, crc = _FIRST.unpack(first[:28])
    if sync != b"\xa5ERG" or struct.unpack("<I", first[28:])[0] != crc32(first[:28]):
        raise ValueError("this is no frame")
    if length > most:
        raise ValueError(f"a payload of {length} B was announced; the limit is {most} B")
    header, payload = _take(connection, header_length), _take(connection, length)
    if version != 1 or crc32(header) != header_crc or (flags & CHECKED and crc32(payload) != crc):
        raise ValueError("the frame is of another version, or damaged")
    return kind, flags, request, header, payload


def tensors(count, parts):
    """The fixed header for ``count`` samples of the tensors whose bytes are ``parts``."""
    return struct.pack("<IHH", count, len(parts), 0) + struct.pack(f"<{len(parts)}I", *map(len, parts))


def split(header, payload, before=0):
    """Samples, the ``before`` bytes for each of them in front, and the bytes of each tensor."""
    count, number, _ = struct.unpack_from("<IHH", header)
    sizes = struct.unpack_from(f"<{number}I", header, 8)
    at, parts = before * count, []
    for size in sizes:
        parts.append(payload[at : at + size])
        at += size
    if count == 0 or at != len(payload) or any(size % count for size in sizes):
        raise ValueError("header and payload do not agree")
    return count, payload[: before * count], parts


def _take(connection, length):
    taken = b""
    while len(taken) < length:
        part = connection.recv(min(length - len(taken), 1 << 20))
        if not part:
            raise EOFError
        taken += part
    return taken
