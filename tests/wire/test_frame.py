import os
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerig.errors import WireError
from edgerig.wire.frame import (
    _COVERED,
    _CRC,
    CHECKED,
    GARBAGE_LIMIT,
    MORE,
    PREAMBLE,
    SYNC,
    VERSION,
    Frame,
    FrameReader,
    Kind,
    Limits,
    decode_preamble,
    encode,
)

headers = st.binary(max_size=300)
payloads = st.lists(st.binary(max_size=2000), max_size=3)
kinds = st.integers(0, 255)
requests = st.integers(0, 2**32 - 1)


def join(*args, **options) -> bytes:
    return b"".join(encode(*args, **options))


def views(parts):
    return [memoryview(part) for part in parts]


def content(frame: Frame):
    return frame.kind, frame.request, frame.header, bytes(frame.payload), frame.flags, frame.sequence


def test_preamble_lies_as_the_specification_says():
    data = join(Kind.RUN, 0x01020304, b"hdr", views([b"pay", b"load"]), flags=MORE, sequence=0x0506)
    assert PREAMBLE.size == 32
    assert data[:4] == bytes([0xA5, 0x45, 0x52, 0x47])
    assert data[4] == VERSION == 1
    assert data[5] == 9
    assert data[6:8] == bytes([3, 0])
    assert data[8:12] == bytes([4, 3, 2, 1])
    assert data[12:14] == bytes([6, 5])
    assert data[14:16] == bytes([3, 0])
    assert data[16:20] == bytes([7, 0, 0, 0])
    assert data[20:24] == crc32(b"hdr").to_bytes(4, "little")
    assert data[24:28] == crc32(b"payload").to_bytes(4, "little")
    assert data[28:32] == crc32(data[:28]).to_bytes(4, "little")
    assert data[32:] == b"hdrpayload"


def test_golden_frame_of_the_specification():
    assert join(Kind.STATS, 1).hex() == "a54552470107000001000000000000000000000000000000000000001b5e795a"


def test_kinds_have_the_numbers_of_the_specification():
    assert {kind.name: int(kind) for kind in Kind} == {
        "OK": 1,
        "ERROR": 2,
        "DATA": 3,
        "MODEL": 4,
        "PROCESS": 5,
        "OUTPUT": 6,
        "STATS": 7,
        "HELLO": 8,
        "RUN": 9,
        "PROFILE": 10,
        "MEMORY": 11,
        "IO": 12,
        "RESET": 13,
        "LOG": 14,
        "LEASE": 15,
        "BEGIN": 16,
        "CENSUS": 17,
        "RING": 18,
    }


def test_payloads_are_not_copied():
    payload = bytearray(b"x" * 100)
    buffers = encode(Kind.DATA, 1, b"h", [memoryview(payload)])
    payload[0] = ord("y")
    assert bytes(buffers[1])[:1] == b"y"


def test_unchecked_payload_carries_no_checksum():
    data = join(Kind.DATA, 1, b"", views([b"payload"]), checked=False)
    assert data[24:28] == bytes(4)
    assert not data[6] & CHECKED


@pytest.mark.parametrize("length", [0x10000, 0x20000])
def test_header_that_is_too_long_cannot_be_sent(length):
    with pytest.raises(WireError, match="too long"):
        encode(Kind.DATA, 1, bytes(length))


@given(st.lists(st.tuples(kinds, requests, headers, payloads, st.booleans()), max_size=5), st.integers(1, 100))
def test_frames_survive_any_splitting(bytes_link, frames, portion):
    data = b"".join(join(k, r, h, views(p), checked=c, sequence=7) for k, r, h, p, c in frames)
    for read_ahead in (True, False):
        reader = FrameReader(bytes_link(data, portion), read_ahead=read_ahead)
        for kind, request, header, parts, checked in frames:
            payload = b"".join(parts)
            flags = CHECKED if checked and payload else 0
            assert content(reader.read()) == (kind, request, header, payload, flags, 7)
        with pytest.raises(ConnectionError):
            reader.read()
        assert reader.skipped == 0


@pytest.mark.parametrize("size", [0, 1, 31, 65_000, 65_504, 65_505, 65_536, 70_000, 200_000, 1_000_000])
def test_payloads_around_the_buffer_size_arrive(bytes_link, size):
    first, second = os.urandom(size), os.urandom(size)
    data = join(1, 1, b"a", views([first])) + join(2, 2, b"b", views([second])) + join(3, 3)
    reader = FrameReader(bytes_link(data, 40_000))
    assert bytes(reader.read().payload) == first
    assert bytes(reader.read().payload) == second
    assert reader.read().kind == 3


def test_without_read_ahead_nothing_of_the_next_frame_is_taken(bytes_link):
    one, two = join(1, 1, b"header", views([b"payload"])), join(2, 2, b"x")
    link = bytes_link(one + two)
    FrameReader(link, read_ahead=False).read()
    assert link.place == len(one)


