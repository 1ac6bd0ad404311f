"""A device's raw outputs, dequantized when they are looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from edgerig.artifact import Artifact, TensorSpec
from edgerig.datasets.batches import from_calls
from edgerig.datasets.network_inputs import inputs_of, plain_name
from edgerig.datasets.preprocess import dequantize
from edgerig.errors import IncompatibleError
from edgerig.tasks.base import Task
from edgerig.tasks.tensors import NamedArrays

Array = NDArray[Any]
Entry = TypeVar("Entry")


class Judged(msgspec.Struct, frozen=True):
    """The outputs of a network that a task gets.

    Attributes:
        indices: Their positions among the network's outputs. position: Which of them is judged, as tasks take it.
        alone: Whether it is judged alone, and the others are not looked at.
    """

    indices: tuple[int, ...]
    position: int
    alone: bool

    def of(self, entries: Sequence[Entry]) -> list[Entry]:
        """The entries that belong to these outputs, out of one for each output of the network."""
        return [entries[index] for index in self.indices]

    @property
    def positions(self) -> tuple[int, ...]:
        """Of the outputs that the predictions depend on, among those that the task gets."""
        return (self.position,) if self.alone else tuple(range(len(self.indices)))

    @property
    def watched(self) -> tuple[int, ...]:
        """The same, among the network's outputs."""
        return tuple(self.indices[position] for position in self.positions)


def judged_outputs(artifact: Artifact, task: Task, count: int) -> Judged:
    """Of the ``count`` outputs of a network: all for a task that judges one; else all, or the one that was named."""
    everything = tuple(range(count))
    if task.one_output:
        return Judged(everything, artifact.judged_output, alone=True)
    if artifact.output_named:
        return Judged((artifact.judged_output,), 0, alone=True)
    return Judged(everything, 0, alone=len(everything) == 1)


def check_outputs(task: Task, artifact: Artifact, outputs: Sequence[TensorSpec], batch: int) -> Judged:
    """Check that a network's outputs fit the task; which of them it gets.

    Raises:
        IncompatibleError: They do not fit, or there are several, of which the task judges one and none was named.
    """
    judged = judged_outputs(artifact, task, len(outputs))
    if task.needs_inputs:
        fed_inputs(task, artifact.inputs)
    if task.one_output and len(outputs) > 1 and not artifact.output_named:
        raise _unnamed(task, artifact, outputs, batch)
    task.check(judged.of(outputs), judged.position, batch, artifact.left_out)
    return judged


def fed_inputs(task: Task, specs: Sequence[TensorSpec]) -> tuple[int, ...]:
    """Positions of the inputs that a task which needs inputs gets, see `Task.fed_inputs`."""
    return task.fed_inputs([plain_name(spec.name) for spec in specs])


def fed_spec(task: Task, specs: Sequence[TensorSpec]) -> TensorSpec:
    """The input that a task which needs inputs gets; of several, or none, one with all of their values."""
    chosen = [specs[position] for position in fed_inputs(task, specs)]
    if len(chosen) == 1:
        return chosen[0]
    batch = specs[0].batch
    values = sum(spec.elements // max(spec.batch, 1) for spec in chosen)
    return TensorSpec(" and ".join(spec.name for spec in chosen), (batch, values), "float32")


def fed_values(task: Task, specs: Sequence[TensorSpec], arrays: Sequence[Array], *, raw: bool = True) -> Array:
    """What n samples were fed, as `Task.decode_with_inputs` takes it.

    Args:
        specs: The network's inputs. arrays: for each what it was fed, shape (n, ...).
        raw: Whether the arrays are in the inputs' dtypes, and not real numbers already.
    """
    chosen = [
        dequantize(arrays[position], specs[position]) if raw else np.asarray(arrays[position])
        for position in fed_inputs(task, specs)
    ]
    if len(chosen) == 1:
        return chosen[0]
    flat = [np.empty((len(arrays[0]), 0), np.float32), *(values.reshape(len(values), -1) for values in chosen)]
    return np.concatenate(flat, axis=1)


def with_fitting_output(artifact: Artifact, task: Task) -> tuple[Artifact, str | None]:
    """``artifact`` with its judged output, where none of several was named and one alone fits a task that judges one.

    Scikit-learn's exporters, for one, give a label beside the scores.

    Returns:
        The artifact, and what is to be said about the choice.
    """
    outputs = artifact.outputs
    if not task.one_output or artifact.output_named or len(outputs) < 2:
        return artifact, None
    fitting = _fitting(task, artifact, outputs, inputs_of(artifact).batch)
    if len(fitting) != 1:
        return artifact, None
    names = [spec.name for spec in outputs]
    text = f"{artifact.name}: of its outputs {', '.join(names)} the only one that fits task {task.name!r} is judged: "
    return replace(artifact, judged_output=fitting[0], output_named=True), f"{text}{names[fitting[0]]}."


def _fitting(task: Task, artifact: Artifact, outputs: Sequence[TensorSpec], batch: int) -> list[int]:
    """Positions of the outputs that a task could judge."""
    fitting = []
    for position in range(len(outputs)):
        with contextlib.suppress(IncompatibleError):
            task.check(outputs, position, batch, artifact.left_out)
            fitting.append(position)
    return fitting


def _unnamed(task: Task, artifact: Artifact, outputs: Sequence[TensorSpec], batch: int) -> IncompatibleError:
    names = [spec.name for spec in outputs]
    fitting = [names[position] for position in _fitting(task, artifact, outputs, batch)]
    option = f"--output {fitting[0] if fitting else 'NAME'}; in a rig file, the model's 'output'"
    which = f" {', '.join(fitting)} would fit." if fitting else " None of them fits."
    return IncompatibleError(
        f"{artifact.name} has {len(names)} outputs ({', '.join(names)}), and task {task.name!r} judges one of them.",
        f"Say which: {option}.{which}",
    )


class Dequantized(NamedArrays):
    """The outputs of n samples, each of shape (n, ...); one that no task reads costs nothing.

    Args:
        outputs: Raw, as they came from the device, an entry for each inference.
        specs: What they are.
        batch: Samples of an inference.
        count: Number of samples that are wanted; the last inference may be padded.
    """

    def __init__(self, outputs: Sequence[Array], specs: Sequence[TensorSpec], batch: int, count: int) -> None:
        super().__init__(outputs, [spec.name for spec in specs])
        self._specs, self._batch, self._count = specs, batch, count

    def _array(self, position: int) -> Array:
        return dequantize(from_calls(self._arrays[position], self._batch, self._count), self._specs[position])

    def as_given(self) -> list[TensorSpec]:
        """The specifications with the shapes that the outputs have, the batch in front."""
        given = zip(self._specs, self._arrays, strict=True)
        return [
            replace(spec, shape=(self._batch, *from_calls(raw, self._batch, self._count).shape[1:]))
            for spec, raw in given
        ]

    def finite(self, positions: Sequence[int]) -> NDArray[np.bool_]:
        """Whether each sample's outputs at ``positions`` are finite, shape (n,); integers are."""
        sound: NDArray[np.bool_] | None = None
        for position in positions:
            raw = from_calls(self._arrays[position], self._batch, self._count)
            whole = raw.dtype.kind != "f"
            rows = np.ones(len(raw), np.bool_) if whole else np.isfinite(raw.reshape(len(raw), -1)).all(axis=1)
            sound = rows if sound is None else sound & rows
        assert sound is not None
        return sound
