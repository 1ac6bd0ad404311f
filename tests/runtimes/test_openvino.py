"""OpenVINO: its IR, ONNX and TFLite, bit for bit, in the type that was asked for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.needs import need_module
from tests.runtimes.onnx_contract import OnnxFilesContract
from tests.runtimes.tflite_contract import TFLiteRuntimeContract

from edgerig.errors import InferenceError
from edgerig.formats import named
from edgerig.measure.census import Census, verdicts, with_scheme
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.models.files import open_artifact
from edgerig.models.openvino_core import openvino_core
from edgerig.runtimes.base import Runtime
from edgerig.runtimes.litert import LiteRt
from edgerig.runtimes.openvino import OpenVino, OpenVinoSettings
from edgerig.testing.contracts.runtime import RuntimeContract, samples_for
from edgerig.testing.networks import dense_onnx
from edgerig.testing.networks.several_ends import two_in_three_out_onnx, two_in_three_out_tflite

need_module("openvino", "openvino")


def own_outputs(path: Path, inputs: Sequence[Any]) -> list[Any]:
    """Outputs by OpenVINO's own interface, sample by sample."""
    import openvino

    model = openvino_core().read_model(str(path))
    for port in model.inputs:
        if port.partial_shape[0].is_dynamic:
            model.reshape({port: openvino.PartialShape([1, *list(port.partial_shape)[1:]])})
    properties = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}
    compiled = openvino_core().compile_model(model, "CPU", properties)
    rows = [
        [array.copy() for array in compiled([array[i : i + 1] for array in inputs]).values()]
        for i in range(len(inputs[0]))
    ]
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


def as_ir(path: Path, target: Path) -> Path:
    """The network ``path`` as OpenVINO saves it."""
    import openvino

    openvino.save_model(openvino_core().read_model(str(path)), str(target), compress_to_fp16=False)
    return target


