import socket
import struct
from collections.abc import Callable, Iterator
from threading import Event, Thread

import numpy as np
import pytest

from edgerig.errors import InferenceError, TargetError, WireError
from edgerig.wire import messages
from edgerig.wire.client import Answer, WireClient
from edgerig.wire.frame import FrameReader, FrameWriter, Kind, encode
from edgerig.wire.link import PairLink
from edgerig.wire.messages import Failure, pack
from edgerig.wire.stream import ALWAYS_TAKEN


class Device:
    """The far end of a link, in a thread: reads requests only as the test's script says, and gives inputs back."""

    def __init__(self, theirs: socket.socket) -> None:
        self.link = PairLink(theirs)
        self.link.set_timeout(10)
        self.reader, self.writer = FrameReader(self.link), FrameWriter(self.link, checked=False)
        self.seen: list[int] = []

    def read(self) -> tuple[int, bytes]:
        frame = self.reader.read()
        self.seen.append(frame.request)
        return frame.request, bytes(frame.payload)

    def answer(self, request: int, payload: bytes, repeat: int = 1) -> None:
        out = payload * repeat
        times = struct.pack("<q", request)
        header = messages.pack_tensors(1, [len(out)])
        self.writer.write(Kind.OK, request, header, [memoryview(times), memoryview(out)])

    def fail(self, request: int, code: int = 27) -> None:
        self.writer.write(Kind.ERROR, request, pack(Failure(code, f"no to {request}")))

    def echo(self) -> None:
        """Give everything back, one after another, until the host is gone."""
        while True:
            try:
                self.answer(*self.read())
            except ConnectionError:
                return


@pytest.fixture
def connect() -> Iterator[Callable[..., tuple[WireClient, Device]]]:
    """Makes a client, and a device that does as it is told in a thread of its own."""
    made: list[tuple[WireClient, Thread]] = []

    def make(script: Callable[[Device], None], window: int = 4, duplex: bool = True) -> tuple[WireClient, Device]:
        ours, theirs = socket.socketpair()
        device = Device(theirs)

        def play() -> None:
            try:
                script(device)
            finally:
                theirs.close()

        link = PairLink(ours)
        link.duplex = duplex
        client = WireClient(link, who="the device", timeout=10)
        client.window = window
        thread = Thread(target=play)
        thread.start()
        made.append((client, thread))
        return client, device

    yield make
    for client, thread in made:
        client.close()
        thread.join(10)
        assert not thread.is_alive()


def sample(index: int, size: int = 64) -> memoryview:
    return memoryview(np.full(size, index % 251, np.uint8).tobytes())


def requests(count: int, size: int = 64):
    return (([sample(index, size)], 1) for index in range(count))


def keep(answers: Iterator[Answer], into: list[bytes]) -> None:
    for answer in answers:
        into.append(bytes(answer.outputs[0]))


@pytest.mark.parametrize("window", [1, 2, 7, 1000])
@pytest.mark.parametrize("duplex", [True, False])
def test_answers_come_in_order_whatever_the_window(connect, window, duplex):
    client, device = connect(Device.echo, window, duplex)
    got = [bytes(answer.outputs[0]) for answer in client.stream(requests(100))]
    assert got == [bytes(sample(index)) for index in range(100)]
    assert device.seen == list(range(1, 101))
    assert not client.broken


@pytest.mark.slow
@pytest.mark.parametrize(("granted", "asked", "most"), [(1, None, 1), (3, None, 3), (8, 2, 2), (2, 9, 2)])
def test_no_more_requests_are_under_way_than_were_granted(connect, granted, asked, most):
    """The device waits until nothing more comes, then answers one."""
    under_way: list[int] = []

    def script(device: Device) -> None:
        unanswered: list[tuple[int, bytes]] = []
        left = 20
        while left:
            device.link.set_timeout(0.05)
            try:
                while True:
                    unanswered.append(device.read())
            except TimeoutError:
                under_way.append(len(unanswered))
            device.answer(*unanswered.pop(0))
            left -= 1

    client, _ = connect(script, granted)
    assert len(list(client.stream(requests(20), asked))) == 20
    assert max(under_way) == most


def test_requests_are_asked_for_only_as_the_device_can_take_them(connect):
    client, _ = connect(Device.echo, 3)
    asked = 0

    def source():
        nonlocal asked
        for request in requests(50):
            asked += 1
            yield request

    for place, _ in enumerate(client.stream(source())):
        assert asked <= place + 3
    assert asked == 50


