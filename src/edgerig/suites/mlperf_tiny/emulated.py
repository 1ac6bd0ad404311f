"""Boards of this machine as devices of MLPerf Tiny: ``sim:stm32f746`` and those that QEMU emulates.

Their clocks have nothing to do with this machine's. The simulated board's goes by modelled cycles, and QEMU's by one
nanosecond an instruction; so a window of ten seconds is ten seconds of the device, whatever it takes here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgerig.boards.board import Board
from edgerig.boards.build import build_firmware
from edgerig.boards.firmware import BuildSettings, Firmware
from edgerig.boards.network import network_of
from edgerig.datasets.mlperf_tiny.benchmarks import Benchmark
from edgerig.errors import SpecError, TargetError
from edgerig.measure.firmware import Counts
from edgerig.measure.kinds import Kind, Measurement, ModelBand, Quantity, Unavailable
from edgerig.models.files import open_artifact
from edgerig.simulator.cycles import cycle_model
from edgerig.simulator.native import native_library
from edgerig.simulator.simulator import CONSOLE, WIRE, Simulator
from edgerig.suites.mlperf_tiny import grammar
from edgerig.suites.mlperf_tiny.emulated_links import EmulatedLink, SimulatedLink
from edgerig.suites.mlperf_tiny.firmware import Mode, console_for
from edgerig.targets.emulated.base import board_of
from edgerig.targets.emulated.qemu_process import Emulator
from edgerig.wire.link import Link

#: The network's own function, whose calls are counted.
_INFERENCE = "model_run"


class EmulatedDevice(NamedTuple):
    """A board that runs here, with firmware that answers MLPerf Tiny's commands.

    Attributes:
        link: To its line. Closing it ends the board. Timeouts are seconds of the device's own time.
        kind: What its times are: ``modelled``, or ``emulated`` where its clock counts instructions.
        clock: What its timestamps are read from, in words.
        times: The error of its times; unavailable where they are no times at all.
        firmware: What runs on it: sizes, build, arena.
        counts: Instructions and modelled cycles of the inferences since it was asked last.
    """

    link: Link
    kind: Kind
    clock: str
    times: ModelBand | Unavailable
    firmware: Firmware
    counts: Callable[[], Counts]


def open_emulated(
    address: str, model: Path, benchmark: Benchmark | None = None, settings: BuildSettings | None = None
) -> EmulatedDevice:
    """Build the firmware of the board at ``address`` around ``model``, and start it.

    Args:
        address: ``sim:stm32f746``, ``qemu:mps2-an500`` ...
        model: A ``.tflite`` file.
        benchmark: What it answers to; found from the network's shapes by default.
        settings: How the firmware is built.

    Raises:
        SpecError, UnknownNameError: There is no such board. IncompatibleError: The network is not the benchmark's.
        ModelError, CompileError: The network cannot be compiled, or does not fit.
        UsageError: A program is missing. TargetError: The board does not start.
    """
    scheme = address.partition(":")[0]
    if scheme not in ("sim", "qemu"):
        raise SpecError(f"{address!r} is no board of this machine.", "Such as sim:stm32f746 or qemu:mps2-an500.")
    board = board_of(address, "unicorn" if scheme == "sim" else "qemu")
    firmware = build_device(board, model, benchmark, settings)
    return _simulated(firmware, board) if scheme == "sim" else _emulated(firmware, board)


def build_device(
    board: Board,
    model: Path,
    benchmark: Benchmark | None = None,
    settings: BuildSettings | None = None,
    out: Path | None = None,
    mode: Mode = "performance",
) -> Firmware:
    """The firmware of a board that is a device of MLPerf Tiny; in ``out``, or where the cache keeps it.

    Raises:
        As `open_emulated`.
    """
    settings = settings or BuildSettings()
    network = network_of(open_artifact(model), board, settings)
    console, _ = console_for(network, board, benchmark.name if benchmark is not None else None, mode)
    return build_firmware(board, network, out, settings, console=console)


# ---- the simulated board


def _simulated(firmware: Firmware, board: Board) -> EmulatedDevice:
    simulator = Simulator(firmware.elf, board)
    # The counter in Python would take minutes.
    simulator.watch_alignment(native_library("alignment") is not None)
    simulator.run()
    # What a device says at its start nobody hears who opens its line later.
    for line in (WIRE, CONSOLE):
        simulator.read(line)
    simulator.watch([simulator.symbols[_INFERENCE]])
    model = cycle_model(board.cycles.core) if board.cycles else None
    times: ModelBand | Unavailable = (
        ModelBand(model.low, model.high, str(model))
        if model is not None
        else Unavailable(f"no cycle model was ever held against a real {board.title}")
    )

    def counts() -> Counts:
        calls = simulator.take_calls()
        instructions = [call.instructions for call in calls]
        cycles = [model.cycles(call.cycles) for call in calls] if model is not None else []
        counted = _median(instructions, "instructions", "emulated", "counted by unicorn, from call to return")
        if isinstance(times, Unavailable):
            return Counts(instructions=counted, cycles=times)
        modelled = _median(cycles, "cycles", "modelled", times.method)
        return Counts(
            instructions=counted, cycles=modelled if isinstance(modelled, Unavailable) else times.of(modelled)
        )

    return EmulatedDevice(
        link=SimulatedLink(simulator),
        kind="modelled",
        clock=f"{board.counter.name} at {firmware.clock_hz / 1e6:g} MHz, modelled"
        + (f": {model.short}" if model is not None else ""),
        times=times,
        firmware=firmware,
        counts=counts,
    )


def _median(values: list[int], unit: str, kind: Kind, method: str) -> Quantity:
    if not values:
        return Unavailable("no inference was run")
    spread = f"from {min(values):,} to {max(values):,}" if min(values) != max(values) else "all the same"
    return Measurement(
        value=float(np.median(values)),
        unit=unit,
        kind=kind,
        n=len(values),
        method=f"one inference, {method}; median, {spread}",
    )


# ---- QEMU


def _emulated(firmware: Firmware, board: Board) -> EmulatedDevice:
    emulator = Emulator(firmware, board)
    try:
        emulator.drain(emulator.console)
        link = EmulatedLink(emulator)
        _wait_for_start(link, emulator)
    except BaseException:
        emulator.close()
        raise
    reason = "QEMU tells how many instructions ran, not which, and no model of cycles was held against this board"
    return EmulatedDevice(
        link=link,
        kind="emulated",
        clock=f"{board.counter.name} in QEMU's own time, one instruction a nanosecond: no time of any chip",
        times=Unavailable(reason),
        firmware=firmware,
        counts=lambda: Counts(instructions=_by_windows(link.take_windows()), cycles=Unavailable(reason)),
    )


def _by_windows(windows: list[tuple[int, int]]) -> Quantity:
    """Instructions of an inference in the longest windows that there are, where the timer's tick says least."""
    longest = max((inferences for inferences, _ in windows), default=0)
    if not longest:
        return Unavailable("no inference was run")
    each = [microseconds * 1000 / inferences for inferences, microseconds in windows if inferences == longest]
    return Measurement(
        value=float(np.median(each)),
        unit="instructions",
        kind="emulated",
        n=len(each),
        method="one inference with the copy of its input, by QEMU's -icount and the device's timestamps around "
        f"{longest:,}, good to {1000 / longest:.2g}; median",
    )


def _wait_for_start(link: EmulatedLink, emulator: Emulator) -> None:
    link.set_timeout(1.0)
    heard, view = b"", memoryview(bytearray(4096))
    try:
        while not heard.endswith(grammar.READY.encode() + grammar.NEWLINE):
            heard += bytes(view[: link.recv_into(view)])
    except OSError as error:
        raise TargetError(
            f"The board does not start: {emulator.why_dead() or error}.",
            "Is this QEMU older than 7.2, or does its board have other addresses?",
        ) from error
