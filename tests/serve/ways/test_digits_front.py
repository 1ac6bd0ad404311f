"""Connections of digits that are looked after in C: what is its own, beside what `test_digits` asks of both ways."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.needs import need
from tests.serve.ways.test_digits import check, connect, digit, receive
from tests.serve.ways.test_digits_in_c import (
    test_a_client_that_takes_no_replies_holds_nobody_up_and_gets_all_of_them_later,
)

from edgerig.artifact import Quantization, TensorSpec
from edgerig.datasets.preprocess import quantize_input
from edgerig.errors import DatasetError
from edgerig.serve import Server
from edgerig.serve.ways import digits, digits_front, digits_library
from edgerig.serve.ways.digits import Digits
from edgerig.testing import networks
from edgerig.wire.digits import REPLY_SIZE, STATS_REQUEST, InferenceReply, decode_reply, encode_inference_request

__all__ = ["test_a_client_that_takes_no_replies_holds_nobody_up_and_gets_all_of_them_later"]
FRAGILE = "tests.serve.fragile:Fragile"


@pytest.fixture(scope="module", autouse=True)
def compiler() -> None:
    need("cc")


def serve(path: Path, **settings: Any) -> Server:
    way = Digits("127.0.0.1:0")
    server = Server(path, listen="127.0.0.1:0", ways=[way], **settings)
    assert way.looked_after_in == "C"
    return server


@pytest.fixture(scope="module")
def served(digit_net: Path) -> Iterator[Server]:
    with serve(digit_net, sessions=1, runtime=FRAGILE) as server:
        yield server


def ask(server: Server, pixels: Any) -> list[float]:
    with connect(server) as client:
        client.sendall(encode_inference_request(pixels))
        reply = decode_reply(receive(client, REPLY_SIZE))
    assert isinstance(reply, InferenceReply)
    return list(reply.outputs)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def figures(server: Server) -> dict[str, float]:
    text = urllib.request.urlopen(f"http://127.0.0.1:{server.address.port}/metrics", timeout=60).read().decode()
    return {
        key: float(value)
        for key, value in (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    }


def halves(scale: float) -> Any:
    """Digits whose numbers lie on, and next to, the middle between two integers, or are very large or small."""
    rng = np.random.default_rng(7)
    middles = (np.arange(-300, 300) + 0.5) * scale
    numbers = np.concatenate(
        [middles, np.nextafter(middles, 0), np.nextafter(middles, 1e9), [0, -0.0, 3e38, -3e38, 1e-45]]
    )
    return rng.choice(numbers, (20, 784)).astype(np.float32)


@pytest.mark.parametrize("quantization", [networks.INT8_INPUT, (1 / 255, -128), (0.3, 100)], ids=str)
def test_integers_are_those_of_every_other_way_in(tmp_path: Path, quantization: tuple[float, int]) -> None:
    """`Server.infer` quantizes as `edgerig.datasets.preprocess` does."""
    path = networks.dense_tflite_int8(tmp_path / "int8.tflite", 784, 10, input_quantization=quantization)
    pixels = halves(quantization[0])
    with serve(path, sessions=1) as server:
        name = server.pool.tensors.inputs[0].name
        expected = next(iter(server.infer({name: pixels}).outputs.values()))
        assert [ask(server, row) for row in pixels] == expected.tolist()


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize(("scale", "zero_point"), [(1 / 255, 0), (0.3, 100), (7.0, 127), (1e-6, 3)], ids=str)
def test_integers_of_one_sample_are_made_in_c_as_elsewhere(dtype: str, scale: float, zero_point: int) -> None:
    library = digits_library.front_library()
    assert library is not None
    spec = TensorSpec("x", (1, 784), dtype, Quantization((scale,), (zero_point,)))
    asked: list[Any] = []

    def otherwise(x: Any) -> Any:
        asked.append(x)
        return quantize_input(x, spec)

    quantize = digits_library.quantizer_in_c(library, spec, otherwise)
    pixels = halves(scale)
    shifted = np.frombuffer(b"\0" + pixels.tobytes(), np.float32, -1, 1).reshape(pixels.shape)
    for row, unaligned in zip(pixels, shifted, strict=True):
        for x in (row[None], unaligned[None], row.reshape(1, 28, 28), row[:5], row[::2], row[:0]):
            got, wanted = quantize(x), quantize_input(x, spec)
            assert (got.dtype, got.shape, got.tobytes()) == (wanted.dtype, wanted.shape, wanted.tobytes())
    kept = quantize(pixels[0])
    copy = kept.copy()
    quantize(pixels[1])
    assert kept.tobytes() == copy.tobytes()
    assert not asked
    # What it does not know goes the other way, as what cannot be quantized does.
    for x in (pixels, pixels[0].astype(np.float64), np.arange(4)):
        assert quantize(x).tobytes() == quantize_input(x, spec).tobytes()
    for bad in (np.nan, np.inf, -np.inf):
        x = np.append(pixels[0], bad).astype(np.float32)
        try:
            wanted = quantize_input(x, spec)
        except DatasetError:
            with pytest.raises(DatasetError):
                quantize(x)
        else:
            assert quantize(x).tobytes() == wanted.tobytes()
    assert len(asked) == 6


def test_threads_quantize_side_by_side() -> None:
    library = digits_library.front_library()
    assert library is not None
    spec = TensorSpec("x", (1, 784), "int8", Quantization((1 / 255,), (-128,)))
    quantize = digits_library.quantizer_in_c(library, spec, partial(quantize_input, spec=spec))
    pixels = np.random.default_rng(0).random((8, 1, 784), np.float32)

    def many(x: Any) -> set[bytes]:
        return {quantize(x).tobytes() for _ in range(2000)}

    with ThreadPoolExecutor(8) as executor:
        for x, results in zip(pixels, executor.map(many, pixels), strict=True):
            assert results == {quantize_input(x, spec).tobytes()}


def test_replies_are_exactly_what_the_network_says(served: Server) -> None:
    rows = np.stack([digit(seed) for seed in range(5)])
    expected = next(iter(served.infer({"x": rows}).outputs.values()))
    assert [ask(served, row) for row in rows] == expected.tolist()


def test_what_was_answered_and_what_was_not_is_counted(digit_net: Path, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log, serve(digit_net, sessions=2, runtime=FRAGILE, log=log) as server:
        for first in (None, 777.0):
            with connect(server) as client:
                client.sendall(b"".join(encode_inference_request(digit(seed)) for seed in range(30)) + STATS_REQUEST)
                client.sendall(encode_inference_request(digit(30, first)))
                assert len(receive(client, 30 * REPLY_SIZE + 48)) == 30 * REPLY_SIZE + 48
                assert len(receive(client, REPLY_SIZE)) == (REPLY_SIZE if first is None else 0)
        with connect(server) as client:
            client.sendall(b"\xff" * 100)
            assert receive(client, 1) == b""
        now = figures(server)
        assert now['edgerig_requests_total{result="ok",way="digits"}'] == 61
        assert now['edgerig_samples_total{result="ok",way="digits"}'] == 61
        assert now['edgerig_requests_total{result="InferenceError",way="digits"}'] == 1
        assert now['edgerig_requests_total{result="WireError",way="digits"}'] == 1
        assert now["edgerig_queue_seconds_count"] == now["edgerig_network_seconds_count"] == 61
        assert now["edgerig_handler_seconds_count"] == 63
        assert now['edgerig_network_seconds_bucket{le="+Inf"}'] == 61
        assert 0 < now["edgerig_network_seconds_sum"] < now["edgerig_handler_seconds_sum"]
        until(lambda: figures(server)['edgerig_connections{way="digits"}'] == 0)
        statistics = server.service.records.statistics
        assert (statistics.samples, statistics.success.count, statistics.fail.count) == (61, 61, 2)
        # What shared a batch with the one that was refused was run once more.
        assert server.pool.executions.infer.count >= 61
        assert min(d.ns for d in (server.pool.executions.input, server.pool.executions.infer)) > 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert sorted(line["result"] for line in lines) == ["InferenceError", "WireError"] + ["ok"] * 61
    good = [line for line in lines if line["result"] == "ok"]
    assert all(0 < line["network_ms"] < line["handler_ms"] and line["queue_ms"] >= 0 for line in good)
    assert all(line["samples"] == 1 and line["way"] == "digits" for line in lines)


def test_a_full_queue_refuses_at_once_and_a_stop_finishes_what_was_accepted(digit_net: Path) -> None:
    with serve(digit_net, sessions=1, queue=3, batch=1) as server:
        ask(server, digit(0))
        (session,) = server.pool.pids
        os.kill(session, signal.SIGSTOP)
        clients = []
        for seed in range(7):
            clients.append(connect(server))
            clients[-1].sendall(encode_inference_request(digit(seed)))
            # Two are with the session, three wait.
            least = min(max(seed - 1, 0), 3)
            until(lambda least=least: figures(server)["edgerig_queue_samples"] == least)  # type: ignore[misc]
        assert [receive(client, 1) for client in clients[5:]] == [b"", b""]
        assert figures(server)['edgerig_requests_total{result="Overloaded",way="digits"}'] == 2
        stop = threading.Thread(target=server.stop)
        stop.start()
        until(lambda: server._listeners[1][1].fileno() < 0)
        os.kill(session, signal.SIGCONT)
        for seed, client in enumerate(clients[:5]):
            check(receive(client, REPLY_SIZE), digit(seed))
            assert receive(client, 1) == b""
        stop.join(60)
        assert not stop.is_alive()


@pytest.mark.slow
def test_a_session_that_hangs_is_begun_anew_and_costs_its_sender_the_connection(digit_net: Path) -> None:
    with serve(digit_net, sessions=1, runtime=FRAGILE, answer_seconds=1.0) as server:
        ask(server, digit(0))
        with connect(server) as endless:
            endless.sendall(encode_inference_request(digit(1, 888.0)))
            until(lambda: server.run(_front(server, "running")) == 1)
            clients = [connect(server) for _ in range(5)]
            for seed, client in enumerate(clients):
                client.sendall(encode_inference_request(digit(seed)))
            for seed, client in enumerate(clients):
                check(receive(client, REPLY_SIZE), digit(seed))
                client.close()
            assert receive(endless, 1) == b""
        assert figures(server)['edgerig_requests_total{result="TargetError",way="digits"}'] == 1


async def _front(server: Server, name: str) -> int:
    (way,) = server.ways
    assert isinstance(way, Digits)
    assert way._front is not None
    return int(getattr(way._front._counts, name))


def test_a_session_that_is_killed_is_replaced_and_what_waits_is_answered(served: Server) -> None:
    (session,) = served.pool.pids
    os.kill(session, signal.SIGSTOP)
    with connect(served) as client:
        client.sendall(encode_inference_request(digit(1)) + encode_inference_request(digit(2)))
        until(lambda: served.run(_front(served, "running")) > 0)
        # It had not begun what it was given: that is nobody's fault.
        os.kill(session, signal.SIGKILL)
        check(receive(client, REPLY_SIZE), digit(1))
        check(receive(client, REPLY_SIZE), digit(2))


def test_a_session_that_can_be_given_nothing_at_first_is_given_samples_later(
    digit_net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = digits_library.front_library()
    assert built is not None
    attempts: list[int] = []

    class Short:
        """The code in C where the system has no memory at first."""

        def __getattr__(self, name: str) -> Any:
            return getattr(built, name)

        def front_attach(self, *arguments: Any) -> int:
            attempts.append(-1 if len(attempts) < 3 else built.front_attach(*arguments))
            return attempts[-1]

    monkeypatch.setattr(digits, "front_library", Short)
    monkeypatch.setattr(digits_front, "PAUSE", 0.05)
    with serve(digit_net, sessions=1) as server, connect(server) as client:
        client.sendall(encode_inference_request(digit(1)))
        check(receive(client, REPLY_SIZE), digit(1))
        assert attempts == [-1, -1, -1, 0]
        # Another one that takes the place of the one that is killed, too.
        del attempts[:]
        os.kill(server.pool.pids[0], signal.SIGKILL)
        client.sendall(encode_inference_request(digit(2)))
        check(receive(client, REPLY_SIZE), digit(2))


def test_where_no_session_can_be_had_nobody_waits_for_one(digit_net: Path) -> None:
    with serve(digit_net, sessions=1) as server:
        (lane,) = server.pool._lanes
        reopen, there = lane._reopen, threading.Event()

        def refused() -> Any:
            if there.is_set():
                return reopen()
            raise OSError("no process can be had")

        lane._reopen = refused
        os.kill(server.pool.pids[0], signal.SIGKILL)
        with connect(server) as client:
            client.sendall(encode_inference_request(digit(1)))
            assert receive(client, 1) == b""
        until(lambda: not server.pool.ready)
        with connect(server) as client:
            client.sendall(encode_inference_request(digit(1)))
            assert receive(client, 1) == b""
        there.set()
        until(lambda: server.pool.ready)
        check_all(server)


def check_all(server: Server) -> None:
    with connect(server) as client:
        for seed in range(3):
            client.sendall(encode_inference_request(digit(seed)))
            check(receive(client, REPLY_SIZE), digit(seed))


def test_scores_that_are_not_finite_cost_their_sender_the_connection(tmp_path: Path) -> None:
    weights = np.zeros((10, 784), np.float32)
    weights[0, :2] = 3e38
    path = networks.linear_tflite(tmp_path / "large.tflite", weights, np.zeros(10, np.float32))
    pixels = np.zeros((20, 784), np.float32)
    pixels[:, 0] = 0.5
    pixels[7, :2] = 1.0
    with serve(path, sessions=1) as server:
        clients = [connect(server) for _ in pixels]
        for client, row in zip(clients, pixels, strict=True):
            client.sendall(encode_inference_request(row))
        assert [len(receive(client, REPLY_SIZE)) for client in clients] == [
            0 if i == 7 else REPLY_SIZE for i in range(20)
        ]
        for client in clients:
            client.close()
        assert figures(server)['edgerig_requests_total{result="WireError",way="digits"}'] == 1


def test_silent_and_dripping_clients_are_hung_up_on(digit_net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "SWEEP_SECONDS", 0.05)
    monkeypatch.setattr(digits, "REQUEST_SECONDS", 0.2)
    monkeypatch.setattr(digits, "IDLE_SECONDS", 0.6)
    request = encode_inference_request(digit(1))
    with serve(digit_net, sessions=1) as server, connect(server) as silent, connect(server) as dripping:
        with pytest.raises(OSError):  # noqa: PT012 - whichever of the many does it
            for position in range(len(request)):
                dripping.sendall(request[position : position + 1])
                time.sleep(0.02)
                dripping.setblocking(False)
                try:
                    if dripping.recv(1) == b"":
                        raise ConnectionResetError
                except BlockingIOError:
                    pass
                dripping.setblocking(True)
        assert receive(silent, 1) == b""
        check_all(server)


def test_without_a_compiler_or_with_another_session_it_is_done_in_python(
    digit_net: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    way = Digits("127.0.0.1:0")
    with Server(digit_net, listen=None, ways=[way], in_process=True) as server:
        check_all(server)
        assert way.looked_after_in == "Python"
    monkeypatch.setattr(digits_library, "c_compiler", lambda: None)
    digits_library.front_library.cache_clear()
    way = Digits("127.0.0.1:0")
    try:
        with caplog.at_level(logging.INFO), Server(digit_net, listen=None, ways=[way], sessions=1) as server:
            check_all(server)
            assert way.looked_after_in == "Python"
    finally:
        digits_library.front_library.cache_clear()
    told = [record.message for record in caplog.records if "connections of digits" in record.message]
    assert told == [
        "connections of digits are looked after in Python, which is slower: this machine has no C compiler",
        "connections of digits are looked after in Python",
    ]
