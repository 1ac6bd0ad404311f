"""Measured inferences: every sample once, then some of them again until enough time is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.artifact import Artifact, TensorSpec
from edgerig.datasets.batches import from_calls
from edgerig.datasets.network_inputs import inputs_of
from edgerig.datasets.preprocess import dequantize
from edgerig.engine.rounds.deployment import Deployment
from edgerig.engine.rounds.host_time import HostTime
from edgerig.engine.rounds.journal import Journal
from edgerig.engine.samples.evaluation import EvaluationSamples
from edgerig.engine.samples.finite_outputs import FiniteOutputs
from edgerig.engine.samples.outputs import Dequantized, fed_values, judged_outputs
from edgerig.engine.samples.portions import Portion, WholeSamples
from edgerig.engine.samples.sequences import Sequences, sequences_of
from edgerig.engine.samples.stored_rows import release
from edgerig.targets.base import DeviceRun
from edgerig.tasks.base import Task

Array = NDArray[Any]
NANOSECOND = 1e-9
#: Limit on repeating by the host's clock, as a multiple of the seconds to measure.
PATIENCE = 5.0
#: Largest number of samples that are repeated.
REPEATED = 1000
#: Fewest inferences of a round.
FEWEST = 30
#: Number of samples whose outputs are compared between a round and the first.
PROBES = 16


class Enough(NamedTuple):
    """What a round measures by running samples again: seconds of inference, or so many inferences if they are less."""

    seconds: float
    inferences: int


class Steady(msgspec.Struct, frozen=True):
    """Results of the measured pass.

    Attributes:
        times_ns: On-device times, shape (m,), m >= n, in order.
        kept: What the task keeps of the n samples.
        fit: Counts taken while the samples were quantized, see `edgerig.datasets.input_fit`.
        before, after: Host time per sample, before and after the device.
        pauses: Warnings that this program itself was suspended.
    """

    times_ns: NDArray[np.int64]
    kept: dict[str, Array]
    fit: NDArray[np.float64]
    before: HostTime
    after: HostTime
    pauses: tuple[str, ...] = ()


def first_inputs(samples: EvaluationSamples, artifact: Artifact, count: int = REPEATED) -> list[Array]:
    """The first ``count`` samples, or as many as are held in memory at once, as the network takes them."""
    network = inputs_of(artifact)
    return network.calls(network.quantized(samples.first(artifact, count)))


def steady_pass(
    deployment: Deployment,
    journal: Journal,
    samples: EvaluationSamples,
    reference: Array | None,
    enough: Enough,
    advance: Callable[[int], None],
) -> Steady:
    """Every sample once, for the predictions; then some again until there are ``enough`` times.

    A fast network runs a thousand samples in a few hundredths of a second, which one burst of other work can spoil.
    """
    artifact, network = deployment.artifact, inputs_of(deployment.artifact)
    task, decoder = samples.task, _Decoder(deployment, samples.task, journal.batch)
    advance(journal.samples)
    before, after = HostTime("reading samples"), HostTime("taking results")
    mark, spent = time.perf_counter(), 0.0
    sequences = sequences_of(samples, artifact)
    deployment.resume(sequences, samples.rows_in(slice(0, journal.samples)))
    for part, inputs in samples.chunks(artifact, journal.samples):
        quantized = left = network.quantized(inputs)
        before.add(time.perf_counter() - mark, part.stop - part.start)
        fit = network.fit_counts(inputs, quantized)
        first, whole = part.start, WholeSamples(task, samples.windows_in(part))
        earlier = samples.rows_in(slice(0, part.start)) // journal.batch
        for run in deployment.batches(network.calls(quantized), earlier, lambda _: None, sequences):
            mark = time.perf_counter()
            decoded = decoder.decoded(run, left, fit)
            portion, count = whole.add(decoded), len(decoded.sound)
            left, fit, spent = [array[count:] for array in left], fit[count:], spent + time.perf_counter() - mark
            if portion is None:
                continue
            chosen = slice(first, first + len(portion.sound))
            after.add(spent, len(portion.sound))
            spent = 0.0
            truth = samples.samples.truth(chosen, artifact.preprocessing)
            kept = task.keep(portion.predictions, truth, None if reference is None else reference[chosen])
            _append(journal, portion, kept)
            first = chosen.stop
            advance(len(portion.sound))
        # The next chunk must not be read while this one is still held.
        del inputs, quantized, left
        if reference is not None:
            release(reference)
        mark = time.perf_counter()
    decoder.check_finite(journal.joined("finite") > 0)
    times_ns = _with_more(journal.joined("times_ns"), enough, deployment, samples, sequences)
    pauses = tuple(text for text in (before.pause(), after.pause()) if text is not None)
    kept = {name: journal.joined(name) for name in journal.kept}
    return Steady(times_ns, kept, journal.joined("fit"), before, after, pauses)


def _append(journal: Journal, portion: Portion, kept: dict[str, Array]) -> None:
    """Write a portion to the journal, with what the task keeps of it."""
    finite = portion.sound.astype(np.uint8)
    journal.append(**kept, times_ns=portion.times_ns, fit=portion.fit, finite=finite)


def _with_more(
    times_ns: NDArray[np.int64],
    enough: Enough,
    deployment: Deployment,
    samples: EvaluationSamples,
    sequences: Sequences | None,
) -> NDArray[np.int64]:
    """The times of all samples, shape (n,), and behind them those of the first samples again until it is ``enough``."""
    # By the median: one inference of 20 s, during which a laptop slept, must not reduce the number.
    seconds = enough.seconds - _typical(times_ns)
    if seconds <= 0:
        return times_ns
    inputs, most = first_inputs(samples, deployment.artifact), enough.inferences - len(times_ns)
    more = [run.times_ns for run in repeat_until(deployment, inputs, seconds, most, sequences)]
    return np.concatenate([times_ns, *more])


class _Decoder:
    """Makes predictions of the outputs of a network's runs, and looks at whether outputs are as they must be.

    Args:
        batch: Samples of an inference.
    """

    def __init__(self, deployment: Deployment, task: Task, batch: int) -> None:
        self._artifact, self._task, self._batch = deployment.artifact, task, batch
        outputs = deployment.session.load_report.outputs
        self._judged = judged_outputs(self._artifact, task, len(outputs))
        self._specs, self._finite = self._judged.of(outputs), FiniteOutputs(outputs)
        self._inputs = inputs_of(self._artifact).specs
        # Some shapes only the engine knows, once it has run.
        self._unchecked = any(size < 1 for position in self._judged.positions for size in self._specs[position].shape)

    def decoded(self, run: DeviceRun, fed: Sequence[Array], fit: NDArray[np.float64]) -> Portion:
        """The results of a run.

        Args:
            run: Of the first of the samples that follow, as many as it holds.
            fed: What the network is fed of samples: an array (n, ...) for each input.
            fit: Counts of these, (n, counts), see `Journal`.

        Raises:
            IncompatibleError: The outputs do not fit the task, which could not be known before.
        """
        task, judged = self._task, self._judged
        self._finite.look(run.outputs)
        outputs = Dequantized(judged.of(run.outputs), self._specs, self._batch, len(fed[0]))
        sound = outputs.finite(judged.positions)
        count = len(sound)
        if self._unchecked:
            task.check(outputs.as_given(), judged.position, self._batch, self._artifact.left_out)
            self._unchecked = False
        given = partial(fed_values, task, self._inputs, [array[:count] for array in fed])
        return Portion(task.predictions(outputs, judged.position, given), run.times_ns, sound, fit[:count])

    def check_finite(self, finite: NDArray[np.bool_]) -> None:
        """Check whether the outputs of the n samples were ``finite``, shape (n,).

        Raises:
            InferenceError: Some were not.
        """
        self._finite.check(finite, self._judged.watched)


def repeat_until(
    deployment: Deployment, inputs: Sequence[Array], seconds: float, most: int, sequences: Sequences | None = None
) -> Iterator[DeviceRun]:
    """Run all of ``inputs`` over and over until ``seconds`` of inference are measured.

    Args:
        deployment: The deployed network.
        inputs: For each input of the network an array (n, ...), in its dtype.
        seconds: Time of inference to measure, by the device's clock.
        most: Number of inferences after which no further repetition is begun.
        sequences: Where the state of a network that keeps one begins anew.
    """
    done, deadline = 0, _deadline(seconds)
    while seconds > 0 and done < most and time.monotonic() < deadline:
        for run in deployment.batches(inputs, None, lambda _: None, sequences):
            seconds -= max(_typical(run.times_ns), NANOSECOND)
            done += len(run.times_ns)
            yield run
            if time.monotonic() > deadline:
                break


def repeat(
    deployment: Deployment,
    inputs: Sequence[Array],
    count: int,
    seconds: float,
    fewest: int = FEWEST,
    sequences: Sequences | None = None,
) -> Iterator[DeviceRun]:
    """Run ``count`` inferences of ``inputs``, each of shape (n, ...), from the first one on, cyclically.

    Fewer, but at least ``fewest``, where the transport takes far longer than the ``seconds`` of inference.
    """
    done, deadline = 0, _deadline(seconds)
    while done < count and (done < fewest or time.monotonic() < deadline):
        for run in deployment.batches([array[: count - done] for array in inputs], None, lambda _: None, sequences):
            done += len(run.times_ns)
            yield run
            if done >= fewest and time.monotonic() > deadline:
                break


def _deadline(seconds: float) -> float:
    """Deadline for repeating: over a slow line, a second of inference may take an hour of waiting."""
    return time.monotonic() + PATIENCE * max(seconds, 1.0)


def scores_of(outputs: Array, spec: TensorSpec, batch: int, count: int) -> NDArray[np.float32]:
    """Dequantized values, shape (n, values), of the scored output of the first ``count`` samples at most."""
    values = dequantize(from_calls(outputs, batch, count), spec)
    return values.reshape(len(values), -1).astype(np.float32, copy=False)


def digest_of(identity: Array) -> str:
    """A digest of what identifies the outputs of n samples, shape (n, ...): equal for equal outputs."""
    return files.sha256(np.ascontiguousarray(identity).tobytes())


def probe_count(samples: EvaluationSamples, artifact: Artifact) -> int:
    """Number of first samples whose outputs are compared between a round and the first round."""
    return samples.at_once(artifact, PROBES)


def _typical(times_ns: NDArray[np.int64]) -> float:
    """Median time of an inference, times their number, in seconds."""
    return float(np.median(times_ns)) * len(times_ns) * NANOSECOND
