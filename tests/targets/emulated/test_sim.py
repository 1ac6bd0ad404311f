"""The simulated board as a target: the promises of every target, exact outputs, honest numbers, told crashes."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from edgerig.api import run as run_rig
from edgerig.errors import (
    IncompatibleError,
    InferenceError,
    MissingExtraError,
    SpecError,
    TargetError,
    UnknownNameError,
    UsageError,
)
from edgerig.install import install_command
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.models.files import open_artifact
from edgerig.report import build_report
from edgerig.report.rendering.markdown import render_markdown
from edgerig.simulator.cycles import cycle_model
from edgerig.simulator.simulator import Simulator
from edgerig.targets.base import Session, Target
from edgerig.targets.emulated.session import SimulatedSession
from edgerig.targets.resolve import default_runtime, plugin_of, target_for
from edgerig.testing import networks
from edgerig.testing.contracts.target import Deployment, TargetContract, random_inputs
from edgerig.testing.networks import known_networks
from edgerig.testing.networks.reference_runs import Oracle, difference, tolerance
from edgerig.testing.networks.tflite_builder import TfliteBuilder
from edgerig.wire.frame import Kind

BOARD = "sim:stm32f746"


def reference(path: Path) -> Any:
    """LiteRT with its reference kernels, as a function of inputs."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    engine = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    engine.allocate_tensors()

    def outputs(inputs: Any) -> list[Any]:
        rows: list[list[Any]] = []
        for sample in zip(*inputs, strict=True):
            for detail, value in zip(engine.get_input_details(), sample, strict=True):
                engine.set_tensor(detail["index"], value[None])
            engine.invoke()
            rows.append([engine.get_tensor(detail["index"])[0].copy() for detail in engine.get_output_details()])
        return [np.stack(column) for column in zip(*rows, strict=True)]

    return outputs


@pytest.fixture(scope="module")
def int8_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.dense_tflite_int8(tmp_path_factory.mktemp("net") / "dense_int8.tflite", 64, 10)


@pytest.fixture(scope="module")
def float_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.dense_tflite(tmp_path_factory.mktemp("net") / "dense.tflite", 64, 10)


@pytest.fixture(scope="module")
def two_input_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.two_input_tflite(tmp_path_factory.mktemp("net") / "two.tflite")


def session_of(path: Path, **options: Any) -> Session:
    return target_for(BOARD, options).open(open_artifact(path), "micro", {})


class TestContract(TargetContract):
    @pytest.fixture(scope="class")
    def target(self) -> Target:
        return target_for(BOARD, {})

    @pytest.fixture(scope="class")
    def deployment(self, int8_net: Path) -> Deployment:
        return Deployment(open_artifact(int8_net), "micro", {}, reference(int8_net), tolerance=0)


class TestContractOfTwoInputs(TestContract):
    @pytest.fixture(scope="class")
    def deployment(self, two_input_net: Path) -> Deployment:
        return Deployment(open_artifact(two_input_net), "micro", {}, reference(two_input_net))


@pytest.mark.slow
class TestContractStepwise(TestContract):
    @pytest.fixture(scope="class")
    def target(self) -> Target:
        return target_for(BOARD, {"protocol": "stepwise"})


@pytest.mark.slow
def test_float_outputs_are_those_of_litert(float_net: Path) -> None:
    with session_of(float_net) as session:
        inputs = random_inputs(open_artifact(float_net), 200)
        (got,) = session.run(inputs).outputs
    np.testing.assert_allclose(got, reference(float_net)(inputs)[0], atol=1e-5, rtol=0)


@pytest.mark.slow
def test_int8_outputs_are_bit_exact_however_the_firmware_is_built(int8_net: Path) -> None:
    inputs = random_inputs(open_artifact(int8_net), 300, seed=7)
    (wanted,) = reference(int8_net)(inputs)
    for settings in ({}, {"optimize": "size", "level": "s"}, {"kernels": "portable"}, {"level": "0"}):
        with session_of(int8_net, **settings) as session:
            assert np.array_equal(session.run(inputs).outputs[0], wanted), settings


