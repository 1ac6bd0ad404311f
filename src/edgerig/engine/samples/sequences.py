"""Networks that keep state: it is reset where a sequence begins, and carried within one.

A sequence is a stream of frames, the windows of one sample, or else a single sample, which knows nothing of the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.datasets.batches import rows
from edgerig.datasets.network_inputs import inputs_of
from edgerig.engine.samples.evaluation import EvaluationSamples
from edgerig.errors import EdgerigError, IncompatibleError
from edgerig.models.graph.read import read_graph
from edgerig.plugin_names import names
from edgerig.plugins import find
from edgerig.runtimes.base import Runtime
from edgerig.targets.base import DeviceRun, Session

Array = NDArray[Any]

#: TFLite operators that keep state between inferences. ONNX has none: its LSTM starts from its initial state each time.
STATEFUL = frozenset({
    "ASSIGN_VARIABLE", "SVDF", "LSTM", "RNN", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN",
    "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN",
})  # fmt: skip


class Sequences:
    """Runs samples on a session, with a new beginning of the state where a sequence begins.

    Args:
        samples: The samples; ``artifact``: a network that keeps state, see `sequences_of`.

    Attributes:
        starts: Rows, as `EvaluationSamples.chunks` counts them over all samples, at which sequences begin, shape
            (sequences,), ascending; the first is 0.
    """

    def __init__(self, samples: EvaluationSamples, artifact: Artifact) -> None:
        self._samples, self._artifact = samples, artifact
        self.starts = samples.sequence_starts()

    def run(self, session: Session, inputs: Sequence[Array], row: int, add: Callable[[DeviceRun], None]) -> None:
        """Run inferences one after another, of which the first is that of ``row``; ``add`` gets the results.

        Args:
            inputs: For each input of the network an array (n, ...), in its dtype.

        Raises:
            TargetError: The device went away; what had arrived was added.
        """
        total = len(inputs[0])
        first, last = np.searchsorted(self.starts, [row, row + total])
        beginnings = (self.starts[first:last] - row).tolist()
        edges = sorted({0, *beginnings, total})
        for start, end in itertools.pairwise(edges):
            if start or beginnings[:1] == [0]:
                session.begin_sequence()
            try:
                add(session.run(rows(inputs, start, end - start)))
            except EdgerigError:
                if session.arrived is not None:
                    add(session.arrived)
                raise

    def run_all(self, session: Session, inputs: Sequence[Array], row: int) -> DeviceRun:
        """`run`, with all results as one."""
        runs = list[DeviceRun]()
        self.run(session, inputs, row, runs.append)
        joined = joined_runs(runs)
        assert joined is not None, "there is at least one row"
        return joined

    def restore(self, session: Session, row: int) -> None:
        """Bring a new session's network into the state in which it is before ``row``: run the sequence up to there.

        Raises:
            TargetError: The device went away.
        """
        start = int(self.starts[np.searchsorted(self.starts, row, side="right") - 1])
        if start == row:
            return  # `run` begins it
        session.begin_sequence()
        network, left = inputs_of(self._artifact), row - start
        for _, values in self._samples.chunks(self._artifact, self._samples.sample_of_row(start)):
            session.run([array[:left] for array in network.quantized(values)])
            left -= min(left, len(values[0]))
            if not left:
                return


def sequences_of(samples: EvaluationSamples, artifact: Artifact) -> Sequences | None:
    """How the samples of a network that keeps state are run; None for a network without state."""
    return Sequences(samples, artifact) if keeps_state(artifact) else None


def check_state(artifact: Artifact | Exception, runtime: str) -> None:
    """Refuse, before anything is measured, a network that keeps state where that cannot be reset.

    Args:
        artifact: The network, or why there is none, which its cells report.
        runtime: The engine's name.

    Raises:
        IncompatibleError: The engine cannot reset state, or the network runs several samples an inference.
    """
    if isinstance(artifact, Exception) or not keeps_state(artifact):
        return
    kept = state_text(artifact)
    if state_operators(artifact) and not find("runtime", runtime, Runtime).resets_state:
        able = [name for name, plugin in _runtimes() if plugin.resets_state and artifact.format in plugin.formats]
        raise IncompatibleError(
            f"{artifact.name} keeps state between inferences ({kept}), and runtime {runtime!r} cannot reset "
            "it where a sequence begins.",
            f"Run it with {' or '.join(able)}." if able else "Export it without state.",
        )
    batch = inputs_of(artifact).batch
    if batch > 1:
        raise IncompatibleError(
            f"{artifact.name} keeps state between inferences ({kept}), and runs {batch} samples an inference: "
            "which of them belong to one sequence is not known.",
            "Export it with a batch of 1.",
        )


def about_state(artifact: Artifact, samples: EvaluationSamples) -> str | None:
    """A note on a network that keeps state between inferences; None for a network without state."""
    if not keeps_state(artifact):
        return None
    when = "where a stream begins" if samples.task.in_order else "at each sample"
    if samples.windows is not None:
        when = "at the first window of each sample"
    return f"{artifact.name} keeps state between inferences ({state_text(artifact)}): it is reset {when}."


def _runtimes() -> list[tuple[str, type[Runtime]]]:
    return [(name, find("runtime", name, Runtime)) for name in names("runtime")]


def joined_runs(runs: Sequence[DeviceRun]) -> DeviceRun | None:
    """Several results as those of one `Session.run`; None if there are none."""
    if len(runs) < 2:
        return runs[0] if runs else None
    return DeviceRun(
        outputs=tuple(np.concatenate(arrays) for arrays in zip(*(run.outputs for run in runs), strict=True)),
        times_ns=np.concatenate([run.times_ns for run in runs]),
        round_trips_ns=np.concatenate([run.round_trips_ns for run in runs]),
        samples_per_request=np.concatenate([run.samples_per_request for run in runs]),
    )


def keeps_state(artifact: Artifact) -> bool:
    """Whether what a network answers depends on the inferences before."""
    return bool(artifact.state or state_operators(artifact))


def state_text(artifact: Artifact) -> str:
    """By what a network keeps its state: operators, and inputs with the outputs that they come from."""
    carried = [f"{name} from {source}" for name, source in artifact.state.items()]
    return ", ".join([*state_operators(artifact), *carried])


def state_operators(artifact: Artifact) -> tuple[str, ...]:
    """The operators by which a network keeps state between inferences; empty for a network without state."""
    return _state_operators(Path(artifact.path), artifact.sha256) if artifact.format == "tflite" else ()


@lru_cache(64)
def _state_operators(path: Path, sha256: str) -> tuple[str, ...]:
    try:
        operators = {operator.op for operator in read_graph(path).operators}
    except EdgerigError:
        return ()  # its cells report the error
    return tuple(sorted(operators & STATEFUL))
