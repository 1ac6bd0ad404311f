"""PyTorch networks are made smaller as Keras's are, and what is cut follows their graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.compilers.conftest import CLASSES
from tests.needs import need_torch

from edgerig.artifact import Artifact, Preprocessing
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.chains import compile_chains, plan_chains
from edgerig.compilers.compression.cluster import Cluster, ClusterSettings, clusters_of
from edgerig.compilers.compression.prune import Prune, PruneSettings, magnitude_mask, packed_size
from edgerig.compilers.compression.prune_channels import PruneChannels, PruneChannelsSettings
from edgerig.datasets.base import Dataset
from edgerig.errors import ArtifactCheckError, CompileError, IncompatibleError
from edgerig.models.files import open_artifact
from edgerig.models.torch.engine import deterministic
from edgerig.models.torch.files import load_program, program_of, save_program
from edgerig.progress import Progress
from edgerig.testing.contracts.compiler import CompilerContract

need_torch()

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from edgerig.compilers.compression.torch_channels import Walk  # noqa: E402
from edgerig.compilers.compression.torch_graph import unlifted  # noqa: E402
from edgerig.compilers.compression.torch_network import TorchNetwork  # noqa: E402
from edgerig.compilers.compression.torch_smaller import pruned  # noqa: E402

SHAPE = (1, 1, 12, 12)
#: Inputs of programs, which take one sample.
SAMPLES = [torch.from_numpy(each) for each in np.random.default_rng(0).random((4, *SHAPE), np.float32)]


def small_net() -> Any:
    """Convolution, normalization, depthwise convolution of two outputs a channel, pooling, dense layers."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, padding=1, groups=8),
        nn.ReLU6(),
        nn.MaxPool2d(2),
        nn.Dropout(0.1),
        nn.Flatten(),
        nn.Linear(16 * 25, 16),
        nn.ReLU(),
        nn.Linear(16, 4),
        nn.Softmax(-1),
    )


class Branching(nn.Module):  # type: ignore[misc]  # PyTorch has no types where it is missing
    """Residual sums, a concatenation, gates, a transposed convolution, and sizes of the batch as literals."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 6, 3, padding=1)
        self.within, self.back = nn.Conv2d(6, 10, 3, padding=1), nn.Conv2d(10, 6, 3, padding=1)
        self.norm, self.scale = nn.BatchNorm2d(6), nn.Parameter(torch.linspace(0.5, 1.5, 6).reshape(6, 1, 1))
        self.left, self.right = nn.Conv2d(6, 4, 1), nn.Conv2d(6, 5, 3, padding=1)
        self.gate, self.act = nn.Linear(9, 9), nn.PReLU(9)
        self.up = nn.ConvTranspose2d(9, 7, 2, stride=2)
        self.dense, self.end = nn.Linear(7 * 12 * 12, 12), nn.Linear(12, 4)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(pictures))
        x = torch.relu(x + self.scale * self.norm(self.back(functional.silu(self.within(x)))))
        x = functional.avg_pool2d(functional.pad(x, [1, 1, 1, 1]), 2, padding=0, stride=2)
        x = torch.cat([self.left(x), functional.gelu(self.right(x))], dim=1)[:, :, :6, :6].contiguous()
        x = self.act(x * torch.sigmoid(self.gate(x.mean([2, 3]))).unsqueeze(-1).unsqueeze(-1))
        x = self.up(x)
        x = x.permute(0, 2, 3, 1).reshape(x.size(0), -1)
        logits: torch.Tensor = self.end(torch.tanh(self.dense(x)))
        return logits


class Grouped(nn.Module):  # type: ignore[misc]  # PyTorch has no types where it is missing
    """Groups of which each loses the same channels, a shuffle, groups that go as a whole, parts, groups transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.grouped = nn.Conv2d(1, 12, 3, padding=1), nn.Conv2d(12, 16, 3, groups=2)
        self.many, self.back = nn.Conv2d(16, 24, 1, groups=8), nn.Conv2d(24, 10, 1)
        self.up, self.end = nn.ConvTranspose2d(10, 8, 2, stride=2, groups=2), nn.Linear(8, 4)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.grouped(self.first(pictures)))
        x = x.reshape(1, 2, 8, 10, 10).transpose(1, 2).reshape(1, 16, 10, 10)
        left, right = self.back(torch.relu(self.many(x))).chunk(2, dim=1)
        x = self.up(torch.cat([right, torch.relu(left)], dim=1))
        result: torch.Tensor = self.end(x.mean([2, 3]))
        return result


