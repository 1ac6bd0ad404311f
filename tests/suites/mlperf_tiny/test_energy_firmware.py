"""Firmware for energy mode: a timestamp is an edge on a pin, and no text."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.suites.mlperf_tiny.tiny_networks import seeded_sample

from edgerig.boards.board import load_board
from edgerig.boards.firmware import BuildSettings
from edgerig.boards.network import network_of
from edgerig.datasets.mlperf_tiny.benchmarks import benchmark_named
from edgerig.errors import IncompatibleError
from edgerig.models.files import open_artifact
from edgerig.simulator.simulator import CONSOLE, WIRE, Simulator
from edgerig.suites.mlperf_tiny.emulated import build_device
from edgerig.suites.mlperf_tiny.firmware import console_for

BOARD = load_board("stm32f746")
BOOT = b"m-timestamp-mode-energy\r\nm-init-done\r\nm-ready\r\n"


@pytest.mark.slow
def test_timestamps_are_falls_of_a_pin_around_the_inferences(network_files: dict[str, Path]) -> None:
    firmware = build_device(BOARD, network_files["kws01"], mode="energy")
    simulator = Simulator(firmware.elf, BOARD)
    simulator.run()
    assert (simulator.read(WIRE), simulator.read(CONSOLE)) == (BOOT, BOOT)

    def ask(command: str) -> list[str]:
        simulator.write(CONSOLE, command.encode() + b"%")
        simulator.run()
        assert simulator.read(WIRE) == b""
        return simulator.read(CONSOLE).decode().split("\r\n")[:-1]

    assert ask("timestamp") == ["m-ready"]
    started = len(simulator.edges)
    sample = seeded_sample(benchmark_named("kws01"), 0)
    ask("db load 490")
    for start in range(0, 490, 26):
        ask(f"db {sample[start : start + 26].hex()}")
    simulator.watch([simulator.symbols["model_run"]])
    lines = ask("infer 20 1")
    assert lines[:4] == ["m-warmup-start-1", "m-warmup-done", "m-infer-start-20", "m-infer-done"]
    assert lines[4].startswith("m-results-[")
    edges = simulator.edges[started:]
    assert [(edge.pin, edge.high) for edge in edges] == [("PI3", False), ("PI3", True)] * 2
    microsecond = firmware.clock_hz / 1e6
    for fall, rise in (edges[:2], edges[2:]):
        assert microsecond <= rise.cycles - fall.cycles < 5 * microsecond
    # The model's factor is within the cycles of the whole, not within those of a call.
    calls = simulator.take_calls()
    assert len(calls) == 21
    inferences = sum(call.instructions for call in calls[1:])
    assert inferences / 2 < edges[2].cycles - edges[1].cycles < inferences * 4


def test_pulls_at_the_start_and_by_command_are_one_each(network_files: dict[str, Path]) -> None:
    simulator = Simulator(build_device(BOARD, network_files["kws01"], mode="energy").elf, BOARD)
    simulator.run()
    assert [edge.high for edge in simulator.edges] == [True, False, True]
    simulator.write(WIRE, b"timestamp%timestamp%")
    simulator.run()
    assert [edge.high for edge in simulator.edges[3:]] == [False, True, False, True]


def test_a_board_without_a_pin_is_refused(network_files: dict[str, Path]) -> None:
    board = load_board("mps2-an386")
    network = network_of(open_artifact(network_files["kws01"]), board, BuildSettings())
    with pytest.raises(IncompatibleError, match="has no pin") as error:
        console_for(network, board, mode="energy")
    assert "trigger" in (error.value.hint or "")


def test_lines_have_the_rate_that_runners_use(network_files: dict[str, Path]) -> None:
    network = network_of(open_artifact(network_files["kws01"]), BOARD, BuildSettings())
    assert console_for(network, BOARD)[0].baud == 115_200
    assert console_for(network, BOARD, mode="energy")[0].baud == 9600
    assert console_for(network, BOARD, baud=1_000_000)[0].baud == 1_000_000


def test_anomaly_detection_has_a_faster_line(network_files: dict[str, Path]) -> None:
    network = network_of(open_artifact(network_files["ad01"]), BOARD, BuildSettings())
    assert console_for(network, BOARD)[0].baud == 921_600
    firmware = build_device(BOARD, network_files["ad01"])
    simulator = Simulator(firmware.elf, BOARD)
    simulator.run()
    for line in (WIRE, CONSOLE):
        assert firmware.clock_hz / 2 / simulator.divisor(line) == pytest.approx(921_600, rel=0.01)
