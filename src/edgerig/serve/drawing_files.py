"""A picture as files: text, PNG and C header; ``pages/digits/export.js`` writes the same bytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgerig import files
from edgerig.errors import UsageError
from edgerig.serve.drawing import SIDE, Picture


def _real(byte: int) -> str:
    """A byte as a float from 0 to 1, in nine digits: as many as bring back the same float."""
    return f"{float(np.float32(byte / 255)):#.9g}" if byte else "0.00000000"


def text_of(picture: Picture) -> bytes:
    """28 lines of 28 numbers from 0 to 1, as `numpy.loadtxt` reads them."""
    return "".join(" ".join(map(_real, row)) + "\n" for row in picture.tolist()).encode()


def header_of(picture: Picture) -> bytes:
    """A C header with ``digit``, 784 floats from 0 to 1."""
    lines = "".join(f"    {', '.join(_real(byte) + 'f' for byte in row)},\n" for row in picture.tolist())
    return (
        f"/* A drawn digit, {SIDE}x{SIDE}, row by row: 0 is paper, 1 is ink. */\n#ifndef DIGIT_H\n#define DIGIT_H\n\n"
        f"static const float digit[{SIDE * SIDE}] = {{\n{lines}}};\n\n#endif\n"
    ).encode()


def png_of(picture: Picture) -> bytes:
    """A grey PNG of 8 bits, ink white as in MNIST; its one block is stored, not compressed (RFC 1950, 1951)."""
    raw = b"".join(b"\0" + row.tobytes() for row in np.ascontiguousarray(picture, np.uint8))
    block = struct.pack("<BHH", 1, len(raw), ~len(raw) & 0xFFFF) + raw
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    data = b"\x78\x01" + block + struct.pack(">I", zlib.adler32(raw))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


#: What a file's suffix says of its format.
WRITERS: dict[str, Callable[[Picture], bytes]] = {".txt": text_of, ".png": png_of, ".h": header_of}


def save(picture: Picture, path: Path) -> None:
    """Write ``picture``, shape (28, 28), as what the suffix of ``path`` says: .txt, .png or .h.

    Raises:
        UsageError: It has another suffix. StorageError: It cannot be written.
    """
    if path.suffix not in WRITERS:
        raise UsageError(f"A drawing is not saved as {path.name}.", "Give a name that ends in .txt, .png or .h.")
    files.write_bytes(path, WRITERS[path.suffix](picture))
