import socket

import pytest

from edgerig.errors import AnswerError, InferenceError, TargetError, WireError
from edgerig.wire import messages
from edgerig.wire.client import RuntimeProtocol, WireClient
from edgerig.wire.frame import MORE, SYNC, Kind, encode
from edgerig.wire.link import PairLink
from edgerig.wire.messages import Failure, Hello, pack


@pytest.fixture
def device():
    """Makes a client whose device has already sent the given bytes; the far socket is second."""
    open_sockets = []

    def make(*answers: bytes, **options):
        ours, theirs = socket.socketpair()
        open_sockets.extend((ours, theirs))
        theirs.sendall(b"".join(answers))
        return WireClient(PairLink(ours), who="the device", timeout=0.3, **options), theirs

    yield make
    for one in open_sockets:
        one.close()


def frame(*args, **options) -> bytes:
    return b"".join(encode(*args, **options))


def error(code: int, request: int = 1) -> bytes:
    return frame(Kind.ERROR, request, pack(Failure(code, "the device says no", "mend it")))


def test_it_is_the_seed_s_runtime_protocol():
    assert issubclass(WireClient, RuntimeProtocol)
    assert {
        "upload_model",
        "upload_input",
        "request_processing",
        "download_output",
        "download_statistics",
    } == RuntimeProtocol.__abstractmethods__


def test_answer_to_another_request_is_nonsense(device):
    client, _ = device(frame(Kind.OK, 2))
    with pytest.raises(WireError, match="request 2 instead of 1"):
        client.request(Kind.STATS)
    with pytest.raises(TargetError, match="broken"):
        client.request(Kind.STATS)


def test_answer_of_another_kind_is_nonsense(device):
    client, _ = device(frame(Kind.DATA, 1))
    with pytest.raises(WireError, match="kind 3"):
        client.request(Kind.STATS)


def test_error_of_one_request_leaves_the_session_usable(device):
    client, _ = device(error(27), frame(Kind.OK, 2))
    with pytest.raises(InferenceError, match="the device says no") as caught:
        client.request(Kind.STATS)
    assert caught.value.hint == "mend it"
    client.request(Kind.STATS)


def test_error_that_answers_nothing_ends_the_session(device):
    client, _ = device(error(28, request=0))
    with pytest.raises(TargetError, match="the device says no"):
        client.request(Kind.STATS)
    assert client.broken


def test_silence_is_told_with_its_length(device):
    client, _ = device()
    with pytest.raises(TargetError, match=r"the device has not answered for 0\.3 s"):
        client.request(Kind.STATS)


def test_silence_in_the_middle_of_a_frame_is_noticed(device):
    client, _ = device(frame(Kind.OK, 1, b"header", [memoryview(bytes(1000))])[:200])
    with pytest.raises(TargetError, match="has not answered"):
        client.request(Kind.STATS)


def test_closed_link_asks_for_the_reason(device):
    client, far = device(why_gone=lambda: "it was struck by lightning")
    far.close()
    with pytest.raises(TargetError, match="went away: it was struck by lightning"):
        client.request(Kind.STATS)


def test_last_words_of_a_device_that_hung_up_are_heard(device):
    client, far = device(error(messages.BUSY, request=0))
    far.shutdown(socket.SHUT_RDWR)
    far.close()
    with pytest.raises(TargetError, match="the device says no"):
        client.upload_input([memoryview(bytes(50_000_000))])


def test_damaged_answer_is_told_and_ends_the_session(device):
    client, _ = device(frame(Kind.OK, 1, b"", [memoryview(b"payload")])[:-1] + b"X")
    with pytest.raises(WireError, match=r"the device.*damaged"):
        client.request(Kind.STATS)
    assert client.broken


def test_process_with_a_single_ok_is_nonsense(device):
    client, _ = device(frame(Kind.OK, 1))
    with pytest.raises(WireError, match="one OK instead of two"):
        client.request_processing()


def test_failure_between_the_two_oks_is_the_engine_s(device):
    client, _ = device(frame(Kind.OK, 1, flags=MORE), error(27))
    with pytest.raises(InferenceError):
        client.request_processing()


def test_more_than_the_device_takes_is_not_sent(device):
    hello = Hello(1, "small device", 64, 100, (), (), "")
    state = pack({"host": "x", "system": "x", "architecture": "x", "cpu": "x", "cores": 1})
    client, far = device(frame(Kind.OK, 1, pack(hello), [memoryview(state)]))
    client.hello()
    far.recv(10_000)
    far.setblocking(False)
    with pytest.raises(AnswerError, match="at most 100 B"):
        client.upload_input([memoryview(bytes(101))])
    with pytest.raises(BlockingIOError):
        far.recv(1)


def test_device_of_another_version_is_refused(device):
    state = pack({"host": "x", "system": "x", "architecture": "x", "cpu": "x", "cores": 1})
    client, _ = device(frame(Kind.OK, 1, pack(Hello(7, "future", 64, 100)), [memoryview(state)]))
    with pytest.raises(AnswerError, match="version 7"):
        client.hello()


@pytest.mark.parametrize("header", [b"", b"\0" * 8, messages.pack_tensors(2, [8])])
def test_outputs_that_contradict_themselves_are_refused(device, header):
    client, _ = device(frame(Kind.OK, 1, header, [memoryview(bytes(16))]))
    with pytest.raises(AnswerError):
        client.run([memoryview(bytes(4))], 1)


def test_request_numbers_start_anew_before_they_overflow(device):
    client, far = device(frame(Kind.OK, 1))
    client._request = 0xFFFFFFFF
    client.request(Kind.STATS)
    assert far.recv(100).startswith(SYNC)
