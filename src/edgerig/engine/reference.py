"""What the float model itself predicts: the yardstick for every deployment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.engine.testset import TestSet

#: Float formats and the runtime that runs them on this machine.
RUNTIMES = {"tflite": "litert", "onnx": "onnxruntime"}
#: Samples that Keras predicts at once.
BATCH = 256


def why_no_reference(artifact: Artifact) -> str | None:
    """Why ``artifact`` cannot serve as the float reference, or None if it can."""
    if artifact.scheme != "float32":
        return f"{artifact.name} is {artifact.scheme} itself, and the float model it came from was not given"
    return None


def reference_scores(artifact: Artifact, tests: TestSet, advance: Callable[[int], None]) -> NDArray[np.float32]:
    """The scores of a float model on all test samples, shape (n, classes), float32.

    A Keras model is run by Keras itself; TFLite and ONNX by their engine, in a process of its own.
    """
    parts = []
    if artifact.format == "keras":
        from edgerig.models.keras_base import load_keras

        network = load_keras(Path(artifact.path))
        for _, inputs in tests.chunks(artifact):
            for start in range(0, len(inputs), BATCH):
                batch = inputs[start : start + BATCH]
                parts.append(np.asarray(network.predict_on_batch(batch)))
                advance(len(batch))
    else:
        from edgerig.targets.resolve import target_for

        target = target_for("local", {})
        with target.open(artifact, RUNTIMES[artifact.format], {}) as session:
            for _, inputs in tests.chunks(artifact):
                parts.append(session.run([inputs], advance).outputs[0])
    scores = np.concatenate(parts)
    return scores.reshape(len(scores), -1).astype(np.float32)
