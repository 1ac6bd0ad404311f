"""A server from its start to its end: who may come in, where its network runs, what becomes of accepted requests."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import psutil
import pytest
from tests.agents import serving
from tests.serve.fragile import DEADLY, ENDLESS, REFUSED
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc

import edgerig
from edgerig.agent.address import Address
from edgerig.agent.keys import make_keys
from edgerig.agent.server import Agent
from edgerig.errors import (
    EdgerigError,
    IncompatibleError,
    InferenceError,
    ModelError,
    Overloaded,
    RequestError,
    TargetError,
    UsageError,
)
from edgerig.serve import Server, pool
from edgerig.serve.listening import Access
from edgerig.serve.service import Service
from edgerig.serve.ways.base import Way
from edgerig.serve.ways.open_inference.http import OpenInferenceHttp
from edgerig.testing import networks
from edgerig.wire.digits import REPLY_SIZE, encode_inference_request
from edgerig.wire.tls import host_context

TOKEN = b"0123456789abcdef0123456789abcdef"


def samples(count: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)


def expected(x: Any) -> Any:
    weights, bias = networks.dense_weights(8, 4)
    logits = x @ weights.T + bias
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def status(url: str, headers: dict[str, str] | None = None, context: ssl.SSLContext | None = None) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), context=context) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_server_runs_in_the_background_of_a_program_until_it_is_stopped(float_net: Path) -> None:
    server = edgerig.serve.Server(float_net, listen="127.0.0.1:0", sessions=1)
    ended = threading.Thread(target=server.wait)
    ended.start()
    pids = server.pool.pids
    np.testing.assert_allclose(server.infer({"x": samples(2)}).outputs["y"], expected(samples(2)), rtol=1e-5)
    lists = server.infer({"x": samples(2).tolist()}).outputs["y"]
    np.testing.assert_allclose(lists, expected(samples(2)), rtol=1e-5)
    for wrong, words in (
        ([[1.0] * 8, [1.0]], "no regular array"),
        ("seven", "takes the shape"),
        ([["a"] * 8], "numbers"),
    ):
        with pytest.raises(RequestError, match=words):
            server.infer({"x": wrong})
    server.stop()
    server.stop()
    with pytest.raises(Overloaded, match="has stopped"):
        server.infer({"x": samples(2)})
    ended.join(60)
    assert not ended.is_alive()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((server.address.host, server.address.port), 10)


def test_what_cannot_be_served_is_said_before_anything_is_left_behind(float_net: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"0\.0\.0\.0 can be reached from other machines"):
        Server(float_net, listen="0.0.0.0:0")
    with pytest.raises(UsageError, match="oip-grpc listens at the port after HTTP's, and 65535 is the last one"):
        Server(float_net, listen="127.0.0.1:65535")
    with pytest.raises(UsageError, match="listen nowhere"):
        Server(float_net, listen=None, ways=[])
    with pytest.raises(ModelError):
        Server(tmp_path / "absent.tflite", listen="127.0.0.1:0")
    with pytest.raises(EdgerigError, match=r"holds fewer|single session|serves"):
        Server(float_net, listen="127.0.0.1:0", target="sim:stm32f746", runtime="micro", sessions=2)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match="Is another server running there"):
            Server(float_net, listen=f"127.0.0.1:{port}")


@pytest.fixture(scope="module")
def closed(float_net: Path) -> Iterator[Server]:
    with Server(float_net, listen="127.0.0.1:0", sessions=1, token=TOKEN) as server:
        yield server


def test_only_who_shows_the_token_comes_in(closed: Server) -> None:
    url = f"http://127.0.0.1:{closed.address.port}"
    shown = {"Authorization": f"Bearer {TOKEN.decode()}"}
    for path in ("/v2/models/float_net", "/v2", "/metrics", "/"):
        assert status(url + path) == 401
        assert status(url + path, {"Authorization": "Bearer 0123"}) == 401
        assert status(url + path, shown) in (200, 404)
    assert status(f"{url}/v2/health/ready") == 200
    with grpc.insecure_channel(f"127.0.0.1:{closed.addresses['oip-grpc'].port}") as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        request = messages.ModelMetadataRequest(name="float_net")
        assert stub.ServerReady(messages.ServerReadyRequest()).ready
        with pytest.raises(grpc.RpcError) as error:
            stub.ModelMetadata(request)
        assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert stub.ModelMetadata(request, metadata=[("authorization", f"Bearer {TOKEN.decode()}")]).name == "float_net"


def test_with_tls_only_clients_of_the_same_ca_come_in(float_net: Path, tmp_path: Path) -> None:
    make_keys(tmp_path, ["localhost", "127.0.0.1"], ["laptop"])
    ours, theirs = tmp_path / "agent-localhost", tmp_path / "client-laptop"
    with Server(float_net, listen="127.0.0.1:0", sessions=1, tls=ours) as server:
        url = f"https://127.0.0.1:{server.address.port}/v2/models/float_net"
        assert status(url, context=host_context(theirs)) == 200
        stranger = ssl.create_default_context(cafile=str(theirs / "ca.pem"))
        with pytest.raises((urllib.error.URLError, OSError)):
            status(url, context=stranger)
        key, certificate, ca = ((theirs / name).read_bytes() for name in ("key.pem", "cert.pem", "ca.pem"))
        credentials = grpc.ssl_channel_credentials(ca, key, certificate)
        with grpc.secure_channel(f"127.0.0.1:{server.addresses['oip-grpc'].port}", credentials) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            assert stub.ServerReady(messages.ServerReadyRequest()).ready


def test_an_agent_is_a_target(float_net: Path) -> None:
    with (
        serving(Agent(Address("127.0.0.1", 0))) as agent,
        Server(float_net, listen="127.0.0.1:0", target=str(agent.address), sessions=2) as server,
    ):
        for seed in range(20):
            answer = server.infer({"x": samples(3, seed)})
            np.testing.assert_allclose(answer.outputs["y"], expected(samples(3, seed)), rtol=1e-5, atol=1e-6)


def test_a_network_of_several_samples_an_inference_takes_any_number(tmp_path: Path) -> None:
    net = networks.dense_tflite(tmp_path / "four.tflite", batch=4)
    with Server(net, listen="127.0.0.1:0", sessions=1) as server:
        for count in (1, 4, 6):
            answer = server.infer({"x": samples(count)})
            np.testing.assert_allclose(answer.outputs["y"], expected(samples(count)), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_sessions_in_threads_answer_and_fail_as_those_of_the_event_loop(
    float_net: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions of other machines and boards, and of large inputs, are waited for by threads."""
    monkeypatch.setattr(pool, "SMALL", 0)
    with Server(float_net, listen="127.0.0.1:0", sessions=2, runtime="tests.serve.fragile:Fragile") as server:
        for seed in range(5):
            answer = server.infer({"x": samples(7, seed)})
            np.testing.assert_allclose(answer.outputs["y"], expected(samples(7, seed)), rtol=1e-5, atol=1e-6)
        bad = samples(1)
        for value, error in ((REFUSED, InferenceError), (DEADLY, TargetError)):
            bad[0, 0] = value
            with pytest.raises(error):
                server.infer({"x": bad})
        np.testing.assert_allclose(server.infer({"x": samples(2)}).outputs["y"], expected(samples(2)), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("small", [pool.SMALL, 0], ids=["event loop", "thread"])
@pytest.mark.parametrize("settings", [{"answer_seconds": 1.0}, {"target_options": {"timeout": 5.0}}])
def test_a_session_that_does_not_answer_is_given_up(
    float_net: Path, monkeypatch: pytest.MonkeyPatch, small: int, settings: dict[str, Any]
) -> None:
    monkeypatch.setattr(pool, "SMALL", small)
    runtime = "tests.serve.fragile:Fragile"
    with Server(float_net, listen="127.0.0.1:0", sessions=1, runtime=runtime, **settings) as server:
        endless = samples(1)
        endless[0, 0] = ENDLESS
        with pytest.raises(TargetError, match=r"answer"):
            server.infer({"x": endless})
        np.testing.assert_allclose(server.infer({"x": samples(2)}).outputs["y"], expected(samples(2)), rtol=1e-5)


def test_a_limit_on_answers_is_refused_where_no_session_could_be_begun_anew(float_net: Path) -> None:
    with pytest.raises(IncompatibleError, match=r"at tcp://127\.0\.0\.1:1") as caught:
        Server(float_net, listen="127.0.0.1:0", target="tcp://127.0.0.1:1", answer_seconds=5.0)
    assert "timeout=" in str(caught.value.hint)


class Broken(Way):
    """A way in that cannot start, and one that notes that it was stopped."""

    name = "broken"
    listens = True

    def __init__(self, fails: bool) -> None:
        super().__init__("127.0.0.1:0")
        self.fails, self.stopped = fails, 0

    async def start(self, service: Service, listener: socket.socket, access: Access) -> None:
        listener.close()
        if self.fails:
            raise UsageError("This way in does not start.")

    async def stop(self, deadline: float) -> None:
        self.stopped += 1


def test_where_a_way_in_does_not_start_the_others_and_the_pool_are_stopped(float_net: Path) -> None:
    good, bad = Broken(False), Broken(True)
    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(UsageError, match="does not start"):
        Server(float_net, listen="127.0.0.1:0", sessions=1, ways=(OpenInferenceHttp(), good, bad))
    assert (good.stopped, bad.stopped) == (1, 1)
    assert {child.pid for child in psutil.Process().children()} <= before


def test_a_pool_that_stops_refuses_what_comes_then(float_net: Path) -> None:
    with Server(float_net, listen="127.0.0.1:0", sessions=1) as server:
        server.run(server.pool.stop(10))
        with pytest.raises(Overloaded, match="stopping"):
            server.infer({"x": samples(1)})
        assert status(f"http://127.0.0.1:{server.address.port}/v2/health/ready") == 503


@pytest.mark.slow
def test_sigterm_finishes_what_was_accepted_and_ends_with_0(digit_net: Path) -> None:
    words = [sys.executable, "-m", "edgerig", "digits", "serve", "--model", str(digit_net), "--listen", "127.0.0.1:0"]
    process = subprocess.Popen([*words, "--sessions", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on 127.0.0.1:")
        port = int(line.split(" (")[0].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 60) as client:
            client.sendall(encode_inference_request(np.zeros(784)) * 50)
            replies = client.recv(REPLY_SIZE)
            os.kill(process.pid, signal.SIGTERM)
            while piece := client.recv(1 << 16):
                replies += piece
        assert replies
        assert len(replies) % REPLY_SIZE == 0
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert "server stopped" in errors
    finally:
        process.kill()
