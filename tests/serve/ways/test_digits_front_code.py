"""The code in C that looks after connections of digits, without a server around it: one step after another."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.needs import need
from tests.serve.ways.test_digits import digit, receive

from edgerig.boards.board import firmware_folder
from edgerig.runtimes.c_library import build_library
from edgerig.serve.records import BUCKETS
from edgerig.serve.sockets import available
from edgerig.serve.ways import digits_library
from edgerig.serve.ways.digits_front import _place
from edgerig.serve.ways.digits_library import (
    NONSENSE,
    NOTHING,
    REFUSED,
    FrontCounts,
    FrontEvent,
    FrontInput,
    FrontSettings,
)
from edgerig.tensors import TensorSpec
from edgerig.wire.digits import REPLY_SIZE, STATS_REQUEST, decode_reply, encode_inference_request
from edgerig.wire.digits.layout import encode_stats_reply
from edgerig.wire.digits.messages import InferenceReply, Mode, StatsReply
from edgerig.wire.ring import Ring, RingHeader, new_memory, slot_bytes

STATS = encode_stats_reply(StatsReply(1, 0, Mode.NONE))
INPUT, OUTPUT = TensorSpec("x", (1, 784), "float32"), TensorSpec("y", (1, 10), "float32")
#: What nobody but a test asks of a front.
FOR_TESTS = """
#include "digits_front/state.h"
void set_generation(front *f, uint32_t generation);
void set_generation(front *f, uint32_t generation) { f->generation = generation; }
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    need("cc")
    if not available():
        pytest.skip("this system has no epoll")
    folder = tmp_path_factory.mktemp("front")
    for name in digits_library.SOURCES:
        shutil.copytree(firmware_folder() / name, folder / "sources" / name)
    (folder / "sources" / "for_tests.c").write_text(FOR_TESTS)
    build_library(folder / "sources", folder / "front.so", "0")
    built = digits_library._declared(ctypes.CDLL(str(folder / "front.so")))
    built.set_generation.argtypes, built.set_generation.restype = [ctypes.c_void_p, ctypes.c_uint32], None
    return built


class Fronts:
    """A front that a test moves on, with clients and sessions of its own."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        bounds = (ctypes.c_uint64 * len(BUCKETS))(*[round(bound * 1e9) for bound in BUCKETS])
        settings = FrontSettings(
            FrontInput(), self.listener.fileno(), None, STATS, 100, 32, 5_000_000, 500_000, 0, bounds
        )
        self.front = library.front_open(settings)
        self.counts: FrontCounts = library.front_counted(self.front).contents
        self.undo: list[Callable[[], None]] = [self.listener.close]

    def client(self) -> socket.socket:
        client = socket.create_connection(self.listener.getsockname())
        client.settimeout(60)
        self.undo.append(client.close)
        return client

    def session(self) -> Any:
        """A ring that is nobody's; who reads its answers waits for them, so that a test says when they come."""
        header = RingHeader(4, 32)
        memory = new_memory(header.slots * slot_bytes(header.rows, [INPUT], [OUTPUT]))
        shared = SimpleNamespace(
            ring=Ring(memory, header, [INPUT], [OUTPUT]), requests=os.eventfd(0), answers=os.eventfd(0)
        )
        for descriptor in (memory, shared.requests, shared.answers):
            self.undo.append(lambda descriptor=descriptor: os.close(descriptor))  # type: ignore[misc]
        return shared

    def look_until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end
            self.library.front_look(self.front)

    def events(self) -> list[int]:
        kinds, event = [], FrontEvent()
        while self.counts.events:
            self.library.front_take_event(self.front, event)
            kinds.append(event.kind)
        assert NOTHING not in kinds
        return kinds


@pytest.fixture
def fronts(library: ctypes.CDLL) -> Iterator[Fronts]:
    one = Fronts(library)
    yield one
    library.front_close(one.front)
    for step in one.undo:
        step()


def answer(shared: Any, outputs: Any, number: int = 1, count: int = 1, time_ns: int = 1, failure: int = 0) -> None:
    """What a session writes."""
    slot = shared.ring.slot(1)
    slot.outputs[0][0], slot.times[0] = outputs, time_ns
    slot.write_head(number, count, failure)
    os.eventfd_write(shared.answers, 1)


def test_an_answer_that_comes_while_answers_are_taken_is_taken_as_it_is(fronts: Fronts) -> None:
    """Its time is no longer than its session had, whenever the clock was read."""
    shared, client = fronts.session(), fronts.client()
    number = fronts.library.front_attach(fronts.front, _place(shared, 0))
    client.sendall(encode_inference_request(digit(1)))
    fronts.look_until(lambda: fronts.counts.running == 1)
    sent = time.perf_counter_ns()

    def run() -> None:
        time.sleep(0.2)
        answer(shared, np.arange(10), time_ns=time.perf_counter_ns() - sent)

    session = threading.Thread(target=run)
    session.start()
    # It waits for the answer within.
    fronts.library.front_detach(fronts.front, number)
    session.join()
    assert NONSENSE not in fronts.events()
    assert (fronts.counts.requests, fronts.counts.waiting, fronts.counts.running) == (1, 0, 0)
    reply = decode_reply(receive(client, REPLY_SIZE))
    assert isinstance(reply, InferenceReply)
    assert list(reply.outputs) == list(range(10))
    assert reply.timer_ms >= 200


