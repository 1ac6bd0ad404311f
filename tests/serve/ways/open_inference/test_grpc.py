"""The Open Inference Protocol over gRPC, asked by Triton's own client and its stubs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from tests.serve.ways.open_inference.samples import samples
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc

from edgerig.serve import Server


def address(server: Server) -> str:
    return str(server.addresses["oip-grpc"]).removeprefix("tcp://")


@pytest.fixture
def stub(fragile: Server) -> Iterator[Any]:
    with grpc.insecure_channel(address(fragile)) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def request(x: Any, **changes: Any) -> Any:
    """A request for `float_net` with raw contents."""
    tensor = {"name": "x", "shape": list(x.shape), "datatype": "FP32"}
    fields = {"model_name": "float_net", "inputs": [tensor], "raw_input_contents": [x.tobytes()]}
    return messages.ModelInferRequest(**{**fields, **changes})


def test_tritons_client_gets_what_the_network_gives(fragile: Server) -> None:
    x = samples(3)
    with triton.InferenceServerClient(address(fragile)) as client:
        tensor = triton.InferInput("x", list(x.shape), "FP32")
        tensor.set_data_from_numpy(x)
        result = client.infer("float_net", [tensor], outputs=[triton.InferRequestedOutput("y")], request_id="7")
    assert result.get_response().id == "7"
    np.testing.assert_array_equal(result.as_numpy("y"), fragile.infer({"x": x}).outputs["y"])


def test_metadata_and_readiness(integers: Server) -> None:
    with triton.InferenceServerClient(address(integers)) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("integers", "1")
        assert client.get_server_metadata().name == "edgerig"
        metadata = client.get_model_metadata("integers")
    (x,) = metadata.inputs
    assert (x.name, x.datatype, list(x.shape)) == ("x", "INT8", [-1, 8])
    assert [(y.name, y.datatype, list(y.shape)) for y in metadata.outputs] == [("y", "INT8", [-1, 4])]


def test_typed_contents_are_answered_in_typed_contents(integers: Server) -> None:
    q = np.array([[-128, 127, 0, 1, 2, 3, 4, 5]], np.int8)
    tensor = {"name": "x", "shape": [1, 8], "datatype": "INT8", "contents": {"int_contents": q.ravel().tolist()}}
    with grpc.insecure_channel(address(integers)) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        answer = stub.ModelInfer(messages.ModelInferRequest(model_name="integers", inputs=[tensor]))
        beyond = {**tensor, "contents": {"int_contents": [128] * 8}}
        with pytest.raises(grpc.RpcError) as error:
            stub.ModelInfer(messages.ModelInferRequest(model_name="integers", inputs=[beyond]))
    assert "exceed -128 to 127" in error.value.details()
    expected = integers.infer({"x": q}, raw=True).outputs["y"]
    assert answer.outputs[0].datatype == "INT8"
    assert list(answer.outputs[0].contents.int_contents) == expected.ravel().tolist()


def test_a_stream_answers_each_request_in_its_turn(fragile: Server, stub: Any) -> None:
    inputs = [samples(1, index) for index in range(5)]
    requests = [request(x) for x in inputs[:2]] + [request(inputs[2], model_name="other")]
    requests += [request(x) for x in inputs[3:]]
    answers = list(stub.ModelStreamInfer(iter(requests)))
    assert [bool(answer.error_message) for answer in answers] == [False, False, True, False, False]
    for x, answer in zip(inputs, answers, strict=True):
        if not answer.error_message:
            y = np.frombuffer(answer.infer_response.raw_output_contents[0], np.float32).reshape(1, 4)
            np.testing.assert_array_equal(y, fragile.infer({"x": x}).outputs["y"])


X = samples(1)
IN_SHARED_MEMORY = {"shared_memory_region": messages.InferParameter(string_param="r")}
WRONG: list[tuple[str, dict[str, Any], grpc.StatusCode, str]] = [
    ("model", {"model_name": "other"}, grpc.StatusCode.NOT_FOUND, "There is no model 'other'"),
    ("version", {"model_version": "2"}, grpc.StatusCode.NOT_FOUND, "There is no version '2'"),
    ("no inputs", {"inputs": [], "raw_input_contents": []}, grpc.StatusCode.INVALID_ARGUMENT, "not nothing"),
    ("too few bytes", {"raw_input_contents": [b"abc"]}, grpc.StatusCode.INVALID_ARGUMENT, "has 32 B, not 3 B"),
    ("too many", {"raw_input_contents": [b"", b""]}, grpc.StatusCode.INVALID_ARGUMENT, "with 2 raw contents"),
    ("output", {"outputs": [{"name": "z"}]}, grpc.StatusCode.INVALID_ARGUMENT, "'z' is none of 'y'"),
    (
        "input in shared memory",
        {"inputs": [{"name": "x", "shape": [1, 8], "datatype": "FP32", "parameters": IN_SHARED_MEMORY}]},
        grpc.StatusCode.INVALID_ARGUMENT,
        "Input 'x' has the parameter shared_memory_region",
    ),
    (
        "output in shared memory",
        {"outputs": [{"name": "y", "parameters": IN_SHARED_MEMORY}]},
        grpc.StatusCode.INVALID_ARGUMENT,
        "Output 'y' has the parameter shared_memory_region",
    ),
    (
        "negative",
        {"inputs": [{"name": "x", "shape": [-1, 8], "datatype": "FP32"}]},
        grpc.StatusCode.INVALID_ARGUMENT,
        "has the shape [-1, 8]",
    ),
    (
        "datatype",
        {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64"}]},
        grpc.StatusCode.INVALID_ARGUMENT,
        "takes FP32, not FP64",
    ),
    (
        "name",
        {"inputs": [{"name": "z", "shape": [1, 8], "datatype": "FP32"}]},
        grpc.StatusCode.INVALID_ARGUMENT,
        "takes 'x', not 'z'",
    ),
    (
        "two contents",
        {"inputs": [{"name": "x", "shape": [1, 8], "datatype": "FP32", "contents": {"fp32_contents": [0.0] * 8}}]},
        grpc.StatusCode.INVALID_ARGUMENT,
        "both in raw_input_contents and in contents",
    ),
    (
        "no contents",
        {"raw_input_contents": []},
        grpc.StatusCode.INVALID_ARGUMENT,
        "has 8 values, not 0 in fp32_contents",
    ),
    (
        "engine",
        {"raw_input_contents": [np.full(8, 777, np.float32).tobytes()]},
        grpc.StatusCode.INTERNAL,
        "this sample is refused",
    ),
]


@pytest.mark.parametrize(("changes", "code", "text"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_request_is_refused_with_what_is_wrong(
    stub: Any, changes: dict[str, Any], code: grpc.StatusCode, text: str
) -> None:
    with pytest.raises(grpc.RpcError) as error:
        stub.ModelInfer(request(X, **changes))
    assert error.value.code() == code
    assert text in error.value.details()


def test_other_bytes_than_grpc_end_their_own_connection(fragile: Server, stub: Any) -> None:
    import socket

    port = fragile.addresses["oip-grpc"].port
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        client.sendall(bytes(range(256)) * 100)
        try:
            while client.recv(65536):
                pass
        except ConnectionResetError:
            pass
    assert stub.ModelInfer(request(X)).outputs[0].name == "y"


def test_grpc_has_a_port_of_its_own_where_it_was_asked_for(float_net: Path) -> None:
    from edgerig.serve.ways.open_inference.grpc import OpenInferenceGrpc

    with Server(float_net, listen=None, sessions=1, ways=[OpenInferenceGrpc("127.0.0.1:0")]) as server:
        assert list(server.addresses) == ["oip-grpc"]
        with triton.InferenceServerClient(address(server)) as client:
            assert client.is_server_ready()


def test_tritons_client_finds_the_network_and_its_configuration(integers: Server) -> None:
    with triton.InferenceServerClient(address(integers)) as client:
        (entry,) = client.get_model_repository_index().models
        assert (entry.name, entry.state) == (integers.service.name, "READY")
        config = client.get_model_config(entry.name).config
    assert [(tensor.name, list(tensor.dims)) for tensor in config.input] == [("x", [8])]