class Sequences(nn.Module):  # type: ignore[misc]  # PyTorch has no types where it is missing
    """Patches, each normalized and through two dense layers, of which only what is between them can go."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm = nn.Conv2d(1, 8, 4, stride=4), nn.LayerNorm(8)
        self.wide, self.narrow, self.end = nn.Linear(8, 12), nn.Linear(12, 8), nn.Linear(8, 4)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        x = self.patches(pictures).flatten(2).transpose(1, 2)
        x = x + self.narrow(functional.gelu(self.wide(self.norm(x))))
        result: torch.Tensor = self.end(x.mean(1))
        return result


class Obstacles(nn.Module):  # type: ignore[misc]  # PyTorch has no types where it is missing
    """What cannot be followed: a kernel that is computed, a layer used twice, a normalization of channels."""

    def __init__(self) -> None:
        super().__init__()
        self.free, self.first, self.computed = nn.Conv2d(1, 6, 1), nn.Conv2d(6, 8, 3), nn.Conv2d(8, 8, 1, groups=2)
        self.apart, self.twice, self.normed = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1), nn.Linear(8, 8)
        self.norm, self.end = nn.LayerNorm(8), nn.Linear(8, 4)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        x = functional.conv2d(self.first(self.free(pictures)), self.computed.weight * 2, groups=2)
        x = self.apart(x).reshape(1, 2, 2, 2, 10, 10).transpose(1, 3).reshape(1, 8, 10, 10)
        x = self.twice(self.twice(x)).mean([2, 3])
        result: torch.Tensor = self.end(self.norm(self.normed(x)))
        return result


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Artifact]:
    """Writes a module as a program of torch.export, as an artifact for the blobs."""

    def save(module: Any, shape: tuple[int, ...] = SHAPE) -> Artifact:
        path = tmp_path_factory.mktemp("torch") / "net.pt2"
        save_program(program_of(module, shape), path)
        return open_artifact(path, preprocessing=Preprocessing(scale=1 / 255), classes=CLASSES)

    return save


@pytest.fixture(scope="module")
def torch_net(saved: Callable[..., Artifact]) -> Artifact:
    with deterministic(3):
        return saved(with_statistics(small_net()))


def with_statistics(module: Any) -> Any:
    """The module, its normalizations with statistics and weights that differ from channel to channel."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for values in (part.running_mean, part.running_var, part.weight, part.bias):
                nn.init.uniform_(values, 0.5, 1.5)
    return module


def kernels(artifact: Artifact) -> dict[str, Any]:
    return TorchNetwork.load(Path(artifact.path), artifact.name).kernels()


class TorchContract(CompilerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def artifact(cls, torch_net: Artifact) -> Artifact:
        return torch_net

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls, blobs: Dataset) -> Dataset:
        return blobs


class TestPruneOfTorch(TorchContract):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return Prune(PruneSettings(share=0.75, epochs=1)).for_format("torch")

    def test_zeros_stay_zero_while_the_others_are_trained(self, artifact: Artifact, compiled: Artifact) -> None:
        before, after = kernels(artifact), kernels(compiled)
        assert list(before) == ["0.weight", "3.weight", "8.weight", "10.weight"]
        for name, kernel in before.items():
            mask = magnitude_mask(kernel, 0.75)
            assert not after[name][~mask].any(), name
            assert (after[name][mask] != kernel[mask]).any(), name

    def test_normalizations_learn_statistics_of_batches(self, artifact: Artifact, compiled: Artifact) -> None:
        states = [load_program(Path(each.path)).state_dict for each in (artifact, compiled)]
        for name in ("1.running_mean", "1.running_var", "1.weight"):
            assert not torch.equal(states[0][name], states[1][name]), name

    def test_the_sparsity_and_the_packed_size_are_recorded(self, artifact: Artifact, compiled: Artifact) -> None:
        record, arrays = compiled.origins[-1].options, kernels(compiled).values()
        assert record["sparsity"] == pytest.approx(sum((a == 0).sum() for a in arrays) / sum(a.size for a in arrays))
        assert record["gzip_bytes"] == [packed_size(artifact.read()), packed_size(compiled.read())]
        assert record["gzip_bytes"][1] < record["gzip_bytes"][0]


