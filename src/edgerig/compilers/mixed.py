"""int8 with some layers in float32: as few as keep the accuracy within a budget."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

import msgspec

from edgerig.artifact import Artifact
from edgerig.compilers.calibrated_tflite import Recipe
from edgerig.compilers.checks import check_mixed
from edgerig.compilers.io_types import set_io_types
from edgerig.compilers.mixed_search import Mixture, Search
from edgerig.compilers.quantize import EndsSettings, FullInteger, Int8
from edgerig.datasets.base import Dataset, SplitName
from edgerig.errors import IncompatibleError, SpecError
from edgerig.models.graph.types import Graph
from edgerig.plugins import Settings
from edgerig.progress import Progress

_BUDGET = re.compile(r"accuracy\s+(\d+(?:\.\d+)?)\s*points?")


class MixedSettings(EndsSettings, frozen=True, kw_only=True):
    """Settings of mixed precision. An input or output whose layer is float stays float32, whatever its type here."""

    budget: Annotated[
        str, msgspec.Meta(description="the accuracy that may be lost against the float network: 'accuracy 0.5 points'")
    ] = "accuracy 0.5 points"
    validation_samples: Annotated[
        int, msgspec.Meta(description="samples of the validation split on which each step is measured", ge=1)
    ] = 2000


class Mixed(FullInteger):
    """Layers go back from int8 to float32 one by one, the one with the largest error of its own first.

    Each step is measured on the validation split, until the accuracy is within the budget.
    """

    name = "mixed"
    summary = "TFLite, int8 with as many float32 layers as a budget of accuracy needs; calibrated"
    scheme = "int8"
    splits: ClassVar[tuple[SplitName, ...]] = ("train", "validation")
    Settings: ClassVar[type[Settings]] = MixedSettings

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._margin = budget_of(self.settings.budget)
        self._mixture: Mixture | None = None
        self._float_bytes = 0

    def _recipe(self) -> Recipe:
        return Int8()._recipe()

    def _quantize(
        self, artifact: Artifact, data: bytes, inputs: list[str], dataset: Dataset | None, progress: Progress
    ) -> bytes:
        assert dataset is not None, "the pipeline refuses to calibrate without a dataset"
        settings = self.settings
        if dataset.task != "classification":
            raise IncompatibleError(
                f"Mixed precision is chosen by accuracy, and dataset {dataset.name!r} has no classes.",
                "Name a dataset of a classification task, or take int8 or int16x8.",
            )
        self._float_bytes = artifact.size if artifact.format == "tflite" else len(data)
        search = Search(artifact, data, inputs, self._recipe(), dataset, settings, progress)
        self._mixture = search.run(self._margin, settings.budget)
        return set_io_types(self._mixture.data, settings.input_type, settings.output_type)

    def _inspect(self, graph: Graph, data: bytes, scheme: str, file: str) -> None:
        assert self._mixture is not None, "it is inspected after it was made"
        check_mixed(graph, self._mixture.float_tensors, file)

    def _record(self) -> dict[str, Any]:
        assert self._mixture is not None, "it is asked for after the network was made"
        return {
            "front": msgspec.to_builtins(self._mixture.steps),
            "float_layers": list(self._mixture.float_layers),
            "float_accuracy": self._mixture.float_accuracy,
            "margin": self._margin,
            "float_bytes": self._float_bytes,
        }


def budget_of(text: str) -> float:
    """The share of accuracy that a budget lets be lost.

    Raises:
        SpecError: It is written otherwise.

    >>> budget_of("accuracy 0.5 points")
    0.005
    """
    match = _BUDGET.fullmatch(text.strip())
    if match is None:
        raise SpecError(f"The budget {text!r} is not understood.", "Write it as: accuracy 0.5 points.")
    return float(match[1]) / 100
