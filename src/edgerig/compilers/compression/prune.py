"""Unstructured pruning: single connections of a network become 0."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.compilers.compression.base import Compressor, OfTorch
from edgerig.compilers.compression.fine_tuning import fine_tune
from edgerig.compilers.compression.network import Held, Network, kernels_of, masks_of_zeros
from edgerig.compilers.compression.settings import FineTuningSettings
from edgerig.datasets.base import Dataset
from edgerig.errors import ArtifactCheckError, IncompatibleError
from edgerig.plugins import Settings
from edgerig.progress import Progress


class PruneSettings(FineTuningSettings, frozen=True, kw_only=True):
    """Settings of the removal of connections."""

    share: Annotated[
        float,
        msgspec.Meta(description="share of the weights of each kernel that become 0, rounded down", ge=0),
        msgspec.Meta(lt=1),
    ] = 0.5


class Prune(Compressor):
    """Sets the weights of the least magnitude in each kernel to 0, and keeps them so while the others are trained.

    Dense engines multiply by zeros as by other numbers: neither time nor memory falls, only what the file takes once
    it is packed.
    """

    name = "prune"
    summary = "Keras or PyTorch with a share of its weights 0, fine-tuned: smaller only once it is packed"
    Settings: ClassVar[type[Settings]] = PruneSettings

    def _compress(
        self, network: Network, artifact: Artifact, dataset: Dataset | None, progress: Progress
    ) -> tuple[Network, dict[str, Any]]:
        kernels = kernels_of(network, artifact, self.name)
        largest = max(array.size for array in kernels.values())
        if self.settings.share and not removed_of(largest, self.settings.share):
            raise IncompatibleError(
                f"A share of {self.settings.share:g} is no weight of any kernel of {artifact.name}: the largest of "
                f"its {len(kernels)} has {largest} weights.",
                f"Choose a larger share, from {1 / largest:.2g} on.",
            )
        masks = {name: magnitude_mask(array, self.settings.share) for name, array in kernels.items()}
        network.put({name: np.where(mask, kernels[name], 0) for name, mask in masks.items()})
        zeros = masks_of_zeros(network) if self.settings.keep_zeros else masks
        return network, fine_tune(network, artifact, dataset, self.settings, progress, Held(masks=zeros))

    def _judge(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        zeros, weights, layers = 0, 0, {}
        for name, array in self.network().load(path, artifact.name).kernels().items():
            missing = int((array == 0).sum())
            zeros, weights = zeros + missing, weights + array.size
            layers[name] = round(missing / array.size, 6)
            if missing < removed_of(array.size, self.settings.share):
                raise ArtifactCheckError(
                    f"{name} of the pruned {artifact.name} has {missing} zeros among {array.size} weights, fewer than "
                    f"the share of {self.settings.share:g} that was asked for."
                )
        return {
            "sparsity": round(zeros / max(1, weights), 6),
            "sparsity_of_kernels": layers,
            "gzip_bytes": [packed_size(artifact.read()), packed_size(path.read_bytes())],
        }


class TorchPrune(OfTorch, Prune):
    """`Prune` of PyTorch networks."""


Prune.others = {"torch": TorchPrune}


def removed_of(size: int, share: float) -> int:
    """How many of ``size`` weights a ``share`` of them is, rounded down."""
    # A product of binary fractions may lie a hair below a whole number: 0.3 of 10 weights are 3.
    return int(share * size + 1e-9)


def magnitude_mask(weights: NDArray[Any], share: float) -> NDArray[np.bool_]:
    """False for the ``share`` of ``weights`` of the least magnitude, rounded down; of equal ones the first go first.

    >>> magnitude_mask(np.array([0.5, -0.1, 0.2, -3.0]), 0.5).tolist()
    [True, False, False, True]
    """
    mask = np.ones(weights.size, np.bool_)
    mask[np.argsort(np.abs(weights).reshape(-1), kind="stable")[: removed_of(weights.size, share)]] = False
    return mask.reshape(weights.shape)


def packed_size(data: bytes) -> int:
    """Bytes that ``data`` takes by gzip."""
    return len(gzip.compress(data, mtime=0))
