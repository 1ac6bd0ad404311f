"""The Open Inference Protocol over HTTP, with binary tensors."""

from __future__ import annotations

import http.client
import math
import re
import ssl
from typing import Any
from urllib.parse import quote

import msgspec

from edgerig.errors import TargetError, WireError
from edgerig.serve.stress.load import Load
from edgerig.serve.stress.protocols.base import StressProtocol
from edgerig.serve.stress.protocols.oip import MOST_BYTES, Input, only_model
from edgerig.serve.stress.replies import FailedReply, Parser, Reply
from edgerig.serve.stress.slot import Owner, Slot, StreamSlot
from edgerig.serve.stress.tls import context_of
from edgerig.text import one_line
from edgerig.wire.tls import explain

#: What to do where another protocol answers.
PORT_OF_HTTP = "Give the port of HTTP, or another --protocol: digits, oip-grpc."
#: Most bytes of a reply's head.
LONGEST_HEAD = 65536
#: What servers without an index of networks answer to a request for it.
WITHOUT_INDEX = (404, 405, 501)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})[ \t]*\r\n", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[ \t]*close[ \t]*\r\n", re.IGNORECASE)
#: https://www.w3.org/TR/server-timing/, of which edgerig's servers send the network's time in ms.
_NETWORK = re.compile(rb"\r\nserver-timing:[^\r]*\bnetwork;dur=([0-9.]{1,20})", re.IGNORECASE)


class _Metadata(msgspec.Struct, frozen=True):
    """The part of a network's description that is needed."""

    inputs: list[Input]


class _Named(msgspec.Struct, frozen=True):
    """The part of an entry of a server's index that is needed."""

    name: str


class HttpParser(Parser):
    """Replies of HTTP/1.1 that say their length."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._head = 0
        self._length = 0

    def feed(self, data: bytes) -> Reply | None:
        self._data += data
        if not self._head and not self._read_head():
            return None
        if len(self._data) < self._head + self._length:
            return None
        head, body = bytes(self._data[: self._head]), self._data[self._head :]
        self._data, self._head = bytearray(), 0
        if len(body) > self._length:
            raise FailedReply("more bytes than the reply has")
        status, closes = _STATUS.match(head), _CLOSE.search(head) is not None
        assert status is not None
        if status[1] != b"200":
            raise FailedReply(f"HTTP {status[1].decode()}", closes)
        if b'"outputs"' not in body:
            raise FailedReply("reply without outputs", closes)
        timing = _NETWORK.search(head)
        return Reply(None if timing is None else _nanoseconds(timing[1]), closes)

    def _read_head(self) -> bool:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            if len(self._data) > LONGEST_HEAD:
                raise FailedReply("reply that is no HTTP")
            return False
        self._head = end + 4
        head = bytes(self._data[: self._head])
        length = _LENGTH.search(head)
        if _STATUS.match(head) is None or length is None:
            raise FailedReply("reply that is no HTTP, or does not say its length")
        self._length = int(length[1])
        if self._length > MOST_BYTES:
            raise FailedReply("reply that is too long")
        return True


def _nanoseconds(milliseconds: bytes) -> int | None:
    try:
        value = float(milliseconds)
    except ValueError:
        return None
    return round(value * 1e6) if math.isfinite(value) else None


class OipHttp(StressProtocol):
    """Random values as the network's inputs, the same again and again."""

    server_time = "the network's time in Server-Timing"
    tells_time = True

    def __init__(self, load: Load) -> None:
        super().__init__(load)
        self.request = b""

    def prepare(self) -> None:
        who = f"{self.load.host}:{self.load.port}"
        connection = self._connection()
        try:
            model = self.load.model or only_model(who, self._models(connection))
            path = f"/v2/models/{quote(model, safe='')}"
            metadata = self._ask(connection, "GET", path, b"", {})
            try:
                inputs = msgspec.json.decode(metadata, type=_Metadata).inputs
            except msgspec.DecodeError as error:
                raise WireError(f"{who} answers no description of a network: {error}.") from error
            body, length = self._body(inputs)
            headers = {"Inference-Header-Content-Length": str(length), "Content-Type": "application/octet-stream"}
            self._ask(connection, "POST", f"{path}/infer", body, headers)
        except (http.client.HTTPException, ValueError) as error:
            raise WireError(f"{who} answers something else than HTTP: {one_line(error)}.", PORT_OF_HTTP) from error
        except ssl.SSLError as error:
            raise explain(error, who) from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise TargetError(f"One request before the load failed: {who}: {reason}.", "Is it running?") from error
        finally:
            connection.close()
        lines = [f"POST {path}/infer HTTP/1.1", f"Host: {who}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in {**headers, **self._token()}.items()]
        self.request = "\r\n".join([*lines, "", ""]).encode() + body

    def _ask(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> bytes:
        connection.request(method, path, body, {**headers, **self._token()})
        answer = connection.getresponse()
        content = answer.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise WireError(f"{method} {path} was answered with more than {MOST_BYTES >> 20} MiB.")
        if answer.status != 200:
            text = one_line(content[:300].decode(errors="replace"))
            raise TargetError(f"{method} {path} was answered with HTTP {answer.status}: {text}")
        return content

    def _connection(self) -> http.client.HTTPConnection:
        load, context = self.load, context_of(self.load)
        if context is None:
            return http.client.HTTPConnection(load.host, load.port, timeout=load.timeout)
        return http.client.HTTPSConnection(load.host, load.port, timeout=load.timeout, context=context)

    def _models(self, connection: http.client.HTTPConnection) -> list[str] | None:
        """The networks that the server names; None where it does not tell them."""
        try:
            index = self._ask(connection, "POST", "/v2/repository/index", b"{}", {"Content-Type": "application/json"})
            return [model.name for model in msgspec.json.decode(index, type=list[_Named])]
        except msgspec.DecodeError:
            return None
        except TargetError as error:
            if any(f"HTTP {status}" in error.message for status in WITHOUT_INDEX):
                return None
            raise

    def _token(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.load.token}"} if self.load.token else {}

    def _body(self, inputs: list[Input]) -> tuple[bytes, int]:
        """A request's body, and the length of the JSON in front of its tensors."""
        arrays = [tensor.values(self.load.seed + index) for index, tensor in enumerate(inputs)]
        described = [
            {
                "name": tensor.name,
                "datatype": tensor.datatype,
                "shape": list(array.shape),
                "parameters": {"binary_data_size": array.nbytes},
            }
            for tensor, array in zip(inputs, arrays, strict=True)
        ]
        head = msgspec.json.encode({"inputs": described, "parameters": {"binary_data_output": True}})
        return head + b"".join(array.tobytes() for array in arrays), len(head)

    def state(self) -> Any:
        return self.request

    def restore(self, state: Any) -> None:
        self.request = bytes(state)

    def slot(self, owner: Owner) -> Slot:
        return StreamSlot(owner, self.request, HttpParser)
