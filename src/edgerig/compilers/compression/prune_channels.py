"""Structured pruning: whole channels of a network are removed, so that it computes less."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec

from edgerig.artifact import Artifact
from edgerig.compilers.compression.base import Compressor, OfTorch
from edgerig.compilers.compression.fine_tuning import fine_tune
from edgerig.compilers.compression.network import Held, Network, masks_of_zeros
from edgerig.compilers.compression.settings import FineTuningSettings
from edgerig.datasets.base import Dataset
from edgerig.errors import ArtifactCheckError, CompileError
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
    summary = "Keras or PyTorch with fewer channels: fewer multiplications and weights, fine-tuned"
    Settings: ClassVar[type[Settings]] = PruneChannelsSettings

    def _compress(
        self, network: Network, artifact: Artifact, dataset: Dataset | None, progress: Progress
    ) -> tuple[Network, dict[str, Any]]:
        share = self.settings.share
        smaller, widths, obstacles = network.without_channels(share)
        for layer, obstacle in obstacles.items():
            progress.log(f"{layer} keeps its channels: {obstacle}")
        if share and all(before == after for before, after in widths.values()):
            raise CompileError(
                f"No channel of {artifact.name} can be removed: {_reasons(widths, obstacles)}.", _hint(widths)
            )
        zeros = masks_of_zeros(smaller) if self.settings.keep_zeros else {}
        tuned = fine_tune(smaller, artifact, dataset, self.settings, progress, Held(masks=zeros))
        return smaller, {
            **tuned,
            "channels": {layer: list(pair) for layer, pair in widths.items()},
            "left_alone": obstacles,
        }

    def _judge(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        before, after = (self.network().costs_of(each) for each in (Path(artifact.path), path))
        if self.settings.share and not (after.macs < before.macs and after.parameters < before.parameters):
            raise ArtifactCheckError(
                f"The pruned {artifact.name} has {after.macs:,} multiply-accumulates and {after.parameters:,} "
                f"parameters, the network before it {before.macs:,} and {before.parameters:,}: not smaller."
            )
        return {"macs": [before.macs, after.macs], "parameters": [before.parameters, after.parameters]}


class TorchPruneChannels(OfTorch, PruneChannels):
    """`PruneChannels` of PyTorch networks."""


PruneChannels.others = {"torch": TorchPruneChannels}


def _hint(widths: dict[str, tuple[int, int]]) -> str:
    """A larger share helps only where channels could be followed."""
    if widths:
        return "Choose a larger share, or another network."
    return "No share helps here. prune and cluster leave all channels, and may do."


def _reasons(widths: dict[str, tuple[int, int]], obstacles: dict[str, str]) -> str:
    few = [f"{layer} has {before} channels, of which the share is none" for layer, (before, _) in widths.items()]
    reasons = [*few, *(f"{layer}: {obstacle}" for layer, obstacle in obstacles.items())]
    return "; ".join(reasons) or "it has no convolution or dense layer whose channels could be followed"