@pytest.mark.slow
@pytest.mark.parametrize("name", ["keyword_spotting", "image_classification", "anomaly_detection", "hey_jarvis"])
def test_published_networks_are_bit_exact_on_the_board(name: str, tmp_path: Path) -> None:
    """Residual, depthwise and dense networks, and one that remembers what it heard before."""
    data = (
        known_networks.wake_words()[name] if name in known_networks.WAKE_WORDS else known_networks.mlperf_tiny()[name]
    )
    path = tmp_path / "net.tflite"
    path.write_bytes(data)
    # What remembers is to hear more: of the others each inference takes all paths that there are.
    count = 12 if name in known_networks.WAKE_WORDS else 4
    inputs = random_inputs(open_artifact(path), count, seed=3)
    with session_of(path) as session:
        found = [session.run(inputs).outputs, session.run(inputs).outputs]
    oracle = Oracle(data)
    for outputs in found:
        for index in range(count):
            wanted = oracle.run([array[index : index + 1] for array in inputs])
            for expected, output in zip(wanted, outputs, strict=True):
                assert difference(expected, output[index : index + 1]) <= tolerance(expected.dtype)
    # A new session has forgotten it all.
    with session_of(path) as session:
        assert all(np.array_equal(a, b) for a, b in zip(session.run(inputs).outputs, found[0], strict=True))


def test_loading_and_the_first_inference_are_counted_exactly(int8_net: Path) -> None:
    inputs = random_inputs(open_artifact(int8_net), 3)
    counted = []
    for _ in range(2):
        with session_of(int8_net) as session:
            assert isinstance(session, SimulatedSession)
            session.run(inputs)
            counted.append(session.counts())
            elf, board, calls = session.built.elf, session.board, list(session._instructions)
    first, second = counted
    assert first is not None
    assert first == second, "every start of a firmware is like the last one"
    assert isinstance(first.first, Measurement)
    assert isinstance(first.load, Measurement)
    assert (first.first.value, first.first.unit, first.first.kind) == (calls[0], "instructions", "emulated")
    # The same firmware in a simulator of its own, from the reset to where it waits.
    simulator = Simulator(elf, board)
    simulator.run()
    assert (first.load.value, first.load.unit, first.load.kind) == (simulator.instructions, "instructions", "emulated")


def test_instructions_are_told_whole_and_by_layer(int8_net: Path) -> None:
    with session_of(int8_net) as session:
        inputs = random_inputs(open_artifact(int8_net), 20)
        times = session.run(inputs).times_ns
        layers = session.profile([array[:5] for array in inputs])
        counts = session.counts()
    assert counts is not None
    whole, cycles = counts.instructions, counts.cycles
    assert isinstance(whole, Measurement)
    assert isinstance(cycles, Measurement)
    assert (whole.kind, whole.unit, whole.n) == ("emulated", "instructions", 20)
    assert (cycles.kind, cycles.unit) == ("modelled", "cycles")
    model = cycle_model("cortex-m7")
    assert str(model) in cycles.method
    assert (cycles.low, cycles.high, cycles.bounds) == (*model.bounds(cycles.value), "model")
    assert 0.5 < cycles.value / whole.value < 3
    assert not isinstance(layers, Unavailable)
    told = [layer.instructions for layer in layers]
    assert all(isinstance(one, Measurement) and one.kind == "emulated" and one.n == 5 for one in told)
    total = sum(one.value for one in told if isinstance(one, Measurement))
    # The whole calls the layers one after the other, and does little else.
    assert total <= whole.value <= total + 10 * len(layers) + 20
    assert layers[-1].output_shape == (1, 10)
    for layer in layers:
        assert isinstance(layer.time, Measurement)
        assert layer.time.kind == "modelled"
        assert (layer.time.low, layer.time.high, layer.time.bounds) == (*model.bounds(layer.time.value), "model")
        assert isinstance(layer.instructions, Measurement)
        assert 0.5 < layer.time.value * 216e6 / layer.instructions.value < 3
    parts = sum(layer.time.value for layer in layers if isinstance(layer.time, Measurement)) * 216e6
    assert parts == pytest.approx(cycles.value, rel=0.1)
    # What the firmware read from the cycle counter is the same, but for the reading itself.
    assert cycles.value / 0.216 <= np.median(times) <= (cycles.value + 600) / 0.216


