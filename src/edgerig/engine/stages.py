"""The stages before measuring: training and compiling, each cached. `references.stages` has those of references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgerig import formats
from edgerig.artifact import Artifact
from edgerig.cache import StageCache
from edgerig.compilers.base import ModelCompiler
from edgerig.datasets.base import SPLITS, Dataset, SplitName
from edgerig.engine import dependencies
from edgerig.engine.samples.outputs import with_fitting_output
from edgerig.errors import ModelError
from edgerig.models.base import ModelWrapper, TrainSettings
from edgerig.models.declared import (
    check_classes,
    declare,
    other_order,
    with_fixed_shapes,
    with_found_layout,
    with_state,
)
from edgerig.models.files import open_artifact
from edgerig.models.training import checkpoint as checkpoints
from edgerig.plugins import make
from edgerig.progress import Progress
from edgerig.rig.types import ModelPart, Part
from edgerig.settings import convert_settings


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

    def model(self, part: ModelPart) -> Artifact:
        """The model to deploy: trained, from the cache, or the user's own file; with what the rig declares about it.

        Raises:
            ModelError: The user's file cannot be read.
            IncompatibleError: The dataset or a declaration does not fit it.
        """
        artifact = declare(self._model(part), part.ends.layout, part.ends.output)
        if part.ends.shapes:
            artifact = self.with_shapes(artifact, part)
        artifact = with_found_layout(with_state(artifact, part.ends.state), self.dataset)
        artifact, choice = with_fitting_output(artifact, self.dataset.make_task())
        self.note(choice)
        return artifact

    def with_shapes(self, artifact: Artifact, part: ModelPart) -> Artifact:
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
            artifact = self.own_file(Path(part.file), part.options)
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

    def own_file(self, path: Path, options: Mapping[str, Any] | None = None) -> Artifact:
        """A file of the user's, read with the settings ``options`` of its format: with the preprocessing that it was
        trained with, if its description states that, else with the dataset's. Random inputs are never preprocessed.
        """
        artifact = open_artifact(path, options=options)
        trained = bool(artifact.origins) and artifact.origins[0].tool != "file"
        if trained and self.dataset.task != "none":
            return artifact
        if artifact.classes and self.dataset.task != "none" and artifact.preprocessing != self.dataset.preprocessing:
            self.note(f"{artifact.name} was compiled for other preprocessing than that of {self.dataset.name} here.")
        self.note(other_order(artifact, self.dataset))
        return msgspec.structs.replace(artifact, preprocessing=self.dataset.preprocessing, classes=self.dataset.classes)

    def note(self, text: str | None) -> None:
        """Keep a remark on the models, once, and log it; nothing if it is None."""
        if text is not None and text not in self.notes:
            self.notes.append(text)
            self.progress.log(text)

    def _artifact(self, name: str, key: str, build: Any, *, resumable: bool = False) -> Artifact:
        folder = self.stage(name, key, build, resumable=resumable)
        # The description lies beside the file or folder; for several files, beside the first within their folder.
        descriptions = _descriptions(folder, "*.json") or _descriptions(folder, "*/*.json")
        if len(descriptions) != 1:
            raise ModelError(
                f"The cached stage {folder.name[:12]} holds {len(descriptions)} artifacts instead of one.",
                f"Remove {folder} and run again.",
            )
        return Artifact.load(descriptions[0])

    def stage(self, name: str, key: str, build: Any, *, resumable: bool = False) -> Path:
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


def _descriptions(folder: Path, pattern: str) -> list[Path]:
    """The descriptions among the files that match ``pattern``."""
    return [path for path in sorted(folder.glob(pattern)) if path.with_suffix("").exists()]