class TestClusterOfTorch(TorchContract):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return Cluster(ClusterSettings(values=6, epochs=1)).for_format("torch")

    def test_weights_of_a_cluster_stay_equal_while_they_are_trained(
        self, artifact: Artifact, compiled: Artifact
    ) -> None:
        after = kernels(compiled)
        for name, kernel in kernels(artifact).items():
            centroids, members = clusters_of(kernel, 6)
            trained = [np.unique(after[name][members == number]) for number in range(len(centroids))]
            assert all(len(values) <= 1 for values in trained), name
            moved = [abs(values[0] - start) for values, start in zip(trained, centroids, strict=True) if len(values)]
            assert max(moved) > 1e-4, name
        assert compiled.origins[-1].options["distinct_values"] == {n: len(np.unique(k)) for n, k in after.items()}


class TestPruneChannelsOfTorch(TorchContract):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return PruneChannels(PruneChannelsSettings(share=0.5, epochs=1)).for_format("torch")

    def test_macs_and_parameters_fall_as_counted_by_hand(self, compiled: Artifact) -> None:
        """Of 8 channels (3x3 on 10x10), each with two depthwise ones, and 16 units half remain."""
        record = compiled.origins[-1].options
        assert record["channels"] == {"0": [8, 4], "8": [16, 8]}
        assert record["left_alone"] == {"10": "its channels meet softmax (softmax)"}
        sizes = ((8, 16), (4, 8))
        assert record["macs"] == [100 * 9 * c + 100 * 9 * 2 * c + 2 * c * 25 * u + u * 4 for c, u in sizes]
        parameters = [9 * c + 2 * c + 20 * c + (2 * c * 25 + 1) * u + (u + 1) * 4 for c, u in sizes]
        assert record["parameters"] == parameters


@pytest.mark.parametrize("make", [small_net, Branching, Grouped, Sequences])
def test_the_smaller_network_is_the_one_whose_removed_channels_nobody_reads(make: Callable[[], Any]) -> None:
    """In the network before it all weights that read a removed channel are 0: both give the same."""
    with deterministic(5):
        program = program_of(with_statistics(make()), SHAPE)
    smaller, widths, obstacles = pruned(program, 0.5)
    module = unlifted(program)
    walk = Walk(module)
    gone = walk.channels.removed(0.5)
    with torch.no_grad():
        for cut in walk.channels.cuts:
            # Kernels have their outputs first, those of transposed convolutions second; "3" is a depthwise one.
            if walk.state[cut.weight].ndim in (2, 4) and cut.axis == (cut.weight != "up.weight"):
                stays = torch.from_numpy(np.isin(walk.channels.classes(cut.labels), sorted(gone), invert=True))
                value = module.get_parameter(cut.weight)
                value.mul_(stays.reshape([-1 if i == cut.axis else 1 for i in range(value.ndim)]))
        for sample in SAMPLES:
            torch.testing.assert_close(smaller.module()(sample), module(sample), rtol=1e-4, atol=1e-6)
    if make is Sequences:
        assert widths == {"wide": (12, 6)}
        assert set(obstacles) == {"patches", "narrow", "end"}
    if make is Grouped:
        assert widths == {"first": (12, 6), "grouped": (16, 8), "many": (24, 12), "back": (10, 6), "up": (8, 4)}
        assert smaller.state_dict["many.weight"].shape == (12, 2, 1, 1), "whole groups went"
        assert smaller.state_dict["grouped.weight"].shape == (8, 3, 3, 3), "each of two groups lost the same"
        assert smaller.state_dict["up.weight"].shape == (6, 2, 2, 2)
        assert set(obstacles) == {"end"}
    if make is Branching:
        alone = {"first": (6, 3), "within": (10, 5), "back": (6, 3), "up": (7, 4), "dense": (12, 6), "gate": (9, 5)}
        joined = [widths.pop("left")[1], widths.pop("right")[1]]
        assert widths == alone
        assert sum(joined) == 5
        assert set(obstacles) == {"end"}
        first, back = (smaller.state_dict[f"{name}.bias"] for name in ("first", "back"))
        assert [torch.isin(kept, program.state_dict[f"{name}.bias"]).all() for name, kept in
                (("first", first), ("back", back))] == [True, True]  # fmt: skip
        assert smaller.state_dict["scale"].shape == (3, 1, 1)


