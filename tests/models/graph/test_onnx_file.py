"""ONNX files, sound ones and broken ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgerig.artifact import Quantization
from edgerig.datasets.preprocess import quantize_input
from edgerig.errors import ModelError
from edgerig.models.files import open_artifact
from edgerig.models.graph import io_specs, read_graph, read_weights, scheme_of
from edgerig.models.graph.analysis import analyse
from edgerig.testing.networks import dense_onnx, dense_weights


def write(path: Path, nodes: list[Any], inputs: Any, outputs: Any, constants: dict[str, Any], opset: int = 17) -> Path:
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), str(path))
    return path


def test_operators_ends_and_inferred_shapes(tmp_path: Path) -> None:
    graph = read_graph(dense_onnx(tmp_path / "net.onnx"))
    assert [operator.op for operator in graph.operators] == ["Gemm", "Softmax"]
    assert graph.operators[0].options["transB"] == 1
    logits = graph.tensors[graph.operators[0].outputs[0]]
    assert (logits.name, logits.shape, logits.constant) == ("logits", (1, 4), False)
    inputs, outputs = io_specs(graph)
    assert [(spec.name, spec.shape, spec.dtype) for spec in (*inputs, *outputs)] == [
        ("x", (1, 8), "float32"),
        ("y", (1, 4), "float32"),
    ]


def test_a_free_batch_axis_counts_as_one_and_is_noted(tmp_path: Path) -> None:
    graph = read_graph(dense_onnx(tmp_path / "net.onnx", batch="N"))
    assert graph.tensors[graph.outputs[0]].shape == (1, 4)
    assert graph.metadata["free_dimensions"] == "x[0]"
    assert any("x[0]" in note for note in analyse(graph).notes)


def test_weights_are_the_ones_written(tmp_path: Path) -> None:
    path = dense_onnx(tmp_path / "net.onnx")
    graph, found = read_graph(path), read_weights(path)
    weights, bias = dense_weights(8, 4)
    by_name = {graph.tensors[index].name: array for index, array in found.items()}
    np.testing.assert_array_equal(by_name["w"], weights)
    np.testing.assert_array_equal(by_name["b"], bias)


def test_constant_nodes_are_constants_and_no_operators(tmp_path: Path) -> None:
    constant = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.ones((1, 4), np.float32)))
    nodes = [constant, helper.make_node("Add", ["x", "c"], ["y"])]
    path = write(tmp_path / "net.onnx", nodes, {"x": [1, 4]}, {"y": [1, 4]}, {})
    graph = read_graph(path)
    assert [operator.op for operator in graph.operators] == ["Add"]
    index = next(tensor.index for tensor in graph.tensors if tensor.name == "c")
    assert graph.tensors[index].constant
    assert read_weights(path)[index].shape == (1, 4)


def test_qdq_pairs_give_their_tensors_a_quantization(tmp_path: Path) -> None:
    constants = {
        "w": np.ones((4, 8), np.int8),
        "ws": np.float32([0.5, 1, 2, 4]),
        "wz": np.zeros(4, np.int8),
        "s": np.float32(0.25).reshape(()),
        "z": np.int8(3).reshape(()),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["dw"], axis=0),
        helper.make_node("Gemm", ["d", "dw"], ["y"], transB=1),
    ]
    graph = read_graph(write(tmp_path / "net.onnx", nodes, {"x": [1, 8]}, {"y": [1, 4]}, constants))
    found = {tensor.name: tensor.quantization for tensor in graph.tensors}
    assert found["q"] == Quantization((0.25,), (3,))
    assert found["w"] == Quantization((0.5, 1.0, 2.0, 4.0), (0, 0, 0, 0), 0)
    assert scheme_of(graph) == "int8"
    analysis = analyse(graph)
    assert (analysis.parameters, analysis.macs, analysis.weight_bytes) == (32, 32, 32)


def quantized_input(path: Path, *nodes: Any, scales: list[float], opset: int = 21) -> Path:
    """An int8 input (1, 4) that ``nodes`` take, whose last output is ``y``; ``s`` are scales, ``t`` one of its own."""
    initializers = [
        numpy_helper.from_array(np.array(scales, np.float32).reshape(-1 if len(scales) == 4 else (1, -1)), "s"),
        numpy_helper.from_array(np.float32(0.25), "t"),
    ]
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.INT8, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        initializers,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10), str(path))
    return path


SCALES = [0.5, 0.25, 0.125, 1.0]


@pytest.mark.parametrize("axis", [1, -1])
def test_scales_of_channels_are_those_of_their_axis(tmp_path: Path, axis: int) -> None:
    node = helper.make_node("DequantizeLinear", ["x", "s"], ["y"], axis=axis)
    graph = read_graph(quantized_input(tmp_path / "n.onnx", node, scales=SCALES))
    quantization = graph.tensors[graph.inputs[0]].quantization
    assert quantization is not None
    assert quantization.scales == tuple(SCALES)
    assert quantization.spread(2) == (1, 4)


@pytest.mark.parametrize("kind", ["blocks", "two scales"])
def test_what_has_more_scales_than_one_and_none_for_each_channel_has_none(tmp_path: Path, kind: str) -> None:
    if kind == "blocks":
        nodes = [helper.make_node("DequantizeLinear", ["x", "s"], ["y"], axis=1, block_size=2)]
    else:
        nodes = [helper.make_node("DequantizeLinear", ["x", name], [f"d{name}"]) for name in "st"]
        nodes.append(helper.make_node("Add", ["ds", "dt"], ["y"]))
    path = quantized_input(tmp_path / "n.onnx", *nodes, scales=SCALES[:2] if kind == "blocks" else SCALES)
    graph = read_graph(path)
    quantization = graph.tensors[graph.inputs[0]].quantization
    assert quantization is not None
    with pytest.raises(ModelError, match="One scale is needed"):
        _ = quantization.scale
    with pytest.raises(ModelError):
        quantize_input(np.zeros((1, 4), np.float32), open_artifact(path).inputs[0])


def test_an_output_of_unknown_shape_is_said_not_guessed(tmp_path: Path) -> None:
    nodes = [helper.make_node("NonZero", ["x"], ["i"]), helper.make_node("Cast", ["i"], ["y"], to=1)]
    path = write(tmp_path / "net.onnx", nodes, {"x": [2, 2]}, {"y": [2, "n"]}, {})
    graph = read_graph(path)
    assert graph.tensors[graph.outputs[0]].unknown_shape
    assert io_specs(graph)[1][0].shape == (2, -1)
    notes = " ".join(analyse(graph).notes)
    assert "no known shape" in notes
    assert "NonZero" in notes


@pytest.mark.parametrize("content", [b"", b"no protobuf at all \xff\xff", b"TFL3TFL3", bytes(1000)])
def test_what_is_no_onnx_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        read_graph(path)
    assert "net.onnx" in caught.value.message
    assert caught.value.hint


def test_weights_in_another_file_are_read_from_there(tmp_path: Path) -> None:
    model = onnx.load(str(dense_onnx(tmp_path / "whole.onnx", features=64, classes=8)))
    onnx.save(model, str(tmp_path / "net.onnx"), save_as_external_data=True, location="net.bin", size_threshold=16)
    whole, parts = read_weights(tmp_path / "whole.onnx"), read_weights(tmp_path / "net.onnx")
    assert whole.keys() == parts.keys()
    for index in whole:
        np.testing.assert_array_equal(whole[index], parts[index])
    (tmp_path / "net.bin").unlink()
    with pytest.raises(ModelError):
        read_graph(tmp_path / "net.onnx")


def survive(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    try:
        graph = read_graph(path)
        read_weights(path)
    except ModelError:
        return
    analyse(graph)
    scheme_of(graph)


def test_a_file_cut_at_any_byte_never_ends_in_a_traceback(tmp_path: Path) -> None:
    data = dense_onnx(tmp_path / "net.onnx").read_bytes()
    for length in range(len(data)):
        survive(data[:length], tmp_path / "cut.onnx")


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_flipped_bytes_never_end_in_a_traceback(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(dense_onnx(tmp_path / "net.onnx").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    survive(bytes(content), tmp_path / "flipped.onnx")


@pytest.mark.parametrize(
    ("taken", "given", "words"),
    [
        ("STRING", "FLOAT", r"odd\.onnx: the input 'x' is of type string"),
        ("INT4", "FLOAT", r"odd\.onnx: the input 'x' is of type int4"),
        ("FLOAT", "UINT4", r"odd\.onnx: none of the outputs .*: y: uint4\.(?s:.*)cast to float32"),
        ("FLOAT", "STRING", r"odd\.onnx: none of the outputs .*: y: string\.(?s:.*)zipmap"),
    ],
)
def test_ends_that_nobody_can_feed_or_read_are_told_with_the_file(
    taken: str, given: str, words: str, tmp_path: Path
) -> None:
    ends = [
        onnx.helper.make_tensor_value_info(name, getattr(onnx.TensorProto, kind), [1, 2])
        for name, kind in (("x", taken), ("y", given))
    ]
    node = onnx.helper.make_node("Cast", ["x"], ["y"], to=getattr(onnx.TensorProto, given))
    graph = onnx.helper.make_graph([node], "g", ends[:1], ends[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    path = tmp_path / "odd.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=words):
        open_artifact(path)
