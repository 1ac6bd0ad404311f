"""Boards as devices of MLPerf Tiny: byte for byte the answers of the device on Linux, and the network's own outputs."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.needs import need
from tests.suites.mlperf_tiny.emulated_devices import answer, ask, load, results
from tests.suites.mlperf_tiny.tiny_networks import counting_keywords, seeded_sample, tiny_network

from edgerig.boards.board import board_names
from edgerig.boards.firmware import BuildSettings
from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS, benchmark_named
from edgerig.errors import SpecError, UnknownNameError
from edgerig.measure.kinds import Measurement, ModelBand, Unavailable
from edgerig.settings import convert_settings
from edgerig.suites.mlperf_tiny import grammar
from edgerig.suites.mlperf_tiny.device.console import HELP, DeviceConsole
from edgerig.suites.mlperf_tiny.device.network import DeployedNetwork, open_network
from edgerig.suites.mlperf_tiny.emulated import EmulatedDevice, open_emulated
from edgerig.suites.mlperf_tiny.emulated_links import EmulatedLink, SimulatedLink
from edgerig.suites.mlperf_tiny.firmware import VENDOR

KEYWORDS = benchmark_named("kws01")
#: Commands of every kind, right and wrong, as a host may send them; without the end of the command.
COMMANDS = [
    *("name", "  name  twice ", "Name", "profile", "results", "timestamp", "names now", "", " ", "m-ready"),
    *("db", "db load", "db load 0", "db load -4", "db load many", "db load 3", "db load 490", "db load 27648"),
    *("db load 27649", "db load 99999999999", "db load -99999999999", "db load +7x", "db load 2147483648"),
    *("db abc", "db zz", "db 00g0", "db 0G", "db 0011aaFF", "db 00 11", "db print", "db Print", "db loads"),
    *("infer", "infer 0", "infer -1 5", "infer x", "infer 1 -1", "infer 1 0", "infer 2 1", "infer 1 x", "infer 1x 0y"),
    "db " + "5a" * 38,
    "db " + "5a" * 60,
    "x" * 200,
]
WHOLE_SAMPLE = "%".join(
    ["db load 490", *(f"db {seeded_sample(KEYWORDS, 1)[i : i + 31].hex()}" for i in range(0, 490, 31))]
)


def timeless(text: bytes) -> str:
    """Answers without what differs from board to board: the time."""
    return re.sub(r"m-lap-us-\d+", "m-lap-us-T", text.decode("ascii"))


@pytest.fixture(scope="module")
def keyword_network(network_files: dict[str, Path]) -> Iterator[DeployedNetwork]:
    network = open_network(KEYWORDS, network_files["kws01"], "litert", {"kernels": "reference"})
    yield network
    network.close()


@pytest.fixture(scope="module")
def model_of_the_board(keyword_network: DeployedNetwork) -> DeviceConsole:
    """The device on Linux, with the same network: what the board must answer."""
    return DeviceConsole("kws01", keyword_network, vendor=VENDOR)


@pytest.fixture(scope="module")
def started_qemu(network_files: dict[str, Path]) -> Iterator[EmulatedDevice]:
    need("qemu-system-arm")
    device = open_emulated("qemu:mps2-an386", network_files["kws01"])
    yield device
    device.link.close()


@pytest.fixture
def qemu_board(started_qemu: EmulatedDevice) -> Iterator[EmulatedDevice]:
    """A board in QEMU, which stands still between tests: while it waits for a command it takes a whole core."""
    assert isinstance(started_qemu.link, EmulatedLink)
    qemu = started_qemu.link.emulator.process
    qemu.send_signal(signal.SIGCONT)
    yield started_qemu
    qemu.send_signal(signal.SIGSTOP)


def same_answers(board: EmulatedDevice, model: DeviceConsole, stream: bytes) -> None:
    """Both get ``stream`` after what empties their buffers."""
    stream = b"%db load 0%" + stream + b"%"
    expected = "".join(line + "\r\n" for line in model.feed(stream))
    assert timeless(answer(board.link, stream, stream.count(b"%"))) == timeless(expected.encode())


garbage = st.binary(max_size=12).map(lambda data: data.replace(b"%", b""))
commands = st.one_of(st.sampled_from([*COMMANDS, WHOLE_SAMPLE]).map(str.encode), garbage)


@pytest.mark.slow
@given(st.lists(st.tuples(commands, garbage), max_size=12))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_simulated_board_answers_as_the_device_on_linux(
    keyword_board: EmulatedDevice, model_of_the_board: DeviceConsole, parts: list[tuple[bytes, bytes]]
) -> None:
    same_answers(keyword_board, model_of_the_board, b"%".join(command + noise for command, noise in parts))


def test_every_command_alone_and_in_seeded_orders(
    keyword_board: EmulatedDevice, model_of_the_board: DeviceConsole
) -> None:
    rng = np.random.default_rng(4)
    streams = [command.encode() for command in COMMANDS]
    every = [*COMMANDS, WHOLE_SAMPLE, WHOLE_SAMPLE]
    streams += ["%".join(rng.permutation(every).tolist()).encode() for _ in range(5)]
    for stream in streams:
        same_answers(keyword_board, model_of_the_board, stream)


@pytest.mark.slow
def test_board_in_qemu_answers_as_the_device_on_linux(
    qemu_board: EmulatedDevice, model_of_the_board: DeviceConsole
) -> None:
    rng = np.random.default_rng(5)
    # Of an inference before neither knows.
    same_answers(qemu_board, model_of_the_board, f"{WHOLE_SAMPLE}%infer".encode())
    for _ in range(5):
        same_answers(qemu_board, model_of_the_board, "%".join(rng.permutation(COMMANDS).tolist()).encode())
    same_answers(qemu_board, model_of_the_board, f"{WHOLE_SAMPLE}%infer 3 1%db print".encode())


def test_help_is_that_of_the_device_on_linux_and_tells_the_build(keyword_board: EmulatedDevice) -> None:
    lines = ask(keyword_board.link, "help")
    assert tuple(lines[: len(HELP)]) == HELP
    build = {line.split()[0]: line[16:] for line in lines[len(HELP) :]}
    assert build == keyword_board.firmware.build
    assert build["console"] == "mlperf-tiny kws01"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in ("vww01", "sww01") else name for name in BENCHMARKS]
)
def test_results_are_those_of_litert(name: str, network_files: dict[str, Path]) -> None:
    benchmark = benchmark_named(name)
    board = open_emulated("sim:stm32f746", network_files[name], benchmark)
    network = open_network(benchmark, network_files[name], "litert", {"kernels": "reference"})
    try:
        distinct = {_agreed(board, DeviceConsole(name, network), seeded_sample(benchmark, seed)) for seed in range(3)}
        assert len(distinct) == 3, "the network does not look at its input"
        values = [float(value) for line in distinct for value in line[11:-1].split(",")]
        assert len(set(values)) >= min(3 * benchmark.result_values, 5) - 1, "its outputs say little"
    finally:
        network.close()
        board.link.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{"compiler": "gcc"}, {"fpu": False}, {"debug": True}, {"optimize": "size", "level": "s"}]
)
def test_however_it_is_built_the_results_are_the_same(
    changes: dict[str, object], network_files: dict[str, Path]
) -> None:
    if changes.get("compiler") == "gcc":
        need("arm-none-eabi-gcc")
    anomalies = benchmark_named("ad01")
    board = open_emulated(
        "sim:stm32f746", network_files["ad01"], settings=convert_settings(BuildSettings, changes, "firmware")
    )
    network = open_network(anomalies, network_files["ad01"], "litert", {"kernels": "reference"})
    try:
        for seed in range(3):
            _agreed(board, DeviceConsole("ad01", network), seeded_sample(anomalies, seed))
    finally:
        network.close()
        board.link.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dtype", "source"),
    [
        ("kws01", "int8", (0.8, -20)),
        pytest.param("ic01", "int8", (1.5, -100), marks=pytest.mark.slow),
        pytest.param("ad01", "int8", (0.2, 3), marks=pytest.mark.slow),
        ("kws01", "float32", None),
        pytest.param("ad01", "float32", None, marks=pytest.mark.slow),
    ],
)
def test_network_of_another_quantization_gets_what_the_sample_stands_for(
    name: str, dtype: str, source: tuple[float, int] | None, tmp_path: Path
) -> None:
    benchmark = benchmark_named(name)
    path = tmp_path / "net.tflite"
    path.write_bytes(tiny_network(benchmark, dtype, source))
    board = open_emulated("sim:stm32f746", path, benchmark)
    network = open_network(benchmark, path, "litert", {"kernels": "reference"})
    try:
        for seed in range(3):
            _agreed(
                board, DeviceConsole(name, network), seeded_sample(benchmark, seed), 0 if dtype == "int8" else 0.002
            )
    finally:
        network.close()
        board.link.close()


def _agreed(board: EmulatedDevice, model: DeviceConsole, sample: bytes, tolerance: float = 0.0) -> str:
    """The results of ``sample``, of which both say the same: to the digit, or floats within ``tolerance``."""
    stream = f"db load {len(sample)}%db " + "%db ".join(
        sample[i : i + grammar.DATA_BYTES].hex() for i in range(0, len(sample), grammar.DATA_BYTES)
    )
    assert "m-load-done" in list(model.feed(f"{stream}%".encode()))
    expected = list(model.answers("infer 1 0"))[-2]
    actual = results(board.link, sample)
    if tolerance:
        values = [[float(value) for value in line[11:-1].split(",")] for line in (actual, expected)]
        np.testing.assert_allclose(*values, rtol=1e-5, atol=tolerance)
    else:
        assert actual == expected
    return expected


def test_inferences_are_the_same_however_many_and_leave_the_sample(keyword_board: EmulatedDevice) -> None:
    sample = seeded_sample(KEYWORDS, 7)
    first = results(keyword_board.link, sample)
    assert ask(keyword_board.link, "infer 5 2")[-1] == first
    printed = "".join(line.removeprefix("m-buffer-") + "-" for line in ask(keyword_board.link, "db print"))
    assert bytes.fromhex(printed.replace("-", "")) == sample


def test_timestamps_are_the_modelled_time_of_the_inferences(keyword_board: EmulatedDevice) -> None:
    load(keyword_board.link, seeded_sample(KEYWORDS, 7))
    keyword_board.counts()
    lines = ask(keyword_board.link, "infer 50 3")
    begin, end = (int(line.removeprefix("m-lap-us-")) for line in lines if line.startswith("m-lap-us-"))
    counts = keyword_board.counts()
    assert isinstance(counts.cycles, Measurement)
    assert isinstance(counts.instructions, Measurement)
    assert (counts.cycles.n, counts.cycles.kind, counts.instructions.kind) == (53, "modelled", "emulated")
    network = counts.cycles.value * 50 / keyword_board.firmware.clock_hz * 1e6
    # Copying 490 bytes, and the loop.
    assert network < end - begin < network * 1.2
    assert (keyword_board.kind, isinstance(keyword_board.times, ModelBand)) == ("modelled", True)


def test_a_crash_is_told_with_its_function_and_the_board_goes_on(network_files: dict[str, Path]) -> None:
    board = open_emulated("sim:stm32f746", network_files["kws01"])
    assert isinstance(board.link, SimulatedLink)
    simulator = board.link.simulator
    load(board.link, seeded_sample(KEYWORDS, 7))
    address = simulator.symbols["model_run"]
    code = simulator.peek(address, 2)
    simulator.poke(address, b"\x00\xde")  # an instruction that there is none
    with pytest.raises(ConnectionResetError, match=r"crashed\. HardFault: .* in model_run"):
        ask(board.link, "infer 1 0")
    simulator.poke(address, code)
    lines = ask(board.link, "")
    assert f"fault before: pc {address:08x}" in "\n".join(lines)
    assert "m-init-done" in lines
    board.link.close()
    with pytest.raises(ConnectionResetError, match="closed"):
        board.link.send([b"name%"])


@pytest.mark.slow
def test_a_qemu_that_dies_is_told(network_files: dict[str, Path]) -> None:
    need("qemu-system-arm")
    board = open_emulated("qemu:mps2-an386", network_files["kws01"])
    assert isinstance(board.link, EmulatedLink)
    assert ask(board.link, "name") == [f"m-name-dut-[{VENDOR}]"]
    board.link.emulator.process.kill()
    with pytest.raises(ConnectionResetError, match="QEMU ended"):
        answer(board.link, b"")
    board.link.close()


@pytest.mark.slow
def test_qemu_counts_instructions_and_has_no_times(
    qemu_board: EmulatedDevice, keyword_board: EmulatedDevice, network_files: dict[str, Path]
) -> None:
    load(qemu_board.link, seeded_sample(KEYWORDS, 7))
    lines = ask(qemu_board.link, "infer 200 0")
    begin, end = (int(line.removeprefix("m-lap-us-")) for line in lines if line.startswith("m-lap-us-"))
    assert (qemu_board.kind, isinstance(qemu_board.times, Unavailable)) == ("emulated", True)
    assert results(qemu_board.link, seeded_sample(KEYWORDS, 7)) == results(
        keyword_board.link, seeded_sample(KEYWORDS, 7)
    )
    keyword_board.counts()
    ask(keyword_board.link, "infer 1 0")
    counted = keyword_board.counts().instructions
    assert isinstance(counted, Measurement)
    qemu_board.counts()
    ask(qemu_board.link, "infer 200 0")
    by_windows = qemu_board.counts().instructions
    assert isinstance(by_windows, Measurement)
    assert (by_windows.kind, by_windows.n) == ("emulated", 1)
    assert by_windows.value == pytest.approx((end - begin) * 1000 / 200, abs=10)
    assert isinstance(qemu_board.counts().instructions, Unavailable)
    # Nanoseconds of QEMU are instructions; those of a Cortex-M4's kernels are not those of an M7's, but as many.
    assert 0.7 * counted.value < (end - begin) * 1000 / 200 < 1.5 * counted.value


@pytest.mark.slow
@pytest.mark.parametrize("name", board_names("qemu"))
def test_every_board_starts_and_answers(
    name: str, network_files: dict[str, Path], keyword_board: EmulatedDevice
) -> None:
    need("qemu-system-arm")
    board = open_emulated(f"qemu:{name}", network_files["kws01"])
    try:
        sample = seeded_sample(KEYWORDS, 2)
        assert results(board.link, sample) == results(keyword_board.link, sample)
    finally:
        board.link.close()


@pytest.mark.slow
def test_a_network_that_keeps_state_begins_anew_with_each_command(tmp_path: Path) -> None:
    """And keeps it within one: the third of three inferences gives three times what the first gives."""
    path = tmp_path / "counting.tflite"
    path.write_bytes(counting_keywords())
    board = open_emulated("sim:stm32f746", path)
    linux = DeviceConsole("kws01", open_network(KEYWORDS, path), vendor=VENDOR)

    def outputs(command: str) -> list[float]:
        line = ask(board.link, command)[-1]
        assert line in list(linux.answers(command))
        return [float(value) for value in line.removeprefix("m-results-[").removesuffix("]").split(",")]

    try:
        load(board.link, seeded_sample(KEYWORDS, 3))
        list(linux.feed(b"db load 490%"))
        for start in range(0, 490, 31):
            list(linux.feed(b"db " + seeded_sample(KEYWORDS, 3)[start : start + 31].hex().encode() + b"%"))
        first = outputs("infer 1 0")
        assert outputs("infer 1 0") == first
        assert outputs("infer 1 2") == pytest.approx([3 * value for value in first], abs=0.01)
        assert outputs("infer 3 0") == pytest.approx([3 * value for value in first], abs=0.01)
        assert outputs("infer 1 0") == first
    finally:
        board.link.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "error"), [("serial:///dev/ttyACM0", SpecError), ("sim:nothing", UnknownNameError), ("sim:", SpecError)]
)
def test_other_addresses_are_refused(address: str, error: type[Exception], network_files: dict[str, Path]) -> None:
    with pytest.raises(error):
        open_emulated(address, network_files["kws01"])
