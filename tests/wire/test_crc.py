"""Checksums are the same whichever library makes them, and nothing needs more than zlib."""

import subprocess
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.wire import crc

isal_zlib = pytest.importorskip("isal.isal_zlib")


@given(st.binary(max_size=5000), st.integers(0, 2**32 - 1))
def test_both_libraries_give_the_same_checksum(data, start):
    assert isal_zlib.crc32(data, start) == zlib.crc32(data, start)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("size", [0, 1, 7, 8, 15, 16, 63, 64, 255, 256, 1023, 1_000_003])
def test_checksums_of_any_length_at_any_place_are_those_of_zlib(kind, size):
    data = bytes((i * 197 + i // 251) % 256 for i in range(size + 17))
    for place in (0, 1, 3, 16):
        view = kind(data)[place : place + size]
        assert crc.crc32(view) == zlib.crc32(view)
        assert crc.crc32(view[size // 2 :], crc.crc32(view[: size // 2])) == zlib.crc32(view)


def test_checksum_is_the_one_of_the_specification():
    assert crc.crc32(b"123456789") == 0xCBF43926
    assert crc.crc32(b"") == 0
    assert crc.LIBRARY == "isal"


def test_frames_are_the_same_without_isal():
    code = (
        "import sys; sys.modules['isal'] = None\n"
        "from edgerig.wire import crc; from edgerig.wire.frame import FrameReader, FrameWriter, Kind, encode\n"
        "from edgerig.wire.pair import pair\n"
        "assert crc.LIBRARY == 'zlib'\n"
        "one, other = pair()\n"
        "FrameWriter(one, checked=True).write(Kind.RUN, 7, b'head', [memoryview(b'payload' * 100)])\n"
        "assert bytes(FrameReader(other).read().payload) == b'payload' * 100\n"
        "print(b''.join(encode(Kind.RUN, 7, b'head', [memoryview(b'payload' * 100)])).hex())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    from edgerig.wire.frame import Kind, encode

    assert done.stdout.strip() == b"".join(encode(Kind.RUN, 7, b"head", [memoryview(b"payload" * 100)])).hex()
