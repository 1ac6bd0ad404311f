"""The predictions of the float model, which every deployment is compared with."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact, TensorSpec
from edgerig.bounded import isolated
from edgerig.datasets.batches import rows
from edgerig.datasets.network_inputs import NetworkInputs, inputs_of
from edgerig.engine.samples.evaluation import EvaluationSamples
from edgerig.engine.samples.outputs import Dequantized, Judged, fed_values, judged_outputs
from edgerig.engine.samples.portions import joined_windows
from edgerig.engine.samples.sequences import sequences_of
from edgerig.engine.samples.stored_rows import StoredRows
from edgerig.errors import InferenceError
from edgerig.formats import Predictor
from edgerig.models.files import specification_of
from edgerig.progress import Progress
from edgerig.runtimes.carried import CarriedState
from edgerig.tasks.tensors import NamedArrays
from edgerig.tensors import ORIGINAL_SCHEMES

Array = NDArray[Any]
#: Samples that a framework predicts in one call, and bytes of their inputs: activations need several times as much.
BATCH, BATCH_BYTES = 256, 16 << 20
#: Samples by which a network's rounding noise is found, and the relative change of their inputs: some units in
#: float32's last place.
NOISE_SAMPLES, CHANGE = 32, 2.0**-22
#: The file beside the predictions with that noise.
NOISE_FILE = "noise.npy"


def why_no_reference(artifact: Artifact) -> str | None:
    """Why ``artifact`` cannot serve as the float reference, or None if it can."""
    if artifact.scheme not in ORIGINAL_SCHEMES:
        return f"{artifact.name} is {artifact.scheme} itself, and the float model it came from was not given"
    format = artifact.file_format
    if format.runtime is None and not format.predicts:
        return f"nothing is known that runs {format.name} networks on this machine"
    return None


def store_predictions(artifact: Artifact, tests: EvaluationSamples, path: Path, progress: Progress) -> None:
    """Write the predictions of a float model for all test samples, as their task decodes them, to ``path`` (.npy),
    shape (n, ...), portion by portion: class maps of many images do not fit into memory.

    It is run by the default runtime of its format, or, as for Keras, by the framework that it comes from; either in a
    separate process. What the first samples' predictions move by when their inputs do by rounding goes to `NOISE_FILE`
    beside it, for networks whose samples do not depend on one another.
    """
    runtime = artifact.file_format.runtime
    if runtime is not None:
        _by_engine(artifact, runtime, tests, path, progress)
        return
    what = f"Running {Path(artifact.path).name} for its float predictions"
    isolated(what, InferenceError, by_framework, artifact, tests, path, progress)


def by_framework(artifact: Artifact, tests: EvaluationSamples, path: Path, progress: Progress) -> None:
    """`store_predictions` by the network's own framework."""
    predict = artifact.file_format.predictor(Path(artifact.path))
    network = inputs_of(artifact)
    fixed = network.batch
    if artifact.state:
        predict, batch = _carrying(predict, artifact, tests), 1
    else:
        batch = fixed if fixed > 1 else max(1, min(BATCH, BATCH_BYTES // max(1, network.nbytes)))

    def again(few: list[Array]) -> Array:
        return _predicted(predict, artifact, tests, network.quantized(few), batch)

    with StoredRows(path, len(tests)) as stored, progress.task(_title(artifact), len(tests)) as task:
        for part, inputs in tests.chunks(artifact):
            predictions = _predicted(predict, artifact, tests, network.quantized(inputs), batch)
            stored.append(joined_windows(tests.task, predictions, tests.windows_in(part)))
            if part.start == 0 and _independent(artifact, tests):
                _note_noise(inputs, network, predictions, path, again)
            task.advance(part.stop - part.start)
            # The next chunk must not be read while this one is still held.
            del inputs, predictions


def _predicted(
    predict: Predictor, artifact: Artifact, tests: EvaluationSamples, values: Sequence[Array], batch: int
) -> Array:
    """The predictions for all rows of ``values``, ``batch`` of them in a call."""
    network, predictions = inputs_of(artifact), []
    total = len(values[0])
    for start in range(0, total, batch):
        piece, count = rows(values, start, batch), min(batch, total - start)
        whole = piece if network.batch == 1 else [call[0] for call in network.calls(piece)]
        outputs = predict(whole[0] if len(whole) == 1 else whole)
        judged = judged_outputs(artifact, tests.task, len(outputs))
        arrays = [np.asarray(output)[:count] for output in judged.of(outputs)]
        named = NamedArrays(arrays, _names(artifact, judged))
        fed = partial(fed_values, tests.task, network.specs, piece)
        predictions.append(tests.task.predictions(named, judged.position, fed))
    return np.concatenate(predictions)


def _independent(artifact: Artifact, tests: EvaluationSamples) -> bool:
    """Whether each sample is predicted by itself: a few can be predicted again then."""
    return tests.windows is None and not artifact.state and not tests.task.in_order


def _changed(inputs: Sequence[Array], network: NetworkInputs) -> list[Array] | None:
    """The first samples with their inputs moved by rounding; None where the network would be given the same numbers,
    as integers and zeros are, which tell no noise."""
    few = [value[:NOISE_SAMPLES] for value in inputs]
    moved = [(v * v.dtype.type(1 + CHANGE)).astype(v.dtype) if v.dtype.kind == "f" else v for v in few]
    given = zip(network.quantized(few), network.quantized(moved), strict=True)
    return None if all(np.array_equal(*pair, equal_nan=pair[0].dtype.kind == "f") for pair in given) else moved


def _note_noise(
    inputs: Sequence[Array],
    network: NetworkInputs,
    predictions: Array,
    path: Path,
    predict: Callable[[list[Array]], Array],
) -> None:
    """Write to `NOISE_FILE` by how much real predictions differ at most where inputs are moved by rounding.

    Args:
        predictions: Those for ``inputs``. predict: Gives those for other inputs, such as fewer.
    """
    few = _changed(inputs, network)
    if few is None:
        return
    moved = predict(few)
    same = predictions[: len(moved)]
    if moved.shape == same.shape and np.issubdtype(same.dtype, np.floating):
        with np.errstate(invalid="ignore"):
            difference = np.abs(np.asarray(moved, np.float64) - same)
        known = difference[np.isfinite(difference)]
        if known.size:
            np.save(path.with_name(NOISE_FILE), known.max())


def noise_beside(path: Path) -> float | None:
    """What `store_predictions` has found beside its predictions in ``path``; None where it could not."""
    file = path.with_name(NOISE_FILE)
    return float(np.load(file, allow_pickle=False)) if file.is_file() else None


def _carrying(predict: Predictor, artifact: Artifact, tests: EvaluationSamples) -> Predictor:
    """``predict`` of one sample after the other, from the first on, with the state carried within each sequence."""
    # Those of the artifact are without the state.
    specification = specification_of(artifact.file_format, Path(artifact.path))
    inputs = artifact.inputs if specification is None else specification.inputs
    carried = CarriedState(artifact.state, inputs, artifact.outputs)
    starts, row = set(tests.sequence_starts().tolist()), itertools.count()

    def predict_next(sample: Array | list[Array]) -> Sequence[Array]:
        if next(row) in starts:
            carried.begin()
        outputs = predict(carried.with_state(sample if isinstance(sample, list) else [sample]))
        carried.carry(outputs)
        return outputs

    return predict_next


def _by_engine(artifact: Artifact, runtime: str, tests: EvaluationSamples, path: Path, progress: Progress) -> None:
    from edgerig.targets.resolve import target_for

    network = inputs_of(artifact)
    # Samples that an inference finishes; of windows all are told at the end of a chunk.
    each = network.batch if tests.windows is None else 0
    target, sequences = target_for("local", {}), sequences_of(tests, artifact)
    with (
        StoredRows(path, len(tests)) as stored,
        progress.task(_title(artifact), len(tests)) as task,
        target.open(artifact, runtime, {}) as session,
    ):
        decoded = partial(_decoded, artifact, tests, session.load_report.outputs)
        for part, inputs in tests.chunks(artifact):
            whole = network.calls(network.quantized(inputs))
            if sequences is None:
                run = session.run(whole, lambda calls: task.advance(calls * each))
            else:
                run = sequences.run_all(session, whole, tests.rows_in(slice(0, part.start)))
            predictions = decoded(inputs, run.outputs)
            stored.append(joined_windows(tests.task, predictions, tests.windows_in(part)))
            if part.start == 0 and sequences is None and _independent(artifact, tests):
                _note_noise(
                    inputs,
                    network,
                    predictions,
                    path,
                    lambda few: decoded(few, session.run(network.calls(network.quantized(few))).outputs),
                )
            task.advance(0 if each and sequences is None else part.stop - part.start)
            # The next chunk must not be read while this one is still held.
            del inputs, whole, run, predictions


def _decoded(
    artifact: Artifact,
    tests: EvaluationSamples,
    specs: Sequence[TensorSpec],
    inputs: Sequence[Array],
    outputs: Sequence[Array],
) -> Array:
    """What a task makes of a session's raw ``outputs`` for ``inputs``, which were not quantized yet.

    Args:
        specs: Of all the session's outputs.
    """
    network, judged = inputs_of(artifact), judged_outputs(artifact, tests.task, len(specs))
    dequantized = Dequantized(judged.of(outputs), judged.of(specs), network.batch, len(inputs[0]))
    fed = partial(fed_values, tests.task, network.specs, inputs, raw=False)
    return tests.task.predictions(dequantized, judged.position, fed)


def _names(artifact: Artifact, judged: Judged) -> list[str]:
    """Names of the outputs that a task gets; their numbers where the file does not tell them."""
    names = [spec.name for spec in artifact.outputs]
    return [names[index] if index < len(names) else str(index) for index in judged.indices]


def _title(artifact: Artifact) -> str:
    return f"float predictions of {artifact.name}"
