"""Connections of the least magnitude become 0, and stay so."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.compilers.compression.compressor_contract import CompressorContract

import edgerig
from edgerig.artifact import Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.compression.cluster import Cluster, ClusterSettings
from edgerig.compilers.compression.kernels import kernels_of
from edgerig.compilers.compression.prune import Prune, PruneSettings, magnitude_mask
from edgerig.compilers.compression.prune_channels import PruneChannels, PruneChannelsSettings
from edgerig.datasets.base import Dataset
from edgerig.errors import ArtifactCheckError, EdgerigError, IncompatibleError
from edgerig.models.keras.engine import import_keras
from edgerig.models.keras.files import load_keras
from edgerig.settings import convert_settings


def arrays_of(artifact: Artifact) -> dict[str, Any]:
    return {name: np.asarray(kernel.value) for name, kernel in kernels_of(load_keras(Path(artifact.path))).items()}


@pytest.fixture(scope="module")
def pruned(keras_net: Artifact, blobs: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """Three quarters of its weights are 0."""
    return Prune(PruneSettings(share=0.75, epochs=0)).compile(keras_net, tmp_path_factory.mktemp("pruned"), blobs)


@pytest.mark.parametrize(
    "compiler",
    [
        Prune(PruneSettings(share=0.75, epochs=0)),
        PruneChannels(PruneChannelsSettings(share=0.5, epochs=0)),
        Cluster(ClusterSettings(values=4, epochs=0)),
    ],
    ids=lambda compiler: compiler.name,
)
def test_without_training_no_dataset_is_needed(
    compiler: ModelCompiler, keras_net: Artifact, blobs: Dataset, tmp_path: Path
) -> None:
    """Networks whose samples no dataset has can be made smaller so; with one the same file is made."""
    alone = compiler.compile(keras_net, tmp_path / "alone")
    assert arrays_of(alone).keys() == arrays_of(keras_net).keys()
    beside = compiler.compile(keras_net, tmp_path / "beside", blobs)
    for name, kernel in arrays_of(alone).items():
        np.testing.assert_array_equal(kernel, arrays_of(beside)[name])
    assert "calibration" not in beside.origins[-1].options
    assert type(compiler)().needs_dataset


class TestPrune(CompressorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return Prune(PruneSettings(share=0.75, epochs=1))

    def test_zeros_stay_zero_while_the_others_are_trained(self, artifact: Artifact, compiled: Artifact) -> None:
        before, after = arrays_of(artifact), arrays_of(compiled)
        assert len(before) == 4
        for name, kernel in before.items():
            mask = magnitude_mask(kernel, 0.75)
            assert np.count_nonzero(~mask) == kernel.size * 3 // 4
            assert not after[name][~mask].any(), name
            assert (after[name][mask] != kernel[mask]).any(), name

    def test_the_sparsity_and_the_packed_size_are_recorded(self, artifact: Artifact, compiled: Artifact) -> None:
        record, kernels = compiled.origins[-1].options, arrays_of(compiled)
        zeros, weights = (
            sum(count) for count in zip(*((np.sum(k == 0), k.size) for k in kernels.values()), strict=True)
        )
        assert record["sparsity"] == pytest.approx(zeros / weights, abs=1e-6)
        assert record["sparsity"] >= 0.75
        assert set(record["sparsity_of_kernels"]) == set(kernels)
        packed = [len(gzip.compress(item.read(), mtime=0)) for item in (artifact, compiled)]
        assert record["gzip_bytes"] == packed
        assert packed[1] < packed[0]


def test_a_share_of_nothing_changes_nothing(keras_net: Artifact, blobs: Dataset, tmp_path: Path) -> None:
    compiled = Prune(PruneSettings(share=0.0, epochs=0)).compile(keras_net, tmp_path, blobs)
    for after, before in zip(arrays_of(compiled).values(), arrays_of(keras_net).values(), strict=True):
        np.testing.assert_array_equal(after, before)


def test_the_least_magnitudes_go_first() -> None:
    kernel = np.array([[0.3, -0.1], [0.1, -2.0], [0.0, 0.2]])
    assert magnitude_mask(kernel, 0.5).tolist() == [[True, False], [False, True], [False, True]]
    # Three tenths of ten are three, though 0.3 * 10 may be less in binary fractions.
    assert np.count_nonzero(~magnitude_mask(np.arange(1.0, 11.0), 0.3)) == 3


def test_a_file_with_fewer_zeros_than_promised_is_refused(keras_net: Artifact) -> None:
    with pytest.raises(ArtifactCheckError, match=r"kernel of the pruned net has 0 zeros among 72 weights"):
        Prune(PruneSettings(share=0.5))._judge(keras_net, Path(keras_net.path))


@pytest.mark.slow
@pytest.mark.parametrize(
    "after",
    [
        Prune(PruneSettings(share=0.2, epochs=1)),
        Cluster(ClusterSettings(values=6, epochs=1)),
        PruneChannels(PruneChannelsSettings(share=0.25, epochs=1)),
    ],
    ids=lambda compiler: compiler.name,
)
def test_what_is_pruned_stays_so_in_what_comes_after(
    after: ModelCompiler, pruned: Artifact, blobs: Dataset, tmp_path: Path
) -> None:
    compiled = after.compile(pruned, tmp_path, blobs)
    before, now = arrays_of(pruned), arrays_of(compiled)
    assert all((now[name].shape, now[name].tolist()) != (k.shape, k.tolist()) for name, k in before.items())
    for name, kernel in before.items():
        if now[name].shape == kernel.shape:
            assert not now[name][kernel == 0].any(), name
        assert (now[name] == 0).mean() > 0.5, name
    shares = [sum((k == 0).sum() for k in each.values()) / sum(k.size for k in each.values()) for each in (before, now)]
    assert compiled.origins[-1].options["zero_weights"] == pytest.approx(shares, abs=1e-6)
    if after.name == "cluster":
        assert all(len(np.unique(kernel)) <= 6 for kernel in now.values())


@pytest.mark.slow
def test_zeros_may_be_trained_away(pruned: Artifact, blobs: Dataset, tmp_path: Path) -> None:
    settings = PruneSettings(share=0.2, epochs=1, keep_zeros=False)
    before, after = Prune(settings).compile(pruned, tmp_path, blobs).origins[-1].options["zero_weights"]
    assert before > 0.7
    assert after < 0.5


@pytest.mark.slow
def test_training_that_makes_it_worse_is_a_warning_at_every_number(
    keras_net: Artifact, blobs: Dataset, tmp_path: Path, heard: Any
) -> None:
    wild = PruneSettings(share=0.5, epochs=1, learning_rate=1e9)
    warning = Prune(wild).compile(keras_net, tmp_path, blobs, heard).origins[-1].options["warning"]
    assert "has the training diverged?" in warning
    assert any(line.startswith("(!) net: ") for line in heard.lines)


@pytest.mark.parametrize("compiler", [Prune, PruneChannels, Cluster], ids=lambda compiler: compiler.name)
def test_a_network_without_kernels_is_refused_by_name(
    compiler: type[ModelCompiler], saved: Callable[[Any], Artifact], tmp_path: Path
) -> None:
    keras = import_keras()
    layers = keras.layers
    network = keras.Sequential([keras.Input((12, 12, 1)), layers.MaxPooling2D(), layers.Flatten(), layers.ReLU()])
    made = compiler(convert_settings(compiler.Settings, {"epochs": 0}, compiler.name))
    with pytest.raises(EdgerigError, match=r"no kernel, whose weights|no convolution or dense layer") as caught:
        made.compile(saved(network), tmp_path / "out")
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_share_that_is_no_weight_is_refused_and_a_greater_one_named(keras_net: Artifact, tmp_path: Path) -> None:
    largest = max(kernel.size for kernel in arrays_of(keras_net).values())
    with pytest.raises(IncompatibleError, match=f"no weight of any kernel of net: .* has {largest} weights") as caught:
        Prune(PruneSettings(share=0.5 / largest, epochs=0)).compile(keras_net, tmp_path / "out")
    share = float(str(caught.value.hint).split()[-2])
    zeros = Prune(PruneSettings(share=share * 1.1, epochs=0)).compile(keras_net, tmp_path).origins[-1].options
    assert zeros["sparsity"] > 0


class Own(Prune):
    """A class of the user's, which works on Keras networks as the one that it derives from."""


