"""Requests over gRPC that are known by their bytes get what others get, and nothing is known by mistake."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serve.fragile import REFUSED
from tests.serve.ways.open_inference.samples import samples
from tests.serve.ways.open_inference.test_grpc import address, request
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc

from edgerig.artifact import TensorSpec
from edgerig.serve import Server
from edgerig.serve.tensors import NetworkTensors
from edgerig.serve.ways.open_inference.grpc_known import KnownRequest, KnownRequests, varint

METHOD = "/inference.GRPCInferenceService/ModelInfer"


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each request, whether it was known."""
    results: list[bool] = []
    find = KnownRequests.find

    def counted(self: KnownRequests, message: bytes) -> KnownRequest | None:
        known = find(self, message)
        results.append(known is not None)
        return known

    monkeypatch.setattr(KnownRequests, "find", counted)
    return results


@pytest.fixture
def channel(fragile: Server) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(address(fragile)) as channel:
        yield channel


def stub(channel: grpc.Channel) -> Any:
    return service_pb2_grpc.GRPCInferenceServiceStub(channel)


def check(server: Server, answer: Any, x: Any) -> None:
    """The answer of one output is that to ``x``."""
    (output,), (data,) = answer.outputs, answer.raw_output_contents
    y = np.frombuffer(data, np.float32).reshape(tuple(output.shape))
    np.testing.assert_array_equal(y, server.infer({"x": x}).outputs["y"])
    assert (answer.model_name, answer.model_version, output.name, output.datatype) == ("float_net", "1", "y", "FP32")


def test_the_second_of_a_kind_is_known_and_gets_its_own_answer(
    fragile: Server, channel: grpc.Channel, found: list[bool]
) -> None:
    inputs = [samples(count, seed) for seed in range(3) for count in (2, 3)]
    for x in inputs:
        check(fragile, stub(channel).ModelInfer(request(x, outputs=[{"name": "y"}])), x)
    assert found == [False, False, True, True, True, True]


def test_answers_are_the_same_bytes_either_way(fragile: Server, channel: grpc.Channel, found: list[bool]) -> None:
    call = channel.unary_unary(METHOD)
    message = request(samples(5), outputs=[{"name": "y"}]).SerializeToString()
    first, second = call(message), call(message)
    assert found == [False, True]
    read = [messages.ModelInferResponse.FromString(data) for data in (first, second)]
    assert read[0] == read[1]
    assert read[1].SerializeToString() == second


def test_integers_and_real_numbers_of_a_quantized_network(integers: Server, found: list[bool]) -> None:
    real, own = samples(1), np.arange(8, dtype=np.int8).reshape(1, 8)
    with grpc.insecure_channel(address(integers)) as channel:
        for x, datatype, raw in [(real, "FP32", False), (own, "INT8", True)] * 2:
            tensor = {"name": "x", "shape": [1, 8], "datatype": datatype}
            fields = {"model_name": "integers", "inputs": [tensor], "raw_input_contents": [x.tobytes()]}
            answer = stub(channel).ModelInfer(messages.ModelInferRequest(**fields))
            expected = integers.infer({"x": x}, raw=raw).outputs["y"]
            assert answer.outputs[0].datatype == datatype
            assert answer.raw_output_contents[0] == expected.tobytes()
    assert found == [False, False, True, True]


def test_a_known_request_is_refused_for_its_numbers_alone(
    fragile: Server, channel: grpc.Channel, found: list[bool]
) -> None:
    x = samples(6)
    for _ in range(2):
        check(fragile, stub(channel).ModelInfer(request(x)), x)
    refused = x.copy()
    refused[:, 0] = REFUSED
    with pytest.raises(grpc.RpcError) as error:
        stub(channel).ModelInfer(request(refused))
    assert (error.value.code(), found[-1]) == (grpc.StatusCode.INTERNAL, True)
    check(fragile, stub(channel).ModelInfer(request(x)), x)


def test_what_identifies_itself_and_typed_contents_are_not_remembered(
    fragile: Server, channel: grpc.Channel, found: list[bool]
) -> None:
    typed = {"name": "x", "shape": [1, 8], "datatype": "FP32", "contents": {"fp32_contents": [0.5] * 8}}
    for _ in range(2):
        assert stub(channel).ModelInfer(request(samples(1), id="7")).id == "7"
        stub(channel).ModelInfer(request(samples(1), inputs=[typed], raw_input_contents=[]))
    assert not any(found)


def test_bytes_that_are_no_message_are_refused(channel: grpc.Channel, fragile: Server) -> None:
    call, good = channel.unary_unary(METHOD), request(samples(7)).SerializeToString()
    for data in (b"\xff", good[:-1], good + b"\x3a", b"\x3a\xff\xff\xff\xff\x0f" + good):
        with pytest.raises(grpc.RpcError) as error:
            call(data)
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    check(fragile, messages.ModelInferResponse.FromString(call(good)), samples(7))


@pytest.mark.parametrize("shown", [None, "Bearer another"])
def test_a_known_request_needs_the_token_as_well(float_net: Path, found: list[bool], shown: str | None) -> None:
    with (
        Server(float_net, listen="127.0.0.1:0", sessions=1, token=b"secret") as server,
        grpc.insecure_channel(address(server)) as channel,
    ):
        ask = stub(channel).ModelInfer
        for _ in range(2):
            ask(request(samples(1)), metadata=[("authorization", "Bearer secret")])
        assert found == [False, True]
        with pytest.raises(grpc.RpcError) as error:
            ask(request(samples(1)), metadata=[] if shown is None else [("authorization", shown)])
        assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert len(found) == 2


TENSORS = NetworkTensors("net", [TensorSpec("x", (1, 8), "float32")], [TensorSpec("y", (1, 4), "float32")])


def learned(message: bytes) -> KnownRequest | None:
    """What is known of a message after it was read."""
    known = KnownRequests("net", "1", TENSORS)
    known.learn(message, messages.ModelInferRequest.FromString(message), raw=True, wanted=[0])
    return known.find(message)


def test_numbers_that_only_seem_to_come_last_are_not_learned() -> None:
    good = request(samples(1)).SerializeToString()
    assert learned(good) is not None
    # The same numbers twice, the second time in a field that nobody knows; and a field behind the numbers.
    data = samples(1).tobytes()
    unknown = b"\xfa\x07" + varint(len(data) + 2) + b"\x3a" + varint(len(data)) + data
    assert learned(good + unknown) is None
    assert learned(good + b"\x0a\x03net") is None


@given(st.binary(max_size=40), st.integers(0, 2**32))
def test_whatever_stands_before_the_numbers_is_read_alike(noise: bytes, seed: int) -> None:
    """Of a message that is learned, every other with the same beginning and length says the same."""
    data, other = samples(1, seed % 1000).tobytes(), samples(1, seed % 1000 + 1).tobytes()
    head = request(samples(1), raw_input_contents=[], parameters={"p": {"string_param": str(noise)}})
    start = head.SerializeToString() + b"\xfa\x07" + varint(len(noise)) + noise + b"\x3a" + varint(len(data))
    known = learned(start + data)
    assert known is not None
    (rows,) = known.rows(start + other)
    read = messages.ModelInferRequest.FromString(start + other)
    assert rows.tobytes() == read.raw_input_contents[0] == other
    assert list(read.inputs[0].shape) == known.shape
