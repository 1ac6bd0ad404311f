"""The times of a cell's layers by cutting its network: fresh processes of every cut on the cell's device, in turns."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.compilers.layer_cuts import FORMATS, Cut, Cutter, cuts_of
from edgerig.engine.cores import hold_on_core
from edgerig.engine.emulated import refuse_emulated
from edgerig.engine.layers.errors import Selection, cell_samples, target_options
from edgerig.engine.rounds.steady import first_inputs
from edgerig.errors import EdgerigError, Interrupted, TargetError
from edgerig.measure.intervals import difference_interval
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.layer_cut import CutLayer, LayerCuts
from edgerig.models.files import open_artifact
from edgerig.models.graph.read import read_graph
from edgerig.progress import Progress
from edgerig.results.bundle import Bundle
from edgerig.results.compare.artifacts import kept_file
from edgerig.results.layers.layer_map import LayerMap
from edgerig.results.layers.stored import read_layer_cuts, write_layer_cuts
from edgerig.results.types import CellResult
from edgerig.targets.base import Session, Target
from edgerig.targets.resolve import target_for

#: Rounds by default, and the fewest that have an interval worth the name.
ROUNDS, FEWEST_ROUNDS = 5, 3
#: Most cuts of a network: each is a fresh process in every round.
MOST_CUTS = 150
#: Timed seconds of a process; its inferences are at least so many, and at most.
SECONDS, FEWEST, MOST = 0.06, 10, 2000
#: Warm-up inferences, and the seconds after which there are fewer.
WARMUP, WARMUP_SECONDS = 20, 1.0
#: Bytes of outputs of one request: a cut gives whole feature maps, a network a few numbers.
OUTPUT_BYTES = 32 << 20
#: Samples that are run over and over.
SAMPLES = 32
#: The percentile of a process's inferences that is its time: other work on the machine moves the median.
PERCENTILE = 10
METHOD = (
    f"difference of the {PERCENTILE}th percentiles of the network cut off behind the layer and before it, "
    "{rounds} fresh processes of each in turns; 95 % interval between rounds"
)
FIRST = "holds what an inference costs apart from any layer"
NOTES = (
    "What the engine fuses across a cut is not fused there, and the values at the cut are written out: a layer's time "
    "by cutting is not that of its operators in the profile.",
)


def cell_cuts(selection: Selection, layer_map: LayerMap, rounds: int, progress: Progress) -> LayerCuts | Unavailable:
    """The times of a cell's layers: out of the bundle, or measured and then kept there; or why there are none.

    Raises:
        Interrupted: Ctrl-C; nothing is kept then.
        StorageError: The bundle cannot be written.
    """
    cell = selection.cell
    stored = read_layer_cuts(selection.bundle, cell)
    if stored is not None and stored.rounds >= rounds:
        return stored
    if cell.artifact.format not in FORMATS:
        return Unavailable(f"networks in {' and '.join(FORMATS)} are cut, and this is {cell.artifact.format}")
    try:
        target = target_for(cell.target, target_options(selection))
        if target.kind != "measured" or target.exact:
            return Unavailable("its device counts what each layer takes: nothing is to be had by cutting")
        try:
            measured = _measured(selection, layer_map, target, rounds, progress)
        finally:
            target.close()
    except Interrupted:
        raise
    except EdgerigError as error:
        return Unavailable(error.message)
    if isinstance(measured, LayerCuts):
        write_layer_cuts(selection.bundle, cell, measured)
    return measured


def _measured(
    selection: Selection, layer_map: LayerMap, target: Target, rounds: int, progress: Progress
) -> LayerCuts | Unavailable:
    path = kept_file(selection.bundle, selection.cell)
    graph = read_graph(path)
    keys = {operator.index: operator.layer or operator.scope for operator in layer_map.operators}
    cuts = cuts_of(graph, keys)
    if len(cuts) > MOST_CUTS:
        return Unavailable(f"it would be cut {len(cuts)} times, and {MOST_CUTS} are the most")
    samples = cell_samples(Bundle(selection.bundle), selection.cell, progress)
    inputs = first_inputs(samples, selection.cell.artifact, min(SAMPLES, len(samples)))
    with tempfile.TemporaryDirectory(prefix="edgerig-cuts-") as folder:
        cutter = Cutter(path.read_bytes(), graph)
        files = [_file(cutter, cut, Path(folder) / f"{number:03d}{path.suffix}") for number, cut in enumerate(cuts)]
        series = _Series(selection.cell, target, inputs, files)
        with progress.task(f"time {selection.cell.id} cut after each layer", rounds * len(cuts)) as task:
            for number in range(rounds):
                order = range(len(cuts)) if number % 2 == 0 else reversed(range(len(cuts)))
                for index in order:
                    task.advance(0, note=cuts[index].key.label)
                    series.run(index, number)
                    task.advance()
    return _figures(cuts, series, rounds)


def _file(cutter: Cutter, cut: Cut, path: Path) -> Artifact | Unavailable:
    """The cut as a file, or why it cannot be made."""
    try:
        path.write_bytes(cutter.file(cut))
        return open_artifact(path)
    except Exception as error:  # libraries refuse a part of a network with errors of many classes
        return Unavailable(_first_line(error))


def _first_line(error: Exception) -> str:
    text = error.message if isinstance(error, EdgerigError) else str(error).strip() or type(error).__name__
    return f"the network cut there does not run: {text.splitlines()[0][:200].rstrip('.')}"


class _Series:
    """The times of all cuts, round by round.

    Attributes:
        seconds: By cut, one for each round. ``faults``: Why a cut has none.
    """

    def __init__(
        self, cell: CellResult, target: Target, inputs: Sequence[NDArray[Any]], files: Sequence[Artifact | Unavailable]
    ) -> None:
        self._cell, self._target, self._inputs, self._files = cell, target, inputs, files
        self.seconds: list[list[float]] = [[] for _ in files]
        self.faults: dict[int, str] = {
            index: file.reason for index, file in enumerate(files) if isinstance(file, Unavailable)
        }
        self.inferences, self.clock = MOST, ""

    def run(self, index: int, number: int) -> None:
        """One fresh process of a cut, in round ``number``; a cut that failed once is left out."""
        file = self._files[index]
        if index in self.faults or isinstance(file, Unavailable):
            return
        try:
            with self._target.open(file, self._cell.runtime, self._cell.options) as session:
                self.seconds[index].append(self._time(session, number))
        except (Interrupted, TargetError):
            raise  # a device that is gone is no fault of the cut
        except EdgerigError as error:
            self.faults[index] = _first_line(error)

    def _time(self, session: Session, number: int) -> float:
        refuse_emulated(session.load_report, "the time of a layer")
        hold_on_core([session], number)
        first = int(self._run(session, 1)[0])
        warm = self._run(session, int(np.clip(WARMUP_SECONDS * 1e9 / max(first, 1), 2, WARMUP)))
        typical = max(float(np.median(warm)), 1.0) * 1e-9
        times = self._run(session, int(np.clip(SECONDS / typical, FEWEST, MOST)))
        self.inferences, self.clock = min(self.inferences, len(times)), session.load_report.clock
        return float(np.percentile(times, PERCENTILE)) * 1e-9

    def _run(self, session: Session, count: int) -> NDArray[np.int64]:
        """Times of ``count`` inferences, in requests whose outputs are held in memory at once."""
        size = sum(max(spec.nbytes, 0) for spec in session.load_report.outputs)
        most = max(1, OUTPUT_BYTES // max(size, 1))
        times = []
        for start in range(0, count, most):
            part = min(most, count - start)
            inputs = [np.resize(array, (part, *array.shape[1:])) for array in self._inputs]
            times.append(session.run(inputs).times_ns)
        return np.concatenate(times)


def _figures(cuts: Sequence[Cut], series: _Series, rounds: int) -> LayerCuts | Unavailable:
    if len(cuts) - 1 in series.faults or not cuts:
        return Unavailable(series.faults.get(len(cuts) - 1, "the network has no operator"))
    members: dict[str, list[int]] = {}
    for index, cut in enumerate(cuts):
        members.setdefault(cut.key.label, []).append(index)
    whole = tuple(series.seconds[-1])
    return LayerCuts(
        artifact=series._cell.artifact.sha256,
        rounds=rounds,
        inferences=series.inferences,
        clock=series.clock,
        layers=tuple(_layer(name, indices, cuts, series) for name, indices in members.items()),
        whole=_quantity(whole, series.clock, f"{PERCENTILE}th percentile of each of {rounds} fresh processes"),
        seconds=whole,
        notes=NOTES,
    )


def _layer(name: str, indices: Sequence[int], cuts: Sequence[Cut], series: _Series) -> CutLayer:
    operators = tuple(sorted(operator for index in indices for operator in cuts[index].operators))
    needed = [side for index in indices for side in (index - 1, index) if side >= 0]
    fault = next((series.faults[index] for index in needed if index in series.faults), None)
    if fault is not None:
        return CutLayer(name=name, operators=operators, time=Unavailable(fault))
    rounds = len(series.seconds[-1])
    seconds = tuple(
        sum(series.seconds[index][number] - (series.seconds[index - 1][number] if index else 0.0) for index in indices)
        for number in range(rounds)
    )
    time = _quantity(seconds, series.clock, METHOD.format(rounds=rounds))
    if 0 in indices and isinstance(time, Measurement):
        time = msgspec.structs.replace(time, warnings=(*time.warnings, FIRST))
    return CutLayer(name=name, operators=operators, time=time, seconds=seconds)


def _quantity(seconds: Sequence[float], clock: str, method: str) -> Quantity:
    interval = difference_interval(seconds)
    return Measurement(
        value=interval.value,
        unit="s",
        kind="measured",
        method=method,
        clock=clock,
        n=interval.n,
        low=interval.low,
        high=interval.high,
    )
