"""Inference requests over HTTP that are answered where their last byte arrives, without ASGI, tasks and routing.

What clients send again and again differs in its tensors alone: a head of HTTP that was read and found good once, and
the JSON in front of binary tensors, are known by their bytes from then on. What is not known, or not plain, goes the
usual way (`edgerig.serve.ways.open_inference.http`), whose answers are the same.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from edgerig.errors import EdgerigError
from edgerig.serve.bodies import Bodies
from edgerig.serve.http_direct import DirectRequests, Reply
from edgerig.serve.listening import Access
from edgerig.serve.records import Watched
from edgerig.serve.refusals import RETRY_AFTER, status_of, text_of
from edgerig.serve.requests import Request
from edgerig.serve.service import Service
from edgerig.serve.tensors import Rows
from edgerig.serve.ways.open_inference.datatypes import bytes_of, dtype_of, own_numbers
from edgerig.serve.ways.open_inference.messages import (
    HEADER_LENGTH,
    LONGEST_LENGTH,
    InferenceRequest,
    length_of,
    parse,
    render,
    wanted_outputs,
)
from edgerig.serve.ways.open_inference.metadata import VERSION, check_sequence

_logger = logging.getLogger(__name__)
#: Bytes of a body that is answered directly: as many of a slow one are held for each connection. Bytes of JSON that is
#: remembered, and how many of these are.
LARGEST, LONGEST_JSON, MOST_KNOWN = 64 << 10, 4096, 256
_PLAIN = {b"", b"identity"}
_LENGTH, _JSON_LENGTH = b"content-length", HEADER_LENGTH.encode()


class Head(msgspec.Struct, frozen=True):
    """A head of a request, found good.

    Attributes:
        length: Of the body. json_length: Of the JSON before binary tensors, as the header says it; None without.
    """

    length: int
    json_length: str | None


class Known(msgspec.Struct):
    """JSON in front of binary tensors that was read before.

    Attributes:
        id: Of the request. raw: Whether the inputs come in the network's own dtypes.
        wanted: As `wanted_outputs` gives them.
        inputs: For each input of the network dtype, elements, offset in the bytes behind the JSON, and shape.
        size: Bytes behind the JSON.
        rendered: For the outputs' shapes and dtypes that there were: head and JSON of an answer.
    """

    id: str
    raw: bool
    wanted: list[tuple[int, bool]]
    inputs: list[tuple[np.dtype[Any], int, int, list[int]]]
    size: int
    rendered: dict[tuple[Any, ...], tuple[bytes, bytes]] = {}


class DirectInference(DirectRequests):
    """Answers inference requests of one network.

    Args:
        way: Its name, for the records. access: Who may come in. bodies: Bounds of requests.
    """

    def __init__(self, service: Service, way: str, access: Access, bodies: Bodies) -> None:
        self._service, self._way, self._access = service, way, access
        self._longest, self.seconds = min(LARGEST, bodies.largest), bodies.seconds
        path = f"/v2/models/{service.name}".encode()
        self._paths = {path + b"/infer", path + b"/versions/" + VERSION.encode() + b"/infer"}
        pool = service.pool
        #: Samples that need not be run in parts, and that the queue does not refuse.
        self._most = pool.queue if pool.each_alone else min(pool.queue, pool.batch)
        self._known: dict[bytes, Known] = {}

    def accept(self, url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Head | None:
        if url not in self._paths:
            return None
        fields = dict(headers)
        length, json_length = fields.get(_LENGTH, b""), fields.get(_JSON_LENGTH)
        plain = (
            len(fields) == len(headers)
            and length.isdigit()
            and len(length) <= LONGEST_LENGTH
            and int(length) <= self._longest
            and b"transfer-encoding" not in fields
            and b"expect" not in fields
            and b"upgrade" not in fields
            and fields.get(b"content-encoding", b"") in _PLAIN
            and self._access.admits(fields.get(b"authorization"))
        )
        return Head(int(length), None if json_length is None else json_length.decode("latin-1")) if plain else None

    def run(self, head: Any, body: bytes, reply: Reply) -> Request | None:
        watched = self._service.records.watch(self._way)
        try:
            known, rows = self._read(head, body)
            if len(rows[0]) > self._most:
                return None

            def done(request: Request) -> None:
                watched.request = request
                self._answer(known, request, watched, reply)

            return self._service.pool.submit(rows, done, raw=known.raw)
        except Exception as error:
            _refuse(error, watched, reply)
            return _REFUSED

    # ---- requests

    def _read(self, head: Head, body: bytes) -> tuple[Known, Rows]:
        start = length_of(head.json_length) or 0 if head.json_length is not None else 0
        known = self._known.get(body[:start])
        if known is not None and len(body) - start == known.size:
            return known, tuple(
                [
                    np.frombuffer(body, dtype, count, start + offset).reshape(shape)
                    for dtype, count, offset, shape in known.inputs
                ]
            )
        request, arrays = parse(body, head.json_length)
        check_sequence(self._service, request.parameters.get("sequence_id"))
        tensors = self._service.pool.tensors
        wanted = wanted_outputs(request, tensors)
        raw = own_numbers(tensors, {tensor.name: tensor.datatype for tensor in request.inputs})
        rows = tensors.rows(arrays, raw=raw)
        known = Known(request.id, raw, wanted, [], len(body) - start, {})
        if 0 < start <= LONGEST_JSON and all("binary_data_size" in tensor.parameters for tensor in request.inputs):
            self._remember(body[:start], known, request)
        return known, rows

    def _remember(self, json: bytes, known: Known, request: InferenceRequest) -> None:
        offset, places = 0, dict[str, tuple[np.dtype[Any], int, int, list[int]]]()
        for tensor in request.inputs:
            dtype, count = dtype_of(tensor.datatype, tensor.name), math.prod(tensor.shape)
            if not dtype.isnative:
                return
            places[tensor.name] = dtype, count, offset, tensor.shape
            offset += count * dtype.itemsize
        tensors = self._service.pool.tensors
        names = [tensors.own_name(name) for name in places]
        order = dict(zip(names, places.values(), strict=True))
        known.inputs = [order[spec.name] for spec in tensors.inputs]
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[json] = known

    # ---- answers

    def _answer(self, known: Known, request: Request, watched: Watched, reply: Reply) -> None:
        if request.error is not None:
            _refuse(request.error, watched, reply)
            return
        assert request.outputs is not None
        try:
            head, parts = self._rendered(known, request.outputs)
        except Exception as error:
            _refuse(error, watched, reply)
            return
        took_ns = watched.took_ns
        timing = b"server-timing: queue;dur=%.3f, network;dur=%.6f\r\n" % (
            request.queue_ns / 1e6,
            request.network_ns / 1e6,
        )
        try:
            reply(200, head + timing, parts)
        finally:
            # Behind the answer, so that nobody waits for it.
            watched.note("ok", took_ns)

    def _rendered(self, known: Known, outputs: Rows) -> tuple[bytes, Sequence[bytes | memoryview]]:
        """The lines of an answer's head, and the parts of its body."""
        tensors = self._service.pool.tensors
        key = tuple([(outputs[position].shape, outputs[position].dtype) for position, _ in known.wanted])
        rendered = known.rendered.get(key)
        if rendered is not None:
            head, json = rendered
            return head, [json, *[bytes_of(outputs[position]) for position, _ in known.wanted]]
        parts, json_length = render(self._service.name, VERSION, known.id, tensors, outputs, known.wanted)
        kind = b"application/json" if json_length is None else b"application/octet-stream"
        head = b"content-type: %s\r\ncontent-length: %d\r\n" % (kind, sum(map(len, parts)))
        if json_length is not None:
            head += b"%s: %d\r\n" % (_JSON_LENGTH, json_length)
            if all(binary for _, binary in known.wanted) and len(known.rendered) < MOST_KNOWN:
                known.rendered[key] = head, bytes(parts[0])
        return head, parts


#: What `DirectInference.run` gives for a request that was refused before it came to the pool.
_REFUSED = Request((np.zeros(1),), False, lambda request: None)


def _refuse(error: Exception, watched: Watched, reply: Reply) -> None:
    watched.__exit__(type(error))
    if isinstance(error, EdgerigError):
        status, text = status_of(error), text_of(error)
    else:
        _logger.error("a request failed", exc_info=error)
        status, text = 500, "Internal Server Error"
    body = msgspec.json.encode({"error": text})
    more = b"retry-after: %s\r\n" % RETRY_AFTER if status == 503 else b""
    reply(status, b"content-type: application/json\r\ncontent-length: %d\r\n%s" % (len(body), more), [body])
