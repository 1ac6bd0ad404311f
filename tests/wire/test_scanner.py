import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.wire.frame import Kind, Limits, encode
from edgerig.wire.scanner import Damage, Scanner


def frame(request: int, payload: bytes = b"", header: bytes = b"", **options) -> bytes:
    return b"".join(encode(Kind.RUN, request, header, [memoryview(payload)], **options))


def found(scanner: Scanner) -> list:
    """Requests of the frames that are there; -1 for a damaged one."""
    result = []
    while (one := scanner.next()) is not None:
        result.append(-1 if isinstance(one, Damage) else one.request)
    return result


def fed(data: bytes, portion: int = 1 << 20) -> list:
    scanner, result = Scanner(), []
    for place in range(0, len(data), portion):
        scanner.feed(data[place : place + portion])
        result += found(scanner)
    while scanner.idle() is not None:
        result += [-1, *found(scanner)]
    return result


@pytest.mark.parametrize("portion", [1, 2, 31, 32, 33, 1000])
def test_frames_are_found_however_they_are_cut(portion):
    data = b"garbage \xa5" + frame(1, b"x" * 100, b"head") + b"\xa5ERG" + frame(2) + frame(3, b"y" * 3000)
    assert fed(data, portion) == [1, 2, 3]


def test_payload_larger_than_the_buffer_comes_whole():
    payload = np.random.default_rng(0).bytes(300_000)
    scanner = Scanner()
    scanner.feed(frame(1, b"first") + frame(2, payload) + frame(3))
    assert bytes(scanner.next().payload) == b"first"
    assert bytes(scanner.next().payload) == payload
    assert scanner.next().request == 3
    assert scanner.next() is None


def test_frame_behind_one_that_lost_bytes_is_found():
    first = frame(1, b"x" * 100)
    assert fed(first[:60] + first[65:] + frame(2)) == [-1, 2]


def test_frame_behind_one_that_was_cut_is_found_when_the_line_falls_silent():
    assert fed(frame(1, b"x" * 1000)[:500] + frame(2) + frame(3, b"y" * 50)) == [-1, 2, 3]


def test_frame_that_is_too_long_is_told_and_passed_over():
    scanner = Scanner(Limits(header=10, payload=50))
    scanner.feed(frame(1, b"x" * 51) + frame(2, b"y" * 50) + frame(3, b"", b"h" * 11))
    assert found(scanner) == [-1, 2, -1]


def test_damage_tells_whose_frame_it_was():
    data = bytearray(frame(7, b"x" * 20, sequence=9))
    data[40] ^= 1
    scanner = Scanner()
    scanner.feed(bytes(data))
    damage = scanner.next()
    assert (damage.request, damage.sequence, damage.why) == (7, 9, "its payload came damaged")


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(1, 100))
def test_frame_between_garbage_is_found(before, after, portion):
    assert 5 in fed(before + frame(5, b"payload") + after, portion)


def test_every_byte_flipped_lost_and_doubled_never_gives_a_wrong_frame():
    """3 faults at each of 3 x 132 bytes: 1,188 damaged streams."""
    parts = [frame(n, bytes([n]) * 90, b"0123456789") for n in (1, 2, 3)]
    good, tried = b"".join(parts), 0
    for place in range(len(good)):
        for changed in (bytes([good[place] ^ 0x10]), b"", good[place : place + 1] * 2):
            seen = [n for n in fed(good[:place] + changed + good[place + 1 :]) if n > 0]
            hit = place // len(parts[0]) + 1
            assert [n for n in (1, 2, 3) if n != hit] == [n for n in seen if n != hit]
            tried += 1
    assert tried == 1188
