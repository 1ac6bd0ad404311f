"""ONNX files of a few kB whose shapes take for ever, or all memory, to infer: given up in a bounded process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

from edgerig.bounded import Limits, bounded
from edgerig.errors import ModelError
from edgerig.models.files import open_artifact
from edgerig.models.graph.read import read_graph

DOMAIN = "doubling"


def tensor(name: str, shape: list[Any] | None = None) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4] if shape is None else shape)


def saved(graph: Any, path: Path, functions: Any = ()) -> Path:
    operator_sets = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(graph, functions=list(functions), opset_imports=operator_sets, ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def doubling_functions(levels: int, path: Path) -> Path:
    """Each function calls the one before it twice: 2 to the power of ``levels`` operators."""
    functions = []
    for level in range(levels):
        nodes = [helper.make_node("Relu", ["x"], ["y"])]
        if level:
            name = f"F{level - 1}"
            nodes = [helper.make_node(name, ["x"], ["t"], domain=DOMAIN)]
            nodes += [helper.make_node(name, ["t"], ["y"], domain=DOMAIN)]
        needs = [helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, 1)]
        functions.append(helper.make_function(DOMAIN, f"F{level}", ["x"], ["y"], nodes, needs))
    node = helper.make_node(f"F{levels - 1}", ["a"], ["b"], domain=DOMAIN)
    return saved(helper.make_graph([node], "g", [tensor("a")], [tensor("b")]), path, functions)


def huge_constant(path: Path) -> Path:
    """A shape of 2 to the power of 31 sizes, which inference computes with."""
    value = helper.make_tensor("v", TensorProto.INT64, [1], [1])
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["z"], value=value),
        helper.make_node("Concat", ["z", "z"], ["zz"], axis=0),
        helper.make_node("Reshape", ["a", "zz"], ["b"]),
    ]
    size = helper.make_tensor("s", TensorProto.INT64, [1], [2**31])
    return saved(helper.make_graph(nodes, "g", [tensor("a")], [tensor("b")], [size]), path)


def test_within_bounds_a_file_is_read_as_without(tmp_path: Path) -> None:
    path = doubling_functions(5, tmp_path / "few.onnx")
    alone = read_graph(path)
    with bounded(Limits(silence=60)):
        assert read_graph(path) == alone
        assert open_artifact(path).inputs[0].shape == (1, 4)


@pytest.mark.slow
@pytest.mark.parametrize("door", [open_artifact, read_graph])
def test_functions_that_double_are_given_up(door: Any, tmp_path: Path) -> None:
    path = doubling_functions(40, tmp_path / "doubling.onnx")
    with (
        bounded(Limits(silence=0.3)),
        pytest.raises(ModelError, match=r"Reading doubling\.onnx was given up: it told no"),
    ):
        door(path)


@pytest.mark.slow
def test_shapes_that_take_all_memory_are_given_up(tmp_path: Path) -> None:
    path = huge_constant(tmp_path / "huge.onnx")
    with bounded(Limits(silence=60, memory=1 << 30)), pytest.raises(ModelError, match="GB of memory, the limit is"):
        read_graph(path)


def test_a_damaged_file_is_refused_in_the_same_words(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"\x08\x09not a network")
    with pytest.raises(ModelError) as alone:
        read_graph(path)
    with bounded(Limits(silence=60)), pytest.raises(ModelError) as within:
        read_graph(path)
    assert (within.value.message, within.value.hint) == (alone.value.message, alone.value.hint)
