"""The digits' protocol: the original's bytes, in order, whatever other clients do."""

import json
import os
import socket
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.needs import need

from edgerig.agent.keys import make_keys
from edgerig.errors import IncompatibleError, UsageError
from edgerig.serve import Server
from edgerig.serve.ways.digits import Digits
from edgerig.testing import networks
from edgerig.wire.digits import (
    REPLY_SIZE,
    REQUEST_SIZE,
    STATS_REPLY_SIZE,
    STATS_REQUEST,
    Client,
    InferenceReply,
    StatsReply,
    decode_reply,
    encode_inference_request,
)
from edgerig.wire.digits.layout import REQUEST_HEAD
from edgerig.wire.tls import host_context


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "requests"


@pytest.fixture(scope="module", params=[True, False], ids=["c", "python"])
def served(digit_net: Path, log: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of two sessions, whose engine refuses a digit that begins with 777 and dies of one with 666; its
    connections are looked after in C, or in Python."""
    runtime = "tests.serve.fragile:Fragile"
    if request.param:
        need("cc")
    ways = [Digits("127.0.0.1:0", in_c=request.param)]
    with (
        log.open("w") as file,
        Server(digit_net, listen="127.0.0.1:0", ways=ways, runtime=runtime, sessions=2, log=file) as server,
    ):
        assert ways[0].looked_after_in == ("C" if request.param else "Python")
        yield server


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.addresses["digits"].port), 60)


def digit(seed: int, first: float | None = None) -> Any:
    pixels = np.random.default_rng(seed).random(784).astype(np.float32)
    if first is not None:
        pixels[0] = first
    return pixels


def expected(pixels: Any) -> Any:
    weights, bias = networks.dense_weights(784, 10)
    logits = weights @ pixels + bias
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def receive(client: socket.socket, count: int) -> bytes:
    """So many bytes, or fewer where the server hangs up before."""
    data = b""
    try:
        while len(data) < count and (piece := client.recv(count - len(data))):
            data += piece
    except ConnectionResetError:
        pass
    return data


def check(reply: bytes, pixels: Any) -> None:
    decoded = decode_reply(reply)
    assert isinstance(decoded, InferenceReply)
    assert decoded.output_n == 10
    assert decoded.timer_ms > 0
    np.testing.assert_allclose(decoded.outputs, expected(pixels), rtol=1e-4, atol=1e-6)


def test_one_inference_a_connection(served: Server) -> None:
    for seed in range(3):
        with connect(served) as client:
            client.sendall(encode_inference_request(digit(seed)))
            client.shutdown(socket.SHUT_WR)
            reply = receive(client, 2 * REPLY_SIZE)
        assert len(reply) == REPLY_SIZE
        check(reply, digit(seed))


def test_the_client_of_edgerig(served: Server) -> None:
    with Client.tcp("127.0.0.1", served.addresses["digits"].port) as client:
        assert client.stats() == StatsReply(1, 0, 0)
        np.testing.assert_allclose(client.infer(digit(1)).outputs, expected(digit(1)), rtol=1e-4, atol=1e-6)
        assert client.stats() == StatsReply(1, 0, 0)


@pytest.mark.parametrize("piece", [1 << 20, REQUEST_SIZE, 5000, 997])
def test_pipelined_requests_are_answered_in_their_order(served: Server, piece: int) -> None:
    seeds = range(150)
    stream = b"".join(
        encode_inference_request(digit(seed)) + (STATS_REQUEST if seed % 50 == 7 else b"") for seed in seeds
    )
    with connect(served) as client:
        for start in range(0, len(stream), piece):
            client.sendall(stream[start : start + piece])
        for seed in seeds:
            check(receive(client, REPLY_SIZE), digit(seed))
            if seed % 50 == 7:
                assert decode_reply(receive(client, STATS_REPLY_SIZE)) == StatsReply(1, 0, 0)


def test_many_connections_at_once_each_get_their_own(served: Server) -> None:
    clients = [connect(served) for _ in range(300)]
    for seed, client in enumerate(clients):
        client.sendall(encode_inference_request(digit(seed)))
    for seed, client in enumerate(clients):
        check(receive(client, REPLY_SIZE), digit(seed))
        client.close()


@pytest.mark.parametrize(
    "first", [pytest.param(666.0, marks=pytest.mark.slow, id="dies"), pytest.param(777.0, id="refuses")]
)
def test_a_digit_that_the_engine_fails_of_costs_its_sender_the_connection_and_nobody_else(
    served: Server, first: float
) -> None:
    clients = [connect(served) for _ in range(40)]
    pixels = [digit(seed, first if seed == 20 else None) for seed in range(40)]
    for client, values in zip(clients, pixels, strict=True):
        client.sendall(encode_inference_request(values))
    for seed, (client, values) in enumerate(zip(clients, pixels, strict=True)):
        reply = receive(client, REPLY_SIZE)
        assert (reply == b"") == (seed == 20)
        if reply:
            check(reply, values)
        client.close()


@pytest.mark.parametrize(
    "first", [pytest.param(666.0, marks=pytest.mark.slow, id="dies"), pytest.param(777.0, id="refuses")]
)
def test_digits_of_a_connection_before_one_that_the_engine_fails_of_are_answered(served: Server, first: float) -> None:
    pixels = [digit(seed, first if seed == 7 else None) for seed in range(12)]
    with connect(served) as client, connect(served) as other:
        client.sendall(b"".join(map(encode_inference_request, pixels)))
        other.sendall(encode_inference_request(digit(99)))
        for values in pixels[:7]:
            check(receive(client, REPLY_SIZE), values)
        assert receive(client, 1) == b""
        check(receive(other, REPLY_SIZE), digit(99))


def bad_requests() -> list[tuple[str, bytes]]:
    good = encode_inference_request(digit(0))
    rng = np.random.default_rng(0)
    cases = [(f"random {size}", rng.bytes(size)) for size in (12, 100, REQUEST_SIZE, 2 * REQUEST_SIZE)]
    cases += [(name, good[:-4] + np.float32(number).tobytes()) for name, number in (("nan", np.nan), ("inf", np.inf))]
    for position in (0, 4, 8, 20, 24, 32, 36, 40):
        cases.append((f"offset at {position}", good[:position] + b"\xff\xff\xff\x7f" + good[position + 4 :]))
    cases.append(("long vector", good[:40] + (785).to_bytes(4, "little") + good[44:] + bytes(4)))
    cases.append(("short vector", good[:40] + (783).to_bytes(4, "little") + good[44:]))
    return cases


BAD = bad_requests()


@pytest.mark.parametrize("data", [case[1] for case in BAD], ids=[case[0] for case in BAD])
def test_a_bad_request_ends_its_connection_after_the_replies_before_it(served: Server, data: bytes) -> None:
    with connect(served) as bad, connect(served) as other:
        bad.sendall(encode_inference_request(digit(1)) + data)
        bad.shutdown(socket.SHUT_WR)
        other.sendall(encode_inference_request(digit(2)))
        check(receive(other, REPLY_SIZE), digit(2))
        answer = receive(bad, 10 * REPLY_SIZE)
    check(answer[:REPLY_SIZE], digit(1))
    assert len(answer) == REPLY_SIZE


def test_a_request_for_statistics_is_answered_wherever_it_stands(served: Server) -> None:
    inference = encode_inference_request(digit(1))
    for requests in ([inference, STATS_REQUEST], [STATS_REQUEST, inference], [inference, inference, STATS_REQUEST] * 2):
        with connect(served) as client:
            client.settimeout(20)
            client.sendall(b"".join(requests))
            for request in requests:
                if request is inference:
                    check(receive(client, REPLY_SIZE), digit(1))
                else:
                    assert len(receive(client, 48)) == 48


def test_who_goes_on_sending_behind_a_bad_request_gets_all_replies_before_it(served: Server) -> None:
    """However slowly it takes them: a connection that is closed with something to be read loses what is on its way."""
    count, after = 4000, b"\xff" * (4 << 20)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(60)
        client.connect(("127.0.0.1", served.addresses["digits"].port))
        client.sendall(STATS_REQUEST * count + after)
        client.shutdown(socket.SHUT_WR)
        replies = receive(client, count * 48 + 1)
    assert len(replies) == count * 48
    assert replies == replies[:48] * count


def test_every_truncation_and_early_closes(served: Server) -> None:
    good = encode_inference_request(digit(3))
    for length in [*range(0, len(REQUEST_HEAD) + 4), 1000, REQUEST_SIZE - 1]:
        with connect(served) as client:
            client.sendall(good[:length])
            client.shutdown(socket.SHUT_WR)
            assert receive(client, 1) == b""
    for _ in range(50):
        with connect(served) as client:
            client.sendall(good)
    with connect(served) as client:
        client.sendall(good)
        check(receive(client, REPLY_SIZE), digit(3))


def test_idle_and_half_sent_connections_hold_nobody_up(served: Server) -> None:
    idle = [connect(served) for _ in range(200)]
    for client in idle[::2]:
        client.sendall(REQUEST_HEAD)
    with connect(served) as client:
        client.sendall(encode_inference_request(digit(4)))
        check(receive(client, REPLY_SIZE), digit(4))
    for client in idle:
        client.close()


def test_metrics_and_the_log_tell_of_requests(served: Server, log: Path) -> None:
    address = f"http://127.0.0.1:{served.address.port}/metrics"
    with connect(served) as client:
        client.sendall(encode_inference_request(digit(5)))
        receive(client, REPLY_SIZE)
        text = urllib.request.urlopen(address, timeout=60).read().decode()
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(figures['edgerig_requests_total{result="ok",way="digits"}']) >= 1
    assert float(figures["edgerig_network_seconds_count"]) >= 1
    assert float(figures['edgerig_connections{way="digits"}']) >= 1
    assert figures["edgerig_sessions"] in ("1.0", "2.0")
    assert figures["edgerig_queue_samples"] == "0.0"
    last = json.loads(log.read_text().splitlines()[-1])
    assert {"way": "digits", "result": "ok", "samples": 1}.items() <= last.items()
    assert 0 < last["network_ms"] < last["handler_ms"]


def test_in_tls_replies_that_are_due_reach_who_has_said_all_and_outlast_a_stop(digit_net: Path, tmp_path: Path) -> None:
    make_keys(tmp_path, ["localhost"], ["laptop"])
    context, seeds = host_context(tmp_path / "client-laptop"), range(120)
    requests = b"".join(encode_inference_request(digit(seed)) for seed in seeds)
    ways, keys = [Digits("127.0.0.1:0")], tmp_path / "agent-localhost"
    with Server(digit_net, listen=None, ways=ways, sessions=1, tls=keys) as server:

        def encrypted() -> ssl.SSLSocket:
            return context.wrap_socket(connect(server), server_hostname="localhost")

        with encrypted() as client:
            client.sendall(requests + b"\xff" * (1 << 20))
            half_closed(client)
            replies = receive(client, len(seeds) * REPLY_SIZE + 1)
        assert len(replies) == len(seeds) * REPLY_SIZE
        for seed in seeds:
            check(replies[seed * REPLY_SIZE : (seed + 1) * REPLY_SIZE], digit(seed))
        with encrypted() as client:
            client.sendall(requests)
            assert len(receive(client, REPLY_SIZE)) == REPLY_SIZE
            stopping = threading.Thread(target=server.stop)
            stopping.start()
            replies = receive(client, len(requests))
            stopping.join()
        # Whole replies, and then the end: what had not been read yet is not accepted.
        assert len(replies) % REPLY_SIZE == 0
        for seed, start in enumerate(range(0, len(replies), REPLY_SIZE), 1):
            check(replies[start : start + REPLY_SIZE], digit(seed))


def half_closed(client: ssl.SSLSocket) -> None:
    """End the client's side of the TCP connection alone; `ssl.SSLSocket` would forget its keys with it."""
    with socket.socket(fileno=os.dup(client.fileno())) as plain:
        plain.shutdown(socket.SHUT_WR)


@pytest.mark.slow
def test_other_networks_and_open_addresses_are_refused(float_net: Path, digit_net: Path) -> None:
    with pytest.raises(IncompatibleError, match="digits are 28x28 values"):
        Server(float_net, listen=None, ways=[Digits("127.0.0.1:0")], sessions=1)
    with pytest.raises(UsageError) as error:
        Server(digit_net, listen=None, ways=[Digits("0.0.0.0:0")], sessions=1, token=b"a" * 32)
    assert "Give --tls (docs/serving.md)" in str(error.value)
