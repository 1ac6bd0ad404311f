"""Sessions with simulated and emulated boards: counts are reported as counts, modelled times as modelled."""

from __future__ import annotations

import re
import struct
from abc import abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.boards.board import Board
from edgerig.boards.firmware import Firmware
from edgerig.boards.sizes import allocators
from edgerig.measure.firmware import Counts, FirmwareReport, SymbolSize
from edgerig.measure.kinds import Measurement, ModelBand, Quantity, Unavailable
from edgerig.measure.machine import MachineState
from edgerig.measure.profile import LayerTime
from edgerig.simulator.cycles import cycle_model
from edgerig.simulator.simulator import Simulator
from edgerig.targets.base import Array, DeviceRun
from edgerig.targets.remote.session import WireSession
from edgerig.targets.settings import Protocol
from edgerig.wire.client import WireClient
from edgerig.wire.frame import Kind

#: Most symbols in a firmware report.
SYMBOLS = 40
_READY = re.compile(r"ready after (\d+) ns")
#: ``struct model_layer``: name, operator, MACs, function.
_LAYER = struct.Struct("<4I")


class BoardSession(WireSession):
    """A network on an emulated or simulated board. Subclasses say how its instructions are counted."""

    same_time = False

    def __init__(
        self,
        client: WireClient,
        artifact: Artifact,
        runtime: str,
        board: Board,
        built: Firmware,
        *,
        protocol: Protocol = "run",
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self.board, self.built = board, built
        self._instructions: list[int] = []
        self._cycles: list[int] = []
        super().__init__(client, artifact, runtime, {}, protocol=protocol, on_close=on_close)
        self.model = cycle_model(board.cycles.core) if board.cycles else None
        loaded = self.load_report
        words = f"modelled: {self.model.short}" if self.model else "counts instructions, which are no time"
        self.load_report = replace(loaded, load_seconds=self._boot_seconds(), clock=f"{loaded.clock}, {words}")

    def _boot_seconds(self) -> float:
        """Modelled time from the start of the board's clock to where the firmware listens to the host."""
        ready = _READY.search(bytes(self.client.request(Kind.LOG).payload).decode(errors="replace"))
        return self._seconds(int(ready[1]) * 1e-9) if ready else 0.0

    def _seconds(self, clock_seconds: float) -> float:
        """Modelled time for a reading of the firmware's clock."""
        return clock_seconds

    @property
    @abstractmethod
    def _counted_by(self) -> str:
        """How instructions are counted, for a method's text."""

    def _on_the_board(self, run: DeviceRun) -> DeviceRun:
        """``run`` with round trips on the board's clock, which is unrelated to this machine's."""
        ends = np.cumsum(run.samples_per_request)[:-1]
        trips = np.array([part.sum() for part in np.split(run.times_ns, ends)], np.int64)
        return replace(run, round_trips_ns=trips)

    def time_model(self) -> ModelBand | Unavailable:
        if self.model is None:
            return Unavailable(self._no_times)
        return ModelBand(self.model.low, self.model.high, str(self.model))

    @property
    def _no_times(self) -> str:
        """Why there are no cycles."""
        return f"no cycle model was ever held against a real {self.board.title}"

    def transport(self, inputs: Sequence[Array], count: int) -> Quantity:
        return Unavailable("the line to a board that is not there takes no time of its own")

    def memory(self) -> dict[str, Quantity]:
        quantities = {name: _as_kind(quantity, "emulated") for name, quantity in super().memory().items()}
        sizes = self.built.sizes
        method = "linked firmware; exact, whatever runs it"
        for name, value in (("flash", sizes.flash), ("ram", sizes.ram)):
            quantities[name] = Measurement(value=float(value), unit="B", kind="measured", method=method)
        return quantities

    def machine(self) -> MachineState:
        return replace(super().machine(), time=datetime.now(UTC).isoformat(timespec="seconds"))

    def counts(self) -> Counts:
        if not self._instructions:
            nothing = Unavailable("no inference was run")
            return Counts(instructions=nothing, cycles=nothing, load=self._load_count(), first=nothing)
        counted = np.array(self._instructions)
        value, middle = self._middle(counted)
        spread = f"from {counted.min():,} to {counted.max():,}" if counted.min() != counted.max() else "all the same"
        return Counts(
            instructions=Measurement(
                value=value,
                unit="instructions",
                kind="emulated",
                n=len(counted),
                method=f"one inference, {self._counted_by}; {middle}, {spread}",
                warnings=self._doubts(value),
            ),
            cycles=self._cycles_of_one(),
            load=self._load_count(),
            first=self._first_count(),
            tick=self._tick,
        )

    def _middle(self, counted: NDArray[np.int64]) -> tuple[float, str]:
        """What stands for the counts of all inferences, and what it is called."""
        return float(np.median(counted)), "median"

    def _doubts(self, instructions: float) -> tuple[str, ...]:
        """What makes that many instructions of an inference less trustworthy."""
        return ()

    @property
    def _tick(self) -> float:
        """Instructions that the counter tells apart."""
        return 1.0

    @abstractmethod
    def _load_count(self) -> Quantity:
        """Instructions from the reset to where the firmware waits for the host."""

    @abstractmethod
    def _first_count(self) -> Quantity:
        """Instructions of the first inference, of which there was one."""

    def _cycles_of_one(self) -> Quantity:
        """Modelled cycles of one inference, the median, with what the model's error makes of it."""
        band = self.time_model()
        if isinstance(band, Unavailable) or not self._cycles:
            return band if isinstance(band, Unavailable) else Unavailable("no inference was run")
        median = float(np.median(self._cycles))
        return band.of(
            Measurement(
                value=median,
                unit="cycles",
                kind="modelled",
                method=f"one inference, {band.method}",
                n=len(self._cycles),
            )
        )

    def firmware(self) -> FirmwareReport:
        sizes = self.built.sizes
        return FirmwareReport(
            board=self.board.title,
            build=self.built.build,
            flash=sizes.flash,
            flash_limit=sizes.flash_limit,
            ram=sizes.ram,
            ram_limit=sizes.ram_limit,
            groups=sizes.groups,
            symbols=tuple(
                SymbolSize(symbol.name, symbol.place, symbol.bytes, symbol.group) for symbol in sizes.symbols[:SYMBOLS]
            ),
            arena=self.built.arena,
            macs=self.built.macs,
            allocators=allocators(self.built.elf),
        )

    def _layers(
        self, layers: list[LayerTime], counts: Sequence[float], cycles: Sequence[float] | None, n: int
    ) -> list[LayerTime]:
        """The profile with its instructions, and its times as what they are; ``cycles`` as the model tells them."""
        shapes, times = self.built.layer_shapes, []
        for index, (layer, count) in enumerate(zip(layers, counts, strict=True)):
            times.append(
                replace(
                    layer,
                    output_shape=shapes[layer.index] if layer.index < len(shapes) else None,
                    time=self._layer_time(None if cycles is None else cycles[index], n),
                    instructions=Measurement(
                        value=count, unit="instructions", kind="emulated", method=f"mean, {self._counted_by}", n=n
                    ),
                )
            )
        return times

    def _layer_time(self, cycles: float | None, n: int) -> Quantity:
        band = self.time_model()
        if isinstance(band, Unavailable) or cycles is None or self.model is None:
            return band if isinstance(band, Unavailable) else Unavailable("its cycles were not counted")
        time = Measurement(
            value=cycles / self.built.clock_hz,
            unit="s",
            kind="modelled",
            method=f"mean, {self.model.short}",
            clock=self.load_report.clock,
            n=n,
        )
        return band.of(time)


class SimulatedSession(BoardSession):
    """A network on `Simulator`, which this session has for itself."""

    def machine(self) -> MachineState:
        state, clock = super().machine(), self.simulator.clock_hz
        # What the firmware made of the clock tree, whatever it believes.
        return replace(state, frequency_hz=float(clock), packages={**state.packages, "clock_set_hz": str(clock)})

    def __init__(self, simulator: Simulator, booted: int, *arguments: Any, **options: Any) -> None:
        """``booted``: Instructions that the board had run when it first waited for the host."""
        self.simulator, self._booted = simulator, booted
        self._inference = simulator.symbols["model_run"]
        # The linker drops the table of a network that has no layers.
        table = simulator.symbols.get("model_layers")
        super().__init__(*arguments, **options)
        count = _layer_count(simulator, self.built) if table is not None else 0
        data = simulator.peek(table, count * _LAYER.size) if table is not None and count else b""
        # Without layers the table has one empty row.
        self._order = [run & ~1 for *_, run in _LAYER.iter_unpack(data) if run]
        simulator.watch([self._inference, *self._order])

    def run(self, inputs: Sequence[Array], on_done: Callable[[int], None] | None = None) -> DeviceRun:
        self.simulator.take_calls()
        run = super().run(inputs, on_done)
        # Alignment is checked in the first run only, as the check is slow.
        self.simulator.watch_alignment(False)
        return run

    def _as_reported(self, run: DeviceRun) -> DeviceRun:
        calls = self.simulator.take_calls()
        ours = [call for call in calls if call.address == self._inference]
        self._instructions += [call.instructions for call in ours]
        if self.model is not None:
            cycles = [self.model.cycles(call.cycles) for call in ours]
            self._cycles += cycles
            if len(cycles) == len(run.times_ns):
                # From the call to the return, without the firmware's own reading of its clock.
                run = replace(run, times_ns=np.array([_nanoseconds(n, self.built.clock_hz) for n in cycles], np.int64))
        return self._on_the_board(run)

    def profile(self, inputs: Sequence[Array]) -> list[LayerTime] | Unavailable:
        self.simulator.take_calls()
        layers = super().profile(inputs)
        calls = [call for call in self.simulator.take_calls() if call.address != self._inference]
        if isinstance(layers, Unavailable) or not layers:
            return layers
        # One call after another, in the table's order, sample by sample.
        counted = np.array([(call.instructions, call.cycles) for call in calls], np.float64)
        means = counted.reshape(-1, len(layers), 2).mean(axis=0)
        cycles = None if self.model is None else (means[:, 1] * self.model.factor).tolist()
        return self._layers(layers, means[:, 0].tolist(), cycles, len(counted) // len(layers))

    def _load_count(self) -> Quantity:
        return _instructions(
            self._booted, "from the reset to where the firmware waits for the host, counted by unicorn"
        )

    def _first_count(self) -> Quantity:
        return _instructions(self._instructions[0], f"the first inference, {self._counted_by}")

    @property
    def _counted_by(self) -> str:
        return "counted by unicorn from the call to the return of the network's own function"


def _instructions(count: int, method: str) -> Measurement:
    return Measurement(value=float(count), unit="instructions", kind="emulated", method=method)


def _nanoseconds(cycles: int, clock_hz: int) -> int:
    return max(1, (cycles * 1_000_000_000 + clock_hz // 2) // clock_hz)


def _layer_count(simulator: Simulator, built: Firmware) -> int:
    sizes = [symbol.bytes for symbol in built.sizes.symbols if symbol.name == "model_layers"]
    return sizes[0] // _LAYER.size if sizes else 0


def _as_kind(quantity: Quantity, kind: Any) -> Quantity:
    return quantity if isinstance(quantity, Unavailable) else replace(quantity, kind=kind)
