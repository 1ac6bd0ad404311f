"""Memory grows with what has arrived, never with what was announced."""

import os
import socket
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

import pytest

from edgerig.errors import TargetError, WireError
from edgerig.wire import messages
from edgerig.wire.client import WireClient
from edgerig.wire.exchange import ABOUT_BYTES
from edgerig.wire.frame import _COVERED, _CRC, SYNC, VERSION, FrameReader, Kind, Limits, encode
from edgerig.wire.link import PairLink
from edgerig.wire.messages import Hello
from edgerig.wire.pair import pair
from edgerig.wire.scanner import Scanner

GIB = 1024**3
#: What begins an array, a map, bytes, a text and an extension of msgpack with a count of four bytes.
COUNTED = (b"\xdd", b"\xdf", b"\xc6", b"\xdb", b"\xc9")
LARGE = [GIB, 256 * 1024**2, 2**32 - 1]


def announce(length: int, kind: int = Kind.OK, request: int = 1) -> bytes:
    """The first 32 bytes of a frame whose payload is not there."""
    covered = _COVERED.pack(SYNC, VERSION, kind, 0, request, 0, 0, length, crc32(b""), 0)
    return covered + _CRC.pack(crc32(covered))


@contextmanager
def peak() -> Iterator[list[int]]:
    """The most memory that Python had in the block, in bytes."""
    found: list[int] = []
    tracemalloc.start()
    try:
        yield found
        found.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("announced", LARGE)
@pytest.mark.parametrize("arrived", [0, 1, 100_000, 5_000_000])
@pytest.mark.parametrize("read_ahead", [True, False])
def test_reader_holds_what_has_arrived(bytes_link, announced, arrived, read_ahead):
    link = bytes_link(announce(announced) + bytes(arrived), 50_000)
    with peak() as most:
        reader = FrameReader(link, Limits(payload=2**32 - 1), read_ahead=read_ahead)
        with pytest.raises(ConnectionError):
            reader.read()
    assert most[0] < 2.6 * arrived + 3 * 1024**2


@pytest.mark.parametrize("announced", LARGE)
@pytest.mark.parametrize("arrived", [0, 100_000, 5_000_000])
def test_scanner_holds_what_has_arrived(announced, arrived):
    data = announce(announced) + bytes(arrived)
    with peak() as most:
        scanner = Scanner(Limits(payload=2**32 - 1))
        for place in range(0, len(data), 40_000):
            scanner.feed(data[place : place + 40_000])
            assert scanner.next() is None
    assert most[0] < 4 * arrived + 1024**2


@pytest.mark.parametrize("size", [1024**2 - 1, 1024**2 + 1, 3_000_001, 20_000_000])
@pytest.mark.parametrize("in_use", [False, True])
def test_large_frames_arrive_whole_whether_or_not_the_one_before_is_still_looked_at(bytes_link, size, in_use):
    first, second = os.urandom(2_000_000), os.urandom(size)
    data = b"".join(
        part
        for number, payload in ((1, first), (2, second), (3, second))
        for part in encode(Kind.RUN, number, b"abc", [memoryview(payload)])
    )
    reader = FrameReader(bytes_link(data, 300_000))
    held = reader.read()
    assert bytes(held.payload) == first
    if not in_use:
        del held
    for number in (2, 3):
        frame = reader.read()
        assert (frame.request, frame.header, bytes(frame.payload)) == (number, b"abc", second)
    assert reader.held < 1.6 * max(size, len(first)) + 2 * 1024**2


def test_large_frame_is_received_into_the_same_place_again(bytes_link):
    """No copies in the measuring loop: once a frame of its size was there, it is received where it stays."""
    payload = bytes(5_000_000)
    frame = b"".join(encode(Kind.RUN, 1, b"abc", [memoryview(payload)]))
    reader = FrameReader(bytes_link(frame * 4))
    reader.read()
    views = [reader.read().payload for _ in range(3)]
    assert views[1] is views[2]


@pytest.mark.parametrize("announced", [ABOUT_BYTES + 1, GIB, 2**32 - 1])
@pytest.mark.parametrize("kind", [Kind.STATS, Kind.MEMORY, Kind.PROFILE, Kind.LOG, Kind.MODEL, Kind.HELLO])
def test_host_takes_no_large_answer_where_none_is_due(announced, kind):
    ours, theirs = pair()
    theirs.send([announce(announced)])
    client = WireClient(ours, who="the device", timeout=0.2)
    with pytest.raises(WireError, match="was announced"):
        client.request(kind)


@pytest.mark.parametrize("announced", [GIB, GIB // 3])
def test_host_that_is_announced_a_large_answer_holds_what_has_come(announced):
    ours, theirs = pair()
    theirs.send([announce(announced)])
    client = WireClient(ours, who="the device", timeout=0.2)
    with peak() as most, pytest.raises(TargetError, match="has not answered"):
        client.run([memoryview(b"x")], 1)
    assert most[0] < 4 * 1024**2


@pytest.mark.slow
def test_layouts_of_long_headers_are_not_kept():
    """A peer may send another header with each message; what is remembered of them must not grow with it."""
    beginning = messages._TENSORS.pack(1, 3001, 0) + (1).to_bytes(4, "little") * 3000
    with peak() as most:
        for number in range(60):
            messages.unpack_tensors(beginning + number.to_bytes(4, "little"), memoryview(bytes(3000 + number)))
    assert most[0] < 4 * 1024**2


@pytest.mark.parametrize("value", [first + b"\xff\xff\xff\xff\x01" for first in COUNTED])
@pytest.mark.parametrize("kind", [Hello, messages.ModelHeader, messages.Failure, messages.Loaded, messages.Statistics])
def test_counts_in_messages_allocate_nothing(value, kind):
    with peak() as most:
        for before in (b"", b"\x92\x01", b"\x9c\x01\xa0\x01\x01", b"\x97\xa0", b"\x94\x01\xa0\xc0", b"\x81\xa6inputs"):
            with pytest.raises(WireError):
                messages.unpack(before + value, kind)
    assert most[0] < 1024**2


_WORKER = """
import resource, socket, sys
from pathlib import Path
from edgerig.agent.worker import Worker
from edgerig.wire.frame import Limits
from edgerig.wire.link import PairLink
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 40 * 1024**2,) * 2)
Worker(PairLink(socket.socket(fileno=int(sys.argv[1]))), Path(sys.argv[2]), (), Limits(2**16 - 1, 2**32 - 1)).serve()
"""


@pytest.mark.parametrize("kind", [Kind.RUN, Kind.MODEL, Kind.DATA, Kind.PROFILE, Kind.HELLO])
def test_device_with_little_memory_is_announced_much(tmp_path, kind):
    """40 MiB are left, 4 GiB are announced, and 3 MB come: the session waits for more."""
    ours, theirs = socket.socketpair()
    words = [sys.executable, "-c", _WORKER, str(theirs.fileno()), str(tmp_path)]
    with subprocess.Popen(words, pass_fds=(theirs.fileno(),), stderr=subprocess.PIPE) as worker:
        theirs.close()
        client = WireClient(PairLink(ours), who="the device", timeout=20)
        client.download_statistics()
        ours.sendall(announce(2**32 - 1, kind, request=2) + bytes(3_000_000))
        ours.shutdown(socket.SHUT_WR)
        # The end of the connection is what it hears, in place of a lack of memory.
        assert ours.recv(100) == b""
        assert worker.wait(20) == 0
        assert worker.stderr.read() == b""
    ours.close()