def test_large_messages_both_ways_do_not_block_each_other(connect):
    """Each side has more to send than any socket holds, and the device reads nothing while it answers."""
    client, _ = connect(Device.echo, 8)
    size = 3_000_000
    for index, answer in enumerate(client.stream(requests(12, size))):
        assert answer.outputs[0] == sample(index, size)
    assert index == 11


def test_large_answers_over_a_link_that_can_only_wait_go_one_at_a_time(connect):
    client, _ = connect(Device.echo, 8, duplex=False)
    client.answer_bytes = ALWAYS_TAKEN + 1
    size, asked = 3_000_000, 0

    def source():
        nonlocal asked
        for request in requests(6, size):
            asked += 1
            yield request

    for index, answer in enumerate(client.stream(source())):
        assert answer.outputs[0] == sample(index, size)
        assert asked <= index + 2


def test_outputs_much_larger_than_inputs_arrive(connect):
    def script(device: Device) -> None:
        for _ in range(5):
            request, payload = device.read()
            device.answer(request, payload, repeat=100_000)

    client, _ = connect(script)
    sizes = [answer.outputs[0].nbytes for answer in client.stream(requests(5))]
    assert sizes == [6_400_000] * 5


def test_error_in_mid_stream_comes_in_its_place_and_the_session_goes_on(connect):
    def script(device: Device) -> None:
        for _ in range(50):
            request, payload = device.read()
            if request in (4, 6):
                device.fail(request)
            else:
                device.answer(request, payload)
            if request == 8:
                return

    client, device = connect(script, 4)
    got = []
    with pytest.raises(InferenceError, match="no to 4"):
        keep(client.stream(requests(50)), got)
    assert got == [bytes(sample(index)) for index in range(3)]
    assert not client.broken
    # What was under way then was answered and is out of the way.
    asked = len(device.seen)
    assert 4 <= asked <= 7
    assert bytes(client.run([sample(9)], 1).outputs[0]) == bytes(sample(9))


def test_error_while_a_request_is_half_sent_leaves_no_half_request_behind(connect):
    def script(device: Device) -> None:
        request, _ = device.read()
        device.fail(request)
        device.echo()

    client, _ = connect(script, 4)
    with pytest.raises(InferenceError, match="no to 1"):
        list(client.stream(requests(4, 5_000_000)))
    assert bytes(client.run([sample(9)], 1).outputs[0]) == bytes(sample(9))


def test_request_that_is_too_large_is_refused_after_the_answers_before_it(connect):
    client, _ = connect(Device.echo, 4)
    client.device = messages.Hello(1, "small", 64, 100)
    got = []
    with pytest.raises(TargetError, match="at most 100 B"):
        keep(client.stream([*requests(2), ([sample(1, 101)], 1), *requests(2)]), got)
    assert got == [bytes(sample(0)), bytes(sample(1))]
    assert bytes(client.run([sample(9)], 1).outputs[0]) == bytes(sample(9))


@pytest.mark.parametrize("size", [64, 5_000_000])
def test_device_that_dies_in_mid_stream_is_told(connect, size):
    def script(device: Device) -> None:
        for _ in range(3):
            device.answer(*device.read())

    client, _ = connect(script, 4)
    got = []
    with pytest.raises(TargetError, match="went away"):
        keep(client.stream(requests(50, size)), got)
    # If the host learns of it while it sends, what was answered last is lost.
    assert got == [bytes(sample(index, size)) for index in range(len(got))]
    assert len(got) <= 3
    assert client.broken
    with pytest.raises(TargetError, match="broken"):
        client.run([sample(1)], 1)


def test_device_that_hangs_in_mid_stream_is_told_with_the_length_of_its_silence(connect):
    def script(device: Device) -> None:
        device.answer(*device.read())
        while True:
            try:
                device.read()
            except ConnectionError:
                return

    client, _ = connect(script, 4)
    client.timeout = 0.2
    client.link.set_timeout(0.2)
    with pytest.raises(TargetError, match=r"has not answered for 0\.2 s"):
        list(client.stream(requests(50)))


def test_device_that_takes_nothing_any_more_is_told_with_the_length_of_its_silence(connect):
    done = Event()

    def script(device: Device) -> None:
        done.wait(10)

    client, _ = connect(script, 4)
    client.timeout = 0.2
    client.link.set_timeout(0.2)
    with pytest.raises(TargetError, match=r"has not answered for 0\.2 s"):
        list(client.stream(requests(4, 5_000_000)))
    done.set()


def test_last_words_of_a_device_are_heard_in_mid_stream(connect):
    def script(device: Device) -> None:
        device.answer(*device.read())
        device.fail(0, code=28)

    client, _ = connect(script, 1)
    with pytest.raises(TargetError, match="no to 0"):
        list(client.stream(requests(50)))
    assert client.broken