class TestTFLite(TFLiteRuntimeContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return OpenVino()

    @pytest.fixture
    def network_with_state(self) -> None:
        return None

    def reference(self, path: Path, inputs: Sequence[Any]) -> list[Any]:
        return own_outputs(path, inputs)


class TestOnnx(OnnxFilesContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return OpenVino()

    def reference(self, path: Path, inputs: Sequence[Any]) -> list[Any]:
        return own_outputs(path, inputs)


class TestIr(RuntimeContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return OpenVino()

    @pytest.fixture
    def network(self, tmp_path: Path) -> Path:
        return as_ir(dense_onnx(tmp_path / "net.onnx"), tmp_path / "net.xml")

    @pytest.fixture
    def network_of_several(self, tmp_path: Path) -> Path:
        return as_ir(two_in_three_out_onnx(tmp_path / "several.onnx"), tmp_path / "several.xml")

    @pytest.fixture
    def wrong_network(self, tmp_path: Path) -> Path:
        path = tmp_path / "broken.xml"
        path.write_text("<net><layers></layers></net>")
        return path

    def reference(self, path: Path, inputs: Sequence[Any]) -> list[Any]:
        return own_outputs(path, inputs)


def loaded(path: Path, **settings: Any) -> OpenVino:
    runtime = OpenVino(OpenVinoSettings(**settings))
    runtime.load(path)
    return runtime


@pytest.mark.parametrize("name", ["int8_tflite", "several"])
def test_the_quantization_of_tflite_files_is_that_of_the_file(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    several = name == "several"
    path = two_in_three_out_tflite(tmp_path / "x.tflite", int8=True) if several else request.getfixturevalue(name)
    ours, theirs = loaded(path), LiteRt()
    theirs.load(path)
    for spec, expected in zip((*ours.inputs, *ours.outputs), (*theirs.inputs, *theirs.outputs), strict=True):
        assert (spec.shape, spec.dtype) == (expected.shape, expected.dtype)
        assert (spec.quantization is None) == (expected.quantization is None)
        if spec.quantization is not None and expected.quantization is not None:
            assert spec.quantization.zero_points == expected.quantization.zero_points
            np.testing.assert_allclose(spec.quantization.scales, expected.quantization.scales, rtol=2e-7)


def test_outputs_are_those_of_litert_to_the_last_bits_of_float32(float_tflite: Path) -> None:
    ours, theirs = loaded(float_tflite), LiteRt()
    theirs.load(float_tflite)
    samples = samples_for(ours.inputs, 20)
    np.testing.assert_allclose(ours.run(samples).outputs[0], theirs.run(samples).outputs[0], atol=1e-6)


def census_told(runtime: OpenVino) -> Census:
    census = runtime.census(samples_for(runtime.inputs, 1))
    assert isinstance(census, Census)
    return census


def test_it_runs_in_float32_unless_another_type_is_asked_for(float_tflite: Path) -> None:
    """The trap: its own default is bfloat16 on processors that have it, and so is what it makes of float16."""
    census = census_told(loaded(float_tflite))
    assert {group.dtype for group in census.operators} == {"float32"}
    assert {group.placement for group in census.operators} == {"CPU"}
    assert census.requested == ()

    kinds = openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    for asked in ("float16", "bfloat16"):
        (verdict,) = verdicts(census_told(loaded(float_tflite, precision=asked)))
        there = {"float16": "FP16", "bfloat16": "BF16"}[asked] in kinds
        assert verdict.outcome == ("met" if there else "not"), verdict.text
        assert verdict.total == 1, "the product alone multiplies by weights"


def test_int8_is_told_by_the_kernels_that_run(int8_tflite: Path) -> None:
    (verdict,) = verdicts(with_scheme(census_told(loaded(int8_tflite)), "int8"))
    assert verdict.outcome == "met"


def test_operators_have_their_times_and_kernels(float_tflite: Path) -> None:
    runtime = loaded(float_tflite)
    layers = runtime.profile(samples_for(runtime.inputs, 40))
    assert not isinstance(layers, Unavailable)
    assert [layer.op for layer in layers] == ["FullyConnected", "Softmax"]
    assert all("f32" in layer.placement for layer in layers)
    assert all(layer.output_shape == runtime.outputs[0].shape for layer in layers)
    for layer in layers:
        # Of a network this small a mean may be below what whole microseconds can tell.
        if isinstance(layer.time, Measurement):
            assert layer.time.n == 40


def test_a_device_that_is_not_there_is_named(float_tflite: Path) -> None:
    with pytest.raises(InferenceError, match="OpenVINO has no device 'NPU9' here") as caught:
        loaded(float_tflite, device="NPU9")
    assert "CPU" in str(caught.value.hint)


def test_a_batch_is_set_where_the_file_leaves_it_free(tmp_path: Path) -> None:
    runtime = loaded(dense_onnx(tmp_path / "free.onnx", batch="n"), batch=4)
    assert [spec.shape[0] for spec in (*runtime.inputs, *runtime.outputs)] == [4, 4]
    with pytest.raises(InferenceError, match="cannot be set to 4"):
        loaded(dense_onnx(tmp_path / "fixed.onnx"), batch=4)


def test_weights_that_are_missing_or_cut_are_refused(tmp_path: Path) -> None:
    path = as_ir(dense_onnx(tmp_path / "net.onnx"), tmp_path / "net.xml")
    weights = path.with_suffix(".bin")
    whole = weights.read_bytes()
    for content in (whole[: len(whole) // 2], b""):
        weights.write_bytes(content)
        with pytest.raises(InferenceError):
            loaded(path)
    weights.unlink()
    with pytest.raises(InferenceError):
        loaded(path)


def test_float16_weights_of_tflite_are_refused_before_anything_is_started() -> None:
    assert "float16" in str(OpenVino.refuses("tflite", "float16"))
    assert OpenVino.refuses("onnx", "float16") is None
    assert OpenVino.refuses("tflite", "int8") is None


def test_the_format_tells_what_the_engine_tells(tmp_path: Path, int8_tflite: Path) -> None:
    networks = {
        dense_onnx(tmp_path / "dense.onnx"): "float32",
        two_in_three_out_onnx(tmp_path / "several.onnx"): "float32",
        int8_tflite: "int8",
    }
    for source, scheme in networks.items():
        path = as_ir(source, tmp_path / f"{source.stem}.xml")
        specification = named("openvino").specification(path)
        runtime = loaded(path)
        assert specification is not None
        assert [(s.name, s.shape, s.dtype) for s in specification.inputs] == [
            (s.name, s.shape, s.dtype) for s in runtime.inputs
        ]
        assert [(s.name, s.shape, s.dtype) for s in specification.outputs] == [
            (s.name, s.shape, s.dtype) for s in runtime.outputs
        ]
        assert specification.scheme == scheme
        artifact = open_artifact(path)
        assert artifact.size == path.stat().st_size + path.with_suffix(".bin").stat().st_size


def test_ctrl_c_is_heard_after_networks_have_gone_in_any_order(tmp_path: Path) -> None:
    path = dense_onnx(tmp_path / "net.onnx")
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr


INTERRUPTED = """
import faulthandler, gc, os, signal, sys
from pathlib import Path
from edgerig.runtimes.openvino import OpenVino

faulthandler.enable()
signal.signal(signal.SIGINT, signal.default_int_handler)
networks = [OpenVino(), OpenVino()]
for network in networks:
    network.load(Path(sys.argv[1]))
del network
while networks:
    networks.pop(0).close()
    gc.collect()
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("heard")
"""