@given(headers, payloads, st.data())
def test_no_flipped_bit_goes_unnoticed(bytes_link, header, parts, data):
    good = bytearray(join(Kind.RUN, 5, header, views(parts)))
    bits = data.draw(st.lists(st.integers(0, len(good) * 8 - 1), min_size=1, max_size=3, unique=True))
    for bit in bits:
        good[bit // 8] ^= 1 << bit % 8
    with pytest.raises((WireError, ConnectionError)):
        FrameReader(bytes_link(bytes(good))).read()


def test_every_single_flipped_bit_is_noticed_and_the_next_frame_is_found(bytes_link):
    """All bits of a frame, one by one; damage in the preamble may cost a search, never the next frame."""
    good, following = join(Kind.RUN, 5, b"header", views([b"payload" * 3])), join(Kind.STATS, 6, b"next")
    for bit in range(len(good) * 8):
        damaged = bytearray(good)
        damaged[bit // 8] ^= 1 << bit % 8
        reader = FrameReader(bytes_link(bytes(damaged) + following))
        try:
            frame = reader.read()
        except WireError:
            frame = reader.read()
        assert content(frame) == (Kind.STATS, 6, b"next", b"", 0, 0), f"bit {bit}"


@given(st.binary(max_size=500), st.integers(1, 50))
def test_frame_is_found_behind_garbage(bytes_link, garbage, portion):
    reader = FrameReader(bytes_link(garbage + join(Kind.OK, 9, b"h", views([b"p"])), portion))
    assert content(reader.read()) == (Kind.OK, 9, b"h", b"p", CHECKED, 0)
    assert reader.skipped == len(garbage)


@given(st.lists(st.sampled_from([SYNC, SYNC[:1], SYNC[:2], SYNC[:3], b"x", join(1, 1)[:31]]), max_size=40))
def test_frame_is_found_behind_half_markers(bytes_link, pieces):
    reader = FrameReader(bytes_link(b"".join(pieces) + join(Kind.OK, 9), 7))
    assert reader.read().request == 9


@given(st.integers(0, 60), st.integers(0, 60), st.binary(max_size=20))
def test_lost_doubled_and_inserted_bytes_cost_one_frame_at_most(bytes_link, start, stop, inserted):
    """Whatever happens to the first frame, what is read is never a wrong one."""
    first, second = (
        join(Kind.RUN, 1, b"header", views([b"payload" * 4])),
        join(Kind.RUN, 2, b"header", views([b"other"])),
    )
    damaged = first[:start] + inserted + first[stop:]
    reader = FrameReader(bytes_link(damaged + second + join(Kind.OK, 3) + bytes(100)))
    seen = []
    while True:
        try:
            frame = reader.read()
        except ConnectionError:
            break
        except WireError:
            continue
        seen.append(content(frame))
    allowed = [
        (Kind.RUN, 1, b"header", b"payload" * 4, CHECKED, 0),
        (Kind.RUN, 2, b"header", b"other", CHECKED, 0),
        (Kind.OK, 3, b"", b"", 0, 0),
    ]
    assert all(one in allowed for one in seen)
    assert seen[-1][1] == 3


@given(st.binary(max_size=2000))
@settings(max_examples=300)
def test_random_bytes_never_make_a_frame_nor_another_error(bytes_link, data):
    with pytest.raises((WireError, ConnectionError)):
        FrameReader(bytes_link(data)).read()


def test_truncated_frames_end_as_a_closed_connection(bytes_link):
    whole = join(Kind.RUN, 5, b"header", views([b"payload" * 10]))
    for length in range(len(whole)):
        with pytest.raises(ConnectionError):
            FrameReader(bytes_link(whole[:length])).read()


def test_endless_garbage_is_given_up(bytes_link):
    with pytest.raises(WireError, match="no message among them"):
        FrameReader(bytes_link(bytes(GARBAGE_LIMIT + 200_000))).read()


@pytest.mark.parametrize(("header", "payload"), [(101, 0), (0, 1001), (0xFFFF, 0xFFFFFFFF)])
def test_announcements_over_the_limits_are_refused_before_anything_is_allocated(bytes_link, header, payload):
    covered = _COVERED.pack(SYNC, VERSION, Kind.MODEL, 0, 1, 0, header, payload, 0, 0)
    reader = FrameReader(bytes_link(covered + _CRC.pack(crc32(covered))), Limits(header=100, payload=1000))
    with pytest.raises(WireError, match="was announced"):
        reader.read()
    assert reader.held < 100_000


def test_version_from_the_future_is_told_and_skipped(bytes_link):
    covered = _COVERED.pack(SYNC, 9, Kind.HELLO, 0x8000, 1, 0, 3, 4, crc32(b"new"), 123)
    reader = FrameReader(bytes_link(covered + _CRC.pack(crc32(covered)) + b"new" + b"data" + join(Kind.OK, 2)))
    with pytest.raises(WireError, match="version 9"):
        reader.read()
    assert reader.read().request == 2


def test_released_memory_is_given_back(bytes_link):
    reader = FrameReader(bytes_link(join(1, 1, b"", views([bytes(500_000)]))))
    reader.read()
    assert reader.held >= 500_000
    reader.release()
    assert reader.held < 100_000


def test_decode_preamble_wants_sync_and_checksum():
    good = join(1, 1)
    assert decode_preamble(good) is not None
    assert decode_preamble(b"\0" * 32) is None
    assert decode_preamble(good[:31] + b"\0") is None
