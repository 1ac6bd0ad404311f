"""Add up the bytes of code and constants in object files of any 32- or 64-bit little-endian ELF target."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

_ALLOCATED, _PROGBITS = 2, 1


def sections(path: Path) -> Iterator[tuple[str, int, int, int]]:
    """Name, size in bytes, type and flags of each section."""
    data = path.read_bytes()
    wide = data[4] == 2
    start = struct.unpack_from("<Q", data, 40)[0] if wide else struct.unpack_from("<I", data, 32)[0]
    step, count, names = struct.unpack_from("<HHH", data, 58 if wide else 46)
    form = "<IIQQQQ" if wide else "<IIIIII"
    strings = struct.unpack_from(form, data, start + names * step)[4]
    for i in range(count):
        name, kind, flags, _, _, size = struct.unpack_from(form, data, start + i * step)
        place = strings + name
        yield data[place : data.index(b"\0", place)].decode(), size, kind, flags


def sizes(paths: list[Path]) -> dict[str, dict[str, int]]:
    """For each file the bytes of ``code`` (.text), ``constants`` (.rodata) and ``data``, and all together as total."""
    found: dict[str, dict[str, int]] = {}
    total = {"code": 0, "constants": 0, "data": 0}
    for path in paths:
        own = dict.fromkeys(total, 0)
        for name, size, kind, flags in sections(path):
            if not flags & _ALLOCATED:
                continue
            if name.startswith(".text"):
                own["code"] += size
            elif name.startswith(".rodata"):
                own["constants"] += size
            elif not name.startswith(".ARM") and (kind == _PROGBITS or name.startswith((".bss", ".data"))):
                own["data"] += size
        found[path.stem] = own
        total = {key: total[key] + own[key] for key in total}
    return {**found, "total": total}


if __name__ == "__main__":
    print(json.dumps(sizes([Path(name) for name in sys.argv[1:]]), indent=2))  # noqa: T201
