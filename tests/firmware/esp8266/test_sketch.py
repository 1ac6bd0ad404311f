"""The ESP8266's sketch over its serial commands, as a real client of a server."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.wire.digits.reference_server import ReferenceServer, expected_outputs, reply_to

from edgerig.serve import Server
from edgerig.serve.ways.digits import Digits
from edgerig.testing import networks
from edgerig.wire.digits import Client, encode_inference_reply, encode_inference_request, encode_stats_reply
from edgerig.wire.digits.messages import StatsReply

HELLO = "WiFi connected, address 127.0.0.1"


def noise() -> Any:
    """The digit that the sketch sends."""
    state, pixels = 1, []
    for _ in range(784):
        state = (state * 1664525 + 1013904223) % 2**32
        pixels.append(state >> 24)
    return np.array(pixels, np.float32) / np.float32(255)


def results(timer_ms: float, transaction: str) -> list[str]:
    """The lines that a user sees."""
    outputs = [f"out[{n}]: {output:.6f}" for n, output in enumerate(expected_outputs(noise()))]
    time = f"Inference time in ms: {timer_ms:.6f}"
    return ["======== Results ========", time, *outputs, f"Transaction time: {transaction} ms"]


@pytest.mark.slow
@pytest.mark.parametrize(("mhz", "transaction"), [(160, "36.726881"), (80, "73.453762")])
def test_test_prints_the_results_by_the_clock_that_the_processor_has(
    sketch: Callable[..., Any], mhz: int, transaction: str
) -> None:
    requests = []

    def answer(message: bytes) -> bytes:
        requests.append(message)
        return reply_to(message, 8.420229)

    with ReferenceServer(answer) as server:
        client = sketch(server.port, mhz, NATIVE_TICKS="5876301")
        assert client.read() == [HELLO]
        for _ in range(2):
            client.type("TEST\n")
            assert client.read(14) == ["Request a single inference...", *results(8.420229, transaction)]
    assert requests == [encode_inference_request(noise())] * 2, "byte for byte"
    assert server.connections == 2, "a connection of its own for each"


def test_start_repeats_after_any_number_of_seconds_until_stop(sketch: Callable[..., Any]) -> None:
    with ReferenceServer() as server:
        # 240 s pass in one, save while an answer is waited for.
        client = sketch(server.port, NATIVE_HASTE="240", NATIVE_TICKS="160")
        assert client.read() == [HELLO]
        client.type("START=0000120\r\n")
        for _ in range(2):
            assert client.read(13) == results(1.25, "0.001000")
        client.type("STOP\nNONE\n")
        lines = client.read()
        while not lines[-1].startswith("Error: no such command"):
            lines += client.read()
        assert len(lines) % 13 == 1, "whole results may have been on their way, one or, on a busy machine, more"
        done = server.requests
        client.type("TEST\n")
        assert client.read(14)[0] == "Request a single inference..."
        assert server.requests == done + 1


@pytest.mark.parametrize("line", ["START=", "START=0", "START=x", "START=-1", "START=2147484", "START=" + "9" * 40])
def test_seconds_that_cannot_be_are_said(sketch: Callable[..., Any], line: str) -> None:
    client = sketch(1)
    client.type(line + "\n")
    assert client.read(2)[1] == "Error: START=<secs> takes whole seconds from 1 to 2147483"


def test_other_lines_are_said(sketch: Callable[..., Any]) -> None:
    client = sketch(1)
    client.type("test\n\n\r\n" + "START=" + "0" * 100 + "5\n" + "\x00\x7f\n")
    assert client.read(3)[1:] == [
        "Error: no such command: test. There are TEST, START=<secs> and STOP",
        "Error: the line is too long",
    ]


def cut(message: bytes) -> bytes:
    return reply_to(message)[:50]


@pytest.mark.parametrize(
    ("answer", "once", "text"),
    [
        (lambda _: None, False, "the server fell silent after 0 bytes of the reply"),
        (cut, False, "the server fell silent after 50 bytes of the reply"),
        (cut, True, "the server closed the connection after 50 bytes of the reply"),
        (lambda _: b"", True, "the server closed the connection after 0 bytes of the reply"),
        (lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n", False, "the bytes are no message"),
        (lambda _: b"\xff" * 96, False, "the bytes are no message"),
        (lambda message: reply_to(message) + b"more", False, "more bytes follow the message"),
        (lambda message: message, False, "the server sends more than a reply takes"),
        (lambda _: encode_stats_reply(StatsReply(1, 2, 0)), False, "the reply is to another request"),
        (
            lambda _: encode_inference_reply(np.zeros(10), 1.0)[:-4] + b"\x00\x00\xc0\x7f",
            False,
            "an output is not finite",
        ),
    ],
)
def test_a_bad_answer_is_one_clear_line_and_the_sketch_goes_on(
    sketch: Callable[..., Any], answer: Any, once: bool, text: str
) -> None:
    with ReferenceServer(answer, once) as server:
        client = sketch(server.port, NATIVE_TICKS="160000")
        client.type("TEST\n")
        assert client.read(3)[1:] == ["Request a single inference...", f"Error: {text}"]
        server.answer = reply_to
        client.type("TEST\n")
        assert client.read(14)[1:] == results(1.25, "1.000000")


def test_a_reply_of_a_writer_that_leaves_a_timer_of_0_out_is_read(sketch: Callable[..., Any]) -> None:
    def answer(message: bytes) -> bytes:
        head = bytes.fromhex("10000000 0c000c00 0b000000 00000400 0c000000 10000000 00000002")
        head += bytes.fromhex("08000c00 08000700 08000000 0000000a 04000000 0a000000")
        return head + reply_to(message)[-40:]

    with ReferenceServer(answer) as server:
        client = sketch(server.port, NATIVE_TICKS="160000")
        client.type("TEST\n")
        assert client.read(15)[2:] == results(0.0, "1.000000")


@pytest.mark.slow
def test_edgerig_digits_serve_answers_the_sketch(sketch: Callable[..., Any], tmp_path: Path) -> None:
    net = networks.dense_tflite_int8(tmp_path / "digits.tflite", 784, 10)
    with Server(net, listen=None, ways=[Digits("127.0.0.1:0")], sessions=1) as server:
        port = server.addresses["digits"].port
        with Client.tcp("127.0.0.1", port) as other:
            outputs = other.infer(noise()).outputs
        client = sketch(port, NATIVE_TICKS="160000")
        client.type("TEST\n" * 3)
        lines = client.read(1 + 3 * 14)[1:]
    for test in range(3):
        shown = lines[14 * test : 14 * (test + 1)]
        assert shown[3:13] == [f"out[{n}]: {output:.6f}" for n, output in enumerate(outputs)]
        assert float(shown[2].removeprefix("Inference time in ms: ")) > 0
        assert shown[13] == "Transaction time: 1.000000 ms"


def test_a_server_that_is_away_and_a_network_that_is_away_are_said(sketch: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = sketch(port)
    client.type("TEST\n")
    assert client.read(3)[2] == "Error: cannot connect to the server"
    client = sketch(port, NATIVE_NO_WIFI="1")
    client.type("TEST\n")
    assert client.read(2) == ["Request a single inference...", "Error: WiFi is not connected"]
