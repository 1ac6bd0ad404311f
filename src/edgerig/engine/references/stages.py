"""The float networks that a run's models are compared with: their predictions, each a cached stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.artifact import Artifact
from edgerig.cache import StageCache
from edgerig.engine import dependencies
from edgerig.engine.references.choice import choose_references, compared_output
from edgerig.engine.references.predictions import noise_beside, store_predictions, why_no_reference
from edgerig.engine.references.types import ReferenceRun
from edgerig.engine.samples.evaluation import EvaluationSamples
from edgerig.engine.stages import Stages
from edgerig.errors import DatasetError, EdgerigError, Interrupted, StorageError
from edgerig.measure.kinds import Unavailable
from edgerig.models.declared import declare, with_found_layout, with_state
from edgerig.rig.types import ModelPart
from edgerig.tasks.base import Reference

#: Bytes of reference predictions, such as class maps, from which on they stay on the disk.
MAPPED = 16 << 20


class ReferenceStages:
    """Runs what the models of a run are compared with.

    Args:
        stages: The run's, which keep remarks and what was cached.

    Attributes:
        failed: Networks that could not be run as a reference, and why.
    """

    def __init__(self, stages: Stages) -> None:
        self.stages = stages
        self.failed: list[tuple[str, str]] = []

    def run(
        self, parts: Sequence[ModelPart], models: Mapping[str, Artifact], tests: EvaluationSamples
    ) -> dict[str, ReferenceRun]:
        """The reference of each model, by the model's label; see `choose_references`.

        Raises:
            ModelError: The file that a model names cannot be read.
            StorageError: The cache cannot be written. Interrupted: The user stopped it.
        """
        known: dict[str, ReferenceRun] = {}
        by_key: dict[str, ReferenceRun] = {}
        choices = choose_references(parts, models)
        for part in parts:
            choice = choices[part.label]
            if choice.label is None and not part.reference:
                self.stages.progress.log(choice.why)
                known[part.label] = ReferenceRun(Unavailable(choice.why))
                continue
            if choice.why:
                self.stages.progress.log(choice.why)
            source = models[choice.label] if choice.label else self._reference_file(part, models[part.label])
            if isinstance(source, Unavailable):
                self.stages.progress.log(f"{part.label} is not compared: {source.reason}")
                known[part.label] = ReferenceRun(source)
                continue
            if source.preprocessing != models[part.label].preprocessing:
                self.stages.note(
                    f"{part.label} and {source.name}, with which it is compared, were made for other preprocessing: "
                    "each is given its own."
                )
            # The key names the output and the network. The layout follows from the shape, or was declared for all.
            ends = [source.judged_output, source.output_named, source.inputs, source.state]
            key = files.digest([source.sha256, ends, source.preprocessing])
            if key not in by_key:
                reference = self._reference(source, tests)
                identity = files.digest([key, reference.choice]) if reference.choice else key
                by_key[key] = msgspec.structs.replace(reference, identity=identity)
            known[part.label] = by_key[key]
        return known

    def _reference(self, artifact: Artifact, tests: EvaluationSamples) -> ReferenceRun:
        """`reference`; a float model that cannot be run costs only the comparison with it."""
        try:
            return self.reference(artifact, tests)
        except (Interrupted, StorageError):
            raise
        except EdgerigError as error:
            source = f"{artifact.name} ({artifact.scheme} {artifact.format})"
            self.failed.append((artifact.name, error.message))
            self.stages.progress.log(f"reference {artifact.name}: FAILED")
            return ReferenceRun(Unavailable(f"{source} could not be run for comparison: {error.message}"))

    def reference(self, artifact: Artifact, tests: EvaluationSamples) -> ReferenceRun:
        """The predictions of a float model for the test samples, or why there are none; what the task chose by it."""
        source = f"{artifact.name} ({artifact.scheme} {artifact.format})"
        reason = why_no_reference(artifact)
        if reason:
            return ReferenceRun(Unavailable(reason))
        predictions, noise = self._predictions(f"reference {artifact.name}", artifact, tests)
        return ReferenceRun(Reference(source, predictions), choice=self._choice(artifact, tests), noise=noise)

    def _choice(self, artifact: Artifact, tests: EvaluationSamples) -> dict[str, float]:
        """What the task chooses by a float model's predictions for the validation split; empty where it cannot."""
        if not tests.task.chooses:
            return {}
        try:
            validation = EvaluationSamples(self.stages.dataset, None, "validation")
            if (validation.windows is None) != (tests.windows is None):
                raise DatasetError(
                    "Of the validation and the test split one is cut into windows and the other is not, so that "
                    "predictions for their samples cannot be held against one another."
                )
            predictions, _ = self._predictions(f"validation of {artifact.name}", artifact, validation)
            return tests.task.choose(predictions, validation.samples.truth(slice(None), artifact.preprocessing))
        except DatasetError as error:
            self.stages.note(f"Nothing was chosen on the validation split: {error.message}")
            return {}

    def _predictions(
        self, stage: str, artifact: Artifact, tests: EvaluationSamples
    ) -> tuple[NDArray[Any], float | None]:
        """What a float model predicts, and its rounding noise where that is known."""
        key = StageCache.key(
            "reference",
            surroundings=dependencies.surroundings(),
            model=artifact.sha256,
            inputs=artifact.inputs,
            outputs=artifact.outputs,
            dataset=dependencies.of_plugin(self.stages.dataset, folders=False),
            data=[tests.fingerprint, dependencies.of_samples(tests.samples, artifact.preprocessing)],
            preprocessing=artifact.preprocessing,
            judged=[artifact.judged_output, artifact.output_named],
            state=artifact.state,
            task=[dependencies.of_plugin(tests.task), tests.task.classes],
            by=dependencies.of_format(artifact),
        )

        def build(work: Path) -> None:
            store_predictions(artifact, tests, work / "predictions.npy", self.stages.progress)

        folder = self.stages.stage(stage, key, build)
        path = folder / "predictions.npy"
        mode: Literal["r"] | None = "r" if path.stat().st_size > MAPPED else None
        predictions: NDArray[Any] = np.load(path, mmap_mode=mode, allow_pickle=False)
        return predictions, noise_beside(path)

    def _reference_file(self, part: ModelPart, model: Artifact) -> Artifact | Unavailable:
        """The file that ``model`` is compared with; the model's declarations apply to it where they fit. Unavailable
        where nothing tells which of its outputs is the judged one."""
        artifact = self.stages.own_file(Path(part.reference or ""))
        # A float file in another layout, such as a TFLite file beside ONNX, must not get the model's declared layout.
        alike = [spec.shape[1:] for spec in artifact.inputs] == [spec.shape[1:] for spec in model.inputs]
        artifact = declare(artifact, part.ends.layout if alike else None)
        compared = compared_output(model, artifact)
        if isinstance(compared, Unavailable):
            return compared
        if compared.note:
            self.stages.note(compared.note)
        artifact = msgspec.structs.replace(artifact, judged_output=compared.position, output_named=model.output_named)
        if part.ends.shapes and any(-1 in spec.shape for spec in artifact.inputs):
            artifact = self.stages.with_shapes(artifact, part)
        return with_found_layout(with_state(artifact, model.state), self.stages.dataset)
