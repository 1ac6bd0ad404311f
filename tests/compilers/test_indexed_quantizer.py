"""ONNX Runtime's quantizer with indexes: the same file as without them, and a cost that grows with the network."""

from __future__ import annotations

import cProfile
import pstats
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerig.compilers import onnx_int8
from edgerig.compilers.onnx_int8 import OnnxInt8Settings, prepare, quantize_qdq

SHAPE = (4, 6, 6)


def network(blocks: int) -> bytes:
    """Residual blocks with biases, activations that are removed, a constant that some share, and inner outputs."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    reals = {"shared": rng.normal(size=4), "low": np.float32(0), "high": np.float32(6), "head": rng.normal(size=(4, 4))}
    nodes, last = [], "x"
    for i in range(blocks):
        reals |= {f"w{i}": rng.normal(size=(4, 4, 1, 1)) / 2, f"b{i}": rng.normal(size=4)}
        nodes += [
            helper.make_node("Conv", [last, f"w{i}", f"b{i}" if i > 2 else "shared"], [f"c{i}"]),
            helper.make_node("Clip", [f"c{i}", "low", "high"], [f"l{i}"], name=f"clip{i}"),
            helper.make_node("Add", [last, f"l{i}"], [f"a{i}"]),
            helper.make_node("Relu", [f"a{i}"], [f"r{i}"]),
            helper.make_node("MaxPool", [f"r{i}"], [f"p{i}"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        ]
        last = f"p{i}"
    nodes += [
        helper.make_node("GlobalAveragePool", [last], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "head", "shared"], ["y"], transB=1),
        helper.make_node("Softmax", ["y"], ["z"]),
    ]
    ends = {"z": [1, 4], "y": [1, 4], "r0": [1, *SHAPE]}
    graph = helper.make_graph(
        nodes,
        "blocks",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *SHAPE])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends.items()],
        [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in reals.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def quantized(data: bytes, folder: Path, settings: OnnxInt8Settings) -> bytes:
    folder.mkdir(exist_ok=True)
    samples = {"x": np.random.default_rng(1).normal(size=(3, 1, *SHAPE)).astype(np.float32)}
    return quantize_qdq(prepare(data, folder), samples, settings, lambda: None)


@pytest.mark.parametrize(
    "settings",
    [OnnxInt8Settings(), OnnxInt8Settings(per_channel=False, activation_type="uint8")],
    ids=["int8", "uint8"],
)
def test_the_file_is_the_one_that_onnx_runtime_writes_without_indexes(
    settings: OnnxInt8Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = network(8)
    with_indexes = quantized(data, tmp_path / "with", settings)
    monkeypatch.setattr(onnx_int8, "indexed", lambda _: nullcontext())
    assert quantized(data, tmp_path / "without", settings) == with_indexes


def test_four_times_the_operators_take_four_times_the_steps(tmp_path: Path) -> None:
    def steps(blocks: int) -> int:
        data, profile = network(blocks), cProfile.Profile()
        profile.enable()
        quantized(data, tmp_path / str(blocks), OnnxInt8Settings())
        profile.disable()
        return int(getattr(pstats.Stats(profile), "total_calls"))  # noqa: B009 - which the type does not tell

    steps(2)
    base = steps(20)
    # Without indexes it is eleven times.
    assert steps(80) / base < 4.4


def test_onnx_runtime_is_as_before_afterwards(tmp_path: Path) -> None:
    from onnxruntime.quantization import base_quantizer, calibrate, quant_utils

    before: Any = calibrate.MinMaxCalibrater
    quantized(network(1), tmp_path / "one", OnnxInt8Settings())
    assert calibrate.MinMaxCalibrater is before
    assert base_quantizer.find_by_name is quant_utils.find_by_name


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("onnx_model.ONNXModel", "is_graph_input"),
        ("qdq_quantizer.QDQQuantizer", "calc_graph_quant_params"),
        ("calibrate.MinMaxCalibrater", "augment_graph"),
        ("calibrate.MinMaxCalibrater", "compute_data"),
    ],
)
def test_a_version_whose_steps_take_other_arguments_runs_as_it_is(
    owner: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = quantized(network(2), tmp_path / "known", OnnxInt8Settings())
    module, _, cls = owner.partition(".")
    there: Any = getattr(import_module(f"onnxruntime.quantization.{module}"), cls)
    step = getattr(there, name)

    def with_more(self: Any, *arguments: Any, more: bool = False, others: int = 0) -> Any:
        return step(self, *arguments)

    monkeypatch.setattr(there, name, with_more)
    assert quantized(network(2), tmp_path / "other", OnnxInt8Settings()) == wanted
    assert f".{name} takes 4 arguments, not " in caplog.text
