"""The Open Inference Protocol over gRPC, with the messages and stubs of Triton's client."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, ClassVar

from edgerig.errors import (
    DatasetError,
    EdgerigError,
    MissingExtraError,
    Overloaded,
    RequestError,
    TargetError,
    UsageError,
)
from edgerig.serve.bodies import LARGEST
from edgerig.serve.listening import Access
from edgerig.serve.records import Watched
from edgerig.serve.refusals import text_of
from edgerig.serve.service import Service
from edgerig.serve.ways.base import Way
from edgerig.serve.ways.open_inference.datatypes import own_numbers
from edgerig.serve.ways.open_inference.grpc_known import KnownRequests
from edgerig.serve.ways.open_inference.grpc_library import import_grpc
from edgerig.serve.ways.open_inference.grpc_messages import fill, input_tensors, wanted_outputs
from edgerig.serve.ways.open_inference.metadata import (
    VERSION,
    UnknownModelError,
    check_model,
    model_config,
    model_metadata,
    model_statistics,
    repository_index,
    server_metadata,
)
from edgerig.wire.tls import CA, CERTIFICATE, KEY

SERVICE = "inference.GRPCInferenceService"
#: Calls that need no token, as health over HTTP.
OPEN = (f"/{SERVICE}/ServerLive", f"/{SERVICE}/ServerReady")


class OpenInferenceGrpc(Way):
    """The calls of ``inference.GRPCInferenceService``.

    Args:
        listen: ``HOST:PORT``; by default the port after that of HTTP.
        real: Whether the metadata of an integer network tell real numbers. It takes both all the same.
    """

    name: ClassVar[str] = "oip-grpc"
    listens: ClassVar[bool] = True

    def __init__(self, listen: str | None = None, *, real: bool = False) -> None:
        super().__init__(listen)
        self.real = real
        self._server: Any = None

    def require(self) -> None:
        for package, load in (("grpc", import_grpc), ("tritonclient.grpc", lambda: __import__("tritonclient.grpc"))):
            try:
                load()
            except ImportError as error:
                raise MissingExtraError("edgerig serve over gRPC", "serve-grpc", package) from error

    async def start(self, service: Service, listener: socket.socket, access: Access) -> None:
        from grpc import aio
        from tritonclient.grpc import service_pb2_grpc

        options = [
            ("grpc.max_receive_message_length", LARGEST),
            ("grpc.max_send_message_length", -1),
            # Another server must not share the port unseen.
            ("grpc.so_reuseport", 0),
        ]
        interceptors = [] if access.token is None else [_admission(access)]
        self._server = aio.server(options=options, interceptors=interceptors)
        generic = _GenericHandlers(self._server)
        # Before the service's own, of which there is one for each call: the first that knows a call has it.
        generic.add_generic_rpc_handlers((_direct_inference(service),))
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(_servicer(service, self.real), generic)
        host, port = listener.getsockname()[:2]
        # gRPC opens its ports itself.
        listener.close()
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if access.tls is not None:
                self._server.add_secure_port(where, _credentials(access.tls))
            else:
                self._server.add_insecure_port(where)
        except RuntimeError as error:
            raise UsageError(f"Cannot listen on {where} for gRPC.", "Choose another port.") from error
        await self._server.start()

    async def stop(self, deadline: float) -> None:
        if self._server is not None:
            await self._server.stop(deadline)


class _GenericHandlers:
    """A server that is told of handlers by name alone: for each registered method it would keep a task, and look at all
    of them with each request.
    """

    def __init__(self, server: Any) -> None:
        self.add_generic_rpc_handlers = server.add_generic_rpc_handlers

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
        """Nothing: they are among the generic ones."""


def _credentials(folder: Path) -> Any:
    import grpc

    key, certificate, ca = ((folder / name).read_bytes() for name in (KEY, CERTIFICATE, CA))
    return grpc.ssl_server_credentials([(key, certificate)], ca, require_client_auth=True)


def _admission(access: Access) -> Any:
    import grpc
    from grpc import aio

    async def refuse(request: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "Show the token: authorization: Bearer TOKEN.")

    class Admission(aio.ServerInterceptor):  # type: ignore[misc]
        """Lets in calls that show the token."""

        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            shown = dict(details.invocation_metadata).get("authorization")
            if details.method in OPEN or access.admits(shown.encode() if isinstance(shown, str) else shown):
                return await continuation(details)
            return grpc.unary_unary_rpc_method_handler(refuse)

    return Admission()


def _status_of(error: EdgerigError) -> Any:
    import grpc

    if isinstance(error, UnknownModelError):
        return grpc.StatusCode.NOT_FOUND
    if isinstance(error, RequestError | DatasetError):
        return grpc.StatusCode.INVALID_ARGUMENT
    return grpc.StatusCode.UNAVAILABLE if isinstance(error, Overloaded | TargetError) else grpc.StatusCode.INTERNAL


async def _infer(service: Service, request: Any, watched: Watched) -> tuple[Any, list[int], bool]:
    """The answer to a request; and which outputs were wanted, and whether in the network's own numbers."""
    from tritonclient.grpc import service_pb2 as messages

    check_model(service, request.model_name, request.model_version)
    tensors = service.pool.tensors
    arrays, wanted = input_tensors(request), wanted_outputs(request, tensors)
    raw = own_numbers(tensors, {tensor.name: tensor.datatype for tensor in request.inputs})
    watched.request = done = await service.pool.run(tensors.rows(arrays, raw=raw), raw=raw)
    assert done.outputs is not None
    answer = messages.ModelInferResponse(model_name=service.name, model_version=VERSION, id=request.id)
    fill(answer, tensors, done.outputs, wanted, raw=bool(request.raw_input_contents))
    return answer, wanted, raw


