"""Operators of profiles beside those of files: only what is certain."""

import msgspec

from edgerig.engine.layers.mapping import map_profile
from edgerig.measure.kinds import Measurement
from edgerig.measure.profile import LayerTime
from edgerig.models.graph.types import Graph, Operator, Tensor

#: The beginning of a separable network, and its end.
OPS = ("CONV_2D", "MUL", "ADD", "DEPTHWISE_CONV_2D", "MUL", "ADD", "AVERAGE_POOL_2D", "FULLY_CONNECTED", "SOFTMAX")


def graph(*ops: str, format: str = "tflite", unpacked: bool = False) -> Graph:
    """A chain of operators called n0, n1 ..; with ``unpacked`` the first unpacks a weight of the second."""
    count = len(ops)
    tensors = [Tensor(index=i, name=f"n{i}", shape=(1, 4), dtype="float32") for i in range(count)]
    tensors.append(Tensor(index=count, name="in", shape=(1, 4), dtype="float32"))
    tensors.append(Tensor(index=count + 1, name="weight", shape=(4,), dtype="float16", constant=True))
    inputs = [(count + 1,) if unpacked and i == 0 else (count,) if i == unpacked else (i - 1,) for i in range(count)]
    return Graph(
        name="g",
        format=format,
        tensors=tuple(tensors),
        operators=tuple(
            Operator(index=i, op=op, name=f"n{i}", inputs=inputs[i], outputs=(i,)) for i, op in enumerate(ops)
        ),
        inputs=(count,),
        outputs=(count - 1,),
    )


def profile(*rows: tuple[str, str]) -> list[LayerTime]:
    """Rows of name and operator."""
    time = Measurement(value=1e-6, unit="s", kind="measured", method="m")
    return [LayerTime(index=index, name=name, op=op, time=time) for index, (name, op) in enumerate(rows)]


def mapped(rows: list[LayerTime], network: Graph) -> list[tuple[int | None, str | None]]:
    return [(row.operator, row.mapped) for row in map_profile(rows, network)]


XNNPACK = (
    "Convolution (NHWC, F32) IGEMM", "Multiply (ND)", "Add (ND)", "Convolution (NHWC, F32) DWConv", "Multiply (ND)",
    "Add (ND)", "Average Pooling (NHWC, F32) Average Pooling", "Static Reshape (NC)", "Fully Connected (NC, F32) GEMM",
    "Softmax (NC, F32)",
)  # fmt: skip


def test_a_whole_network_on_a_delegate_is_told_by_order() -> None:
    rows = profile(*((f"Delegate:{i}", op) for i, op in enumerate(XNNPACK)))
    assert mapped(rows, graph(*OPS)) == [(index, "order") for index in (0, 1, 2, 3, 4, 5, 6, 7, 7, 8)]


def test_an_operator_that_unpacks_weights_has_no_row() -> None:
    rows = profile(("Delegate:0", "Fully Connected (NC, F32) GEMM"), ("Delegate:1", "Softmax (NC, F32)"))
    network = graph("DEQUANTIZE", "FULLY_CONNECTED", "SOFTMAX", unpacked=True)
    assert mapped(rows, network) == [(1, "order"), (2, "order")]


def test_kernels_of_litert_have_the_index_and_stretches_between_them_the_order() -> None:
    rows = profile(
        ("Builtin:0", "CONV_2D"), ("Delegate:0", "Multiply (ND)"), ("Delegate:1", "Add (ND)"), ("Builtin:3", "SOFTMAX")
    )
    network = graph("CONV_2D", "MUL", "ADD", "SOFTMAX")
    assert mapped(rows, network) == [(0, "index"), (1, "order"), (2, "order"), (3, "index")]


def test_rows_that_litert_has_added_up_leave_no_delegated_row_certain() -> None:
    """MUL and ADD behind operator 3 are in the rows of those behind operator 0."""
    rows = profile(
        ("Builtin:0", "CONV_2D"), ("Delegate:0", "Multiply (ND)"), ("Delegate:1", "Add (ND)"), ("Builtin:3", "CONV_2D"),
        ("Builtin:6", "SOFTMAX"),
    )  # fmt: skip
    network = graph("CONV_2D", "MUL", "ADD", "CONV_2D", "MUL", "ADD", "SOFTMAX")
    assert mapped(rows, network) == [(0, "index"), (None, None), (None, None), (3, "index"), (6, "index")]
    assert all("one by one" in row.reason for row in map_profile(rows, network)[1:3])


def test_a_row_that_ran_more_often_than_others_is_of_several_operators() -> None:
    """The reshape of XNNPACK's own before the last operator is in the row of the first part's."""
    rows = profile(
        ("Delegate:0", "Static Reshape (NC)"), ("Builtin:1", "TANH"), ("Delegate:1", "Fully Connected (NC, F32) GEMM")
    )
    network = graph("RESHAPE", "TANH", "FULLY_CONNECTED")
    assert mapped(rows, network) == [(0, "order"), (1, "index"), (2, "order")]
    assert isinstance(rows[0].time, Measurement)
    rows[0] = msgspec.structs.replace(rows[0], time=msgspec.structs.replace(rows[0].time, n=2))
    assert mapped(rows, network) == [(None, None), (1, "index"), (None, None)]


def test_an_index_of_another_kind_of_operator_is_not_believed() -> None:
    rows = profile(("Builtin:0", "SOFTMAX"), ("Builtin:7", "CONV_2D"))
    assert mapped(rows, graph("CONV_2D")) == [(None, None), (None, None)]


def test_a_kind_that_is_not_known_is_not_guessed() -> None:
    rows = profile(("Delegate:0", "Magic (ND)"), ("Delegate:1", "Add (ND)"))
    assert mapped(rows, graph("MUL", "ADD")) == [(None, None), (None, None)]


def test_names_of_onnx_runtime_lose_what_its_optimizer_appended() -> None:
    rows = profile(
        ("n0_nchwc", "Conv"), ("n1_mul_nchwc", "Conv"), ("n2_token_4", "Add"), ("ReorderOutput_token_3", "R")
    )
    network = graph("Conv", "Mul", "Add", format="onnx")
    assert mapped(rows, network) == [(0, "name"), (1, "name"), (2, "name"), (None, None)]


def test_a_name_that_two_nodes_bear_is_not_certain() -> None:
    network = graph("Conv", "Conv", format="onnx")
    twice = tuple(Operator(index=i, op="Conv", name="n", inputs=(0,), outputs=(1,)) for i in range(2))
    network = Graph(
        name="g",
        format="onnx",
        tensors=network.tensors,
        operators=twice,
        inputs=network.inputs,
        outputs=network.outputs,
    )
    assert mapped(profile(("n", "Conv")), network) == [(None, None)]


def test_a_row_of_several_operators_is_all_of_them() -> None:
    """edgerig's C calls a convolution with the pooling behind it by the name of the pooling."""
    network = graph("DEPTHWISE_CONV_2D", "RESHAPE", "MAX_POOL_2D", "CONV_2D", "SOFTMAX")
    first, last = map_profile(profile(("n2", "CONV_2D+MAX_POOL_2D"), ("n4", "CONV_2D+SOFTMAX")), network)
    assert (first.operator, first.fused, first.mapped) == (2, (0,), "name")
    assert (last.operator, last.fused) == (4, (3,))
    (row,) = map_profile(profile(("n4", "ADD+SOFTMAX")), network)
    assert row.operator is None
    assert "not certain which: ADD+SOFTMAX" in row.reason
    (row,) = map_profile(profile(("n2", "A+CONV_2D+MAX_POOL_2D")), network)
    assert row.operator is None
