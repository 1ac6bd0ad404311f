"""A message has a deadline of its own: who sends or takes it byte by byte is given up, and who is only slow is not."""

import os
import socket
import threading
import time
import tty
from collections.abc import Callable

import pytest

from edgerig.agent.worker import Worker
from edgerig.errors import TargetError
from edgerig.testing import faults
from edgerig.wire import messages, pace
from edgerig.wire.client import WireClient
from edgerig.wire.frame import FrameReader, Kind, encode
from edgerig.wire.link import PairLink
from edgerig.wire.lossy import LossyClient
from edgerig.wire.messages import Statistics, pack
from edgerig.wire.pair import pair
from edgerig.wire.serial import open_serial, parse_serial

#: The answer to STATS, and one that is longer.
SHORT = b"".join(encode(Kind.OK, 1, b"", [memoryview(pack(Statistics(1, 2, 3)))]))
LONG = b"".join(encode(Kind.OK, 1, b"", [memoryview(bytes(3000))]))
#: Bytes of drops in these tests: far more than would come in time.
MOST = 400


class Dripping(threading.Thread):
    """Sends ``data`` in portions, one each ``every`` seconds, until it may not any more; counts what it sent."""

    def __init__(self, send: Callable[[bytes], object], data: bytes, portion: int, every: float) -> None:
        super().__init__(daemon=True)
        self._send, self._data, self._portion, self._every = send, data, portion, every
        self.sent, self.over = 0, threading.Event()
        self.start()

    def run(self) -> None:
        try:
            while self.sent < len(self._data) and not self.over.wait(self._every):
                self._send(self._data[self.sent : self.sent + self._portion])
                self.sent += self._portion
        except OSError:
            return


@pytest.mark.parametrize("after", [0, 1, 31, 32, 40])
def test_host_gives_up_a_device_that_drips(after):
    """After so many bytes at once, one at a time; the announced length does not matter."""
    ours, theirs = pair()
    theirs.send([LONG[:after]]) if after else None
    drops = Dripping(theirs.socket.sendall, LONG[after : after + MOST], 1, 0.02)
    client = WireClient(ours, who="the device", timeout=0.5)
    with pytest.raises(TargetError, match=r"does not keep up|has not answered"):
        client.request(Kind.STATS)
    drops.over.set()
    assert client.broken
    # 50 drops a second for half a second, and as much again on a busy machine.
    assert drops.sent < MOST / 2
    ours.close()


def test_host_that_has_got_much_gives_up_a_device_that_goes_on_dripping():
    """What came fast gives no credit for later."""
    ours, theirs = pair()
    data = b"".join(encode(Kind.OK, 1, b"", [memoryview(bytes(2_000_000))]))
    threading.Thread(target=lambda: theirs.send([data[:1_900_000]]), daemon=True).start()
    drops = Dripping(theirs.socket.sendall, bytes(MOST), 1, 0.02)
    client = WireClient(ours, who="the device", timeout=0.5)
    with pytest.raises(TargetError, match="does not keep up"):
        client.run([memoryview(b"x")], 1)
    drops.over.set()
    assert drops.sent < MOST * 3 / 4
    ours.close()


def test_slow_device_is_waited_for_longer_than_the_timeout():
    ours, theirs = pair()
    began = time.monotonic()
    Dripping(theirs.socket.sendall, LONG, 60, 0.04)
    client = WireClient(ours, who="the device", timeout=0.5)
    assert len(client.request(Kind.STATS).payload) == 3000
    assert time.monotonic() - began > client.timeout, "this was no test of slowness"


