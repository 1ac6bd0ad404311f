"""The rounds of all cells, in turns: A B C, C B A, A B C .., so that slow drifts affect all cells alike."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import msgspec

from edgerig.artifact import Artifact
from edgerig.engine.failures import Failures
from edgerig.engine.load.measure import UnderLoadRound, measure_load, with_load
from edgerig.engine.rounds.context import CellContext
from edgerig.engine.rounds.first import measure_first
from edgerig.engine.rounds.later import SeriesChangedError, measure_again
from edgerig.errors import Interrupted
from edgerig.measure.kinds import Measurement, microseconds
from edgerig.measure.pauses import WallClock
from edgerig.progress import Progress
from edgerig.results.bundle import Bundle
from edgerig.results.missing_rounds import is_complete
from edgerig.results.types import CellResult
from edgerig.rig.plan import Cell, Plan

#: Returns the context of a cell, or raises what prevents its measurement.
ContextOf = Callable[[Cell], CellContext]


class Turns:
    """Measures the unfinished cells of a plan, round by round. An error ends only the cell that it occurs in; the
    cell's earlier rounds are kept.

    Args:
        plan: The cells. bundle: Stores their results, and holds those of an earlier run.
        context_of: Returns the context of a cell.
        failures: Receives the errors of cells.
        progress: Receives progress.

    Attributes:
        results: Results by cell id, of the cells with at least one round.
    """

    def __init__(
        self, plan: Plan, bundle: Bundle, context_of: ContextOf, failures: Failures, progress: Progress
    ) -> None:
        self.plan, self.bundle, self.failures, self.progress = plan, bundle, failures, progress
        self.results: dict[str, CellResult] = {}
        self._context_of = context_of
        self._clock = WallClock()
        self._failed: set[str] = set()
        #: Cells whose rounds are all of an earlier run: removed at the first round of this run.
        self._resumed: set[str] = set()

    def take_up(self, cell: Cell, result: CellResult, label: str) -> None:
        """Resume a cell for which an earlier run has measured ``result``."""
        self.results[cell.id] = result
        if is_complete(result):
            self.progress.log(f"{label}: finished before")
            return
        self._resumed.add(cell.id)
        self.progress.log(f"{label}: goes on after round {len(result.rounds)}")

    def measure(self) -> None:
        """All rounds of all cells."""
        for turn in itertools.count(1):
            waiting = [cell for cell in self.plan.cells if self._wants(cell, turn)]
            if not any(self._wants(cell) for cell in self.plan.cells):
                return
            if not waiting:
                continue
            order = waiting if turn % 2 else waiting[::-1]
            if turn == 1:
                for cell in order:
                    self._measure(cell, 1)
                continue
            planned = self.plan.rig.measure.planned_rounds
            of = f" of {planned}" if planned else ""
            with self.progress.task(f"round {turn}{of}", len(order)) as task:
                for cell in order:
                    task.advance(0, note=cell.id)
                    self._measure(cell, turn)
                    task.advance()
                task.advance(0, note="")

    def label(self, cell: Cell) -> str:
        """A cell's name in progress messages."""
        cells = self.plan.cells
        return f"[{cells.index(cell) + 1}/{len(cells)}] {cell.id}"

    def _wants(self, cell: Cell, turn: int | None = None) -> bool:
        """Whether a cell is incomplete; with ``turn``: and has fewer rounds than that."""
        result = self.results.get(cell.id)
        if cell.id in self._failed or (result is not None and is_complete(result)):
            return False
        return turn is None or (len(result.rounds) if result is not None else 0) < turn

    def _measure(self, cell: Cell, turn: int) -> None:
        """One round of a cell."""
        label = self.label(cell)
        try:
            self._measure_round(cell)
        except Interrupted:
            raise
        except (Exception, SystemExit) as error:
            self._failed.add(cell.id)
            rounds = len(self.results[cell.id].rounds) if cell.id in self.results else 0
            why = self.failures.add(cell.id, error, round=rounds + 1)
            # A single cell's error is the error of the run, which is shown at the end; among many it is shown now.
            self.progress.log(f"{label}: FAILED" + (f": {why}" if len(self.plan.cells) > 1 else ""))
            return
        if turn == 1:
            self.progress.log(f"{label}: {headline(self.results[cell.id])}")

    def _measure_round(self, cell: Cell) -> None:
        context, result = self._context_of(cell), self.results.get(cell.id)
        if result is None:
            load = measure_load(context, None)
            result, arrays = measure_first(context)
            result = self._under_load(result, load, context)
            self.results[cell.id] = self.bundle.write_cell(self._noted(result), arrays)
            return
        earlier = self.bundle.round_times(result)
        try:
            load = measure_load(context, result)
            result, times_ns = measure_again(context, result, earlier)
        except SeriesChangedError as error:
            if cell.id not in self._resumed:
                raise
            self.progress.log(f"{self.label(cell)}: {error.message} It is measured anew.")
            del self.results[cell.id]
            self._resumed.discard(cell.id)
            self._measure_round(cell)
            return
        self._resumed.discard(cell.id)
        result = self._under_load(result, load, context)
        self.results[cell.id] = self.bundle.write_round(self._noted(result), times_ns)

    def _under_load(self, result: CellResult, load: UnderLoadRound | None, context: CellContext) -> CellResult:
        """``result`` with its latest round under load, whose raw times are stored."""
        if load is not None:
            self.bundle.write_load(result.id, load.round.number, load.arrays)
        return with_load(result, load, context)

    def _noted(self, result: CellResult) -> CellResult:
        """``result`` with a warning at its last round if the host's clock jumped."""
        jumped = self._clock.jumped()
        if jumped is None:
            return result
        *before, last = result.rounds
        last = msgspec.structs.replace(last, warnings=(*last.warnings, jumped))
        return msgspec.structs.replace(result, rounds=(*before, last), warnings=(*result.warnings, jumped))


def finished_before(bundle: Bundle, cell: Cell, artifact: Artifact | Exception) -> CellResult | None:
    """The result of an earlier run for a cell, if it can be used and is of the same network.

    Raises:
        StorageError: The result exists and cannot be read.
    """
    result = bundle.read_cell(cell.id)
    if result is None or isinstance(artifact, Exception) or not _same_network(result.artifact, artifact):
        return None
    bundle.samples(cell.id)
    bundle.round_times(result)
    return result


def _same_network(earlier: Artifact, other: Artifact) -> bool:
    """Whether two artifacts are the same file with the same inputs and the same scored output."""
    return all(
        getattr(earlier, name) == getattr(other, name)
        for name in ("sha256", "preprocessing", "inputs", "outputs", "judged_output", "classes", "state")
    )


def headline(result: CellResult) -> str:
    """A summary of a cell in one line, shown as soon as it is measured."""
    main = result.quality.main
    parts = [f"{main.name} {main.text}"] if main is not None else []
    steady, counted = result.latency.steady, result.instructions
    if isinstance(steady, Measurement):
        batch = "" if result.batch == 1 else f" of {result.batch} samples"
        parts.append(f"{microseconds(steady)} an inference{batch}")
    if isinstance(counted, Measurement):
        parts.append(f"{counted.value:,.0f} instructions")
    return ", ".join(parts)
