"""Boards in QEMU: each boots and answers exactly; what happens to QEMU is told, and how to get it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.needs import need

from edgerig.boards.board import board_names, load_board
from edgerig.errors import IncompatibleError, SpecError, TargetError, UnknownNameError, UsageError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.models.files import open_artifact
from edgerig.simulator import qemu_calls
from edgerig.targets.base import Session, Target
from edgerig.targets.emulated.base import BoardTarget
from edgerig.targets.emulated.qemu_process import processor_of
from edgerig.targets.resolve import plugin_of, target_for
from edgerig.testing import networks
from edgerig.testing.contracts.target import Deployment, TargetContract, random_inputs
from edgerig.testing.networks import known_networks
from edgerig.testing.networks.reference_runs import Oracle

BOARDS = board_names("qemu")
FAST = ("mps2-an500", "virt-rv32imc")


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.dense_tflite_int8(tmp_path_factory.mktemp("net") / "dense_int8.tflite", 64, 10)


@pytest.fixture(scope="module")
def expected(net: Path) -> Any:
    """LiteRT with its reference kernels, as a function of inputs."""

    def outputs(inputs: Any) -> list[Any]:
        with target_for("local", {}).open(open_artifact(net), "litert", {"kernels": "reference"}) as session:
            return list(session.run(inputs).outputs)

    return outputs


def qemu_for(board: str) -> str:
    """QEMU's program for it."""
    return processor_of(load_board(board)).program


def session_of(board: str, path: Path, **options: Any) -> Session:
    need(qemu_for(board))
    return target_for(f"qemu:{board}", options).open(open_artifact(path), "micro", {})


@pytest.mark.slow
@pytest.mark.parametrize(
    "board", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in BOARDS]
)
def test_every_board_boots_and_answers_bit_exactly(board: str, net: Path, expected: Any) -> None:
    inputs = random_inputs(open_artifact(net), 20)
    with session_of(board, net) as session:
        run = session.run(inputs)
        layers = session.profile(inputs)
        machine, memory, counts = session.machine(), session.memory(), session.counts()
    assert np.array_equal(run.outputs[0], expected(inputs)[0])
    assert machine.host == board
    assert machine.packages["board"] == board
    assert counts is not None
    assert isinstance(counts.instructions, Measurement)
    assert (counts.instructions.kind, counts.instructions.n) == ("emulated", 20)
    assert 300 < counts.instructions.value < 50_000
    assert "icount" in counts.instructions.method
    if load_board(board).architecture == "arm":
        assert counts.tick > 1
        # One reading of a counter that ticks every few instructions is not exact.
        for coarse in (counts.load, counts.first):
            assert isinstance(coarse, Unavailable)
            assert "a simulated board (sim:stm32f746) counts each instruction" in coarse.reason
    else:
        assert (machine.architecture, machine.cpu, counts.tick) == ("riscv32", "RV32IMC", 1)
        assert isinstance(counts.first, Measurement)
        assert counts.first.value == pytest.approx(counts.instructions.value, rel=0.1)
        assert isinstance(counts.load, Measurement)
        assert 1_000 < counts.load.value < 1_000_000
    assert not isinstance(layers, Unavailable)
    assert all(isinstance(layer.instructions, Measurement) for layer in layers)
    # No chip was ever compared with it, and nobody knows which instructions they were: no time at all.
    for none in (counts.cycles, session.time_model(), *(layer.time for layer in layers)):
        assert isinstance(none, Unavailable)
        assert "not which" in none.reason
    assert isinstance(memory["stack_peak"], Measurement)
    assert 100 < memory["stack_peak"].value < 8192


@pytest.fixture(scope="module")
def digit_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("digits") / "digits.tflite"
    path.write_bytes(known_networks.digits("int8"))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["ziglang", "gcc"])
