"""The stages before measuring: train, compile, and the float model's predictions. Each is cached."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import files, formats
from edgerig.artifact import Artifact
from edgerig.cache import StageCache
from edgerig.compilers.base import ModelCompiler
from edgerig.datasets.base import SPLITS, Dataset, SplitName
from edgerig.engine import dependencies
from edgerig.engine.reference import noise_beside, store_predictions, why_no_reference
from edgerig.engine.references import ReferenceRun, choose_references, compared_output
from edgerig.engine.samples import EvaluationSamples
from edgerig.errors import DatasetError, EdgerigError, Interrupted, ModelError, StorageError
from edgerig.formats import Format
from edgerig.measure.kinds import Unavailable
from edgerig.models.base import ModelWrapper, TrainSettings
from edgerig.models.declared import check_classes, declare, with_fixed_shapes, with_found_layout, with_state
from edgerig.models.files import open_artifact
from edgerig.models.training import checkpoint as checkpoints
from edgerig.plugins import convert_settings, make
from edgerig.progress import Progress
from edgerig.rig.types import ModelPart, Part
from edgerig.tasks.base import Reference

#: Characters kept of a file's name, so that the copy's name fits any file system.
LONGEST_STEM = 100


#: Bytes of reference predictions, such as class maps, from which on they stay on the disk.
MAPPED = 16 << 20


class Stages:
    """Runs the cached stages of one run.

    Attributes:
        log: Stage to ``built`` or ``cached``.
        notes: Remarks on the models, shown beside their numbers.
    """

    def __init__(self, cache: StageCache, dataset: Dataset, progress: Progress) -> None:
        self.cache, self.dataset, self.progress = cache, dataset, progress
        self.log: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        self.notes: list[str] = []
        #: Networks that could not be run as a reference, and why.
        self.failed_references: list[tuple[str, str]] = []

    def model(self, part: ModelPart) -> Artifact:
        """The model to deploy: trained, from the cache, or the user's own file; with what the rig declares about it.

        Raises:
            ModelError: The user's file cannot be read.
            IncompatibleError: The dataset or a declaration does not fit it.
        """
        artifact = declare(self._model(part), part.ends.layout, part.ends.output)
        if part.ends.shapes:
            artifact = self._with_shapes(artifact, part)
        return with_found_layout(with_state(artifact, part.ends.state), self.dataset)

    def _with_shapes(self, artifact: Artifact, part: ModelPart) -> Artifact:
        """An ONNX file with its free axes fixed."""
        key = StageCache.key(
            "shapes",
            surroundings=dependencies.surroundings(),
            parent=dependencies.of_artifact(artifact),
            shapes=part.ends.shapes,
        )

        def build(work: Path) -> None:
            with_fixed_shapes(artifact, part.ends.shapes, work)

        return self._artifact(f"shapes of {part.label}", key, build)

    def _model(self, part: ModelPart) -> Artifact:
        if part.file:
            artifact = self._own_file(Path(part.file), part.options)
            self.note(check_classes(artifact, self.dataset))
            return msgspec.structs.replace(artifact, classes=self.dataset.classes or artifact.classes)
        wrapper = make("model", part.use or "", ModelWrapper, part.options)
        settings = convert_settings(TrainSettings, {**wrapper.usual, **part.train}, "model.train")
        assert isinstance(settings, TrainSettings)
        key = StageCache.key(
            "train",
            surroundings=dependencies.surroundings(),
            model=part.use,
            plugin=dependencies.of_plugin(wrapper),
            train=settings,
            data=dependencies.of_dataset(self.dataset, wrapper.preprocessing(self.dataset)),
        )

        def build(work: Path) -> None:
            self._drop_damaged_checkpoints(work)
            wrapper.train(self.dataset, settings, work, resume=True, logdir=work / "logs", progress=self.progress)

        return self._artifact(f"train {part.label}", key, build, resumable=True)

    def compile(self, artifact: Artifact, part: Part) -> Artifact:
        """``artifact`` after one compiler."""
        compiler = make("compiler", part.use, ModelCompiler, part.options).for_format(artifact.format)
        key = StageCache.key(
            "compile",
            surroundings=dependencies.surroundings(),
            compiler=part.use,
            plugin=dependencies.of_plugin(compiler),
            parent=dependencies.of_artifact(artifact),
            format=dependencies.of_plugin(formats.named(compiler.makes)),
            file=Path(artifact.path).name,
            data=self._compiled_with(compiler, artifact),
            processor=compiler.of_machine(),
        )

        def build(work: Path) -> None:
            compiler.compile(artifact, work, self.dataset, self.progress)

        return self._artifact(f"compile {part.label} of {artifact.name}", key, build)

    def references(
        self, parts: Sequence[ModelPart], models: Mapping[str, Artifact], tests: EvaluationSamples
    ) -> dict[str, ReferenceRun]:
        """The reference of each model, by the model's label; see `choose_references`."""
        known: dict[str, ReferenceRun] = {}
        by_key: dict[str, ReferenceRun] = {}
        choices = choose_references(parts, models)
        for part in parts:
            choice = choices[part.label]
            if choice.label is None and not part.reference:
                self.progress.log(choice.why)
                known[part.label] = ReferenceRun(Unavailable(choice.why))
                continue
            if choice.why:
                self.progress.log(choice.why)
            source = models[choice.label] if choice.label else self._reference_file(part, models[part.label])
            if isinstance(source, Unavailable):
                self.progress.log(f"{part.label} is not compared: {source.reason}")
                known[part.label] = ReferenceRun(source)
                continue
            if source.preprocessing != models[part.label].preprocessing:
                self.note(
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
            self.failed_references.append((artifact.name, error.message))
            self.progress.log(f"reference {artifact.name}: FAILED")
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
            validation = EvaluationSamples(self.dataset, None, "validation")
            if (validation.windows is None) != (tests.windows is None):
                raise DatasetError(
                    "Of the validation and the test split one is cut into windows and the other is not, so that "
                    "predictions for their samples cannot be held against one another."
                )
            predictions, _ = self._predictions(f"validation of {artifact.name}", artifact, validation)
            return tests.task.choose(predictions, validation.samples.truth(slice(None), artifact.preprocessing))
        except DatasetError as error:
            self.note(f"Nothing was chosen on the validation split: {error.message}")
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
            dataset=dependencies.of_plugin(self.dataset, folders=False),
            data=[tests.fingerprint, dependencies.of_samples(tests.samples, artifact.preprocessing)],
            preprocessing=artifact.preprocessing,
            judged=[artifact.judged_output, artifact.output_named],
            state=artifact.state,
            task=[dependencies.of_plugin(tests.task), tests.task.classes],
            by=dependencies.of_format(artifact),
        )

        def build(work: Path) -> None:
            store_predictions(artifact, tests, work / "predictions.npy", self.progress)

        folder = self._stage(stage, key, build)
        path = folder / "predictions.npy"
        mode: Literal["r"] | None = "r" if path.stat().st_size > MAPPED else None
        predictions: NDArray[Any] = np.load(path, mmap_mode=mode, allow_pickle=False)
        return predictions, noise_beside(path)

    def _compiled_with(self, compiler: ModelCompiler, artifact: Artifact) -> dict[str, Any] | None:
        """The parts of the dataset that a compiler may read; a third-party one may read it without declaring so."""
        if compiler.needs_dataset:
            splits: Sequence[SplitName] = compiler.splits
        elif not type(compiler).__module__.startswith("edgerig."):
            splits = SPLITS
        else:
            return None
        return dependencies.of_dataset(self.dataset, artifact.preprocessing, splits)

    def _drop_damaged_checkpoints(self, work: Path) -> None:
        """Remove damaged checkpoints: an interrupted training resumes from those that are left."""
        for path in sorted(work.glob("*.checkpoint.npz")):
            try:
                checkpoints.load(path)
            except ModelError as error:
                self.progress.log(f"training begins anew: {error.message}")
                path.unlink(missing_ok=True)

    def _reference_file(self, part: ModelPart, model: Artifact) -> Artifact | Unavailable:
        """The file that ``model`` is compared with; the model's declarations apply to it where they fit. Unavailable
        where nothing tells which of its outputs is the judged one."""
        artifact = self._own_file(Path(part.reference or ""))
        # A float file in another layout, such as a TFLite file beside ONNX, must not get the model's declared layout.
        alike = [spec.shape[1:] for spec in artifact.inputs] == [spec.shape[1:] for spec in model.inputs]
        artifact = declare(artifact, part.ends.layout if alike else None)
        compared = compared_output(model, artifact)
        if isinstance(compared, Unavailable):
            return compared
        if compared.note:
            self.note(compared.note)
        artifact = msgspec.structs.replace(artifact, judged_output=compared.position, output_named=model.output_named)
        if part.ends.shapes and any(-1 in spec.shape for spec in artifact.inputs):
            artifact = self._with_shapes(artifact, part)
        return with_found_layout(with_state(artifact, model.state), self.dataset)

    def _own_file(self, path: Path, options: Mapping[str, Any] | None = None) -> Artifact:
        """A file of the user's, read with the settings ``options`` of its format: with the preprocessing that it was
        trained with, if its description states that, else with the dataset's. Random inputs are never preprocessed.
        """
        artifact = open_artifact(path, options=options)
        trained = bool(artifact.origins) and artifact.origins[0].tool != "file"
        if trained and self.dataset.task != "none":
            return artifact
        if artifact.classes and self.dataset.task != "none" and artifact.preprocessing != self.dataset.preprocessing:
            self.note(f"{artifact.name} was compiled for other preprocessing than that of {self.dataset.name} here.")
        return msgspec.structs.replace(artifact, preprocessing=self.dataset.preprocessing, classes=self.dataset.classes)

    def note(self, text: str | None) -> None:
        """Keep a remark on the models, once, and log it; nothing if it is None."""
        if text is not None and text not in self.notes:
            self.notes.append(text)
            self.progress.log(text)

    def _artifact(self, name: str, key: str, build: Any, *, resumable: bool = False) -> Artifact:
        folder = self._stage(name, key, build, resumable=resumable)
        # The description lies beside the file or folder; for several files, beside the first within their folder.
        descriptions = _descriptions(folder, "*.json") or _descriptions(folder, "*/*.json")
        if len(descriptions) != 1:
            raise ModelError(
                f"The cached stage {folder.name[:12]} holds {len(descriptions)} artifacts instead of one.",
                f"Remove {folder} and run again.",
            )
        return Artifact.load(descriptions[0])

    def _stage(self, name: str, key: str, build: Any, *, resumable: bool = False) -> Path:
        name = self._own_name(name, key)

        def damaged(fault: str) -> None:
            self.progress.log(f"{name}: what was kept in the cache is damaged ({fault}); it is built anew")

        folder, cached = self.cache.get_or_build(key, build, resumable=resumable, damaged=damaged)
        self.log[name] = "cached" if cached else "built"
        if cached:
            self.progress.log(f"{name}: cached")
        return folder

    def _own_name(self, name: str, key: str) -> str:
        """``name``; with a number for a stage after another of that name, as in two chains that prune otherwise."""
        own, number = name, 1
        while self._keys.setdefault(own, key) != key:
            number += 1
            own = f"{name} ({number})"
        return own


