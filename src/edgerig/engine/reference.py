"""The predictions of the float model, which every deployment is compared with."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.bounded import isolated
from edgerig.datasets.batches import rows
from edgerig.datasets.network_inputs import inputs_of
from edgerig.engine.outputs import Dequantized, Judged, fed_values, judged_outputs
from edgerig.engine.portions import joined_windows
from edgerig.engine.samples import EvaluationSamples
from edgerig.engine.sequences import sequences_of
from edgerig.engine.stored_rows import StoredRows
from edgerig.errors import InferenceError
from edgerig.formats import Predictor
from edgerig.models.files import specification_of
from edgerig.progress import Progress
from edgerig.runtimes.carried import CarriedState
from edgerig.tasks.tensors import NamedArrays

Array = NDArray[Any]
#: Samples that a framework predicts in one call, and bytes of their inputs: activations need several times as much.
BATCH, BATCH_BYTES = 256, 16 << 20


def why_no_reference(artifact: Artifact) -> str | None:
    """Why ``artifact`` cannot serve as the float reference, or None if it can."""
    if artifact.scheme != "float32":
        return f"{artifact.name} is {artifact.scheme} itself, and the float model it came from was not given"
    format = artifact.file_format
    if format.runtime is None and not format.predicts:
        return f"nothing is known that runs {format.name} networks on this machine"
    return None


def store_predictions(artifact: Artifact, tests: EvaluationSamples, path: Path, progress: Progress) -> None:
    """Write the predictions of a float model for all test samples, as their task decodes them, to ``path`` (.npy),
    shape (n, ...), portion by portion: class maps of many images do not fit into memory.

    It is run by the default runtime of its format, or, as for Keras, by the framework that it comes from; either in a
    separate process.
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
    with StoredRows(path, len(tests)) as stored, progress.task(_title(artifact), len(tests)) as task:
        for part, inputs in tests.chunks(artifact):
            total, values, predictions = len(inputs[0]), network.quantized(inputs), []
            for start in range(0, total, batch):
                piece, count = rows(values, start, batch), min(batch, total - start)
                whole = piece if fixed == 1 else [call[0] for call in network.calls(piece)]
                outputs = predict(whole[0] if len(whole) == 1 else whole)
                judged = judged_outputs(artifact, tests.task, len(outputs))
                arrays = [np.asarray(output)[:count] for output in judged.of(outputs)]
                named = NamedArrays(arrays, _names(artifact, judged))
                fed = partial(fed_values, tests.task, network.specs, piece)
                predictions.append(tests.task.predictions(named, judged.position, fed))
            stored.append(joined_windows(tests.task, np.concatenate(predictions), tests.windows_in(part)))
            task.advance(part.stop - part.start)
            # The next chunk must not be read while this one is still held.
            del inputs, values, piece, whole, outputs, arrays, named, predictions


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
    batch = network.batch
    # Samples that an inference finishes; of windows all are told at the end of a chunk.
    each = batch if tests.windows is None else 0
    target, sequences = target_for("local", {}), sequences_of(tests, artifact)
    with (
        StoredRows(path, len(tests)) as stored,
        progress.task(_title(artifact), len(tests)) as task,
        target.open(artifact, runtime, {}) as session,
    ):
        for part, inputs in tests.chunks(artifact):
            whole = network.calls(network.quantized(inputs))
            if sequences is None:
                run = session.run(whole, lambda calls: task.advance(calls * each))
            else:
                run = sequences.run_all(session, whole, tests.rows_in(slice(0, part.start)))
            everything = session.load_report.outputs
            judged = judged_outputs(artifact, tests.task, len(everything))
            outputs = Dequantized(judged.of(run.outputs), judged.of(everything), batch, len(inputs[0]))
            fed = partial(fed_values, tests.task, network.specs, inputs, raw=False)
            predictions = tests.task.predictions(outputs, judged.position, fed)
            stored.append(joined_windows(tests.task, predictions, tests.windows_in(part)))
            task.advance(0 if each and sequences is None else part.stop - part.start)
            # The next chunk must not be read while this one is still held.
            del inputs, whole, run, outputs, predictions


def _names(artifact: Artifact, judged: Judged) -> list[str]:
    """Names of the outputs that a task gets; their numbers where the file does not tell them."""
    names = [spec.name for spec in artifact.outputs]
    return [names[index] if index < len(names) else str(index) for index in judged.indices]


def _title(artifact: Artifact) -> str:
    return f"float predictions of {artifact.name}"