def test_a_share_of_nothing_changes_nothing(torch_net: Artifact, blobs: Dataset, tmp_path: Path) -> None:
    for compiler in (
        Prune(PruneSettings(share=0.0, epochs=0)),
        PruneChannels(PruneChannelsSettings(share=0.0, epochs=0)),
    ):
        compiled = compiler.compile(torch_net, tmp_path / compiler.name, blobs)
        assert compiled.format == "torch"
        for name, array in kernels(torch_net).items():
            np.testing.assert_array_equal(kernels(compiled)[name], array)


def test_what_cannot_be_followed_stays_and_is_named(
    saved: Callable[..., Artifact], blobs: Dataset, tmp_path: Path, heard: Any
) -> None:
    settings = PruneChannelsSettings(share=0.5, epochs=0)
    compiled = PruneChannels(settings).compile(saved(Obstacles()), tmp_path / "out", blobs, heard)
    record = compiled.origins[-1].options
    assert record["channels"] == {"free": [6, 3]}
    assert record["left_alone"] == {
        "first": "its channels meet conv2d_2 (conv2d)",
        "apart": "its channels meet reshape (reshape)",
        "twice": "twice.weight is used 2 times",
        "normed": "its channels meet layer_norm (layer_norm)",
        "end": "its channels are an output of the network",
    }
    assert any("normed keeps its channels" in line and "layer_norm" in line for line in heard.lines)


