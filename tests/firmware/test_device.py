"""The device program, spoken to with the host's own client over each kind of line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.errors import IncompatibleError, InferenceError, TargetError
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.testing import networks
from edgerig.wire.client import WireClient
from edgerig.wire.frame import MORE, Kind
from edgerig.wire.messages import CODES, Failure, Hello, Loaded, ModelHeader, pack, pack_tensors, unpack

Array = NDArray[Any]


def views(array: Array) -> list[memoryview]:
    return [np.ascontiguousarray(array).reshape(-1).view(np.uint8).data]


def run(client: WireClient, samples: Array) -> Array:
    answer = client.run(views(samples), len(samples))
    return np.frombuffer(bytes(answer.outputs[0]), np.int8).reshape(len(samples), -1)


@pytest.fixture(params=["tcp", "unix", "pty"])
def client(request: pytest.FixtureRequest, device: Callable[..., Any]) -> WireClient:
    client: WireClient = device(request.param).client()
    return client


def test_hello_tells_limits_boot_and_network(client: WireClient, host_network: Any) -> None:
    told = client.device
    assert (told.protocol, told.max_header, told.max_payload) == (1, 256, 64 * 64)
    assert told.runtimes == ("micro",)
    assert set(told.kinds) == {int(kind) for kind in Kind if Kind.DATA <= kind <= Kind.LOG} | {int(Kind.BEGIN)}
    assert told.network in host_network.text()
    assert told.boot != 0
    assert told.reset_cause == "power"


def test_runs_one_many_and_as_many_as_fit(client: WireClient, samples: Array, expected: Array) -> None:
    for count in (1, 2, 63, 64):
        assert np.array_equal(run(client, samples[:count]), expected[:count])
        assert client.download_statistics().last_inference_ns > 0
    assert client.download_statistics().inferences == 130


def test_times_of_each_sample_are_those_of_the_device(client: WireClient, samples: Array) -> None:
    answer = client.run(views(samples), 64)
    times = np.frombuffer(bytes(answer.times), np.int64)
    assert times.shape == (64,)
    assert (times > 0).all()
    assert times.sum() < answer.round_trip_ns


def test_step_by_step(client: WireClient, samples: Array, expected: Array) -> None:
    for i in range(3):
        client.upload_input(views(samples[i]))
        assert client.request_processing() > 0
        assert np.array_equal(np.frombuffer(client.download_output()[0], np.int8), expected[i])
    # The input is still there.
    client.request_processing()
    assert np.array_equal(np.frombuffer(client.download_output()[0], np.int8), expected[2])


def test_steps_out_of_order_are_errors_and_the_session_goes_on(client: WireClient, samples: Array) -> None:
    with pytest.raises(InferenceError, match="DATA"):
        client.request_processing()
    with pytest.raises(InferenceError, match="PROCESS"):
        client.download_output()
    client.upload_input(views(samples[0]))
    with pytest.raises(InferenceError, match="PROCESS"):
        client.download_output()
    client.request_processing()
    assert len(client.download_output()) == 1


def test_model_is_the_one_built_in(client: WireClient, tmp_path: Path) -> None:
    path = networks.dense_tflite_int8(tmp_path / "dense.tflite", 64, 10)
    mine = ModelHeader("micro", {"a": [1, {"b": None}], "c": 1.5}, "tflite", client.device.network, "dense")
    for payload in (b"", path.read_bytes()):
        loaded = client.upload_model(mine, memoryview(payload))
        assert loaded.inputs[0].shape == (1, 64)
        assert loaded.inputs[0].dtype == loaded.outputs[0].dtype == "int8"
        assert loaded.inputs[0].quantization is not None
        assert loaded.inputs[0].quantization.scales == pytest.approx((networks.INT8_INPUT[0],))
        assert loaded.inputs[0].quantization.zero_points == (networks.INT8_INPUT[1],)
        assert (loaded.sha256, loaded.runtime) == (client.device.network, "micro")
    assert unpack(client.request(Kind.MODEL).payload, Loaded) == unpack(client.request(Kind.IO).payload, Loaded)


@pytest.mark.parametrize("digest", ["ab" * 32, "", "0" * 63, "7f" * 32])
def test_another_model_is_refused(client: WireClient, digest: str) -> None:
    with pytest.raises(IncompatibleError, match="Another network"):
        client.upload_model(ModelHeader("micro", {}, "tflite", digest, "x"), memoryview(b"some bytes"))


def test_profile_tells_both_layers(client: WireClient, samples: Array) -> None:
    layers: list[LayerTime] = client.profile(views(samples), 64, list[LayerTime] | Unavailable)
    assert [(layer.index, layer.op) for layer in layers] == [(0, "FULLY_CONNECTED"), (1, "REQUANTIZE")]
    for layer in layers:
        assert isinstance(layer.time, Measurement)
        assert (layer.time.unit, layer.time.kind, layer.time.n) == ("s", "measured", 64)
        assert 0 < layer.time.value < 0.1


def test_memory_tells_numbers_and_what_is_missing(client: WireClient) -> None:
    memory: dict[str, Quantity] = client.memory()
    arena, stack = memory["arena"], memory["stack_peak"]
    assert isinstance(arena, Measurement)
    assert (arena.value, arena.unit) == (64 * 64 + 64 * 10, "B")
    assert isinstance(stack, Unavailable)


def test_statistics_with_machine(client: WireClient) -> None:
    state = client.download_statistics(machine=True).machine
    assert state is not None
    assert state.packages.keys() <= {"gcc", "clang"}
    assert state.frequency_hz is None
    assert client.download_statistics().machine is None


def test_log_is_text(client: WireClient) -> None:
    assert bytes(client.request(Kind.LOG).payload).decode().startswith("started, boot ")


@pytest.mark.parametrize(
    ("count", "sizes", "payload"),
    [
        (0, [0], 0),
        (65, [65 * 64], 65 * 64),
        (1, [63], 63),
        (1, [64], 63),
        (2, [64], 64),
        (1, [64, 1], 65),
        (1, [], 64),
        (0xFFFFFFFF, [64], 64),
        (1 << 26, [0], 0),
    ],
)
def test_tensors_that_do_not_fit(
    device: Callable[..., Any], raw: Callable[..., Any], count: int, sizes: list[int], payload: int
) -> None:
    host = raw(device("tcp").link())
    host.ask(Kind.HELLO, 1)
    for request, kind in enumerate((Kind.RUN, Kind.DATA, Kind.PROFILE), 2):
        answer = host.ask(kind, request, 0, pack_tensors(count, sizes), bytes(payload))
        failure = unpack(answer.header, Failure)
        assert (answer.kind, answer.request) == (Kind.ERROR, request)
        assert CODES[failure.code] is InferenceError
        assert failure.details == (64,)
    assert host.ask(Kind.STATS, 9).kind == Kind.OK


def test_requests_that_nobody_knows(device: Callable[..., Any], raw: Callable[..., Any]) -> None:
    host = raw(device("tcp").link())
    for kind in (0x0F, 0x11, 99, 255):
        failure = unpack(host.ask(kind, kind, 0, b"?", b"!").header, Failure)
        assert CODES[failure.code] is TargetError
    # Answers are not answered, lest two devices talk for ever.
    host.send(Kind.OK, 1)
    host.send(Kind.ERROR, 2)
    assert host.ask(Kind.IO, 3).request == 3


def test_process_says_when_it_begins(device: Callable[..., Any], raw: Callable[..., Any], samples: Array) -> None:
    host = raw(device("unix", "--slow", "30").link())
    host.ask(Kind.DATA, 1, 0, pack_tensors(1, [64]), samples[0].tobytes())
    first = host.ask(Kind.PROCESS, 2)
    second = host.read()
    assert first.flags & MORE
    assert not second.flags & MORE
    assert first.request == second.request == 2


def test_reset_starts_anew(device: Callable[..., Any], raw: Callable[..., Any]) -> None:
    host = raw(device("pty").link())
    before: Hello = unpack(host.ask(Kind.HELLO, 1, 5).header, Hello)
    assert host.ask(Kind.RESET, 2, 6).kind == Kind.OK
    announced = host.read()
    after: Hello = unpack(announced.header, Hello)
    assert (announced.kind, announced.request) == (Kind.HELLO, 0)
    assert after.boot != before.boot
    assert after.reset_cause == "reset"


def test_one_host_after_another(device: Callable[..., Any], samples: Array, expected: Array) -> None:
    one = device("tcp")
    for _ in range(5):
        client = one.client()
        assert np.array_equal(run(client, samples[:3]), expected[:3])
        client.close()


def test_litert_agrees(tmp_path: Path, samples: Array, expected: Array) -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    path = networks.dense_tflite_int8(tmp_path / "dense.tflite", 64, 10)
    engine = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    engine.allocate_tensors()
    for sample, output in zip(samples, expected, strict=True):
        engine.set_tensor(engine.get_input_details()[0]["index"], sample[None])
        engine.invoke()
        assert np.array_equal(engine.get_tensor(engine.get_output_details()[0]["index"])[0], output)


def test_headers_above_the_limit_are_refused_but_passed_over(
    device: Callable[..., Any], raw: Callable[..., Any]
) -> None:
    host = raw(device("tcp").link())
    long = pack(ModelHeader("micro", {}, "tflite", "ab" * 32, "x" * 400))
    answer = host.ask(Kind.MODEL, 1, 0, long, b"file")
    assert "long" in unpack(answer.header, Failure).message
    assert host.ask(Kind.IO, 2).request == 2
