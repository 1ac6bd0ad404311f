"""ExecuTorch's programs: kept in float32, or really in int8; what XNNPACK does not take is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.needs import need_engine

from edgerig.artifact import Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.chains import for_dataset
from edgerig.compilers.executorch import ExecuTorch, ExecuTorchInt8, ExecuTorchSettings
from edgerig.datasets.base import Dataset
from edgerig.errors import ArtifactCheckError, CompileError
from edgerig.models.files import open_artifact
from edgerig.models.graph.pte_file import read_pte
from edgerig.progress import Progress
from edgerig.runtimes.executorch import ExecuTorch as Runtime
from edgerig.testing.contracts.compiler import CompilerContract
from edgerig.testing.networks.torch_programs import convolutional_pt2

need_engine("executorch", "executorch")


@pytest.fixture(scope="session")
def torch_program(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return open_artifact(convolutional_pt2(tmp_path_factory.mktemp("torch") / "net.pt2"))


class OnTorch(CompilerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def artifact(cls, torch_program: Artifact) -> Artifact:
        return torch_program


class TestExecuTorch(OnTorch):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return ExecuTorch()

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls) -> None:
        return None


class TestExecuTorchInt8(OnTorch):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return ExecuTorchInt8()

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls, blobs: Dataset) -> Dataset:
        return blobs


class Words(Progress):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def log(self, message: str) -> None:
        self.said.append(message)


def outputs(artifact: Artifact, inputs: Any) -> Any:
    with Runtime() as runtime:
        runtime.load(Path(artifact.path))
        return runtime.run([np.ascontiguousarray(inputs)]).outputs[0]


def test_int8_computes_in_int8_what_float32_does_nearly(
    torch_program: Artifact, blobs: Dataset, tmp_path: Path
) -> None:
    network = for_dataset(torch_program, blobs)
    exact, quantized = ExecuTorch().compile(network, tmp_path), ExecuTorchInt8().compile(network, tmp_path, blobs)
    contents = read_pte(Path(quantized.path).read_bytes(), "net")
    weighted = [
        operator for operator in contents.operators if "Conv2d" in operator.op or operator.op == "FullyConnected"
    ]
    assert [operator.dtype for operator in weighted] == ["int8"] * 3
    assert {operator.dtype for operator in contents.operators if operator.op == "Gelu"} == {"float32"}
    images = blobs.split("test").inputs(slice(0, 50), network.preprocessing).transpose(0, 3, 1, 2)
    error = np.abs(outputs(quantized, images) - outputs(exact, images)).max()
    assert 0 < error < 0.02


def save(network: Any, shape: tuple[int, ...], path: Path) -> Artifact:
    from edgerig.models.torch.files import program_of, save_program

    save_program(program_of(network, shape), path)
    return open_artifact(path)


def test_what_stays_on_the_kernels_is_said_and_nothing_taken_is_an_error(tmp_path: Path) -> None:
    import torch
    from torch import nn

    class Cumulated(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cumsum(x, dim=1)

    torch.manual_seed(0)
    half = save(nn.Sequential(nn.Linear(8, 6), Cumulated()), (1, 8), tmp_path / "half.pt2")
    words = Words()
    ExecuTorch().compile(half, tmp_path / "half", progress=words)
    assert any("1 of 2 operators stay on ExecuTorch's kernels: cumsum" in text for text in words.said), words.said
    none = save(Cumulated(), (1, 8), tmp_path / "none.pt2")
    with pytest.raises(CompileError, match="XNNPACK takes none of the operators of none: cumsum") as caught:
        ExecuTorch().compile(none, tmp_path / "none")
    assert "backend=portable" in (caught.value.hint or "")
    compiled = ExecuTorch(ExecuTorchSettings(backend="portable")).compile(none, tmp_path / "portable")
    x = np.arange(8, dtype=np.float32)[None]
    np.testing.assert_array_equal(outputs(compiled, x), np.cumsum(x, axis=1))


def test_a_network_in_which_nothing_was_quantized_is_no_int8_network(tmp_path: Path, blobs: Dataset) -> None:
    from torch import nn

    network = save(nn.Sequential(nn.Flatten(), nn.Softmax(-1)), (1, 1, 12, 12), tmp_path / "net.pt2")
    with pytest.raises(ArtifactCheckError, match="should be int8 and is float32"):
        ExecuTorchInt8().compile(network, tmp_path / "out", blobs)
    assert list(tmp_path.glob("out/*")) == []