@pytest.fixture
def worker(tmp_path):
    """The host's end of a link to a worker with a grace of half a second, and the thread that it runs in."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    link = PairLink(theirs)
    link.set_timeout(60.0)
    link.grace = 0.5
    thread = threading.Thread(target=Worker(link, tmp_path, grace=0.5).serve)
    thread.start()
    yield ours, thread
    ours.close()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("kind", [Kind.HELLO, Kind.MODEL, Kind.RUN, Kind.STATS, Kind.PROFILE])
def test_device_gives_up_a_host_that_drips(worker, kind):
    ours, thread = worker
    drops = Dripping(ours.sendall, b"".join(encode(kind, 1, b"", [memoryview(bytes(3000))]))[:MOST], 1, 0.02)
    frame = FrameReader(PairLink(ours)).read()
    assert frame.kind == Kind.ERROR
    assert "moved in" in messages.unpack(frame.header, messages.Failure).message
    thread.join(10)
    assert not thread.is_alive()
    assert drops.sent < MOST / 2


def test_device_gives_up_a_host_that_stops_in_the_middle_of_a_message(worker):
    ours, _ = worker
    ours.sendall(encode(Kind.RUN, 1, b"", [memoryview(bytes(3000))])[0])
    assert FrameReader(PairLink(ours)).read().kind == Kind.ERROR


def test_device_waits_between_messages_as_long_as_its_idle_time(worker):
    ours, _ = worker
    client = WireClient(PairLink(ours), who="the device", timeout=10)
    client.download_statistics()
    time.sleep(1.2)
    client.download_statistics()


@pytest.mark.slow
def test_device_gives_up_a_host_that_takes_an_answer_byte_by_byte(worker, content_of_faulty):
    ours, thread = worker
    client = WireClient(PairLink(ours), who="the device", timeout=10)
    header, content = content_of_faulty
    client.upload_model(header, content)
    # Far more than the buffers of both ends hold.
    count = 100_000
    inputs = memoryview(bytes(16 * count))
    client._send(Kind.RUN, messages.pack_tensors(count, [inputs.nbytes]), [inputs])
    taken = 0
    while thread.is_alive() and taken < MOST:
        taken += len(ours.recv(1))
        time.sleep(0.02)
    assert taken < MOST * 3 / 4


@pytest.fixture
def content_of_faulty(tmp_path):
    artifact = faults.any_artifact(tmp_path)
    header = messages.ModelHeader(faults.NAME, {}, artifact.format, artifact.sha256, "net")
    return header, memoryview(artifact.read())


def test_sender_gives_up_who_takes_byte_by_byte():
    ours, theirs = pair()
    ours.set_timeout(0.5)
    taken, over = [], threading.Event()

    def take() -> None:
        while not over.wait(0.02):
            taken.append(theirs.socket.recv(1))

    taking = threading.Thread(target=take, daemon=True)
    taking.start()
    with pytest.raises(TimeoutError):
        ours.send([memoryview(bytes(20_000_000))])
    over.set()
    taking.join()
    assert len(taken) < MOST


def test_sender_waits_for_who_is_only_slow():
    ours, theirs = pair()
    ours.set_timeout(0.5)
    size, got = 3_000_000, 0

    def take() -> None:
        nonlocal got
        while got < size:
            got += len(theirs.socket.recv(40_000))
            time.sleep(0.02)

    taking = threading.Thread(target=take)
    taking.start()
    ours.send([memoryview(bytes(size))])
    taking.join()
    assert got == size


def test_deadline_counts_what_moved_in_each_of_its_times(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: now[0])
    deadline = pace.Deadline(10.0, rate=100.0, moved=5)
    assert deadline.left(5) == 10.0
    now[0] = 109.0
    assert deadline.left(6) == 1.0
    now[0] = 110.0
    assert deadline.left(1005) == 10.0
    now[0] = 120.0
    with pytest.raises(pace.TooSlow, match="999 bytes"):
        deadline.left(2004)
    with pytest.raises(TimeoutError, match="nothing moved"):
        deadline.left(1005)


# ---- serial lines


@pytest.fixture
def terminal():
    """Our end of a pseudo-terminal, and the path of the other."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    yield ours, os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


def serial_client(path: str, byte_seconds: float, timeout: float) -> LossyClient:
    place = parse_serial(f"serial://{path}")
    client = LossyClient(open_serial(place, place.line()), who="the device", timeout=timeout, byte_seconds=byte_seconds)
    client._greeted = True
    return client


def answers(fd: int, payload: bytes, portion: int, every: float) -> Dripping:
    """Reads one request, and answers it slowly."""
    request = FrameReader(_Reads(fd)).read()
    made = encode(Kind.OK, request.request, b"", [memoryview(payload)], sequence=request.sequence)
    return Dripping(lambda data: os.write(fd, data), b"".join(made), portion, every)


class _Reads(PairLink):
    def __init__(self, fd: int) -> None:
        self._fd = fd

    def recv_into(self, view: memoryview) -> int:
        return os.readv(self._fd, [view])


def test_slow_line_is_waited_for_longer_than_the_timeout(terminal):
    """300 baud: 30 bytes a second."""
    fd, path = terminal
    client = serial_client(path, 1 / 30, timeout=1.0)
    request = client._send(Kind.STATS, b"", ())
    began = time.monotonic()
    answers(fd, bytes(100), 3, 0.1)
    assert len(client._answer(request).payload) == 100
    assert time.monotonic() - began > client.timeout
    assert client.faults.resent == 0
    client.close()


def test_fast_line_on_which_a_device_drips_is_given_up(terminal):
    fd, path = terminal
    client = serial_client(path, 10 / 115200, timeout=1.0)
    request = client._send(Kind.RUN, b"", ())
    drops = answers(fd, bytes(1_000_000), 1, 0.02)
    with pytest.raises(TargetError, match="has not answered"):
        client._answer(request)
    drops.over.set()
    assert drops.sent < MOST
    client.close()


def test_answers_to_nothing_without_end_are_given_up(terminal):
    fd, path = terminal
    client = serial_client(path, 10 / 115200, timeout=1.0)
    request = client._send(Kind.RUN, b"", ())
    stray = b"".join(encode(Kind.OK, request ^ 1, b"", [memoryview(bytes(100))]))
    flood = Dripping(lambda data: os.write(fd, data), stray * 100_000, len(stray) * 10, 0.001)
    with pytest.raises(TargetError, match="has not answered"):
        client._answer(request)
    flood.over.set()
    client.close()


def test_agent_on_a_line_gives_up_a_message_that_drips(terminal, monkeypatch):
    from edgerig.agent import serial as agent_serial

    monkeypatch.setattr(agent_serial, "MESSAGE_SECONDS", 0.5)
    fd, path = terminal
    place = parse_serial(f"serial://{path}")
    agent = agent_serial.SerialAgent(open_serial(place, place.line()), runtimes=(faults.NAME,))
    serving = threading.Thread(target=agent.serve)
    serving.start()
    reader = FrameReader(_Reads(fd))
    assert reader.read().kind == Kind.HELLO
    drops = Dripping(
        lambda data: os.write(fd, data), b"".join(encode(Kind.RUN, 7, b"", [memoryview(bytes(3000))])), 1, 0.02
    )
    frame = reader.read()
    assert (frame.kind, frame.request) == (Kind.ERROR, 7)
    drops.over.set()
    assert drops.sent < MOST
    agent.stop()
    serving.join(10)
    assert not serving.is_alive()
