"""ncnn: bit for bit as by its own interface, in the type that was asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.needs import need_engine

from edgerig.errors import InferenceError
from edgerig.measure.census import Census, verdicts
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.models.graph.ncnn_file import ends_file
from edgerig.runtimes.base import Runtime
from edgerig.runtimes.ncnn import Ncnn, NcnnSettings
from edgerig.runtimes.onnxruntime import OnnxRuntime
from edgerig.testing.contracts.runtime import RuntimeContract, samples_for
from edgerig.testing.networks import dense_onnx
from edgerig.testing.networks.ncnn_files import dense_ncnn, two_in_three_out_ncnn
from edgerig.testing.networks.several_ends import two_in_three_out_onnx

need_engine("ncnn", "ncnn")


class TestNcnn(RuntimeContract):
    @pytest.fixture
    def runtime(self) -> Runtime:
        return Ncnn()

    @pytest.fixture
    def network(self, tmp_path: Path) -> Path:
        return dense_ncnn(tmp_path / "net.param")

    @pytest.fixture
    def network_of_several(self, tmp_path: Path) -> Path:
        return two_in_three_out_ncnn(tmp_path / "several.param")

    @pytest.fixture
    def wrong_network(self, tmp_path: Path) -> Path:
        path = dense_ncnn(tmp_path / "broken.param")
        path.write_text(path.read_text().replace("InnerProduct dense", "NoSuchLayer dense"))
        return path

    def reference(self, path: Path, inputs: Sequence[Any]) -> list[Any]:
        return own_outputs(path, inputs)


def own_outputs(path: Path, inputs: Sequence[Any]) -> list[Any]:
    """Outputs by ncnn's own interface, sample by sample."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    assert net.load_param(str(path)) == 0
    assert net.load_model(str(path.with_suffix(".bin"))) == 0
    outputs = set(re.findall(r" (out\d)", path.read_text()))
    rows = []
    for sample in zip(*inputs, strict=True):
        extractor = net.create_extractor()
        arrays = [ncnn.Mat(value[None]).clone() for value in sample]
        for index, array in enumerate(arrays):
            extractor.input(f"in{index}", array)
        rows.append([np.array(extractor.extract(f"out{index}")[1].numpy()) for index in range(len(outputs))])
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


def loaded(path: Path, **settings: Any) -> Ncnn:
    runtime = Ncnn(NcnnSettings(**settings))
    runtime.load(path)
    return runtime


def census_of(runtime: Ncnn) -> Census:
    census = runtime.census(samples_for(runtime.inputs, 1))
    assert isinstance(census, Census)
    return census


@pytest.mark.parametrize("several", [False, True])
def test_it_computes_in_float32_what_onnx_runtime_does(tmp_path: Path, several: bool) -> None:
    """ncnn's own default would round the weights to float16 on x86, and compute in it on Arm."""
    write, of_onnx = (two_in_three_out_ncnn, two_in_three_out_onnx) if several else (dense_ncnn, dense_onnx)
    ours, theirs = loaded(write(tmp_path / "net.param")), OnnxRuntime()
    theirs.load(of_onnx(tmp_path / "net.onnx"))
    assert ours.inputs == theirs.inputs
    assert ours.outputs == theirs.outputs
    samples = samples_for(ours.inputs, 50)
    for got, want in zip(ours.run(samples).outputs, theirs.run(samples).outputs, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-6)
    census = census_of(ours)
    assert {group.dtype for group in census.operators} == {"float32"}
    assert census.requested == ()


def test_float16_weights_are_run_in_float32(tmp_path: Path) -> None:
    stored = loaded(dense_ncnn(tmp_path / "half.param", float16=True))
    whole = loaded(dense_ncnn(tmp_path / "whole.param"))
    samples = samples_for(whole.inputs, 20)
    error = np.abs(stored.run(samples).outputs[0] - whole.run(samples).outputs[0]).max()
    assert 0 < error < 2e-3
    assert {group.dtype for group in census_of(stored).operators} == {"float32"}


def test_a_type_that_the_processor_lacks_is_told_by_what_ran(tmp_path: Path) -> None:
    """ncnn says nothing: asked for float16 it computes in float32 on most x86."""
    path = dense_ncnn(tmp_path / "net.param")
    samples = samples_for(loaded(path).inputs, 20)
    exact = loaded(path).run(samples).outputs[0]
    for asked in ("float16", "bfloat16"):
        runtime = loaded(path, precision=asked)
        (verdict,) = verdicts(census_of(runtime))
        assert verdict.total == 1, "the product alone multiplies by weights"
        assert verdict.outcome in ("met", "not")
        if verdict.outcome == "not":
            assert f"{asked} was asked for: 1 of 1 matrix product ran in float32" in verdict.text
        else:
            assert not np.array_equal(exact, runtime.run(samples).outputs[0])


def test_layers_have_their_times_and_shapes(tmp_path: Path) -> None:
    runtime = loaded(two_in_three_out_ncnn(tmp_path / "several.param"))
    layers = runtime.profile(samples_for(runtime.inputs, 30))
    assert not isinstance(layers, Unavailable)
    assert [(layer.name, layer.op, layer.output_shape) for layer in layers] == [
        ("first", "InnerProduct", (1, 4)),
        ("second", "InnerProduct", (1, 3)),
        ("third", "InnerProduct", (1, 2)),
    ]
    for layer in layers:
        assert isinstance(layer.time, Measurement)
        assert layer.time.n == 30


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    path = dense_ncnn(tmp_path / "net.param")
    weights, ends = path.with_suffix(".bin"), ends_file(path)
    whole = weights.read_bytes()
    for content in (whole[:-4], whole + bytes(4), b""):
        weights.write_bytes(content)
        with pytest.raises(InferenceError, match=r"net\.bin has \d+ B, and 148 B belong to net\.param"):
            loaded(path)
    weights.write_bytes(whole)
    described = ends.read_bytes()
    ends.write_bytes(described.replace(b"out0", b"out7"))
    with pytest.raises(InferenceError, match=r"has no 'out7', which net\.ends\.json names"):
        loaded(path)
    ends.write_bytes(b"{}")
    with pytest.raises(InferenceError, match=r"net\.ends\.json does not tell the ends"):
        loaded(path)
    ends.unlink()
    with pytest.raises(InferenceError, match=r"lacks net\.ends\.json"):
        loaded(path)


def test_an_output_of_another_size_than_the_network_says_is_an_error(tmp_path: Path) -> None:
    """What pnnx has made of a network may be another one."""
    path = dense_ncnn(tmp_path / "net.param")
    ends_file(path).write_bytes(ends_file(path).read_bytes().replace(b"[1,4]", b"[1,5]"))
    runtime = loaded(path)
    with pytest.raises(
        InferenceError, match=r"the output 'y' with the shape \[1, 4\], where the network says \[1, 5\]"
    ):
        runtime.run(samples_for(runtime.inputs, 1))


def test_whole_numbers_beyond_32_bits_are_refused(tmp_path: Path) -> None:
    path = dense_ncnn(tmp_path / "net.param")
    ends_file(path).write_bytes(
        ends_file(path).read_bytes().replace(b'[1,8],"dtype":"float32"', b'[1,8],"dtype":"int64"')
    )
    runtime = loaded(path)
    with pytest.raises(InferenceError, match="'x' holds a number beyond 32 bits"):
        runtime.run([np.full((1, 8), 2**40)])