@pytest.mark.parametrize("board", ["sim:stm32f746", *(f"qemu:{name}" for name in BOARDS)])
def test_the_digit_network_is_bit_exact_on_every_board(board: str, compiler: str, digit_network: Path) -> None:
    """Convolutions, pooling, dense layers and softmax, by whatever kernels the board's processor can run."""
    name = board.partition(":")[2]
    if compiler == "gcc":
        need("riscv64-unknown-elf-gcc" if load_board(name).architecture == "riscv32" else "arm-none-eabi-gcc")
    if board.startswith("qemu"):
        need(qemu_for(name))
    artifact = open_artifact(digit_network)
    (inputs,) = random_inputs(artifact, 4, seed=5)
    oracle = Oracle(digit_network.read_bytes())
    with target_for(board, {"compiler": compiler}).open(artifact, "micro", {}) as session:
        (found,) = session.run([inputs]).outputs
    for sample, output in zip(inputs, found, strict=True):
        assert np.array_equal(oracle.run([sample[None]])[0][0], output)


@pytest.mark.slow
@pytest.mark.parametrize(("features", "doubted"), [(8, True), (512, False)])
def test_instructions_are_those_that_the_simulator_counts(tmp_path: Path, features: int, doubted: bool) -> None:
    """The same kernels for the same core: what the firmware takes to read its clock is not the network's, and a counter
    with ticks of 40 instructions is doubted where they are a large part."""
    path = networks.dense_tflite_int8(tmp_path / "net.tflite", features, 4)
    inputs = random_inputs(open_artifact(path), 30)
    instructions = []
    for session in (
        session_of("mps2-an500", path),
        target_for("sim:stm32f746", {}).open(open_artifact(path), "micro", {}),
    ):
        with session:
            session.run(inputs)
            counts = session.counts()
            assert counts is not None
            assert isinstance(counts.instructions, Measurement)
            instructions.append(counts.instructions)
    emulated, simulated = instructions
    assert abs(emulated.value - simulated.value) <= 40
    assert any("ticks every 40 instructions" in text for text in emulated.warnings) == doubted
    assert simulated.warnings == ()


@pytest.mark.slow
def test_layers_add_up_to_the_network_where_each_instruction_is_counted(digit_network: Path) -> None:
    inputs = random_inputs(open_artifact(digit_network), 2)
    with session_of("virt-rv32imc", digit_network) as session:
        session.run(inputs)
        layers, counts = session.profile(inputs), session.counts()
    assert counts is not None
    assert isinstance(counts.instructions, Measurement)
    assert "of reading the clock" in counts.instructions.method
    assert not isinstance(layers, Unavailable)
    total = sum(layer.instructions.value for layer in layers if isinstance(layer.instructions, Measurement))
    assert total == pytest.approx(counts.instructions.value, rel=0.01)


@pytest.mark.slow
class TestContract(TargetContract):
    @pytest.fixture
    def session(self, target: Target, deployment: Deployment) -> Iterator[Session]:
        """Of each test alone: QEMU starts in a tenth of a second, and takes a whole processor while it waits."""
        with target.open(deployment.artifact, deployment.runtime, deployment.options) as session:
            yield session

    @pytest.fixture(scope="class", params=["mps2-an386", "virt-rv32imc"])
    def target(self, request: pytest.FixtureRequest) -> Target:
        need(qemu_for(request.param))
        return target_for(f"qemu:{request.param}", {})

    @pytest.fixture(scope="class")
    def deployment(self, net: Path, expected: Any) -> Deployment:
        return Deployment(open_artifact(net), "micro", {}, expected, tolerance=0)


@pytest.mark.slow
def test_an_emulator_that_dies_is_told(net: Path) -> None:
    session: Any = session_of("mps2-an386", net)
    emulator = session.client._emulator
    emulator.process.kill()
    emulator.process.wait()
    with pytest.raises(TargetError, match=r"went away: QEMU ended with exit code -9"):
        session.run(random_inputs(open_artifact(net), 1))
    session.close()


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_no_emulator(net: Path) -> None:
    need("qemu-system-arm", "setpriv")
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom edgerig.models.files import open_artifact\n"
        "from edgerig.targets.resolve import target_for\n"
        "target = target_for('qemu:mps2-an385', {})\n"
        "session = target.open(open_artifact(Path(sys.argv[1])), 'micro', {})\n"
        "print(session.client._emulator.process.pid, flush=True)\ntime.sleep(60)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", code, str(net)], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    emulator = Path("/proc", run.stdout.readline().strip())
    assert emulator.exists()
    run.kill()
    run.communicate()
    end = time.monotonic() + 20
    while emulator.exists() and "\nState:\tZ" not in (emulator / "status").read_text() and time.monotonic() < end:
        time.sleep(0.05)
    assert time.monotonic() < end


