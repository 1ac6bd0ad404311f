"""TFLite files, sound ones and those that lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgerig.artifact import Quantization
from edgerig.errors import ModelError
from edgerig.models.graph import read_graph, read_weights, scheme_of
from edgerig.models.graph.analysis import analyse
from edgerig.models.graph.tflite_file import read_tflite, read_tflite_network, read_tflite_weights
from edgerig.testing.networks import INT8_INPUT, dense_tflite, dense_tflite_int8, dense_weights, two_input_tflite


def unpacked(data: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))


def packed(model: Any) -> bytes:
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_operators_tensors_and_ends_are_read(tiny_tflite: Path) -> None:
    graph = read_graph(tiny_tflite)
    assert graph.format == "tflite"
    assert [operator.op for operator in graph.operators] == ["FULLY_CONNECTED", "SOFTMAX"]
    assert [operator.name for operator in graph.operators] == ["logits", "y"]
    assert [graph.tensors[i].name for i in graph.inputs] == ["x"]
    assert [graph.tensors[i].name for i in graph.outputs] == ["y"]
    assert [(t.name, t.shape, t.constant) for t in graph.tensors] == [
        ("x", (1, 8), False),
        ("w", (4, 8), True),
        ("b", (4,), True),
        ("logits", (1, 4), False),
        ("y", (1, 4), False),
    ]


@pytest.mark.slow
def test_options_have_the_names_of_the_schema(mnist_tflite: Path) -> None:
    graph = read_graph(mnist_tflite)
    convolution = next(operator for operator in graph.operators if operator.op == "CONV_2D")
    wanted = {"padding": "VALID", "stride_h": 1, "stride_w": 1, "dilation_w_factor": 1}
    assert wanted.items() <= convolution.options.items()
    assert convolution.options["fused_activation_function"] == "RELU"
    pool = next(operator for operator in graph.operators if operator.op == "MAX_POOL_2D")
    assert {"filter_height": 2, "filter_width": 2}.items() <= pool.options.items()


def test_weights_are_the_ones_written(tiny_tflite: Path) -> None:
    weights, bias = dense_weights(8, 4)
    found = read_weights(tiny_tflite)
    assert set(found) == {1, 2}
    np.testing.assert_array_equal(found[1], weights)
    np.testing.assert_array_equal(found[2], bias)


def test_quantization_is_read(tmp_path: Path) -> None:
    graph = read_graph(dense_tflite_int8(tmp_path / "q.tflite"))
    scale, zero = INT8_INPUT
    assert graph.tensors[0].quantization == Quantization((pytest.approx(scale),), (zero,))  # type: ignore[arg-type]
    assert graph.tensors[0].dtype == "int8"
    assert scheme_of(graph) == "int8"


def test_scales_per_channel_keep_their_axis(tmp_path: Path) -> None:
    model = unpacked(dense_tflite_int8(tmp_path / "q.tflite").read_bytes())
    kernel = model.subgraphs[0].tensors[1].quantization
    kernel.scale, kernel.zeroPoint, kernel.quantizedDimension = [0.5, 0.25, 1.0, 2.0], [0], 0
    found = read_tflite(packed(model), "q").tensors[1].quantization
    assert found == Quantization((0.5, 0.25, 1.0, 2.0), (0, 0, 0, 0), 0)


def test_buffers_outside_the_flatbuffer_are_read(tiny_tflite: Path) -> None:
    data = tiny_tflite.read_bytes()
    model = unpacked(data)
    content = model.buffers[1].data.tobytes()
    model.buffers[1].data, model.buffers[1].offset, model.buffers[1].size = None, 2, len(content)
    # Twice: the offset is of a fixed size, so the length is known after the first time.
    model.buffers[1].offset = len(packed(model))
    moved = packed(model) + content
    np.testing.assert_array_equal(read_tflite_weights(moved, "net")[1], read_weights(tiny_tflite)[1])
    assert read_tflite(moved, "net") == read_graph(tiny_tflite)
    with pytest.raises(ModelError, match="beyond its end"):
        read_tflite(moved[:-1], "net")


def test_weights_of_four_bits_come_unpacked(tiny_tflite: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema

    model = unpacked(tiny_tflite.read_bytes())
    values = np.tile(np.arange(-8, 8, dtype=np.int8), 2).reshape(4, 8)
    low, high = values.reshape(-1)[::2] & 15, values.reshape(-1)[1::2] & 15
    model.subgraphs[0].tensors[1].type = schema.TensorType.INT4
    model.buffers[1].data = (low | high << 4).astype(np.uint8)
    data = packed(model)
    np.testing.assert_array_equal(read_tflite_weights(data, "net")[1], values)
    graph, weights = read_tflite_network(data, "net")
    assert graph == read_tflite(data, "net")
    np.testing.assert_array_equal(weights[1], values)
    graph = read_tflite(data, "net")
    assert (graph.tensors[1].dtype, graph.tensors[1].nbytes) == ("int4", 16)
    assert scheme_of(graph) == "dynamic"


def test_two_inputs_and_two_outputs_keep_their_order(tmp_path: Path) -> None:
    graph = read_graph(two_input_tflite(tmp_path / "two.tflite"))
    assert [graph.tensors[i].name for i in graph.inputs] == ["a", "b"]
    assert [graph.tensors[i].name for i in graph.outputs] == ["s", "y"]


def lie_index(model: Any) -> None:
    model.subgraphs[0].operators[0].inputs = [0, 1, 99]


def lie_shape(model: Any) -> None:
    model.subgraphs[0].tensors[1].shape = [4, 9]


def lie_negative(model: Any) -> None:
    model.subgraphs[0].tensors[0].shape = [1, -8]


def lie_buffer(model: Any) -> None:
    model.subgraphs[0].tensors[1].buffer = 77


def lie_code(model: Any) -> None:
    model.subgraphs[0].operators[1].opcodeIndex = 5


def lie_operator(model: Any) -> None:
    model.operatorCodes[0].builtinCode = 100_000


def lie_type(model: Any) -> None:
    model.subgraphs[0].tensors[0].type = 99


def lie_input(model: Any) -> None:
    model.subgraphs[0].inputs = [-1]


def lie_outputs(model: Any) -> None:
    model.subgraphs[0].outputs = []


def lie_no_network(model: Any) -> None:
    model.subgraphs = []


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (lie_index, "names tensor 99 of 5"),
        (lie_shape, r"tensor 1 \(w\) needs 144 bytes and the file holds 128"),
        (lie_negative, r"shape \[1, -8\]"),
        (lie_buffer, "buffer 77"),
        (lie_code, "code that the file does not list"),
        (lie_operator, "operator code 100000"),
        (lie_type, "type 99"),
        (lie_input, "names tensor -1"),
        (lie_outputs, "no output"),
        (lie_no_network, "no network"),
    ],
)
def test_a_lie_is_told_by_name(tiny_tflite: Path, lie: Any, words: str) -> None:
    model = unpacked(tiny_tflite.read_bytes())
    lie(model)
    with pytest.raises(ModelError, match=words) as caught:
        read_tflite(packed(model), "net.tflite")
    assert caught.value.message.startswith("net.tflite is corrupt")
    assert caught.value.hint


@pytest.mark.parametrize("content", [b"TFL3", b"\0\0\0\0TFL", b"\x08\x07\x12 an ONNX file?"])
def test_other_files_are_told_by_their_magic(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="does not carry the identifier TFL3"):
        read_graph(path)


def test_an_empty_file_and_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").touch()
    with pytest.raises(ModelError, match="is empty"):
        read_graph(tmp_path / "net.tflite")
    with pytest.raises(ModelError, match="No such file"):
        read_graph(tmp_path / "none.tflite")
    (tmp_path / "folder.tflite").mkdir()
    with pytest.raises(ModelError, match="is a folder, not a model file"):
        read_graph(tmp_path / "folder.tflite")


def survive(data: bytes) -> bool:
    """Read whatever the bytes say; nothing but a `ModelError` may come out. Whether it was accepted."""
    try:
        graph = read_tflite(data, "net")
        read_tflite_weights(data, "net")
    except ModelError:
        return False
    analyse(graph)
    scheme_of(graph)
    return True


def test_a_file_cut_at_any_byte_is_refused_or_read(tiny_tflite: Path) -> None:
    data = tiny_tflite.read_bytes()
    accepted = [length for length in range(len(data)) if survive(data[:length])]
    assert accepted == [], "the writer fills a FlatBuffer from the end, so every cut loses something"
    assert survive(data)


@pytest.mark.slow
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_flipped_bytes_never_end_in_a_traceback(tiny_tflite: Path, data: st.DataObject) -> None:
    content = bytearray(tiny_tflite.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(8, len(content) - 1))
        content[place] = data.draw(st.sampled_from([0, 1, 4, 127, 128, 255]) | st.integers(0, 255))
    survive(bytes(content))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_noise_behind_the_magic_never_ends_in_a_traceback(noise: bytes) -> None:
    survive(noise[:4].ljust(4, b"\0") + b"TFL3" + noise[4:])


def test_a_vector_that_claims_to_be_longer_than_the_file_does_not_keep_us_busy(tiny_tflite: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema

    data = bytearray(tiny_tflite.read_bytes())
    table = schema.Model.GetRootAs(data, 0).Subgraphs(0)._tab
    for field in (4, 6, 8, 10):
        place = table.Vector(table.Offset(field)) - 4
        broken = bytearray(data)
        broken[place : place + 4] = (0xFFFFFFF0).to_bytes(4, "little")
        with pytest.raises(ModelError):
            read_tflite(bytes(broken), "net")


def test_a_custom_operator_carries_its_own_name(tmp_path: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema

    model = unpacked(dense_tflite(tmp_path / "net.tflite").read_bytes())
    code = model.operatorCodes[1]
    code.builtinCode, code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM, schema.BuiltinOperator.CUSTOM
    code.customCode = b"MyOp"
    graph = read_tflite(packed(model), "net")
    assert graph.operators[1].op == "CUSTOM"
    assert graph.operators[1].options["custom_code"] == "MyOp"
    assert any("MyOp" in note for note in analyse(graph).notes)