@pytest.mark.slow
def test_a_modelled_time_is_told_with_its_error_and_without_a_spread(int8_net: Path, tmp_path: Path) -> None:
    rig = {
        "name": "told",
        "model": {"file": str(int8_net)},
        "dataset": {"use": "random", "shape": [64], "samples": 600},
        "matrix": [{"runtimes": ["micro"], "targets": [BOARD]}],
        "measure": {"warmup": 0, "rounds": 1, "seconds": 0},
    }
    (cell,) = run_rig(rig, out=tmp_path / "run").cells
    latency, model = cell.latency, cycle_model("cortex-m7")
    for time in (latency.load, latency.first, latency.steady):
        assert isinstance(time, Measurement)
        assert (time.kind, time.bounds) == ("modelled", "model")
        assert (time.low, time.high) == model.bounds(time.value)
        assert str(model) in time.method
    assert isinstance(latency.steady, Measurement)
    assert isinstance(latency.throughput, Measurement)
    assert latency.throughput.value == pytest.approx(1 / latency.steady.value)
    assert latency.throughput.low == pytest.approx(1 / (latency.steady.high or 0))
    assert latency.distribution is None
    text = render_markdown(build_report([tmp_path / "run"]))
    assert "a model has no tail" in text
    assert "95 % bootstrap" not in text


def test_every_run_is_like_the_last_one(int8_net: Path) -> None:
    inputs = random_inputs(open_artifact(int8_net), 10)
    found = []
    for _ in range(2):
        with session_of(int8_net) as session:
            run = session.run(inputs)
            found.append((run.times_ns.tolist(), run.outputs[0].tolist(), session.counts()))
    assert found[0] == found[1]


def test_memory_tells_plan_plain_sum_and_stack(int8_net: Path) -> None:
    with session_of(int8_net) as session:
        session.run(random_inputs(open_artifact(int8_net), 1))
        memory = session.memory()
        firmware = session.firmware()
    values = {name: quantity.value for name, quantity in memory.items() if isinstance(quantity, Measurement)}
    assert values["tensor_sum"] == 74
    assert 74 <= values["arena"] < 400
    assert 100 < values["stack_peak"] < values["stack_reserved"] == 4096
    assert firmware is not None
    assert (values["flash"], values["ram"]) == (firmware.flash, firmware.ram)
    assert firmware.flash_limit == 1 << 20
    assert firmware.ram_limit == 320 * 1024
    for place, total in (("flash", firmware.flash), ("ram", firmware.ram)):
        assert sum(firmware.groups[place].values()) == total
    assert firmware.groups["flash"]["weights"] >= 640
    assert {"arena", "core"} <= {symbol.name for symbol in firmware.symbols if symbol.place == "ram"}
    # The plan is that of the arena: no two buffers that are needed at once share a byte, and all lie in it.
    assert max(buffer.offset + buffer.bytes for buffer in firmware.arena) <= values["arena"]
    for first, second in combinations(firmware.arena, 2):
        together = first.first < second.last and second.first < first.last
        apart = first.offset + first.bytes <= second.offset or second.offset + second.bytes <= first.offset
        assert apart or not together


def test_a_network_that_is_too_big_is_told_with_a_table(tmp_path: Path) -> None:
    path = networks.dense_tflite_int8(tmp_path / "big.tflite", 6000, 200)
    with pytest.raises(InferenceError, match="does not fit on STM32F746-Discovery") as error:
        session_of(path)
    text = error.value.message
    assert "of 1,048,576 B" in text
    assert "B too much" in text
    assert "weights" in text
    assert int(re.search(r"weights +([\d,]+) B", text)[1].replace(",", "")) >= 1_200_000  # type: ignore[index]