def test_closing_leaves_no_process(net: Path) -> None:
    session: Any = session_of("mps2-an385", net)
    process = session.client._emulator.process
    assert process.poll() is None
    session.close()
    assert process.poll() is not None


def test_without_qemu_it_is_told_how_to_get_it(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu_calls.shutil, "which", lambda name: None)
    for board, program, package in (
        ("mps2-an500", "qemu-system-arm", "qemu-system-arm"),
        ("virt-rv32imc", "qemu-system-riscv32", "qemu-system-misc"),
    ):
        target = target_for(f"qemu:{board}", {})
        for call in (target.check, lambda target=target: target.open(open_artifact(net), "micro", {})):
            with pytest.raises(UsageError, match=f"{program} is not installed") as error:
                call()
            assert (error.value.hint or "").endswith(f"apt-get install --no-install-recommends {package}")


def test_qemu_that_does_not_start_says_why(net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "qemu-system-arm"
    program.write_text("#!/bin/sh\necho no such machine >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr(qemu_calls.shutil, "which", lambda name: str(program))
    with pytest.raises(TargetError, match=r"exit code 3; its last words: no such machine"):
        target_for("qemu:mps2-an500", {}).open(open_artifact(net), "micro", {})


@pytest.mark.parametrize(
    ("address", "kind"),
    [("qemu:", SpecError), ("qemu:mps2-an501", UnknownNameError), ("qemu:stm32f746", UnknownNameError)],
)
def test_addresses_that_name_no_board(address: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        plugin_of(address)


@pytest.mark.slow
def test_the_same_firmware_answers_on_a_serial_port(net: Path, expected: Any, tmp_path: Path) -> None:
    """As a board on a desk does: over a terminal, with numbered requests, and with a console beside it."""
    need("qemu-system-arm")
    from edgerig.targets.emulated.console import open_line

    artifact = open_artifact(net)
    built = target_for("qemu:mps2-an386", {})
    assert isinstance(built, BoardTarget)
    machine, elf = load_board("mps2-an386").machine, str(built.build(artifact).elf)
    words = [qemu_for("mps2-an386"), "-M", machine, "-kernel", elf]
    words += ["-display", "none", "-monitor", "none", "-nodefaults", *qemu_calls.CLOCK]
    for name in ("wire", "console"):
        words += ["-chardev", f"pty,id={name}", "-serial", f"chardev:{name}"]
    said = tmp_path / "said"
    with said.open("wb") as file:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    try:
        ports = wait_for_ports(said)
        inputs = random_inputs(artifact, 5)
        target = target_for(f"serial://{ports['wire']}?baud=1000000", {"timeout": 30})
        with target.open(artifact, "micro", {}) as session:
            assert np.array_equal(session.run(inputs).outputs[0], expected(inputs)[0])
            assert isinstance(session.memory()["stack_peak"], Measurement)
            assert session.machine().packages["board"] == "mps2-an386"
            assert session.counts() is None
        target.close()
        console = open_line(f"serial://{ports['console']}", 20)
        assert "TOTAL TIME=" in console.ask("CMD=2")
        console.close()
        other = open_artifact(networks.dense_tflite(tmp_path / "other.tflite", 64, 10))
        with pytest.raises(IncompatibleError, match="Another network is built into"):
            target_for(f"serial://{ports['wire']}?baud=1000000", {"timeout": 30}).open(other, "micro", {})
    finally:
        process.kill()
        process.wait()


def wait_for_ports(said: Path) -> dict[str, str]:
    """The terminals that QEMU opened, by name, as soon as it has told them."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = {name: port for port, name in re.findall(r"(/dev/\S+) \(label (\w+)\)", said.read_text())}
        if len(found) == 2:
            return found
        time.sleep(0.05)
    raise AssertionError(said.read_text())
