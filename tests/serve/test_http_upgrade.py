"""Requests that offer another protocol are answered like others, bodies included."""

import json

import numpy as np
import pytest
from tests.serve.test_http_protocol import answer_to
from tests.serve.ways.open_inference.samples import samples
from tests.serve.ways.open_inference.test_http import tensor

from edgerig.serve import Server

BODY = json.dumps({"inputs": [tensor(samples(1))]}).encode()
OFFERS = ["Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAoAAA\r\n"]
OFFERS += ["connection: keep-alive, upgrade\r\nupgrade: TLS/1.0, other/2\r\n"]


def request(offer: str = "", body: bytes = BODY, framing: str | None = None) -> bytes:
    framing = f"Content-Length: {len(body)}\r\n" if framing is None else framing
    return f"POST /v2/models/float_net/infer HTTP/1.1\r\nHost: x\r\n{offer}{framing}\r\n".encode() + body


#: Ends a connection once all before it is answered.
END = b"GET /v2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def outputs(answer: bytes) -> list[list[float]]:
    """The data of all inference answers among HTTP's."""
    lines = [part.split(b"\r\n\r\n", 1)[1] for part in answer.split(b"HTTP/1.1 200 OK")[1:]]
    return [body["outputs"][0]["data"] for body in map(json.loads, lines) if "outputs" in body]


@pytest.fixture(scope="module")
def expected(fragile: Server) -> list[float]:
    return fragile.infer({"x": samples(1)}).outputs["y"].ravel().tolist()


@pytest.mark.parametrize("offer", OFFERS)
def test_the_body_of_such_a_request_is_read(fragile: Server, expected: list[float], offer: str) -> None:
    np.testing.assert_allclose(outputs(answer_to(fragile, request(offer) + END)), [expected], rtol=1e-6)


def test_also_in_chunks_and_among_others(fragile: Server, expected: list[float]) -> None:
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    several = request(OFFERS[0], chunked, "Transfer-Encoding: chunked\r\n") + request() + request(OFFERS[1])
    np.testing.assert_allclose(outputs(answer_to(fragile, several + END)), [expected] * 3, rtol=1e-6)


def test_however_it_is_cut(fragile: Server, expected: list[float]) -> None:
    whole = request(OFFERS[0])
    for cut in (*range(1, whole.index(BODY) + 3, 17), len(whole) - 1):
        answer = answer_to(fragile, whole[:cut], whole[cut:] + END)
        np.testing.assert_allclose(outputs(answer), [expected], rtol=1e-6)


def test_many_offers_at_once_cost_nothing_more(fragile: Server) -> None:
    offer = f"GET /v2 HTTP/1.1\r\nHost: x\r\n{OFFERS[0]}\r\n".encode()
    assert answer_to(fragile, offer * 1500 + END).count(b"HTTP/1.1 200 OK") == 1501


def test_a_tunnel_is_refused(fragile: Server) -> None:
    assert answer_to(fragile, b"CONNECT /v2/models/float_net/infer HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")[
        :13
    ] in (b"HTTP/1.1 405 ", b"HTTP/1.1 400 ")