def _direct_inference(service: Service) -> Any:
    """A handler of ``ModelInfer`` that gets and gives bytes: those that it knows it does not read as a message."""
    import grpc
    from google.protobuf.message import DecodeError
    from tritonclient.grpc import service_pb2 as messages

    known_requests = KnownRequests(service.name, VERSION, service.pool.tensors)

    pool, loop = service.pool, asyncio.get_running_loop()

    async def read(message: bytes, watched: Watched) -> bytes:
        try:
            request = messages.ModelInferRequest.FromString(message)
        except DecodeError as error:
            raise RequestError("The message is no ModelInferRequest.") from error
        answer, wanted, raw = await _infer(service, request, watched)
        known_requests.learn(message, request, raw=raw, wanted=wanted)
        data: bytes = answer.SerializeToString()
        return data

    async def handle(message: bytes, context: Any) -> Any:
        watched = service.records.watch(OpenInferenceGrpc.name)
        try:
            known = known_requests.find(message)
            if known is None:
                answer = await read(message, watched)
            else:
                watched.request = done = await pool.run(known.rows(message), raw=known.raw)
                assert done.outputs is not None
                answer = known_requests.answer(known, done.outputs, messages.ModelInferResponse)
        except BaseException as error:
            watched.__exit__(type(error))
            if isinstance(error, EdgerigError):
                await context.abort(_status_of(error), text_of(error))
            raise
        # Once the answer is on its way, so that nobody waits for it.
        loop.call_soon(watched.note, "ok", watched.took_ns)
        return answer

    method = grpc.unary_unary_rpc_method_handler(handle)
    return grpc.method_handlers_generic_handler(SERVICE, {"ModelInfer": method})


def _servicer(service: Service, real: bool) -> Any:
    """The service's calls but ``ModelInfer``: a class made here, since its base is there only with Triton's client."""
    from tritonclient.grpc import service_pb2 as messages
    from tritonclient.grpc import service_pb2_grpc

    def metadata(request: Any) -> Any:
        check_model(service, request.name, request.version)
        described = model_metadata(service, real=real)
        for tensor in (*described["inputs"], *described["outputs"]):
            tensor.pop("parameters", None)
        return messages.ModelMetadataResponse(**described)

    def config(request: Any) -> Any:
        from google.protobuf import json_format

        check_model(service, request.name, request.version)
        return json_format.ParseDict({"config": model_config(service)}, messages.ModelConfigResponse())

    def statistics(request: Any) -> Any:
        from google.protobuf import json_format

        if request.name:
            check_model(service, request.name, request.version)
        return json_format.ParseDict({"model_stats": [model_statistics(service)]}, messages.ModelStatisticsResponse())

    def ready(request: Any) -> Any:
        check_model(service, request.name, request.version)
        return messages.ModelReadyResponse(ready=service.pool.ready)

    class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
        async def ServerLive(self, request: Any, context: Any) -> Any:  # noqa: N802
            return messages.ServerLiveResponse(live=True)

        async def ServerReady(self, request: Any, context: Any) -> Any:  # noqa: N802
            return messages.ServerReadyResponse(ready=service.pool.ready)

        async def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802
            return await _answered(context, lambda: ready(request))

        async def ServerMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
            return messages.ServerMetadataResponse(**server_metadata())

        async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
            return await _answered(context, lambda: metadata(request))

        async def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
            return await _answered(context, lambda: config(request))

        async def ModelStatistics(self, request: Any, context: Any) -> Any:  # noqa: N802
            return await _answered(context, lambda: statistics(request))

        async def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
            response = messages.RepositoryIndexResponse()
            for model in repository_index(service):
                response.models.add(**model)
            return response

        async def ModelStreamInfer(self, requests: AsyncIterator[Any], context: Any) -> Any:  # noqa: N802
            async for request in requests:
                answer = messages.ModelStreamInferResponse()
                try:
                    with service.records.watch(OpenInferenceGrpc.name) as watched:
                        infer_response, _, _ = await _infer(service, request, watched)
                    answer.infer_response.CopyFrom(infer_response)
                except EdgerigError as error:
                    answer.error_message = text_of(error)
                yield answer

    return Servicer()


async def _answered(context: Any, answer: Callable[[], Any]) -> Any:
    try:
        return answer()
    except EdgerigError as error:
        await context.abort(_status_of(error), text_of(error))