def test_each_format_has_its_own_compiler_of_the_same_settings() -> None:
    settings = PruneSettings(share=0.1)
    assert Prune(settings).for_format("keras").makes == "keras"
    of_torch = Prune(settings).for_format("torch")
    assert (of_torch.makes, of_torch.name, of_torch.modules, of_torch.settings) == (
        "torch",
        "prune",
        ("torch",),
        settings,
    )
    assert of_torch.refuses("keras", "float32") == "compiler 'prune' reads torch, not keras"
    assert Prune().refuses("torch", "float32") is None
    assert Own().refuses("torch", "float32") == "compiler 'prune' of class Own reads keras, not torch"


def test_one_value_is_not_enough_for_zeros_and_others(pruned: Artifact, blobs: Dataset, tmp_path: Path) -> None:
    with pytest.raises(IncompatibleError, match="with one value they cannot stay so"):
        Cluster(ClusterSettings(values=1, epochs=0)).compile(pruned, tmp_path, blobs)


def test_a_clustered_network_is_not_pruned_by_training(keras_net: Artifact, blobs: Dataset, tmp_path: Path) -> None:
    clustered = Cluster(ClusterSettings(values=6, epochs=0)).compile(keras_net, tmp_path, blobs)
    with pytest.raises(IncompatibleError, match="the weights of a cluster would part"):
        Prune(PruneSettings(epochs=1)).compile(clustered, tmp_path / "a", blobs)
    pruned = Prune(PruneSettings(epochs=0)).compile(clustered, tmp_path / "b", blobs)
    assert all(len(np.unique(kernel)) <= 7 for kernel in arrays_of(pruned).values())


@pytest.mark.slow
def test_other_weights_are_no_fault_of_the_engine(keras_net: Artifact, tmp_path: Path, monkeypatch) -> None:
    """That outputs are not the reference's is named as the engine's fault, save where the compiler means it."""
    rig = {
        "name": "t",
        "model": {"file": str(keras_net.path)},
        "dataset": {"use": "random", "shape": [12, 12, 1], "samples": 10},
        "matrix": [{"compilers": [{"use": "prune", "share": 0.9, "epochs": 0}], "runtimes": ["keras"]}],
        "measure": {"rounds": 1, "seconds": 0, "warmup": 1, "profile": False, "transport_samples": 0},
    }
    blamed = []
    for meant in (True, False):
        monkeypatch.setattr(Prune, "changes_weights", meant)
        (cell,) = edgerig.run(rig, out=tmp_path / str(meant)).cells
        blamed.append(any("as its reference does" in text for text in cell.warnings))
    assert blamed == [False, True]