def test_clients_are_told_apart_from_the_listener_however_many_there_were(fronts: Fronts) -> None:
    fronts.library.set_generation(fronts.front, 2**32 - 3)
    for count in range(1, 6):
        client = fronts.client()
        fronts.look_until(lambda count=count: fronts.counts.connections == count)  # type: ignore[misc]
        client.sendall(STATS_REQUEST)
        client.setblocking(False)
        replies = bytearray()

        def replied(client: socket.socket = client, replies: bytearray = replies) -> bool:
            try:
                replies.extend(client.recv(100))
            except BlockingIOError:
                return False
            return True

        fronts.look_until(replied)
        assert bytes(replies) == STATS


def test_who_sends_no_request_and_goes_on_sending_gets_all_replies_that_were_due(fronts: Fronts) -> None:
    """However slowly it takes them: a connection that is closed with something to be read loses what is on its way."""
    client = socket.socket()
    fronts.undo.append(client.close)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(fronts.listener.getsockname())
    client.settimeout(60)
    count = 4000

    def send() -> None:
        client.sendall(STATS_REQUEST * count + b"\xff" * (4 << 20))
        client.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    fronts.look_until(lambda: fronts.counts.events == 1)
    fronts.look_until(lambda: not sender.is_alive())
    assert fronts.events() == [REFUSED]
    assert receive(client, count * len(STATS) + 1) == STATS * count
    fronts.look_until(lambda: not fronts.counts.connections)


def test_who_does_not_end_a_connection_that_has_ended_here_is_hung_up_on(fronts: Fronts) -> None:
    client = fronts.client()
    client.sendall(b"\xff" * 100)
    fronts.look_until(lambda: fronts.counts.events == 1)
    assert receive(client, 1) == b""
    fronts.library.front_sweep(fronts.front, 10**18, 10**18, 0)
    assert fronts.counts.connections == 1

    def hung_up() -> bool:
        # Once the client's system has confirmed the end: until then it may be that it takes replies.
        fronts.library.front_sweep(fronts.front, 0, 10**18, 10**18)
        return not fronts.counts.connections

    fronts.look_until(hung_up)


def read_until_confirmed(client: socket.socket) -> None:
    """Read so much that the other side's system hears of it: a window opens in steps."""
    for _ in range(4):
        assert len(receive(client, 64 << 10)) == 64 << 10


@pytest.mark.parametrize("ends", [False, True], ids=["goes on", "ends"])
def test_who_takes_replies_slowly_goes_on_and_who_takes_none_is_hung_up_on(fronts: Fronts, ends: bool) -> None:
    client = fronts.client()
    # The front keeps some of the replies, or all are with the system.
    count = 20_000 if ends else 200_000

    def send() -> None:
        with contextlib.suppress(OSError):  # once it is hung up on
            client.sendall(STATS_REQUEST * count + b"\xff" * 100 * ends)

    sender = threading.Thread(target=send)
    sender.start()
    sweep, still = fronts.library.front_sweep, time.monotonic() + 0.5
    while time.monotonic() < still:
        fronts.library.front_look(fronts.front)
    sweep(fronts.front, 10**18, 10**18, 10**18)
    for _ in range(2):
        assert fronts.counts.connections == 1
        # Without a look: what the front itself can send anew is seen anyhow.
        read_until_confirmed(client)
        sweep(fronts.front, 10**18, 0, 10**18)
        assert fronts.counts.connections == 1
    sweep(fronts.front, 10**18, 0, 10**18)
    assert fronts.counts.connections == 0
    sender.join()


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": 2},
        {"count": 2},
        {"time_ns": 0},
        {"time_ns": -1},
        {"time_ns": 10**15},
        {"time_ns": 2**63 - 1},
        {"failure": 2**32 - 1},
    ],
    ids=str,
)
def test_a_sample_of_a_session_that_answers_what_cannot_be_is_run_by_another_one(
    fronts: Fronts, wrong: dict[str, int]
) -> None:
    first, second = fronts.session(), fronts.session()
    number = fronts.library.front_attach(fronts.front, _place(first, 0))
    client = fronts.client()
    client.sendall(encode_inference_request(digit(1)))
    fronts.look_until(lambda: fronts.counts.running == 1)
    answer(first, np.full(10, 7.0), **wrong)
    fronts.look_until(lambda: fronts.counts.events == 1)
    assert fronts.events() == [NONSENSE]
    fronts.library.front_attach(fronts.front, _place(second, 0))
    fronts.library.front_detach(fronts.front, number)
    fronts.look_until(lambda: fronts.counts.running == 1)
    np.testing.assert_array_equal(second.ring.slot(1).inputs[0][0], digit(1))
    answer(second, np.arange(20, 30))
    fronts.look_until(lambda: fronts.counts.requests == 1)
    reply = decode_reply(receive(client, REPLY_SIZE))
    assert isinstance(reply, InferenceReply)
    assert list(reply.outputs) == list(range(20, 30))
    assert (fronts.events(), fronts.counts.waiting, fronts.counts.running) == ([], 0, 0)
