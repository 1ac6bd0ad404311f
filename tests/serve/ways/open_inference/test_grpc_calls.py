"""Calls over gRPC that are no requests, or not offered, are the client's fault: no traceback fills the server's log."""

import logging
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import tritonclient.grpc as triton
from tests.serve.ways.open_inference.samples import samples
from tests.serve.ways.open_inference.test_grpc import address, request
from tritonclient.grpc import service_pb2 as messages
from tritonclient.utils import InferenceServerException

from edgerig.serve import Server
from edgerig.serve.ways.open_inference.grpc_calls import NAME, SERVICE

METHODS = messages.DESCRIPTOR.services_by_name[NAME].methods
OFFERED = {"ServerLive", "ServerReady", "ServerMetadata", "ModelReady", "ModelMetadata", "ModelConfig"}
OFFERED |= {"ModelStatistics", "RepositoryIndex", "ModelInfer", "ModelStreamInfer"}
#: A field of bytes that is longer than what follows.
NONSENSE = b"\x0a\xff\x01a"


@pytest.fixture
def channel(fragile: Server) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(address(fragile)) as channel:
        yield channel


@pytest.fixture
def errors(caplog: pytest.LogCaptureFixture) -> Iterator[list[logging.LogRecord]]:
    """What was logged as a fault of the server; empty at the end."""
    yield caplog.records
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.usefixtures("errors")
def test_bytes_that_are_no_request_are_refused_by_every_call(channel: grpc.Channel) -> None:
    for method in METHODS:
        if method.client_streaming or method.name not in OFFERED:
            continue
        with pytest.raises(grpc.RpcError) as error:
            channel.unary_unary(f"/{SERVICE}/{method.name}")(NONSENSE)
        assert (error.value.code(), error.value.details()) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            f"The message is no {method.input_type.name}.",
        )


@pytest.mark.usefixtures("errors")
def test_calls_of_other_extensions_are_told_as_such(channel: grpc.Channel) -> None:
    others = {method.name for method in METHODS} - OFFERED
    assert {"RepositoryModelLoad", "SystemSharedMemoryRegister", "TraceSetting"} <= others
    for name in others:
        with pytest.raises(grpc.RpcError) as error:
            channel.unary_unary(f"/{SERVICE}/{name}")(b"")
        assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
        assert error.value.details().startswith(f"{name} is a call of an extension that is not offered. Those that are")


@pytest.mark.usefixtures("errors")
def test_tritons_client_tells_what_is_not_offered(fragile: Server) -> None:
    with triton.InferenceServerClient(address(fragile)) as client:
        for call in (lambda: client.load_model("float_net"), client.get_system_shared_memory_status):
            with pytest.raises(InferenceServerException, match="of an extension that is not offered"):
                call()


@pytest.mark.usefixtures("errors")
def test_a_stream_goes_on_behind_bytes_that_are_no_request(channel: grpc.Channel) -> None:
    call = channel.stream_stream(
        f"/{SERVICE}/ModelStreamInfer", response_deserializer=messages.ModelStreamInferResponse.FromString
    )
    good = request(samples(1)).SerializeToString()
    answers: list[Any] = list(call(iter([NONSENSE, good, b"", good])))
    assert [answer.error_message for answer in answers] == [
        "The message is no ModelInferRequest.",
        "",
        "There is no model ''; 'float_net' is served.",
        "",
    ]
