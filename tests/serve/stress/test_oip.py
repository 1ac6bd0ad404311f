"""Loads in the Open Inference Protocol, against edgerig's own server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edgerig.agent.keys import KeyFolders, make_keys
from edgerig.errors import IncompatibleError, SpecError, TargetError, UsageError, WireError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.serve import Server
from edgerig.serve.stress.load import Load
from edgerig.serve.stress.protocols import oip_http
from edgerig.serve.stress.protocols.oip import Input, only_model
from edgerig.serve.stress.protocols.oip_http import HttpParser
from edgerig.serve.stress.replies import FailedReply, Reply
from edgerig.serve.stress.run import stress
from edgerig.serve.ways.digits import Digits
from edgerig.serve.ways.open_inference.grpc import OpenInferenceGrpc
from edgerig.serve.ways.open_inference.http import OpenInferenceHttp
from edgerig.wire.tls import CA

BODY = b'{"outputs":[]}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n"
TOKEN = "a-token-of-the-tests"


@pytest.fixture(scope="module")
def server(digit_net: Path) -> Iterator[Server]:
    with Server(digit_net, listen="127.0.0.1:0", sessions=1, name="digits", token=TOKEN.encode()) as running:
        yield running


def load_of(server: Server, protocol: str, **settings: object) -> Load:
    port = server.addresses["http" if protocol == "oip-http" else protocol].port
    values = {"host": "127.0.0.1", "port": port, "protocol": protocol, "model": "digits", "token": TOKEN}
    return Load(**{**values, **settings})  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", ["oip-http", "oip-grpc"])
@pytest.mark.parametrize(
    "settings",
    [{"connections": 3, "requests": 10}, {"connections": 3, "requests": 10, "rate": 300.0, "reconnect": True}],
    ids=["closed loop", "reconnecting at a rate"],
)
def test_every_request_is_answered(server: Server, protocol: str, settings: dict[str, object]) -> None:
    result = stress(load_of(server, protocol, **settings))
    assert (result.total, result.good, result.failures) == (30, 30, {})
    if protocol == "oip-http":
        assert isinstance(result.server, Measurement)
        assert 0 < result.server.value < 1
    else:
        assert isinstance(result.server, Unavailable)
    assert result.connect is not None
    assert result.connect.p50.n == (30 if settings.get("reconnect") else 3)


@pytest.mark.parametrize("protocol", ["oip-http", "oip-grpc"])
def test_mistakes_are_told_before_the_load(server: Server, protocol: str) -> None:
    with pytest.raises(TargetError, match="nothing") as error:
        stress(load_of(server, protocol, model="nothing"))
    # It runs: nobody is sent to look for that.
    assert "Is it running" not in (error.value.hint or "")
    with pytest.raises(TargetError, match=r"[Tt]oken"):
        stress(load_of(server, protocol, token="wrong", model=None))
    with pytest.raises(TargetError, match=r"[Tt]oken"):
        stress(load_of(server, protocol, token="wrong"))
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        with pytest.raises(TargetError, match="One request before the load failed"):
            stress(load_of(server, protocol, port=holder.getsockname()[1], timeout=2.0))


@pytest.mark.parametrize("protocol", ["oip-http", "oip-grpc"])
def test_the_only_network_of_a_server_needs_no_name(server: Server, protocol: str) -> None:
    assert stress(load_of(server, protocol, model=None, requests=4)).good == 4


def test_one_of_several_networks_is_named_by_the_user() -> None:
    assert only_model("here:1", ["net"]) == "net"
    with pytest.raises(UsageError, match=r"Which network of here:1 is to be asked\? It has cat, dog\."):
        only_model("here:1", ["cat", "dog"])
    with pytest.raises(UsageError, match=r"is to be asked\?"):
        only_model("here:1", None)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyFolders:
    return make_keys(tmp_path_factory.mktemp("keys"), hosts=["127.0.0.1", "localhost"], clients=["laptop"])


@pytest.fixture(scope="module")
def secure(digit_net: Path, keys: KeyFolders) -> Iterator[Server]:
    ways = OpenInferenceHttp(), OpenInferenceGrpc(), Digits()
    with Server(
        digit_net, listen="127.0.0.1:0", sessions=1, name="digits", tls=Path(keys.agents[0]), ways=ways
    ) as running:
        yield running


@pytest.mark.parametrize("protocol", ["oip-http", "oip-grpc", "digits"])
def test_encrypted_connections_are_loaded_and_strangers_refused(
    secure: Server, keys: KeyFolders, protocol: str, tmp_path: Path
) -> None:
    folder = str(keys.clients[0])
    load = load_of(secure, protocol, token=None, tls=True, keys=folder, connections=2, requests=5, timeout=5.0)
    assert stress(load).failures == {}
    with pytest.raises((TargetError, WireError)):
        stress(msgspec.structs.replace(load, keys=None, ca=str(Path(folder) / CA)))
    with pytest.raises((TargetError, WireError)):
        stress(msgspec.structs.replace(load, keys=None, tls=False))
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(SpecError, match=r"ca\.pem cannot be used"):
        stress(msgspec.structs.replace(load, keys=None, ca=str(tmp_path / "ca.pem")))


@pytest.mark.parametrize(
    ("protocol", "other", "hint"), [("oip-http", "oip-grpc", "port of HTTP"), ("oip-grpc", "http", "port of gRPC")]
)
def test_who_asks_the_port_of_another_protocol_is_told(server: Server, protocol: str, other: str, hint: str) -> None:
    with pytest.raises((WireError, TargetError), match=hint):
        stress(load_of(server, protocol, port=server.addresses[other].port, timeout=2.0))


def test_a_reply_is_whole_however_it_is_cut() -> None:
    data = HEAD + b"Server-Timing: queue;dur=0.5, network;dur=1.25\r\n\r\n" + BODY
    for cut in range(1, len(data)):
        parser = HttpParser()
        assert parser.feed(data[:cut]) is None
        assert parser.feed(data[cut:]) == Reply(1_250_000)
        assert parser.feed(data) == Reply(1_250_000), "and the next on the same connection"


@pytest.mark.parametrize(
    ("data", "kind", "closes"),
    [
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\n{}", "HTTP 503", False),
        (b"HTTP/1.1 404 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "HTTP 404", True),
        (HEAD + b"\r\n" + b"x" * 14, "reply without outputs", False),
        (HEAD + b"\r\n" + BODY + b"more", "more bytes than the reply has", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "reply that is no HTTP, or does not say its", True),
        (b"\0" * 70000, "reply that is no HTTP", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "reply that is too long", True),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "reply that is no HTTP", True),
    ],
)
def test_what_is_no_good_reply_is_a_failure_with_a_name(data: bytes, kind: str, closes: bool) -> None:
    with pytest.raises(FailedReply) as caught:
        HttpParser().feed(data)
    assert caught.value.kind.startswith(kind)
    assert caught.value.closes == closes


def test_a_server_that_hangs_up_after_a_reply_says_so() -> None:
    assert HttpParser().feed(HEAD + b"Connection: close\r\n\r\n" + BODY) == Reply(None, closes=True)
    assert HttpParser().feed(HEAD + b"Server-Timing: network;dur=1.2.3\r\n\r\n" + BODY) == Reply(None)


@pytest.mark.parametrize("datatype", ["FP32", "FP16", "INT8", "UINT8", "INT64", "UINT64", "BOOL"])
def test_values_have_the_datatype_and_are_the_same_again(datatype: str) -> None:
    tensor = Input("x", datatype, [-1, 3, 50])
    values = tensor.values(4)
    assert values.shape == (1, 3, 50)
    assert len(np.unique(values)) > (1 if datatype == "BOOL" else 40)
    assert values.tobytes() == tensor.values(4).tobytes() != tensor.values(5).tobytes()


def test_inputs_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(IncompatibleError, match="takes BYTES, not numbers"):
        Input("x", "BYTES", [1]).values(0)


@pytest.mark.parametrize("shape", [[1, 99999999, 9999999], [2**62, 2**62], [1] * 40])
def test_a_shape_that_would_fill_the_memory_is_refused(shape: list[int]) -> None:
    with pytest.raises(IncompatibleError, match="of more than 256 MiB or 32 axes"):
        Input("x", "FP32", shape).values(0)


def test_a_description_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oip_http, "MOST_BYTES", 1000)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"{" * 5000)

        server = threading.Thread(target=answer, daemon=True)
        server.start()
        load = Load(host="127.0.0.1", port=listener.getsockname()[1], protocol="oip-http", model="x")
        with pytest.raises(WireError, match=r"GET /v2/models/x was answered with more than"):
            oip_http.OipHttp(load).prepare()
        server.join(60)