def place_artifact(artifact: Artifact, folder: Path, described: dict[str, Artifact] | None = None) -> Artifact:
    """A copy of an artifact's files and description in ``folder``; its name holds the hash, so that none collide.

    A copy that an earlier run left there is used again if it is intact.

    Args:
        described: The artifacts that this run placed there, by file name; the copy is added. Files of the same bytes
            and name with different descriptions get a copy each, since the description lies beside the file.

    Raises:
        ModelError: The file has changed since it was opened.
    """
    target = _free_name(artifact, folder, {} if described is None else described)
    format = formats.named(artifact.format)
    copy = format.location(target, Path(artifact.path).name)
    if not _is_there(copy, artifact, format):
        # Checked against its hash; an ONNX file's external data files are copied with it.
        copy = format.store(artifact.read(), target)
    placed = msgspec.structs.replace(artifact, path=str(copy))
    placed.save()
    return placed


def _free_name(artifact: Artifact, folder: Path, described: dict[str, Artifact]) -> Path:
    """The path of the copy; entered in ``described``."""
    source = Path(artifact.path)
    stem = f"{source.stem[:LONGEST_STEM]}-{artifact.sha256[:8]}"
    for number in itertools.count(1):
        name = (stem if number == 1 else f"{stem}-{number}") + source.suffix
        description = msgspec.structs.replace(artifact, path=name)
        if described.setdefault(name, description) == description:
            return folder / name
    raise AssertionError("unreachable")


def _is_there(copy: Path, artifact: Artifact, format: Format) -> bool:
    if copy.is_symlink():
        return False
    try:
        digest = files.sha256_file(copy) if format.storage == "file" else files.sha256(format.payload(copy))
    except (OSError, ModelError):
        return False
    return digest == artifact.sha256


def _descriptions(folder: Path, pattern: str) -> list[Path]:
    """The descriptions among the files that match ``pattern``."""
    return [path for path in sorted(folder.glob(pattern)) if path.with_suffix("").exists()]
