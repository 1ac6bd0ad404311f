"""ExecuTorch: bit for bit as by its own interface; what runs where, and in which type, read from the program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.needs import need_engine

from edgerig.compilers.executorch import ExecuTorch as Compiler
from edgerig.compilers.executorch import ExecuTorchSettings
from edgerig.errors import InferenceError
from edgerig.measure.census import Census, verdicts
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.models.files import open_artifact
from edgerig.runtimes.base import Runtime
from edgerig.runtimes.executorch import ExecuTorch, engine
from edgerig.runtimes.torch import Torch
from edgerig.testing.contracts.runtime import RuntimeContract, samples_for
from edgerig.testing.networks.torch_programs import convolutional_pt2, two_in_two_out_pt2

need_engine("executorch", "executorch")


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The networks as PyTorch has them and compiled for each backend, by name."""
    folder = tmp_path_factory.mktemp("executorch")
    source, several = convolutional_pt2(folder / "net.pt2"), two_in_two_out_pt2(folder / "several.pt2")
    compiled = {
        backend: Compiler(ExecuTorchSettings(backend=backend)).compile(open_artifact(source), folder / backend)
        for backend in ("xnnpack", "portable")
    }
    paths = {name: Path(artifact.path) for name, artifact in compiled.items()}
    both = Compiler().compile(open_artifact(several), folder / "both")
    return {**paths, "torch": source, "several": Path(both.path)}


class TestExecuTorch(RuntimeContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return ExecuTorch()

    @pytest.fixture
    def network(self, programs: dict[str, Path]) -> Path:
        return programs["xnnpack"]

    @pytest.fixture
    def network_of_several(self, programs: dict[str, Path]) -> Path:
        return programs["several"]

    @pytest.fixture
    def wrong_network(self, tmp_path: Path) -> Path:
        path = tmp_path / "broken.pte"
        path.write_bytes(b"\x30\x00\x00\x00ET12eh00" + bytes(80))
        return path

    def reference(self, path: Path, inputs: Sequence[Any]) -> list[Any]:
        import torch

        method = engine()._load_program(str(path)).load_method("forward")
        rows = [
            [output.numpy().copy() for output in method([torch.tensor(value[None]) for value in sample])]
            for sample in zip(*inputs, strict=True)
        ]
        return [np.concatenate(column) for column in zip(*rows, strict=True)]


def loaded(path: Path, **settings: Any) -> ExecuTorch:
    runtime = ExecuTorch(ExecuTorch.Settings(**settings))
    runtime.load(path)
    return runtime


@pytest.mark.parametrize("backend", ["xnnpack", "portable"])
def test_outputs_are_those_of_pytorch(programs: dict[str, Path], backend: str) -> None:
    ours, theirs = loaded(programs[backend]), Torch()
    theirs.load(programs["torch"])
    assert [spec.name for spec in ours.inputs] == [spec.name for spec in theirs.inputs]
    assert [spec.shape for spec in ours.outputs] == [spec.shape for spec in theirs.outputs]
    samples = samples_for(ours.inputs, 20)
    want = theirs.run(samples).outputs[0]
    assert np.ptp(want, axis=0).min() > 1e-3, "the outputs depend on the inputs"
    np.testing.assert_allclose(ours.run(samples).outputs[0], want, rtol=0, atol=2e-6)


def test_the_census_tells_what_xnnpack_runs_and_what_is_left_to_the_kernels(programs: dict[str, Path]) -> None:
    samples = samples_for(loaded(programs["xnnpack"]).inputs, 1)
    census = loaded(programs["xnnpack"]).census(samples)
    assert isinstance(census, Census)
    rows = {group.op: (group.placement, group.dtype, group.count) for group in census.operators}
    assert rows["FullyConnected"] == ("XnnpackBackend", "float32", 1)
    assert [verdict.outcome for verdict in verdicts(census)] == ["met"]
    portable = loaded(programs["portable"]).census(samples)
    assert isinstance(portable, Census)
    rows = {group.op: (group.placement, group.dtype, group.count) for group in portable.operators}
    assert rows["convolution"] == ("ExecuTorch's kernels", "float32", 2)
    assert portable.requested == ()


@pytest.mark.parametrize("backend", ["xnnpack", "portable"])
def test_operators_have_their_times(programs: dict[str, Path], backend: str) -> None:
    runtime = loaded(programs[backend])
    layers = runtime.profile(samples_for(runtime.inputs, 30))
    assert not isinstance(layers, Unavailable)
    assert sum("conv" in layer.op.lower() for layer in layers) == 2
    assert {layer.placement for layer in layers} == {
        "XnnpackBackend" if backend == "xnnpack" else "ExecuTorch's kernels"
    }
    arena = runtime.memory()["arena"]
    assert isinstance(arena, Measurement)
    assert arena.value >= 4 * (12 * 12 + 4)


def test_a_delegate_that_is_not_there_is_named(programs: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "other.pte"
    path.write_bytes(programs["xnnpack"].read_bytes().replace(b"XnnpackBackend", b"CoolNpuBackend"))
    with pytest.raises(
        InferenceError, match=r"compiled for CoolNpuBackend, which this ExecuTorch lacks \(it has .*Xnn"
    ):
        loaded(path)


def test_a_kernel_that_is_not_there_is_named(programs: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "other.pte"
    path.write_bytes(programs["portable"].read_bytes().replace(b"aten::convolution", b"aten::konvolution"))
    with pytest.raises(InferenceError, match=r"no kernel for aten::konvolution\.out"):
        loaded(path)


def test_inputs_lie_as_the_program_expects_them(tmp_path: Path) -> None:
    """A program that was exported with channels last refuses a tensor in another order."""
    import torch
    from torch import nn

    from edgerig.models.torch.files import save_program

    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 4 * 3, 5)).eval()
    example = torch.zeros(1, 3, 6, 5).to(memory_format=torch.channels_last)
    save_program(torch.export.export(network, (example,)), tmp_path / "last.pt2")
    runtime = loaded(Path(Compiler().compile(open_artifact(tmp_path / "last.pt2"), tmp_path / "out").path))
    (sample,) = samples_for(runtime.inputs, 3)
    with torch.no_grad():
        want = network(torch.tensor(sample)).numpy()
    np.testing.assert_allclose(runtime.run([sample]).outputs[0], want, rtol=0, atol=1e-5)
