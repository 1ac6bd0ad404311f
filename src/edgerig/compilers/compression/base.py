"""What the compilers that make a trained network smaller have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from edgerig import formats
from edgerig.artifact import ZERO_WEIGHTS, Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.compression.network import Network, zeros_in
from edgerig.compilers.compression.settings import FineTuningSettings, parts_clusters
from edgerig.compilers.zeros import was_pruned
from edgerig.datasets.base import Dataset
from edgerig.errors import IncompatibleError
from edgerig.plugins import Settings
from edgerig.progress import Progress


class Compressor(ModelCompiler):
    """A trained network in, one of the same format out. Subclasses change it and check what they claim of it.

    The class itself works on Keras networks. For one of PyTorch `for_format` gives a class beside it, which has that
    framework's format and engine and is otherwise the same.

    Class attributes:
        trains_apart: Whether fine-tuning moves weights that were equal apart.
        others: The same compiler for other formats, by these.
    """

    extra = "train"
    modules: ClassVar[tuple[str, ...]] = ("keras", "jax")
    takes = frozenset({"keras", "torch"})
    makes = "keras"
    needs_dataset = True
    changes_weights = True
    trains_apart: ClassVar[bool] = True
    others: ClassVar[Mapping[str, type[Compressor]]] = {}
    Settings: ClassVar[type[Settings]] = FineTuningSettings

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        # What is only changed and not trained on needs no samples, whatever the network takes and gives.
        self.needs_dataset = self.settings.epochs > 0
        self._achieved: dict[str, Any] = {}

    def for_format(self, format: str) -> ModelCompiler:
        # A class derived from one of these is its own, for the format that it makes.
        other = type(self).__dict__.get("others", {}).get(format)
        return other(self.settings) if other is not None else self

    def _refuses(self, format: str, scheme: str) -> str | None:
        if format == self.makes or self.for_format(format) is not self:
            return None
        return f"compiler {self.name!r} of class {type(self).__name__} reads {self.makes}, not {format}"

    @classmethod
    def network(cls) -> type[Network]:
        """The networks of the framework whose format it makes."""
        from edgerig.compilers.compression.keras_network import KerasNetwork

        return KerasNetwork

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> Path:
        if artifact.format_options.get("custom"):
            raise IncompatibleError(
                f"{artifact.name} has layers of your own, which compiler {self.name!r} does not know.",
                "It changes networks of Keras's own layers.",
            )
        artifact.read()
        network = self.network().load(Path(artifact.path), artifact.name)
        before = zeros_in(network)
        smaller, self._achieved = self._compress(network, artifact, dataset, progress)
        path = work / f"net{formats.named(self.makes).suffixes[0]}"
        smaller.save(path)
        self._achieved |= self._judge(artifact, path)
        if was_pruned(artifact):
            self._achieved[ZERO_WEIGHTS] = [before, zeros_in(self.network().load(path, artifact.name))]
        return path

    def refuses_after(self, tools: Sequence[str]) -> str | None:
        return parts_clusters(self.name, tools) if self.trains_apart and self.settings.epochs else None

    def _record(self) -> dict[str, Any]:
        return self._achieved

    @abstractmethod
    def _compress(
        self, network: Network, artifact: Artifact, dataset: Dataset | None, progress: Progress
    ) -> tuple[Network, dict[str, Any]]:
        """The smaller network, fine-tuned, and what the artifact's record is to say of it; there is a dataset unless it
        is not to be fine-tuned."""

    def _judge(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        """What is measured in the file that was written; raises `ArtifactCheckError` where it is not as promised."""
        return {}


class OfTorch(Compressor):
    """What makes a `Compressor` one of PyTorch networks; named before it among the bases of a class."""

    extra = "torch"
    modules = ("torch",)
    takes = frozenset({"torch"})
    makes = "torch"

    @classmethod
    def network(cls) -> type[Network]:
        from edgerig.compilers.compression.torch_network import TorchNetwork

        return TorchNetwork