@pytest.mark.slow
def test_what_makes_a_firmware_slow_is_said_next_to_the_number(int8_net: Path, tmp_path: Path) -> None:
    target = {"use": BOARD, "fpu": False, "debug": True, "clock_hz": 16_000_000}
    rig = {
        "name": "slow",
        "model": {"file": str(int8_net)},
        "dataset": {"use": "random", "shape": [64], "samples": 40},
        "matrix": [{"runtimes": ["micro"], "targets": [target]}],
        "measure": {"warmup": 0, "rounds": 1, "seconds": 0},
    }
    (cell,) = run_rig(rig, out=tmp_path / "run").cells
    text = "\n".join(cell.warnings)
    assert "without the board's FPU" in text
    assert "debug build" in text
    assert "16 MHz" in text
    assert isinstance(cell.latency.steady, Measurement)
    assert cell.latency.steady.warnings == cell.warnings
    assert cell.latency.steady.kind == "modelled"
    assert isinstance(cell.latency.transport, Unavailable)


@pytest.mark.slow
def test_without_its_fpu_a_board_keeps_the_kernels_that_need_none(int8_net: Path) -> None:
    artifact = open_artifact(int8_net)
    inputs = random_inputs(artifact, 3)
    with session_of(int8_net) as session:
        told, fast = session.run(inputs), session.counts()
    with session_of(int8_net, fpu=False) as session:
        without, counted = session.run(inputs), session.counts()
        assert session.machine().packages["kernels"] == "cortex-m7+nofp, speed"
    for one, other in zip(told.outputs, without.outputs, strict=True):
        np.testing.assert_array_equal(one, other)
    assert isinstance(fast.instructions, Measurement)
    assert isinstance(counted.instructions, Measurement)
    assert counted.instructions.value < 1.5 * fast.instructions.value


@pytest.mark.slow
def test_the_clock_that_is_told_is_the_one_that_was_set(int8_net: Path) -> None:
    with session_of(int8_net, clock_hz=100_000_000) as session:
        machine = session.machine()
    assert machine.frequency_hz == 100e6
    assert machine.packages["clock_set_hz"] == machine.packages["clock_hz"] == "100000000"


@pytest.mark.slow
def test_optimization_and_clock_change_what_they_should(int8_net: Path) -> None:
    inputs = random_inputs(open_artifact(int8_net), 3)
    with session_of(int8_net, kernels="portable") as session:
        fast = session.run(inputs).times_ns
    with session_of(int8_net, kernels="portable", level="0") as session:
        assert (session.run(inputs).times_ns > 2 * fast).all()
        assert session.machine().packages["optimization"] == "-O0"
    with session_of(int8_net, kernels="portable", clock_hz=108_000_000) as session:
        np.testing.assert_allclose(session.run(inputs).times_ns, 2 * fast, rtol=0.01)


def test_reset_is_a_restart_of_which_the_session_hears(int8_net: Path) -> None:
    session: Any = session_of(int8_net)
    inputs = random_inputs(open_artifact(int8_net), 2)
    before = session.client.device.boot
    # The answer to RESET is out before the board goes down.
    session.client.request(Kind.RESET)
    with pytest.raises(TargetError, match="restarted"):
        session.run(inputs)
    assert not session.alive
    session.simulator.run()
    assert session.simulator.resets == 1
    assert before != int.from_bytes(
        session.simulator.peek(session.simulator.symbols["processor_last_fault"] + 24, 4), "little"
    )
    session.close()


def test_a_crash_on_the_board_is_told_with_the_function_it_happened_in(int8_net: Path) -> None:
    session: Any = session_of(int8_net)
    simulator = session.simulator
    # The firmware's own pointer to where inputs go, bent to where there is no memory.
    device = simulator.symbols["device"]
    place = simulator.peek(device, 64).index(int.to_bytes(simulator.symbols["er_free"] + 8 * 256, 4, "little"))
    simulator.poke(device + place, int.to_bytes(0x6000_0000, 4, "little"))
    with pytest.raises(TargetError, match=r"crashed. HardFault: write of 0x60000000 at 0x080\w+ in er_rx_bytes"):
        session.run(random_inputs(open_artifact(int8_net), 1))
    assert simulator.faults[0].address == 0x6000_0000
    session.close()