def test_groups_cost_less_as_counted_by_hand(saved: Callable[..., Artifact], tmp_path: Path) -> None:
    with deterministic(5):
        artifact = saved(Grouped())
    record = PruneChannels(PruneChannelsSettings(share=0.5, epochs=0)).compile(artifact, tmp_path).origins[-1].options
    counted = [
        144 * 9 * first + 100 * (9 * first // 2 * grouped + 2 * many + many * back + 4 * back * up // 2) + up * 4
        for first, grouped, many, back, up in ((12, 16, 24, 10, 8), (6, 8, 12, 6, 4))
    ]
    assert record["macs"] == counted
    assert record["left_alone"] == {"end": "its channels are an output of the network"}


def test_a_network_of_one_layer_has_no_channel_to_spare(
    saved: Callable[..., Artifact], blobs: Dataset, tmp_path: Path
) -> None:
    artifact = saved(nn.Sequential(nn.Flatten(), nn.Linear(144, 4)))
    with pytest.raises(CompileError, match="1: its channels are an output of the network"):
        PruneChannels().compile(artifact, tmp_path / "out", blobs)


@pytest.mark.slow
def test_fine_tuning_makes_the_loss_smaller_of_logits_too(
    saved: Callable[..., Artifact], blobs: Dataset, tmp_path: Path
) -> None:
    """A program whose `forward` has the batch as a literal, and ends in logits."""
    with deterministic(4):
        artifact = saved(Branching())
    samples, losses = blobs.split("train"), []
    pictures = torch.from_numpy(np.moveaxis(samples.inputs(slice(None), artifact.preprocessing), -1, 1).copy())
    for epochs in (0, 3):
        settings = PruneChannelsSettings(share=0.5, epochs=epochs, learning_rate=0.01)
        compiled = PruneChannels(settings).compile(artifact, tmp_path / str(epochs), blobs)
        module = unlifted(load_program(Path(compiled.path)))
        with torch.no_grad():
            logits = torch.cat([module(picture[None]) for picture in pictures])
        losses.append(float(functional.cross_entropy(logits, torch.from_numpy(samples.labels))))
    assert losses[1] < 0.9 * losses[0]


def test_training_that_makes_it_worse_is_a_warning(
    saved: Callable[..., Artifact], blobs: Dataset, tmp_path: Path
) -> None:
    with deterministic(6):
        artifact = saved(nn.Sequential(nn.Flatten(), nn.Linear(144, 16), nn.ReLU(), nn.Linear(16, 4)))
    tamed, wild = (
        Cluster(ClusterSettings(values=16, epochs=5, learning_rate=rate)).compile(artifact, tmp_path / str(rate), blobs)
        for rate in (0.01, 1e9)
    )
    assert tamed.origins[-1].options.get("warning") is None
    warning = wild.origins[-1].options["warning"]
    assert "has the training diverged?" in warning or "Training made it worse" in warning


class AcrossTheBatch(nn.Module):  # type: ignore[misc]  # PyTorch has no types where it is missing
    """Its outputs depend on all samples that come together."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(144, 4)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.dense(pictures.flatten(1)).softmax(0)
        return result


class OfABatchOfOne(nn.Module):  # type: ignore[misc]  # PyTorch has no types where it is missing
    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(144, 4)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.dense(pictures.flatten())[None]
        return result


@pytest.mark.parametrize("module", [AcrossTheBatch(), OfABatchOfOne()], ids=["across", "one"])
def test_a_network_of_a_single_sample_is_not_fine_tuned(
    module: Any, saved: Callable[..., Artifact], blobs: Dataset, tmp_path: Path
) -> None:
    artifact = saved(module)
    with pytest.raises(IncompatibleError, match="exported for one sample, and cannot be trained on several") as refusal:
        Prune().compile(artifact, tmp_path / "out", blobs)
    assert "epochs=0" in str(refusal.value.hint)


def test_other_classes_and_other_samples_are_refused(
    saved: Callable[..., Artifact], blobs: Dataset, blobs_with: Callable[..., Dataset], tmp_path: Path
) -> None:
    with pytest.raises(IncompatibleError, match="has 5 outputs, and dataset 'blobs' 4 classes"):
        Prune().compile(saved(nn.Sequential(nn.Flatten(), nn.Linear(144, 5))), tmp_path / "out", blobs)
    with pytest.raises(IncompatibleError):
        Prune().compile(saved(small_net()), tmp_path / "out", blobs_with(shape=(10, 12, 1)))


def test_weights_of_other_types_are_refused(saved: Callable[..., Artifact], blobs: Dataset, tmp_path: Path) -> None:
    class Half(nn.Module):  # type: ignore[misc]  # PyTorch has no types where it is missing
        def __init__(self) -> None:
            super().__init__()
            self.dense = nn.Linear(144, 4).half()

        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.dense(pictures.flatten(1).half()).float()
            return result

    with pytest.raises(IncompatibleError, match=r"dense\.weight of net is float16"):
        Prune(PruneSettings(epochs=0)).compile(saved(Half()), tmp_path / "out", blobs)


def test_files_that_are_not_as_promised_are_refused(torch_net: Artifact) -> None:
    path = Path(torch_net.path)
    with pytest.raises(ArtifactCheckError, match=r"0\.weight of the pruned net has 0 zeros among 72 weights"):
        Prune(PruneSettings(share=0.5)).for_format("torch")._judge(torch_net, path)  # type: ignore[attr-defined]
    with pytest.raises(ArtifactCheckError, match="distinct values, more than the 16"):
        Cluster().for_format("torch")._judge(torch_net, path)  # type: ignore[attr-defined]
    with pytest.raises(ArtifactCheckError, match="not smaller"):
        PruneChannels().for_format("torch")._judge(torch_net, path)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_what_is_pruned_stays_so_in_chains(torch_net: Artifact, blobs: Dataset, tmp_path: Path) -> None:
    """As far as integers in ONNX, by training them too."""
    need_torch("onnxscript")
    targets = ["prune+cluster+onnx-int8", "prune+prune-channels+onnx", "prune+qat-onnx-int8"]
    options = {"prune.share": 0.75, "epochs": 1, "calibration_samples": 20, "validation_samples": 40}
    files, failures = compile_chains(
        plan_chains(targets, options, torch_net, blobs), torch_net, tmp_path, blobs, Progress()
    )
    assert failures == []
    shares = {
        file.compiler: file.artifact.origins[-1].options["zero_weights"] for file in files if "+" in file.compiler
    }
    assert {"prune+cluster+onnx-int8", "prune+prune-channels+onnx", "prune+qat-onnx-int8"} <= shares.keys()
    assert all(after > 0.7 for _, after in shares.values())
