"""As much of msgpack (https://github.com/msgpack/msgpack/blob/master/spec.md) as the wire needs, in plain Python."""

import struct


def pack(value):
    """Bytes of nil, booleans, integers, floats, texts, bytes, arrays and maps."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        if 0 <= value < 128:
            return bytes([value])
        return struct.pack(">Bq", 0xD3, value) if value < 2**63 else struct.pack(">BQ", 0xCF, value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xCB, value)
    if isinstance(value, str):
        data = value.encode()
        return struct.pack(">BI", 0xDB, len(data)) + data
    if isinstance(value, bytes):
        return struct.pack(">BI", 0xC6, len(value)) + value
    if isinstance(value, (list, tuple)):
        return struct.pack(">BI", 0xDD, len(value)) + b"".join(map(pack, value))
    items = b"".join(pack(key) + pack(item) for key, item in value.items())
    return struct.pack(">BI", 0xDF, len(value)) + items


#: First byte -> format of what follows: numbers, and lengths of texts, bytes, arrays and maps.
_NUMBERS = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q"}
_NUMBERS |= {0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
_LENGTHS = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
_LENGTHS |= {0xDC: ">H", 0xDD: ">I", 0xDE: ">H", 0xDF: ">I"}


def unpack(data):
    """The value in ``data``."""
    value, end = _unpack(bytes(data), 0)
    if end != len(data):
        raise ValueError("bytes are left over")
    return value


def _unpack(data, at):
    first, at = data[at], at + 1
    if first < 0x80 or first >= 0xE0:
        return (first if first < 0x80 else first - 256), at
    if first in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[first], at
    if first in _NUMBERS:
        return struct.unpack_from(_NUMBERS[first], data, at)[0], at + struct.calcsize(_NUMBERS[first])
    if first in _LENGTHS:
        length = struct.unpack_from(_LENGTHS[first], data, at)[0]
        at += struct.calcsize(_LENGTHS[first])
    else:
        length = first & (0x1F if 0xA0 <= first < 0xC0 else 0x0F)
    if 0xA0 <= first < 0xC0 or 0xD9 <= first <= 0xDB:
        return data[at : at + length].decode(), at + length
    if 0xC4 <= first <= 0xC6:
        return data[at : at + length], at + length
    if 0x90 <= first < 0xA0 or first in (0xDC, 0xDD):
        array = []
        for _ in range(length):
            value, at = _unpack(data, at)
            array.append(value)
        return array, at
    pairs = {}
    for _ in range(length):
        key, at = _unpack(data, at)
        pairs[key], at = _unpack(data, at)
    return pairs, at