def test_answers_out_of_order_are_nonsense(connect):
    def script(device: Device) -> None:
        first, second = device.read(), device.read()
        device.answer(*second)
        device.answer(*first)

    client, _ = connect(script, 2)
    with pytest.raises(WireError, match="request 2 instead of 1"):
        list(client.stream(requests(2)))
    assert client.broken


def test_stream_that_is_left_in_the_middle_ends_the_session(connect):
    client, _ = connect(Device.echo, 4)
    for _ in client.stream(requests(50)):
        break
    assert client.broken


def test_stream_that_is_left_after_its_last_answer_does_not(connect):
    client, _ = connect(Device.echo, 4)
    for place, _ in enumerate(client.stream(requests(5))):
        if place == 4:
            break
    assert not client.broken
    client.run([sample(1)], 1)


def test_source_of_requests_that_fails_ends_the_session_if_anything_is_under_way(connect):
    client, _ = connect(Device.echo, 4)

    def source():
        yield from requests(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(client.stream(source()))
    assert client.broken


def test_nothing_to_run_is_no_stream(connect):
    client, device = connect(Device.echo)
    assert list(client.stream([])) == []
    assert device.seen == []


def test_views_of_frames_are_aligned_and_hold_until_the_next_read(bytes_link):
    """Small frames that come together as well as large ones, of headers of many lengths."""
    data, expected = b"", []
    for index in range(200):
        header, payload = bytes(index % 40), bytes([index]) * (index * 37 if index % 9 else 100_000)
        expected.append((header, payload))
        link = bytes_link(b"")
        FrameWriter(link, checked=index % 2 == 0).write(Kind.RUN, index + 1, header, [memoryview(payload)])
        data += bytes(link.sent)
    reader = FrameReader(bytes_link(data, 50_001))
    for header, payload in expected:
        frame = reader.read()
        assert frame.header == header
        assert frame.payload == payload
        if payload:
            assert np.frombuffer(frame.payload, np.uint8).ctypes.data % 16 == 0
    assert reader.skipped == 0


def test_reader_that_waited_in_vain_reads_the_next_frame_all_the_same():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        link = PairLink(ours)
        link.set_timeout(0.01)
        reader, writer = FrameReader(link), FrameWriter(PairLink(theirs), checked=True)
        for index, header in enumerate((b"", b"header", b"other header")):
            with pytest.raises(TimeoutError):
                reader.read()
            writer.write(Kind.RUN, index, header, [memoryview(b"payload")])
            frame = reader.read()
            assert (frame.request, frame.header, bytes(frame.payload)) == (index, header, b"payload")


def test_one_send_and_one_receive_make_a_round_trip_of_any_usual_size():
    """What a round trip costs is system calls before anything else."""
    calls: list[str] = []

    class Counted(PairLink):
        def send(self, buffers):
            calls.append("send")
            super().send(buffers)

        def recv_into(self, view):
            calls.append("receive")
            return super().recv_into(view)

    ours, theirs = socket.socketpair()
    with ours, theirs:
        writer, reader = FrameWriter(Counted(ours), checked=False), FrameReader(Counted(theirs))
        for _ in range(3):
            calls.clear()
            writer.write(Kind.RUN, 1, b"header", [memoryview(bytes(100_000))])
            reader.read()
    assert calls == ["send", "receive"]


def test_frame_is_the_same_whether_its_head_was_made_before_or_not(bytes_link):
    link = bytes_link(b"")
    writer, expected = FrameWriter(link, checked=True), b""
    for request, payload in ((1, b"one"), (2, b"two"), (0xFFFFFFFF, b"six"), (3, b""), (4, b"three"), (5, b"ten")):
        parts = [memoryview(payload)] if payload else []
        writer.write(Kind.RUN, request, b"header", parts, flags=2)
        expected += b"".join(encode(Kind.RUN, request, b"header", parts, flags=2))
    assert bytes(link.sent) == expected


def test_payload_whose_checksum_is_zero_carries_it(bytes_link):
    """Four bytes whose CRC-32 is 0, behind ones whose is not: a head that is kept must not keep the old one."""
    link = bytes_link(b"")
    writer = FrameWriter(link, checked=True)
    for payload in (b"abcd", bytes.fromhex("9d0ad96d")):
        writer.write(Kind.RUN, 1, b"h", [memoryview(payload)])
    reader = FrameReader(bytes_link(bytes(link.sent)))
    assert [bytes(reader.read().payload) for _ in range(2)] == [b"abcd", bytes.fromhex("9d0ad96d")]
