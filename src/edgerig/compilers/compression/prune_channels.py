"""Structured pruning: whole channels of a Keras network are removed, so that it computes less."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec

from edgerig.artifact import Artifact
from edgerig.compilers.compression.base import Compressor
from edgerig.compilers.compression.fine_tuning import fine_tune
from edgerig.compilers.compression.masks import masked, masks_of_zeros
from edgerig.compilers.compression.settings import FineTuningSettings
from edgerig.compilers.compression.smaller import pruned
from edgerig.datasets.base import Dataset
from edgerig.errors import ArtifactCheckError, CompileError
from edgerig.models.graph.analysis import analyse
from edgerig.models.graph.keras_file import read_keras
from edgerig.plugins import Settings
from edgerig.progress import Progress


class PruneChannelsSettings(FineTuningSettings, frozen=True, kw_only=True):
    """Settings of the removal of channels."""

    share: Annotated[
        float,
        msgspec.Meta(description="share of the channels of each layer to remove, rounded down; one always stays", ge=0),
        msgspec.Meta(lt=1),
    ] = 0.3


class PruneChannels(Compressor):
    """Removes the channels of the least norm from each convolution and dense layer where the graph allows it."""

    name = "prune-channels"
    summary = "Keras with fewer channels: fewer multiplications and weights, fine-tuned"
    Settings: ClassVar[type[Settings]] = PruneChannelsSettings

    def _compress(
        self, model: Any, artifact: Artifact, dataset: Dataset, progress: Progress
    ) -> tuple[Any, dict[str, Any]]:
        share = self.settings.share
        smaller, widths, obstacles = pruned(model, share)
        for layer, obstacle in obstacles.items():
            progress.log(f"{layer} keeps its channels: {obstacle}")
        if share and all(before == after for before, after in widths.values()):
            raise CompileError(f"No channel of {artifact.name} can be removed: {_reasons(widths, obstacles)}.", _HINT)
        zeros = masks_of_zeros(smaller) if self.settings.keep_zeros else {}
        fine_tune(smaller, artifact, dataset, self.settings, progress, masked(smaller, zeros))
        return smaller, {
            "channels": {layer: list(pair) for layer, pair in widths.items()},
            "left_alone": obstacles,
        }

    def _judge(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        before, after = (analyse(read_keras(data, path)) for data in (artifact.read(), path.read_bytes()))
        if self.settings.share and not (after.macs < before.macs and after.parameters < before.parameters):
            raise ArtifactCheckError(
                f"The pruned {artifact.name} has {after.macs:,} multiply-accumulates and {after.parameters:,} "
                f"parameters, the network before it {before.macs:,} and {before.parameters:,}: not smaller."
            )
        return {"macs": [before.macs, after.macs], "parameters": [before.parameters, after.parameters]}


_HINT = "Choose a larger share, or another network: channels that meet an Add or Concatenate are left alone."


def _reasons(widths: dict[str, tuple[int, int]], obstacles: dict[str, str]) -> str:
    few = [f"{layer} has {before} channels, of which the share is none" for layer, (before, _) in widths.items()]
    reasons = [*few, *(f"{layer}: {obstacle}" for layer, obstacle in obstacles.items())]
    return "; ".join(reasons) or "it has no Conv1D, Conv2D or Dense layer"
