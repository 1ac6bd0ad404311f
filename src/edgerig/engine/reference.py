"""What the float model itself predicts: what every deployment is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.bounded import isolated
from edgerig.datasets.batches import from_calls, in_calls
from edgerig.engine.samples import EvaluationSamples, the_input
from edgerig.errors import InferenceError
from edgerig.progress import Progress

#: Float formats and the runtime that runs them on this machine.
RUNTIMES = {"tflite": "litert", "onnx": "onnxruntime"}
#: Samples that Keras predicts at once, and bytes of their inputs: activations take many times as much.
BATCH, BATCH_BYTES = 256, 16 << 20


def why_no_reference(artifact: Artifact) -> str | None:
    """Why ``artifact`` cannot serve as the float reference, or None if it can."""
    if artifact.scheme != "float32":
        return f"{artifact.name} is {artifact.scheme} itself, and the float model it came from was not given"
    return None


def reference_scores(artifact: Artifact, tests: EvaluationSamples, progress: Progress) -> NDArray[np.float32]:
    """The scores of a float model on all test samples, shape (n, classes), float32.

    A Keras model is run by Keras itself; TFLite and ONNX by their engine; each in a process of its own.
    """
    if artifact.format == "keras":
        file = Path(artifact.path).name
        what = f"Running {file} for its float predictions"
        scores = isolated(what, InferenceError, keras_scores, artifact, tests, progress)
    else:
        scores = _engine_scores(artifact, tests, progress)
    return scores.reshape(len(scores), -1).astype(np.float32)


def keras_scores(artifact: Artifact, tests: EvaluationSamples, progress: Progress) -> NDArray[Any]:
    """What Keras predicts for all test samples, shape (n, ...)."""
    from edgerig.models.keras.base import load_keras

    network = load_keras(Path(artifact.path))
    fixed = the_input(artifact).batch
    batch = fixed if fixed > 1 else max(1, min(BATCH, BATCH_BYTES // max(1, the_input(artifact).nbytes)))
    parts = []
    with progress.task(_title(artifact), len(tests)) as task:
        for _, inputs in tests.chunks(artifact):
            for start in range(0, len(inputs), batch):
                piece = inputs[start : start + batch]
                outputs = network.predict_on_batch(piece if fixed == 1 else in_calls(piece, fixed)[0])
                several = outputs if isinstance(outputs, list | tuple) else [outputs]
                parts.append(np.asarray(several[artifact.judged_output])[: len(piece)])
                task.advance(len(piece))
    return np.concatenate(parts)


def _engine_scores(artifact: Artifact, tests: EvaluationSamples, progress: Progress) -> NDArray[Any]:
    from edgerig.targets.resolve import target_for

    parts, batch = [], the_input(artifact).batch
    target = target_for("local", {})
    with (
        progress.task(_title(artifact), len(tests)) as task,
        target.open(artifact, RUNTIMES[artifact.format], {}) as session,
    ):
        for _, inputs in tests.chunks(artifact):
            run = session.run([in_calls(inputs, batch)], lambda calls: task.advance(calls * batch))
            parts.append(from_calls(run.outputs[artifact.judged_output], batch, len(inputs)))
    return np.concatenate(parts)


def _title(artifact: Artifact) -> str:
    return f"float predictions of {artifact.name}"
