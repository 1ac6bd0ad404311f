"""Weight clustering: each kernel of a network has few distinct values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.compilers.compression.base import Compressor, OfTorch
from edgerig.compilers.compression.fine_tuning import fine_tune
from edgerig.compilers.compression.network import Held, Network, kernels_of, masks_of_zeros
from edgerig.compilers.compression.prune import packed_size
from edgerig.compilers.compression.settings import FineTuningSettings
from edgerig.datasets.base import Dataset
from edgerig.errors import ArtifactCheckError, IncompatibleError
from edgerig.plugins import Settings
from edgerig.progress import Progress

#: Most rounds of k-means; it ends earlier where no weight changes its cluster any more.
MOST_ROUNDS = 100


class ClusterSettings(FineTuningSettings, frozen=True, kw_only=True):
    """Settings of weight clustering."""

    values: Annotated[int, msgspec.Meta(description="distinct values of each kernel, at most", ge=1, le=65536)] = 16


class Cluster(Compressor):
    """Replaces the weights of each kernel by the means of clusters, and trains the means.

    The file stores every weight as before: it is smaller only once it is packed.
    """

    name = "cluster"
    summary = "Keras or PyTorch with few distinct weights in each kernel, fine-tuned: smaller only once it is packed"
    trains_apart = False
    Settings: ClassVar[type[Settings]] = ClusterSettings

    def _compress(
        self, network: Network, artifact: Artifact, dataset: Dataset | None, progress: Progress
    ) -> tuple[Network, dict[str, Any]]:
        kernels = kernels_of(network, artifact, self.name)
        most = max(len(np.unique(array)) for array in kernels.values())
        if most <= self.settings.values:
            raise IncompatibleError(
                f"No kernel of {artifact.name} has more than {most} distinct values: {self.settings.values} "
                "clusters would change nothing.",
                "Choose fewer values." if most > 1 else "Name a network that was trained.",
            )
        zeros = masks_of_zeros(network) if self.settings.keep_zeros else {}
        members = {}
        with progress.task(f"cluster the weights of {artifact.name}", len(kernels)) as task:
            for name, array in kernels.items():
                centroids, nearest = self._clusters(array, zeros.get(name), artifact)
                kernels[name] = centroids.astype(array.dtype)[nearest]
                members[name] = nearest
                task.advance()
        network.put(kernels)
        return network, fine_tune(network, artifact, dataset, self.settings, progress, Held(zeros, members))

    def _clusters(
        self, array: NDArray[Any], mask: NDArray[np.bool_] | None, artifact: Artifact
    ) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """As `clusters_of`; weights that are 0 by ``mask`` are a cluster of their own, whose value is 0."""
        if mask is None or not mask.any():
            return clusters_of(array, self.settings.values)
        if self.settings.values == 1:
            raise IncompatibleError(
                f"{artifact.name} has weights that are 0 and others: with one value they cannot stay so.",
                "Give it values=2, or keep_zeros=false.",
            )
        centroids, nearest = clusters_of(array[mask], self.settings.values - 1)
        members = np.full(array.shape, len(centroids), np.int32)
        members[mask] = nearest
        return np.append(centroids, 0.0), members

    def _judge(self, artifact: Artifact, path: Path) -> dict[str, Any]:
        distinct = {}
        for name, array in self.network().load(path, artifact.name).kernels().items():
            distinct[name] = len(np.unique(array))
            if distinct[name] > self.settings.values:
                raise ArtifactCheckError(
                    f"{name} of the clustered {artifact.name} has {distinct[name]} distinct values, more than the "
                    f"{self.settings.values} that were asked for."
                )
        return {
            "distinct_values": distinct,
            "gzip_bytes": [packed_size(artifact.read()), packed_size(path.read_bytes())],
        }


class TorchCluster(OfTorch, Cluster):
    """`Cluster` of PyTorch networks."""


Cluster.others = {"torch": TorchCluster}


def clusters_of(weights: NDArray[Any], count: int) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """At most ``count`` centroids, ascending, and the cluster of each weight, by k-means (Lloyd, 1982).

    The first centroids lie evenly between the least and the greatest weight, which keeps the few large weights (Han et
    al., "Deep Compression", 2016). Where there are no more distinct weights than ``count``, these are the centroids.

    >>> centroids, members = clusters_of(np.array([0.0, 0.1, 0.9, 1.1]), 2)
    >>> centroids.round(3).tolist(), members.tolist()
    ([0.05, 1.0], [0, 0, 1, 1])
    """
    values, inverse, counts = np.unique(weights.astype(np.float64), return_inverse=True, return_counts=True)
    centroids = values if len(values) <= count else np.linspace(values[0], values[-1], count)
    nearest = np.full(len(values), -1)
    for _ in range(MOST_ROUNDS):
        # Values and centroids ascend: the borders between clusters are the middles between centroids.
        previous, nearest = nearest, np.searchsorted((centroids[1:] + centroids[:-1]) / 2, values)
        if np.array_equal(previous, nearest):
            break
        sizes = np.bincount(nearest, counts, len(centroids))
        sums = np.bincount(nearest, counts * values, len(centroids))
        centroids = np.where(sizes > 0, sums / np.maximum(sizes, 1), centroids)
    return centroids, nearest[inverse].reshape(weights.shape).astype(np.int32)
