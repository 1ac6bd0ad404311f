"""Bad lines and bad peers: no crash, no hang, no wrong result, and the device listens again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.wire.frame import PREAMBLE, Frame, Kind, encode
from edgerig.wire.lossy import LossyClient
from edgerig.wire.messages import pack_tensors
from edgerig.wire.serial import Line, open_serial, parse_serial

Array = NDArray[Any]
#: Longer than the silence after which a device gives up half a frame.
SILENCE = 0.45


def whole_run(samples: Array) -> bytes:
    return b"".join(bytes(part) for part in encode(Kind.RUN, 5, pack_tensors(1, [64]), [samples[0].data]))


def stats(request: int) -> bytes:
    return b"".join(bytes(part) for part in encode(Kind.STATS, request))


def until(host: Any, request: int) -> list[Frame]:
    """All that comes up to the answer to ``request``."""
    found = [host.read()]
    while found[-1].request != request:
        found.append(host.read())
        assert len(found) < 50
    return found


@pytest.mark.parametrize("fault", ["flip", "lose", "insert", "double"])
def test_one_fault_at_every_byte_of_a_request(
    device: Callable[..., Any], raw: Callable[..., Any], samples: Array, fault: str
) -> None:
    host = raw(device("tcp").link())
    host.ask(Kind.HELLO, 1)
    good = whole_run(samples)
    tried = ran = 0
    for place in range(len(good)):
        before, byte, after = good[:place], good[place : place + 1], good[place + 1 :]
        spoilt = {
            "flip": before + bytes([byte[0] ^ 1 << place % 8]) + after,
            "lose": before + after,
            "insert": before + b"\xa5" + byte + after,
            "double": before + byte + byte + after,
        }[fault]
        # What lacks a byte takes it from the next request; the one after that must be understood.
        host.link.send([spoilt + stats(1000 + place) + stats(2000 + place)])
        answers = until(host, 2000 + place)
        assert answers[-1].kind == Kind.OK
        ran += sum(answer.kind == Kind.OK and answer.request == 5 for answer in answers)
        tried += 1
    print(f"{fault}: {tried} tried, {ran} ran all the same")
    assert tried == len(good) == 108
    # A request stays whole if its marker begins one byte later, and if its last byte comes twice.
    assert ran == {"flip": 0, "lose": 0, "insert": 2, "double": 2}[fault]


def test_a_request_in_two_pieces_at_every_byte(
    device: Callable[..., Any], raw: Callable[..., Any], samples: Array, expected: Array
) -> None:
    host = raw(device("unix").link())
    good = whole_run(samples)
    for place in range(1, len(good)):
        host.link.send([good[:place]])
        host.link.send([good[place:]])
        assert bytes(host.read().payload[8:]) == expected[0].tobytes()
    for place in range(len(good)):
        host.link.send([good[place : place + 1]])
    assert bytes(host.read().payload[8:]) == expected[0].tobytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{"payload": 0xFFFFFFFF}, {"payload": 65}, {"payload": 0}, {"header": 0xFFFF}, {"header": 13}, {"header": 0},
     {"version": 2}, {"version": 255}, {"version": 2, "payload": 0xFFFFFFFF}, {"kind": 0}, {"flags": 0xFFFF}],
    ids=str,
)  # fmt: skip
def test_lies_with_a_checksum(
    device: Callable[..., Any], raw: Callable[..., Any], samples: Array, changes: dict[str, int]
) -> None:
    from zlib import crc32

    good = whole_run(samples)
    names = (
        "sync",
        "version",
        "kind",
        "flags",
        "request",
        "sequence",
        "header",
        "payload",
        "header_crc",
        "payload_crc",
    )
    fields = dict(zip(names, PREAMBLE.unpack(good[:32])[:-1], strict=True)) | changes
    covered = PREAMBLE.pack(*fields.values(), 0)[:28]
    host = raw(device("tcp").link())
    host.link.send([covered + crc32(covered).to_bytes(4, "little") + good[32:]])
    time.sleep(SILENCE)
    host.link.send([stats(9)])
    assert until(host, 9)[-1].kind == Kind.OK


def test_megabytes_of_garbage(device: Callable[..., Any], raw: Callable[..., Any]) -> None:
    host = raw(device("tcp").link())
    noise = random.Random(1).randbytes(1 << 20)
    for data in (noise, bytes(1 << 20), b"\xa5" * (1 << 20), b"\xa5ERG" * (1 << 18)):
        host.link.send([data, stats(1), stats(2)])
        assert until(host, 2)[-1].kind == Kind.OK


def test_peers_that_vanish_in_the_middle(
    device: Callable[..., Any], raw: Callable[..., Any], samples: Array, expected: Array
) -> None:
    one = device("tcp")
    good = whole_run(samples)
    for place in range(0, len(good), 9):
        link = one.link()
        link.send([good[:place]] if place else [])
        link.close()
    host = raw(one.link())
    host.link.send([good])
    assert bytes(host.read().payload[8:]) == expected[0].tobytes()


def test_random_requests_over_tcp(device: Callable[..., Any], raw: Callable[..., Any]) -> None:
    rng = random.Random(7)
    host = raw(device("tcp").link())
    tried = 400
    for request in range(1, tried + 1):
        kind = rng.choice([*Kind, 0, 77])
        header, payload = rng.randbytes(rng.choice([0, 1, 8, 12, 200])), rng.randbytes(rng.choice([0, 1, 64, 5000]))
        host.send(kind, request, 0, header, payload)
        host.send(Kind.IO, 100_000 + request)
        answers = until(host, 100_000 + request)
        # RESET is answered, and announces the restart.
        assert all(answer.request in (request, 100_000 + request, 0) for answer in answers)
    print(f"{tried} requests tried")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    "faults",
    [
        ["--flip", "0.001"],
        ["--drop", "0.001"],
        ["--insert", "0.001"],
        ["--repeat", "0.001"],
        ["--flip", "0.0003", "--drop", "0.0003", "--insert", "0.0003", "--repeat", "0.0003"],
    ],
    ids=lambda words: words[0] if len(words) == 2 else "all",
)
def test_no_wrong_result_and_nothing_lost_on_a_bad_terminal(
    device: Callable[..., Any], samples: Array, expected: Array, faults: list[str], seed: int
) -> None:
    board = device("pty", *faults, "--seed", str(seed))
    place = parse_serial(f"serial://{board.place}")
    client = LossyClient(open_serial(place, Line(baud=4_000_000)), who="board", timeout=20, byte_seconds=2.5e-6)
    try:
        client.hello()
        for i in range(0, 64, 4):
            answer = client.run([samples[i : i + 4].reshape(-1).view(np.uint8).data], 4)
            assert bytes(answer.outputs[0]) == expected[i : i + 4].tobytes()
        # At most once: no sample ran twice.
        assert client.download_statistics().inferences == 64
        print(f"{faults}: {client.faults}")
        assert client.faults.resent > 0
    finally:
        client.close()