def test_alignment_is_looked_at_in_the_first_run(int8_net: Path) -> None:
    session: Any = session_of(int8_net)
    inputs = random_inputs(open_artifact(int8_net), 2)
    assert session.simulator._alignment._hook is not None
    watched = session.run(inputs)
    assert session.simulator._alignment._hook is None
    again = session.run(inputs)
    np.testing.assert_array_equal(watched.outputs[0], again.outputs[0])
    assert session.counts().instructions.method.endswith("all the same")
    session.close()


def test_log_tells_a_fault_after_the_restart(int8_net: Path) -> None:
    from edgerig.simulator.simulator import WIRE
    from edgerig.targets.emulated.simulator_link import SimulatorLink
    from edgerig.wire.client import WireClient

    session: Any = session_of(int8_net)
    simulator = session.simulator
    with pytest.raises(TargetError, match="crashed"):
        simulator.call("memcpy", 0x2000_0100, 0x7000_0000, 16)
    simulator._pc = 0x6000_0001
    simulator.run()
    simulator.read(WIRE)
    client = WireClient(SimulatorLink(simulator), who="board", timeout=20)
    client.hello()
    assert client.device.reset_cause == "fault"
    log = bytes(client.request(Kind.LOG).payload).decode()
    assert "fault before: pc 60000000" in log
    assert "address 60000000" in log


@pytest.mark.slow
def test_a_firmware_that_hangs_is_given_up(int8_net: Path) -> None:
    session: Any = session_of(int8_net, timeout=1)
    simulator = session.simulator
    # `b .`, where the network begins: RAM is not executable in flash's stead, so the first instruction is replaced.
    simulator._engine.mem_write(simulator.symbols["model_run"], b"\xfe\xe7")
    simulator._engine.ctl_flush_tb()
    with pytest.raises(TargetError, match="has not answered"):
        session.run(random_inputs(open_artifact(int8_net), 1))


def test_artifact_of_another_network_is_not_run(int8_net: Path, float_net: Path) -> None:
    with pytest.raises(IncompatibleError, match=r"run \.onnx, .*\.tflite files, not torch"):
        target_for(BOARD, {}).open(replace(open_artifact(float_net), format="torch"), "micro", {})
    with pytest.raises(UsageError, match="one thread"):
        target_for(BOARD, {}).open(open_artifact(int8_net), "micro", {"threads": 2})
    with pytest.raises(InferenceError, match="Use runtime 'micro'"):
        target_for(BOARD, {}).open(open_artifact(int8_net), "litert", {})


def test_missing_packages_are_told_before_anything_starts(int8_net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edgerig.boards import toolchain
    from edgerig.engine.api import plan
    from edgerig.targets.emulated.sim import Sim

    rig = {
        "model": {"file": str(int8_net)},
        "dataset": "mnist",
        "matrix": [{"runtimes": ["micro"], "targets": [BOARD]}],
    }
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: None)
    with pytest.raises(MissingExtraError, match="ziglang") as error:
        plan(rig)
    assert install_command("boards") in (error.value.hint or "")
    monkeypatch.undo()
    monkeypatch.setattr(Sim, "modules", ("unicorn_that_is_not_there",))
    with pytest.raises(MissingExtraError, match="unicorn_that_is_not_there"):
        plan(rig)


@pytest.mark.parametrize(
    ("address", "kind"),
    [("sim:", SpecError), ("sim:stm32f747", UnknownNameError), ("sim:mps2-an500", UnknownNameError)],
)
def test_addresses_that_name_no_board(address: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        plugin_of(address)


def test_a_board_has_one_runtime() -> None:
    assert default_runtime(BOARD) == "micro"
    assert default_runtime("qemu:mps2-an500") == "micro"
    assert default_runtime("local") is None


@pytest.mark.slow
def test_a_network_of_which_nothing_is_left_to_run_gives_its_input_back(tmp_path: Path) -> None:
    net = TfliteBuilder()
    x = net.tensor("x", (1, 8), "int8", scale=0.5)
    path = tmp_path / "identity.tflite"
    path.write_bytes(net.build([x], [x]))
    inputs = random_inputs(open_artifact(path), 3)
    with target_for(BOARD, {}).open(open_artifact(path), "micro", {}) as session:
        np.testing.assert_array_equal(session.run(inputs).outputs[0], inputs[0])
