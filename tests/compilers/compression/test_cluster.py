"""Each kernel has few distinct values, which k-means finds and training moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.compilers.compression.compressor_contract import CompressorContract
from tests.compilers.compression.test_prune import arrays_of

from edgerig import plugins
from edgerig.artifact import Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.compression.cluster import Cluster, ClusterSettings, clusters_of
from edgerig.errors import ArtifactCheckError, IncompatibleError


class TestCluster(CompressorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return Cluster(ClusterSettings(values=6, epochs=1))

    def test_weights_of_a_cluster_stay_equal_while_they_are_trained(
        self, artifact: Artifact, compiled: Artifact
    ) -> None:
        after = arrays_of(compiled)
        for name, kernel in arrays_of(artifact).items():
            centroids, members = clusters_of(kernel, 6)
            trained = [np.unique(after[name][members == number]) for number in range(len(centroids))]
            assert all(len(values) <= 1 for values in trained), name
            means = [
                values[0] if len(values) else centroid for values, centroid in zip(trained, centroids, strict=True)
            ]
            assert not np.allclose(means, centroids, rtol=1e-4, atol=0), name

    def test_the_distinct_values_and_the_packed_size_are_recorded(self, compiled: Artifact) -> None:
        record = compiled.origins[-1].options
        assert record["distinct_values"] == {name: len(np.unique(k)) for name, k in arrays_of(compiled).items()}
        assert max(record["distinct_values"].values()) <= 6
        assert record["gzip_bytes"][1] < record["gzip_bytes"][0]


@pytest.mark.slow
def test_clusters_are_those_of_an_independent_k_means() -> None:
    """From the same start scikit-learn comes to the same centroids."""
    from sklearn.cluster import KMeans

    weights = np.random.default_rng(5).normal(size=(40, 9))
    centroids, members = clusters_of(weights, 5)
    start = np.linspace(weights.min(), weights.max(), 5)[:, None]
    reference = KMeans(5, init=start, n_init=1, tol=0, max_iter=300).fit(weights.reshape(-1, 1))
    np.testing.assert_allclose(centroids, reference.cluster_centers_[:, 0], rtol=1e-9)
    np.testing.assert_array_equal(members.reshape(-1), reference.labels_)


def test_as_many_values_as_there_are_would_change_nothing_and_are_refused(keras_net: Artifact, tmp_path: Path) -> None:
    most = max(len(np.unique(kernel)) for kernel in arrays_of(keras_net).values())
    with pytest.raises(IncompatibleError, match=f"No kernel of net has more than {most} distinct values") as caught:
        Cluster(ClusterSettings(values=most, epochs=0)).compile(keras_net, tmp_path / "out")
    assert caught.value.hint == "Choose fewer values."
    assert not (tmp_path / "out").exists()


def test_a_file_with_more_values_than_promised_is_refused(keras_net: Artifact) -> None:
    with pytest.raises(ArtifactCheckError, match="has 72 distinct values, more than the 16"):
        Cluster()._judge(keras_net, Path(keras_net.path))


@pytest.mark.parametrize("name", ["prune-channels", "prune", "cluster"])
def test_they_are_known_by_their_names(name: str) -> None:
    assert plugins.find("compiler", name, ModelCompiler).name == name
