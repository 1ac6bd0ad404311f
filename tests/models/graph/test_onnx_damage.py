"""ONNX files that no network can be: each is refused by what is wrong with it, at the door that all commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgerig.errors import ModelError
from edgerig.models.files import open_artifact
from edgerig.models.graph.read import read_graph, read_weights

I64_MIN = -(2**63)


def model(
    nodes: list[Any], inputs: dict[str, Any], outputs: dict[str, Any], constants: Any = (), opset: int = 17
) -> Any:
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        list(constants),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def relu(inputs: list[Any], outputs: list[Any]) -> Any:
    return model([helper.make_node("Relu", ["x"], ["y"])], {"x": inputs}, {"y": outputs})


def refused(made: Any, folder: Path, *words: str) -> None:
    path = folder / "net.onnx"
    path.write_bytes(made.SerializeToString())
    for door in (open_artifact, read_graph, read_weights):
        with pytest.raises(ModelError) as caught:
            door(path)
        assert caught.value.hint
        for word in ("net.onnx", *words):
            assert word in caught.value.message


@pytest.mark.parametrize("size", [-2, -4, I64_MIN])
def test_negative_sizes_are_refused_by_the_tensors_name(size: int, tmp_path: Path) -> None:
    refused(relu([1, 4], [1, size]), tmp_path, "output 'y'", str(size), "negative")
    refused(relu([1, size], [1, 4]), tmp_path, "input 'x'", str(size), "negative")
    made = relu([1, 4], [1, 4])
    made.graph.value_info.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [size]))
    refused(made, tmp_path, "'x'", "negative")


def test_negative_sizes_of_a_constant_are_refused(tmp_path: Path) -> None:
    constant = numpy_helper.from_array(np.ones((1, 4), np.float32), "c")
    constant.dims[1] = -4
    made = model([helper.make_node("Add", ["x", "c"], ["y"])], {"x": [1, 4]}, {"y": [1, 4]}, [constant])
    refused(made, tmp_path, "constant 'c'", "negative")


@pytest.mark.parametrize("shape", [[1, 2**62, 8], [2**31, 2**31], [1, 2**63 - 1]])
def test_sizes_that_overflow_are_refused(shape: list[int], tmp_path: Path) -> None:
    refused(relu(shape, shape), tmp_path, "'x'", "elements")


def test_inputs_and_outputs_of_size_zero_are_refused(tmp_path: Path) -> None:
    refused(relu([1, 0], [1, 0]), tmp_path, "input 'x'", "size 0")


def test_empty_constants_within_are_sound(tmp_path: Path) -> None:
    """PyTorch's Resize has an empty region of interest."""
    constants = [
        numpy_helper.from_array(np.zeros(0, np.float32), "roi"),
        numpy_helper.from_array(np.float32([1, 1, 2, 2]), "scales"),
    ]
    node = helper.make_node("Resize", ["x", "roi", "scales"], ["y"], mode="nearest")
    path = tmp_path / "net.onnx"
    path.write_bytes(model([node], {"x": [1, 1, 2, 2]}, {"y": [1, 1, 4, 4]}, constants).SerializeToString())
    assert open_artifact(path).outputs[0].shape == (1, 1, 4, 4)


def test_a_shape_that_only_inference_finds_too_large_is_refused(tmp_path: Path) -> None:
    shape = numpy_helper.from_array(np.int64([2**40, 2**10]), "shape")
    made = model([helper.make_node("Expand", ["x", "shape"], ["y"])], {"x": [1, 1]}, {"y": ["a", "b"]}, [shape])
    path = tmp_path / "net.onnx"
    path.write_bytes(made.SerializeToString())
    with pytest.raises(ModelError, match=r"tensor 'y'.*elements"):
        open_artifact(path)


def test_a_missing_operator_set_is_named(tmp_path: Path) -> None:
    made = relu([1, 4], [1, 4])
    del made.opset_import[:]
    refused(made, tmp_path, "opset_import")


def test_an_unknown_operator_is_named_and_not_called_damage(tmp_path: Path) -> None:
    made = model([helper.make_node("Fancy", ["x"], ["y"])], {"x": [1, 4]}, {"y": [1, 4]})
    refused(made, tmp_path, "Fancy", "not known")


def test_a_cycle_is_named(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"], name="sum"), helper.make_node("Relu", ["a"], ["b"])]
    refused(model(nodes, {"x": [1, 4]}, {"b": [1, 4]}), tmp_path, "'sum' (Add)", "cycle")


def test_operators_out_of_order_are_sorted(tmp_path: Path) -> None:
    """ONNX Runtime sorts them itself, so such files are about."""
    nodes = [helper.make_node("Sigmoid", ["a"], ["y"]), helper.make_node("Relu", ["x"], ["a"])]
    path = tmp_path / "net.onnx"
    path.write_bytes(model(nodes, {"x": [1, 4]}, {"y": [1, 4]}).SerializeToString())
    assert [operator.op for operator in read_graph(path).operators] == ["Relu", "Sigmoid"]


def test_an_output_without_any_shape_is_left_to_inference(tmp_path: Path) -> None:
    made = relu([1, 4], [1, 4])
    made.graph.output[0].type.tensor_type.ClearField("shape")
    path = tmp_path / "net.onnx"
    path.write_bytes(made.SerializeToString())
    assert open_artifact(path).outputs[0].shape == (1, 4)


def test_constants_among_the_inputs_are_no_inputs(tmp_path: Path) -> None:
    constant = numpy_helper.from_array(np.ones((1, 4), np.float32), "c")
    made = model([helper.make_node("Add", ["x", "c"], ["y"])], {"x": [1, 4], "c": [1, 4]}, {"y": [1, 4]}, [constant])
    made.ir_version = 3
    path = tmp_path / "net.onnx"
    path.write_bytes(made.SerializeToString())
    assert [spec.name for spec in open_artifact(path).inputs] == ["x"]


def test_the_tests_networks_are_what_onnx_calls_valid(tmp_path: Path) -> None:
    onnx.checker.check_model(relu([1, 4], [1, 4]))
