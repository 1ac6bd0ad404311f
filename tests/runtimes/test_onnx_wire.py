"""Names of outputs and types of operators, held against the onnx package's own reading."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from edgerig.runtimes.onnx_wire import input_types, operator_types, output_names
from edgerig.testing.networks import dense_onnx
from edgerig.testing.networks.several_ends import two_in_three_out_onnx


def test_names_are_those_that_onnx_reads(tmp_path: Path) -> None:
    for path in (dense_onnx(tmp_path / "dense.onnx", batch="n"), two_in_three_out_onnx(tmp_path / "several.onnx")):
        expected = tuple(output.name for output in onnx.load(str(path)).graph.output)
        assert expected
        assert output_names(path.read_bytes()) == expected
        assert operator_types(path.read_bytes()) == {node.op_type for node in onnx.load(str(path)).graph.node}


def test_inputs_have_their_shapes_and_types(tmp_path: Path) -> None:
    assert input_types(dense_onnx(tmp_path / "dense.onnx", batch="n").read_bytes()) == {"x": ((-1, 8), "float32")}
    several = input_types(two_in_three_out_onnx(tmp_path / "several.onnx").read_bytes())
    assert list(several.items()) == [("left", ((1, 8), "float32")), ("right", ((1, 6), "float32"))]
    x = helper.make_tensor_value_info("x", TensorProto.INT64, [])
    text = helper.make_tensor_value_info("text", TensorProto.STRING, ["batch", 3])
    weights = helper.make_tensor("w", TensorProto.FLOAT, [1], [2.0])
    # Files of old versions have their constants among the inputs.
    constant = helper.make_tensor_value_info("w", TensorProto.FLOAT, [1])
    graph = helper.make_graph([], "graph", [x, constant, text], [], [weights])
    content = helper.make_model(graph).SerializeToString()
    assert input_types(content) == {"x": ((), "int64"), "text": ((-1, 3), "")}
    # Some exporters give a free axis the size -1.
    free = helper.make_tensor_value_info("x", TensorProto.FLOAT, [-1, 3])
    content = helper.make_model(helper.make_graph([], "graph", [free], [])).SerializeToString()
    assert input_types(content) == {"x": ((-1, 3), "float32")}


def test_a_name_may_have_any_letters(tmp_path: Path) -> None:
    path = dense_onnx(tmp_path / "net.onnx")
    model = onnx.load(str(path))
    model.graph.output[0].name = "größe/" + "x" * 300
    assert output_names(model.SerializeToString()) == ("größe/" + "x" * 300,)


def test_bytes_that_are_no_file_have_none(tmp_path: Path) -> None:
    whole = dense_onnx(tmp_path / "net.onnx").read_bytes()
    assert output_names(b"") == ()
    assert output_names(b"\x08\xff" * 40) == ()
    assert output_names(b"\xff" * 100) == ()
    assert operator_types(b"\xff" * 100) == frozenset()
    assert input_types(b"\xff" * 100) == {}
    for size in range(len(whole)):
        assert output_names(whole[:size]) in ((), ("y",))
        assert list(input_types(whole[:size])) in ([], ["x"])
