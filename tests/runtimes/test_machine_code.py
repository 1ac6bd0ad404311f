"""IREE and TVM: machine code of ONNX files, as by the engines' own interfaces, and refused on other processors."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.needs import need_engine

from edgerig.compilers.base import ModelCompiler
from edgerig.errors import InferenceError
from edgerig.measure.census import Census
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.models.cpu_module import packed, unpacked
from edgerig.models.files import open_artifact
from edgerig.plugins import Plugin, find, make
from edgerig.runtimes.base import Runtime
from edgerig.runtimes.onnxruntime import OnnxRuntime
from edgerig.testing.contracts.runtime import RuntimeContract, samples_for
from edgerig.testing.networks import dense_onnx
from edgerig.testing.networks.several_ends import two_in_three_out_onnx


def compiled(engine: str, source: Path, folder: Path) -> Path:
    compiler = make("compiler", engine, ModelCompiler)
    return Path(compiler.compile(open_artifact(source), folder).path)


class MachineCodeContract(RuntimeContract):
    """A subclass names its ``engine``, and gives `own`."""

    engine: str

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def installed(cls) -> None:
        need_engine(cls.engine, cls.engine)

    @pytest.fixture(scope="class")
    @classmethod
    def networks(cls, installed: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
        """Each network compiled once, beside its source."""
        folder = tmp_path_factory.mktemp(cls.engine)
        sources = [dense_onnx(folder / "net.onnx"), two_in_three_out_onnx(folder / "several.onnx")]
        return {source.stem: compiled(cls.engine, source, folder) for source in sources}

    @pytest.fixture
    def runtime(self) -> Runtime:
        return make("runtime", self.engine, Runtime)

    @pytest.fixture
    def network(self, networks: dict[str, Path]) -> Path:
        return networks["net"]

    @pytest.fixture
    def network_of_several(self, networks: dict[str, Path]) -> Path:
        return networks["several"]

    @pytest.fixture
    def wrong_network(self, network: Path, tmp_path: Path) -> Path:
        path = tmp_path / network.name
        path.write_bytes(network.read_bytes()[:-40])
        return path

    def test_it_computes_what_the_onnx_file_does(self, runtime: Runtime, networks: dict[str, Path]) -> None:
        for path in networks.values():
            theirs = OnnxRuntime()
            theirs.load(path.with_suffix(".onnx"))
            runtime.load(path)
            assert (runtime.inputs, runtime.outputs) == (theirs.inputs, theirs.outputs)
            samples = samples_for(theirs.inputs, 20)
            for ours, expected in zip(runtime.run(samples).outputs, theirs.run(samples).outputs, strict=True):
                np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5)

    def test_the_census_tells_the_processor_and_the_type_of_what_multiplies(
        self, runtime: Runtime, network_of_several: Path
    ) -> None:
        runtime.load(network_of_several)
        census = runtime.census(samples_for(runtime.inputs, 1))
        assert isinstance(census, Census)
        products = [group for group in census.operators if "matmul" in group.op]
        assert sum(group.count for group in products) == 3
        assert {group.dtype for group in products} == {"float32"}
        bound, _ = unpacked(network_of_several.read_bytes(), "net", self.engine)
        assert {group.placement.partition(",")[0] for group in products} == {f"CPU {bound.cpu}"}

    def test_functions_have_their_times(self, runtime: Runtime, network_of_several: Path) -> None:
        runtime.load(network_of_several)
        layers = runtime.profile(samples_for(runtime.inputs, 30))
        assert not isinstance(layers, Unavailable)
        assert [layer.op.startswith(("matmul", "fused_matmul")) for layer in layers] == [True] * 3
        for layer in layers:
            assert isinstance(layer.time, Measurement)
            assert layer.time.n >= 30
            assert layer.time.value > 0

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"triple": "riscv64-linux-gnu", "cpu": "sifive-u74"}, r"machine code for riscv64 \(sifive-u74\)"),
            ({"features": ("amx-bf16", "xop", "sme")}, "this processor lacks (amx|sme|xop)"),
        ],
    )
    def test_code_for_another_processor_is_refused_by_name(
        self, runtime: Runtime, network: Path, tmp_path: Path, changes: dict[str, Any], words: str
    ) -> None:
        bound, module = unpacked(network.read_bytes(), network.name, self.engine)
        path = tmp_path / network.name
        path.write_bytes(packed(msgspec.structs.replace(bound, **changes), module))
        with pytest.raises(InferenceError, match=words) as caught:
            runtime.load(path)
        assert "--option cpu=generic" in str(caught.value.hint)

    def test_two_threads_compute_the_same(self, network: Path) -> None:
        plain, threaded = (make("runtime", self.engine, Runtime, {"threads": count}) for count in (1, 2))
        plain.load(network)
        threaded.load(network)
        samples = samples_for(plain.inputs, 5)
        np.testing.assert_array_equal(plain.run(samples).outputs[0], threaded.run(samples).outputs[0])


class TestIree(MachineCodeContract):
    engine = "iree"

    def reference(self, path: Path, inputs: Sequence[Any]) -> list[Any]:
        from iree import runtime

        context = runtime.SystemContext(config=runtime.Config(device=runtime.get_device("local-sync")))
        _, module = unpacked(path.read_bytes(), path.name, "iree")
        context.add_vm_module(runtime.VmModule.copy_buffer(context.instance, module))
        rows = []
        for index in range(len(inputs[0])):
            outputs = context.modules.module["main"](*[array[index : index + 1] for array in inputs])
            rows.append([item.to_host().copy() for item in (outputs if isinstance(outputs, tuple) else (outputs,))])
        return [np.concatenate(column) for column in zip(*rows, strict=True)]

    def test_its_buffers_are_told(self, runtime: Runtime, network: Path) -> None:
        runtime.load(network)
        runtime.run(samples_for(runtime.inputs, 2))
        arena = runtime.memory()["arena"]
        assert isinstance(arena, Measurement)
        assert arena.value >= 4 * (8 + 4), "input and output at least"

    def test_iree_s_own_tools_read_the_file(self, network: Path) -> None:
        from iree import runtime

        context = runtime.SystemContext(config=runtime.Config(device=runtime.get_device("local-sync")))
        assert "main" in runtime.VmModule.mmap(context.instance, str(network)).function_names


class TestTvm(MachineCodeContract):
    engine = "tvm"

    def reference(self, path: Path, inputs: Sequence[Any]) -> list[Any]:
        import tvm
        from tvm import relax

        function = relax.VirtualMachine(tvm.runtime.load_module(str(path)), tvm.cpu())["main"]
        rows = []
        for index in range(len(inputs[0])):
            outputs = function(
                *[tvm.runtime.tensor(np.ascontiguousarray(array[index : index + 1])) for array in inputs]
            )
            rows.append([item.numpy() for item in ([outputs] if hasattr(outputs, "numpy") else outputs)])
        return [np.concatenate(column) for column in zip(*rows, strict=True)]

    def test_another_version_is_named(self, runtime: Runtime, network: Path, tmp_path: Path) -> None:
        bound, module = unpacked(network.read_bytes(), network.name, "tvm")
        path = tmp_path / network.name
        path.write_bytes(packed(msgspec.structs.replace(bound, version="0.11.0"), module))
        with pytest.raises(InferenceError, match=r"was made by TVM 0\.11\.0; this is"):
            runtime.load(path)


@pytest.mark.parametrize("noun", ["runtime", "compiler", "conversion"])
@pytest.mark.parametrize("engine", ["iree", "tvm"])
def test_a_folder_of_the_engine_s_name_is_not_the_engine(
    noun: str, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the virtual environment that it is installed in, in the folder where Python was started."""
    if find_spec(engine) is not None:
        pytest.skip(f"{engine} is installed here")
    (tmp_path / engine).mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_spec(engine) is not None, "Python takes it for a package without content"
    assert find(noun, engine, Plugin).missing() is not None
