"""LiteRT on a GPU, here one in software: what it computes, and that every number of it is emulated."""

from __future__ import annotations

import ctypes.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgerig
from edgerig.errors import EdgerigError
from edgerig.measure.kinds import Measurement
from edgerig.runtimes.base import Runtime
from edgerig.runtimes.litert import LiteRt
from edgerig.runtimes.litert_gpu import _ADAPTER, _SOFTWARE, LiteRtGpu
from edgerig.testing.contracts.runtime import RuntimeContract, samples_for
from edgerig.testing.networks import dense_tflite
from edgerig.testing.networks.several_ends import two_in_three_out_tflite

#: The software GPU that Debian's chromium brings, and its loader of Vulkan.
SWIFTSHADER = Path("/usr/lib/chromium/libvk_swiftshader.so")
LOADER = SWIFTSHADER.with_name("libvulkan.so.1")
need_swiftshader = pytest.mark.skipif(not SWIFTSHADER.is_file(), reason="apt-get install chromium brings SwiftShader")


@pytest.fixture(autouse=True)
def software_gpu(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    description = {"file_format_version": "1.0.0", "ICD": {"library_path": str(SWIFTSHADER), "api_version": "1.1.0"}}
    file = tmp_path_factory.mktemp("vulkan") / "icd.json"
    file.write_text(json.dumps(description))
    monkeypatch.setenv("VK_ICD_FILENAMES", str(file))
    if not LOADER.is_file() or ctypes.util.find_library("vulkan") is not None:
        return
    # For this process, and for those that it starts.
    ctypes.CDLL(str(LOADER), mode=ctypes.RTLD_GLOBAL)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(LOADER.parent))


@need_swiftshader
class TestLiteRtGpu(RuntimeContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return LiteRtGpu()

    @pytest.fixture
    def network(self, tmp_path: Path) -> Path:
        return dense_tflite(tmp_path / "net.tflite")

    @pytest.fixture
    def network_of_several(self, tmp_path: Path) -> Path:
        return two_in_three_out_tflite(tmp_path / "several.tflite")

    @pytest.fixture
    def wrong_network(self, tmp_path: Path) -> Path:
        path = tmp_path / "broken.tflite"
        path.write_bytes(b"\x1c\x00\x00\x00TFL3" + b"\xff" * 40)
        return path

    def reference(self, path: Path, inputs: Sequence[Any]) -> list[Any]:
        from ai_edge_litert.compiled_model import CompiledModel
        from ai_edge_litert.gpu_options import GpuOptions
        from ai_edge_litert.hardware_accelerator import HardwareAccelerator
        from ai_edge_litert.options import Options

        options = Options(hardware_accelerators=HardwareAccelerator.GPU, gpu_options=GpuOptions(enforce_f32=True))
        model = CompiledModel.from_file(str(path), options=options)
        given, results = model.create_input_buffers(0), model.create_output_buffers(0)
        runtime = LiteRt()
        runtime.load(path)
        rows = []
        for sample in zip(*inputs, strict=True):
            for buffer, value in zip(given, sample, strict=True):
                buffer.write(value[None])
            model.run_by_index(0, given, results)
            rows.append(
                [
                    buffer.read(spec.elements, np.float32).reshape(spec.shape)
                    for buffer, spec in zip(results, runtime.outputs, strict=True)
                ]
            )
        return [np.concatenate(column) for column in zip(*rows, strict=True)]


@need_swiftshader
def test_it_computes_what_the_cpu_does_and_tells_the_adapter(tmp_path: Path) -> None:
    path = two_in_three_out_tflite(tmp_path / "several.tflite")
    ours, theirs = LiteRtGpu(), LiteRt()
    ours.load(path)
    theirs.load(path)
    assert (ours.inputs, ours.outputs) == (theirs.inputs, theirs.outputs)
    samples = samples_for(ours.inputs, 10)
    for got, want in zip(ours.run(samples).outputs, theirs.run(samples).outputs, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)
    assert "SwiftShader" in ours.emulated
    ours.close()


@pytest.mark.slow
@need_swiftshader
def test_every_time_of_a_gpu_in_software_is_emulated(tmp_path: Path) -> None:
    rig = {
        "name": "t",
        "model": {"file": str(dense_tflite(tmp_path / "net.tflite"))},
        "dataset": {"use": "random", "shape": [8], "samples": 20},
        "matrix": [{"runtimes": ["litert-gpu", "litert"]}],
        "measure": {"rounds": 1, "seconds": 0, "warmup": 1, "transport_samples": 0},
    }
    gpu, cpu = edgerig.run(rig, out=tmp_path / "out").cells
    for cell, kind in ((gpu, "emulated"), (cpu, "measured")):
        times = [getattr(cell.latency, name) for name in ("load", "first", "steady", "throughput")]
        assert [time.kind for time in times if isinstance(time, Measurement)] == [kind] * 4


@need_swiftshader
def test_latency_under_load_is_not_told_of_a_gpu_in_software(tmp_path: Path) -> None:
    rig = {
        "name": "t",
        "model": {"file": str(dense_tflite(tmp_path / "net.tflite"))},
        "dataset": {"use": "random", "shape": [8], "samples": 20},
        "matrix": [{"runtimes": ["litert-gpu"]}],
        "measure": {"rounds": 1, "scenario": "streams", "streams": 1, "seconds": 1},
    }
    with pytest.raises(
        EdgerigError, match=r"latency under load is measured on hardware alone, and litert-gpu ran on Swift"
    ):
        edgerig.run(rig, out=tmp_path / "out")


def test_without_a_gpu_it_is_refused(tmp_path: Path) -> None:
    """In a process of its own: a process that has found a GPU keeps it."""
    code = """
import sys
from pathlib import Path
from edgerig.errors import InferenceError
from edgerig.runtimes.litert_gpu import LiteRtGpu
try:
    LiteRtGpu().load(Path(sys.argv[1]))
except InferenceError as error:
    print(error)
"""
    environment = {**os.environ, "VK_ICD_FILENAMES": str(tmp_path / "none.json")}
    command = [sys.executable, "-c", code, str(dense_tflite(tmp_path / "net.tflite"))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert "LiteRT runs net.tflite on no GPU" in done.stdout
    assert "Runtime litert runs it on the CPU" in done.stdout


@pytest.mark.parametrize(
    ("line", "software"),
    [
        (
            "Selected adapter: SwiftShader Device (Subzero), arch=x, vendor=y, backend=Vulkan, adapterType=CPU",
            1,
        ),
        ("Selected adapter: NVIDIA H200, arch=hopper, vendor=nvidia, backend=Vulkan, adapterType=Discrete GPU", 0),
    ],
)
def test_the_adapter_is_read_from_what_the_accelerator_says(line: str, software: int) -> None:
    found = _ADAPTER.search(f"I0000 00:00 environment.cc:532] {line}\nINFO: more")
    assert found is not None
    assert bool(_SOFTWARE.search(found[3])) == bool(software)
    assert found[2] == "Vulkan"


def test_integers_are_refused_before_anything_is_loaded() -> None:
    assert "float32 networks" in (LiteRtGpu.refuses("tflite", "int8") or "")
