"""The stages before measuring: train, compile, and the float model's own predictions. Each is cached."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgerig import __version__, files
from edgerig.artifact import Artifact, sidecar_path
from edgerig.compilers.base import ModelCompiler
from edgerig.datasets.base import Dataset
from edgerig.engine.cache import StageCache
from edgerig.engine.reference import reference_scores, why_no_reference
from edgerig.engine.references import choose_references
from edgerig.engine.testset import Reference, TestSet
from edgerig.errors import ModelError
from edgerig.measure.kinds import Unavailable
from edgerig.models.base import ModelWrapper, TrainSettings
from edgerig.models.files import open_artifact
from edgerig.plugins import Plugin, convert_settings, make
from edgerig.progress import Progress
from edgerig.spec.types import ModelPart, Part

#: Libraries whose version changes what a stage makes.
BUILDERS = ("keras", "jax", "litert-converter", "litert-quantizer", "onnx", "onnxruntime", "ai-edge-litert")


class Stages:
    """Runs the cached stages of one run and remembers which were built: ``log`` maps stage to built or cached."""

    def __init__(self, cache: StageCache, dataset: Dataset, progress: Progress) -> None:
        self.cache, self.dataset, self.progress = cache, dataset, progress
        self.log: dict[str, str] = {}

    def model(self, part: ModelPart) -> Artifact:
        """The model to deploy: trained, out of the cache, or the user's own file.

        Raises:
            ModelError: The user's file cannot be read.
        """
        if part.file:
            return open_artifact(
                Path(part.file), preprocessing=self.dataset.preprocessing, classes=self.dataset.classes
            )
        wrapper = make("model", part.use or "", ModelWrapper, part.options)
        settings = convert_settings(TrainSettings, part.train, "model.train")
        assert isinstance(settings, TrainSettings)
        key = StageCache.key(
            "train", edgerig=__version__, versions=_versions(), model=part.use, options=_settings(wrapper),
            train=msgspec.to_builtins(settings), dataset=_settings(self.dataset), data=self.fingerprint(),
        )  # fmt: skip

        def build(work: Path) -> None:
            wrapper.train(self.dataset, settings, work, resume=True, logdir=work / "logs", progress=self.progress)

        return self._artifact(f"train {part.label}", key, build, resumable=True)

    def compile(self, artifact: Artifact, part: Part) -> Artifact:
        """``artifact`` after one compiler."""
        compiler = make("compiler", part.use, ModelCompiler, part.options)
        data = self.fingerprint() if compiler.needs_dataset else None
        key = StageCache.key(
            "compile", edgerig=__version__, versions=_versions(), compiler=part.use, options=_settings(compiler),
            parent=artifact.sha256, preprocessing=artifact.preprocessing, name=artifact.name, data=data,
            classes=artifact.classes,
        )  # fmt: skip

        def build(work: Path) -> None:
            compiler.compile(artifact, work, self.dataset, self.progress)

        return self._artifact(f"compile {part.label} of {artifact.name}", key, build)

    def references(
        self, parts: Sequence[ModelPart], models: Mapping[str, Artifact], tests: TestSet
    ) -> dict[str, Reference]:
        """What each model's predictions are compared with, by the model's label; see `choose_references`."""
        known: dict[str, Reference] = {}
        made: dict[str, Reference] = {}
        choices = choose_references(parts, models)
        for part in parts:
            choice = choices[part.label]
            if choice.label is None and not part.reference:
                own = models[part.label]
                known[part.label] = Reference(f"{own.name} ({own.scheme} {own.format})", Unavailable(choice.why))
                continue
            if choice.why:
                self.progress.log(choice.why)
            source = models[choice.label] if choice.label else self._own_file(Path(part.reference or ""))
            if source.sha256 not in made:
                made[source.sha256] = self.reference(source, tests)
            known[part.label] = made[source.sha256]
        return known

    def reference(self, artifact: Artifact, tests: TestSet) -> Reference:
        """The scores of a float model on the test samples, or why there are none."""
        source = f"{artifact.name} ({artifact.scheme} {artifact.format})"
        reason = why_no_reference(artifact)
        if reason:
            return Reference(source, Unavailable(reason))
        key = StageCache.key(
            "reference", edgerig=__version__, versions=_versions(), model=artifact.sha256,
            preprocessing=artifact.preprocessing, data=tests.fingerprint,
        )  # fmt: skip

        def build(work: Path) -> None:
            with self.progress.task(f"float predictions of {artifact.name}", len(tests)) as task:
                np.save(work / "scores.npy", reference_scores(artifact, tests, task.advance), allow_pickle=False)

        folder = self._stage(f"reference {artifact.name}", key, build)
        return Reference(source, np.load(folder / "scores.npy", allow_pickle=False))

    def fingerprint(self) -> str:
        """Fingerprint of the training split, on which training and calibration depend."""
        return self.dataset.split("train").fingerprint

    def _own_file(self, path: Path) -> Artifact:
        """A file of the user's: its own description if it has one, else the dataset's preprocessing."""
        artifact = open_artifact(path)
        if artifact.origins and artifact.origins[0].tool != "file":
            return artifact
        return msgspec.structs.replace(artifact, preprocessing=self.dataset.preprocessing, classes=self.dataset.classes)

    def _artifact(self, name: str, key: str, build: Any, *, resumable: bool = False) -> Artifact:
        folder = self._stage(name, key, build, resumable=resumable)
        found = [path for path in sorted(folder.glob("*.json")) if _describes_file(path)]
        if len(found) != 1:
            raise ModelError(
                f"The cached stage {folder.name[:12]} holds {len(found)} artifacts instead of one.",
                f"Remove {folder} and run again.",
            )
        return Artifact.load(found[0])

    def _stage(self, name: str, key: str, build: Any, *, resumable: bool = False) -> Path:
        folder, cached = self.cache.get_or_build(key, build, resumable=resumable)
        self.log[name] = "cached" if cached else "built"
        if cached:
            self.progress.log(f"{name}: cached")
        return folder


def place_artifact(artifact: Artifact, folder: Path) -> Artifact:
    """A copy of an artifact's file and description in ``folder``, named by its hash as well, so that none collide."""
    source = Path(artifact.path)
    target = folder / f"{source.stem}-{artifact.sha256[:8]}{source.suffix}"
    if not target.exists():
        if artifact.format == "onnx":
            # What it keeps in files beside it goes with it.
            files.write_bytes(target, artifact.read())
        else:
            with files.atomic_path(target) as temporary:
                shutil.copyfile(source, temporary)
    placed = msgspec.structs.replace(artifact, path=str(target))
    placed.save()
    return placed


def _describes_file(path: Path) -> bool:
    return path.with_suffix("").is_file() and sidecar_path(path.with_suffix("")) == path


def _settings(plugin: Plugin) -> dict[str, Any]:
    return {"use": plugin.name, **msgspec.to_builtins(plugin.settings)}


def _versions() -> dict[str, str]:
    found = {}
    for name in BUILDERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
