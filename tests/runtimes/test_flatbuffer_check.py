import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgerig.errors import InferenceError
from edgerig.runtimes import flatbuffer_check
from edgerig.runtimes.flatbuffer_check import check_file, check_tflite, verify_with_litert, with_axes_of_vectors
from edgerig.runtimes.tflm import SCHEMA, Tflm
from edgerig.testing.contracts.runtime import samples_for
from edgerig.testing.networks.tflite_builder import TfliteBuilder, counting_network


def changed(path: Path, change: Callable[[Any], None]) -> bytes:
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_a_sound_file_passes(float_tflite: Path, int8_tflite: Path, two_input_tflite: Path) -> None:
    for path in (float_tflite, int8_tflite, two_input_tflite):
        data = path.read_bytes()
        verify_with_litert(data, check_tflite(data, schema))
    assert check_file(two_input_tflite, SCHEMA) == (["a", "b"], ["s", "y"])


def set_tensor_shape(model: Any) -> None:
    model.subgraphs[0].tensors[1].shape = [4, 9]


def set_tensor_index(model: Any) -> None:
    model.subgraphs[0].operators[0].inputs = [0, 1, 77]


def set_buffer_index(model: Any) -> None:
    model.subgraphs[0].tensors[1].buffer = 99


def set_code_index(model: Any) -> None:
    model.subgraphs[0].operators[0].opcodeIndex = 5


def set_output_index(model: Any) -> None:
    model.subgraphs[0].outputs = [42]


def set_negative_shape(model: Any) -> None:
    model.subgraphs[0].tensors[0].shape = [1, -8]


def set_no_graph(model: Any) -> None:
    model.subgraphs = []


def set_no_output(model: Any) -> None:
    model.subgraphs[0].outputs = []


def set_outside_buffer(model: Any) -> None:
    model.buffers[1].data = None
    model.buffers[1].offset, model.buffers[1].size = 4096, 128


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_tensor_shape, "tensor 1 needs 144 bytes and has 128"),
        (set_tensor_index, "operator 0 names a tensor"),
        (set_buffer_index, "tensor 1 names a buffer"),
        (set_code_index, "operator 0 has no code"),
        (set_output_index, "inputs or outputs are not there"),
        (set_negative_shape, "tensor 0 has the shape"),
        (set_no_graph, "no graph"),
        (set_no_output, "it has no output"),
        (set_outside_buffer, "outside of the flatbuffer"),
    ],
)
def test_a_fault_is_named(float_tflite: Path, change: Callable[[Any], None], words: str) -> None:
    with pytest.raises(InferenceError, match=words) as caught:
        check_tflite(changed(float_tflite, change), schema)
    assert caught.value.hint


def test_subgraphs_need_no_inputs_and_no_outputs(tmp_path: Path) -> None:
    path = tmp_path / "counting.tflite"
    path.write_bytes(counting_network())
    assert check_file(path, SCHEMA) == (["x"], ["y"])


def test_the_axis_of_a_vector_is_its_only_one() -> None:
    net = TfliteBuilder()
    x = net.tensor("x", (1, 2), "int8", scale=0.5)
    net.tensor("vector", (2,), "int32", np.array([1, 2]), [0.1, 0.2], axis=3)
    net.tensor("matrix", (2, 2), "int8", np.ones((2, 2)), [0.1, 0.2], axis=1)
    mended = with_axes_of_vectors(net.build([x], [x]))
    tensors = schema.ModelT.InitFromPackedBuf(mended, 0).subgraphs[0].tensors
    assert [tensor.quantization.quantizedDimension for tensor in tensors] == [0, 0, 1]


def test_a_shape_that_no_operator_makes_is_found_by_litert(float_tflite: Path) -> None:
    def grow_logits(model: Any) -> None:
        model.subgraphs[0].tensors[3].shape = [1, 400]

    data = changed(float_tflite, grow_logits)
    with pytest.raises(InferenceError, match=r"tensor 3 has the shape \[1, 400\] where its operator makes \[1, 4\]"):
        verify_with_litert(data, check_tflite(data, schema))


def test_another_file_is_not_a_tflite_file(tmp_path: Path) -> None:
    path = tmp_path / "other.tflite"
    path.write_bytes(b"\x89PNG and so on and on")
    with pytest.raises(InferenceError, match="TFL3 is missing"):
        check_file(path, SCHEMA)


def test_a_child_that_dies_of_the_file_is_a_damaged_file(float_tflite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Done:
        returncode, stdout, stderr = -11, "", ""

    monkeypatch.setattr(flatbuffer_check.subprocess, "run", lambda *_, **__: Done)
    with pytest.raises(InferenceError, match="damaged"):
        check_file(float_tflite, SCHEMA)


def test_a_child_without_an_answer_tells_its_last_words(float_tflite: Path) -> None:
    with pytest.raises(InferenceError, match="No module named 'no_such_schema'"):
        check_file(float_tflite, "no_such_schema")


@pytest.mark.slow
def test_bytes_changed_at_random_never_end_the_process(float_tflite: Path, tmp_path: Path) -> None:
    content = float_tflite.read_bytes()
    path = tmp_path / "random.tflite"
    rng = random.Random(0)
    for _ in range(30):
        data = bytearray(content)
        for _ in range(rng.choice([1, 3, 20])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)
        runtime = Tflm()
        try:
            runtime.load(path)
        except InferenceError:
            continue
        runtime.run(samples_for(runtime.inputs, 1))
