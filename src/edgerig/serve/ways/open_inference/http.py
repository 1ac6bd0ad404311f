"""The Open Inference Protocol over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from edgerig.errors import EdgerigError
from edgerig.serve.bodies import Bodies
from edgerig.serve.http_direct import DirectRequests
from edgerig.serve.listening import Access
from edgerig.serve.refusals import refuse, send
from edgerig.serve.service import Service
from edgerig.serve.ways.base import Way
from edgerig.serve.ways.open_inference.datatypes import own_numbers
from edgerig.serve.ways.open_inference.direct import DirectInference
from edgerig.serve.ways.open_inference.messages import HEADER_LENGTH, parse, render, wanted_outputs
from edgerig.serve.ways.open_inference.metadata import (
    VERSION,
    UnknownModelError,
    check_model,
    check_sequence,
    model_config,
    model_metadata,
    model_statistics,
    repository_index,
    server_metadata,
)

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

#: Where the networks of a server are told; Triton's clients ask there by POST.
INDEX = "/v2/repository/index"
JSON, BINARY = b"application/json", b"application/octet-stream"


class OpenInferenceHttp(Way):
    """Metadata, readiness and inference of the Open Inference Protocol, JSON and binary tensors.

    Args:
        real: Whether the metadata of an integer network tell real numbers. It takes both all the same.
        bodies: Bounds of requests.
    """

    name: ClassVar[str] = "oip-http"

    def __init__(self, *, real: bool = False, bodies: Bodies | None = None) -> None:
        super().__init__()
        self.real, self.bodies = real, bodies or Bodies()

    def routes(self, service: Service) -> Sequence[BaseRoute]:
        from starlette.routing import Route

        infer = Inference(service, self)
        routes: list[BaseRoute] = []
        for path in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
            routes += [
                Route(f"{path}/infer", infer),
                Route(path, Metadata(lambda name, version: self._metadata(service, name, version))),
                Route(f"{path}/ready", Readiness(service)),
                Route(f"{path}/config", Metadata(lambda name, version: self._config(service, name, version))),
                Route(f"{path}/stats", Metadata(lambda name, version: _statistics(service, name, version))),
            ]
        index = Metadata(lambda name, version: repository_index(service), ("POST",))
        every = Metadata(lambda name, version: _statistics(service, service.name, ""))
        # Before a network that is called so.
        routes.insert(0, Route("/v2/models/stats", every))
        return [*routes, Route("/v2", Metadata(lambda name, version: server_metadata())), Route(INDEX, index)]

    def direct(self, service: Service, access: Access) -> DirectRequests | None:
        return DirectInference(service, self.name, access, self.bodies)

    def _config(self, service: Service, name: str, version: str) -> dict[str, Any]:
        check_model(service, name, version)
        return model_config(service)

    def _metadata(self, service: Service, name: str, version: str) -> dict[str, Any]:
        check_model(service, name, version)
        return model_metadata(service, real=self.real)


def _statistics(service: Service, name: str, version: str) -> dict[str, Any]:
    check_model(service, name, version)
    return {"model_stats": [model_statistics(service)]}


class _Endpoint:
    """An ASGI application at a path: starlette's own requests and answers cost as much as a small network."""

    allowed: tuple[str, ...] = ("GET", "HEAD")

    async def __call__(self, scope: Any, receive: Any, send_: Any) -> None:
        if scope["method"] not in self.allowed:
            allowed = [(b"allow", ", ".join(self.allowed).encode())]
            await send(send_, 405, JSON, [msgspec.json.encode({"error": "Method not allowed"})], allowed)
            return
        parameters = scope.get("path_params", {})
        try:
            await self.answer(parameters.get("model", ""), parameters.get("version", ""), scope, receive, send_)
        except UnknownModelError as error:
            await refuse(send_, error, 404)
        except EdgerigError as error:
            await refuse(send_, error)

    async def answer(self, model: str, version: str, scope: Any, receive: Any, send_: Any) -> None:
        raise NotImplementedError


class Metadata(_Endpoint):
    """Answers what ``describe`` gives for a model's name and version, which may be empty."""

    def __init__(self, describe: Any, methods: tuple[str, ...] = ("GET", "HEAD")) -> None:
        self.describe, self.allowed = describe, methods

    async def answer(self, model: str, version: str, scope: Any, receive: Any, send_: Any) -> None:
        await send(send_, 200, JSON, [msgspec.json.encode(self.describe(model, version))])


class Readiness(_Endpoint):
    """200 where the model is ready, else 503."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def answer(self, model: str, version: str, scope: Any, receive: Any, send_: Any) -> None:
        check_model(self.service, model, version)
        ready = self.service.pool.ready
        await send(send_, 200 if ready else 503, JSON, [msgspec.json.encode({"name": model, "ready": ready})])


class Inference(_Endpoint):
    """Runs a request."""

    allowed = ("POST",)

    def __init__(self, service: Service, way: OpenInferenceHttp) -> None:
        self.service, self.way = service, way

    async def answer(self, model: str, version: str, scope: Any, receive: Any, send_: Any) -> None:
        with self.service.records.watch(self.way.name) as watched:
            check_model(self.service, model, version)
            headers = dict(scope["headers"])
            length = headers.get(HEADER_LENGTH.encode())
            body = await self.way.bodies.read(headers, receive)
            request, arrays = parse(body, None if length is None else length.decode("latin-1"))
            check_sequence(self.service, request.parameters.get("sequence_id"))
            tensors = self.service.pool.tensors
            wanted = wanted_outputs(request, tensors)
            raw = own_numbers(tensors, {tensor.name: tensor.datatype for tensor in request.inputs})
            watched.request = answer = await self.service.pool.run(tensors.rows(arrays, raw=raw), raw=raw)
            assert answer.outputs is not None
            parts, json_length = render(model, VERSION, request.id, tensors, answer.outputs, wanted)
        more = [
            (b"server-timing", b"queue;dur=%.3f, network;dur=%.6f" % (answer.queue_ns / 1e6, answer.network_ns / 1e6))
        ]
        if json_length is not None:
            more.append((HEADER_LENGTH.encode(), str(json_length).encode()))
        await send(send_, 200, JSON if json_length is None else BINARY, parts, more)
