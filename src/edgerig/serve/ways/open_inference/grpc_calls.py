"""The calls of ``inference.GRPCInferenceService`` that tell of the server and its network; and how errors are told.

Each call gets and gives bytes: what gRPC itself cannot read, or does not know, it would tell as a fault of the server,
with a traceback in the log for each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from edgerig.errors import DatasetError, EdgerigError, Overloaded, RequestError, TargetError
from edgerig.serve.refusals import text_of
from edgerig.serve.service import Service
from edgerig.serve.ways.open_inference.metadata import (
    EXTENSIONS,
    UnknownModelError,
    check_model,
    model_config,
    model_metadata,
    model_statistics,
    repository_index,
    server_metadata,
)

NAME = "GRPCInferenceService"
SERVICE = f"inference.{NAME}"


class NotOfferedError(RequestError):
    """A call of an extension of the protocol that is not offered."""


def status_of(error: EdgerigError) -> Any:
    """gRPC's status of an error."""
    import grpc

    if isinstance(error, UnknownModelError):
        return grpc.StatusCode.NOT_FOUND
    if isinstance(error, NotOfferedError):
        return grpc.StatusCode.UNIMPLEMENTED
    if isinstance(error, RequestError | DatasetError):
        return grpc.StatusCode.INVALID_ARGUMENT
    return grpc.StatusCode.UNAVAILABLE if isinstance(error, Overloaded | TargetError) else grpc.StatusCode.INTERNAL


def message_of(kind: Any, data: bytes) -> Any:
    """A message of the class ``kind``.

    Raises:
        RequestError: The bytes are none.
    """
    from google.protobuf.message import DecodeError

    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise RequestError(f"The message is no {kind.DESCRIPTOR.name}.") from error


def other_calls(service: Service, real: bool) -> dict[str, Any]:
    """Handlers of all calls of one request and one answer but ``ModelInfer``, by name.

    Args:
        real: Whether the metadata of an integer network tell real numbers.
    """
    import grpc
    from tritonclient.grpc import service_pb2 as messages

    answers = _answers(service, real)
    methods = messages.DESCRIPTOR.services_by_name[NAME].methods
    return {
        method.name: grpc.unary_unary_rpc_method_handler(
            _handler(getattr(messages, method.input_type.name), answers.get(method.name, _not_offered(method.name)))
        )
        for method in methods
        if method.name != "ModelInfer" and not method.client_streaming and not method.server_streaming
    }


def _handler(kind: Any, answer: Callable[[Any], Any]) -> Callable[[bytes, Any], Awaitable[bytes]]:
    async def handle(data: bytes, context: Any) -> bytes:
        try:
            message: bytes = answer(message_of(kind, data)).SerializeToString()
        except EdgerigError as error:
            await context.abort(status_of(error), text_of(error))
            raise
        return message

    return handle


def _not_offered(name: str) -> Callable[[Any], Any]:
    def answer(request: Any) -> Any:
        raise NotOfferedError(
            f"{name} is a call of an extension that is not offered.", f"Those that are: {', '.join(EXTENSIONS)}."
        )

    return answer


def _answers(service: Service, real: bool) -> dict[str, Callable[[Any], Any]]:
    """What gives the answer to a request, by the call's name."""
    from google.protobuf import json_format
    from tritonclient.grpc import service_pb2 as messages

    def model_ready(request: Any) -> Any:
        check_model(service, request.name, request.version)
        return messages.ModelReadyResponse(ready=service.pool.ready)

    def metadata(request: Any) -> Any:
        check_model(service, request.name, request.version)
        described = model_metadata(service, real=real)
        for tensor in (*described["inputs"], *described["outputs"]):
            tensor.pop("parameters", None)
        return messages.ModelMetadataResponse(**described)

    def config(request: Any) -> Any:
        check_model(service, request.name, request.version)
        return json_format.ParseDict({"config": model_config(service)}, messages.ModelConfigResponse())

    def statistics(request: Any) -> Any:
        if request.name:
            check_model(service, request.name, request.version)
        return json_format.ParseDict({"model_stats": [model_statistics(service)]}, messages.ModelStatisticsResponse())

    def index(request: Any) -> Any:
        response = messages.RepositoryIndexResponse()
        for model in repository_index(service):
            response.models.add(**model)
        return response

    return {
        "ServerLive": lambda request: messages.ServerLiveResponse(live=True),
        "ServerReady": lambda request: messages.ServerReadyResponse(ready=service.pool.ready),
        "ServerMetadata": lambda request: messages.ServerMetadataResponse(**server_metadata()),
        "ModelReady": model_ready,
        "ModelMetadata": metadata,
        "ModelConfig": config,
        "ModelStatistics": statistics,
        "RepositoryIndex": index,
    }
