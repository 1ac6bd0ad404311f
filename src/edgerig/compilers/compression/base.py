"""What the compilers that make a Keras network smaller have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from edgerig.artifact import ZERO_WEIGHTS, Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.compression.kernels import zeros_in
from edgerig.compilers.compression.settings import FineTuningSettings, parts_clusters
from edgerig.compilers.zeros import was_pruned
from edgerig.datasets.base import Dataset
from edgerig.errors import IncompatibleError
from edgerig.models.keras.files import load_keras, save_keras
from edgerig.plugins import Settings
from edgerig.progress import Progress


class Compressor(ModelCompiler):
    """Keras in, Keras out. Subclasses change the model and check what they claim of it.

    Class attributes:
        trains_apart: Whether fine-tuning moves weights that were equal apart.
    """

    extra = "train"
    modules = ("keras", "jax")
    takes = frozenset({"keras"})
    makes = "keras"
    needs_dataset = True
    changes_weights = True
    trains_apart: ClassVar[bool] = True
    Settings: ClassVar[type[Settings]] = FineTuningSettings

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._achieved: dict[str, Any] = {}

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> Path:
        assert dataset is not None, "the pipeline refuses to fine-tune without a dataset"
        if artifact.format_options.get("custom"):
            raise IncompatibleError(
                f"{artifact.name} has layers of your own, which compiler {self.name!r} does not know.",
                "It changes networks of Keras's own layers.",
            )
        artifact.read()
        model = load_keras(Path(artifact.path))
        if not hasattr(model, "_nodes_by_depth") and getattr(model, "_functional", None) is None:
            raise IncompatibleError(
                f"{artifact.name} is neither a Sequential nor a Functional model.",
                "Build it with keras.Sequential or keras.Model(inputs, outputs).",
            )
        before = zeros_in(model)
        smaller, self._achieved = self._compress(model, artifact, dataset, progress)
        path = work / "net.keras"
        save_keras(smaller, path)
        self._achieved |= self._judge(artifact, path)
        if was_pruned(artifact):
            self._achieved[ZERO_WEIGHTS] = [before, zeros_in(load_keras(path))]
        return path

    def refuses_after(self, tools: Sequence[str]) -> str | None:
        return parts_clusters(self.name, tools) if self.trains_apart and self.settings.epochs else None

    def _record(self) -> dict[str, Any]:
        return self._achieved

    @abstractmethod
    def _compress(
        self, model: Any, artifact: Artifact, dataset: Dataset, progress: Progress
    ) -> tuple[Any, dict[str, Any]]:
        """The smaller model, fine-tuned, and what the artifact's record is to say of it."""

    def _judge(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        """What is measured in the file that was written; raises `ArtifactCheckError` where it is not as promised."""
        return {}
