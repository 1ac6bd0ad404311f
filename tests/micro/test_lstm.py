"""UNIDIRECTIONAL_SEQUENCE_LSTM: state over inferences, and files that are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerig.errors import CompileError, ModelError
from edgerig.micro import Options, compile_model
from edgerig.micro.frontend.read import read_program
from edgerig.micro.ir.operators.lstm import SequenceLstm
from edgerig.micro.reference.lstm import sigmoid, tanh
from edgerig.testing.networks.generated import load, run_sanitized
from edgerig.testing.networks.random_operators import random_inputs, random_operator
from edgerig.testing.networks.reference_runs import Oracle, difference
from edgerig.testing.networks.tflite_builder import packed


def changed(data: bytes, change: Callable[[Any, Any], None]) -> bytes:
    """The file with its LSTM changed, given as operator and subgraph."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    graph = model.subgraphs[0]
    graph.operators[0].inputs = list(graph.operators[0].inputs)
    change(graph.operators[0], graph)
    return packed(model)


def test_states_last_until_the_network_is_initialized(tmp_path: Path) -> None:
    data = random_operator("UNIDIRECTIONAL_SEQUENCE_LSTM", 5, "int8")
    network, oracle = load(compile_model(data, "net", Options()), tmp_path), Oracle(data)
    rng = np.random.default_rng(0)
    shape = network.manifest.inputs[0].shape
    samples = [rng.integers(-128, 128, shape).astype(np.int8) for _ in range(20)]
    outputs = [network.run([sample])[0] for sample in samples]
    assert all(np.array_equal(oracle.run([x])[0], y) for x, y in zip(samples, outputs, strict=True))
    again = network.run([samples[0]])[0]
    network.reset()
    assert np.array_equal(network.run([samples[0]])[0], outputs[0])
    assert not np.array_equal(again, outputs[0])


def test_the_integer_curves_are_curves() -> None:
    """Sigmoid and tanh of all int16 are within 13 steps of 15 bits of the real ones."""
    x = np.arange(-32768, 32768)
    assert np.abs(sigmoid(x) / 32768 - 1 / (1 + np.exp(-x / 4096))).max() < 13 / 32768
    for bits in range(7):
        assert np.abs(tanh(x, bits) / 32768 - np.tanh(x / (1 << (15 - bits)))).max() < 13 / 32768


def test_what_an_lstm_may_have_and_the_compiler_does_not_know_is_refused() -> None:
    data = random_operator("UNIDIRECTIONAL_SEQUENCE_LSTM", 3, "int8")

    def peephole(operator: Any, _: Any) -> None:
        operator.inputs[10] = operator.inputs[12 + 1]

    def projection(operator: Any, _: Any) -> None:
        operator.inputs[16] = operator.inputs[5 + 1]

    def normalization(operator: Any, _: Any) -> None:
        operator.inputs[21] = operator.inputs[12 + 1]

    def constant_state(operator: Any, graph: Any) -> None:
        graph.tensors[operator.inputs[19]].isVariable = False
        operator.inputs[19] = operator.inputs[12 + 1]

    def odd_cell(operator: Any, graph: Any) -> None:
        graph.tensors[operator.inputs[19]].quantization.scale = [0.003]

    def nothing_within(operator: Any, _: Any) -> None:
        operator.intermediates = None

    def relu(operator: Any, _: Any) -> None:
        operator.builtinOptions.fusedActivationFunction = 1

    for change, text in (
        (peephole, "it has peephole connections"),
        (projection, "it has a projection"),
        (normalization, "it has layer normalization"),
        (constant_state, "its states are not kept"),
        (odd_cell, r"the scale of its cell is 0.003; a power of two from 2\*\*-15"),
        (nothing_within, "does not say how its output is quantized within"),
        (relu, "the activation of its cell is not TANH"),
    ):
        with pytest.raises(CompileError, match=text):
            compile_model(changed(data, change), "net", Options())


def test_gates_of_other_sizes_are_told() -> None:
    def swap(operator: Any, _: Any) -> None:
        operator.inputs[2], operator.inputs[6] = operator.inputs[6], operator.inputs[2]

    data = random_operator("UNIDIRECTIONAL_SEQUENCE_LSTM", 3, "float32")
    (node,) = read_program(data, "net").nodes
    assert node.input.shape[2] != node.output.shape[2]
    with pytest.raises(ModelError, match="has a forget gate of"):
        compile_model(changed(data, swap), "net", Options())


@pytest.mark.slow
def test_peepholes_and_projections_of_floats_are_those_of_litert(tmp_path: Path) -> None:
    made: dict[str, bytes] = {}
    kinds = set()
    for seed in range(50):
        data = random_operator("UNIDIRECTIONAL_SEQUENCE_LSTM", seed, "float32")
        (node,) = read_program(data, "net").nodes
        assert isinstance(node, SequenceLstm)
        kind = node.projection is not None, node.gates["output"].peephole is not None, "input" in node.gates
        if kind[:2] != (False, False):
            made[f"net{seed}"] = data
            kinds.add(kind)
    assert {kind[:2] for kind in kinds} == {(True, False), (False, True), (True, True)}
    assert {kind[2] for kind in kinds} == {True, False}
    sources = [compile_model(data, name, Options()) for name, data in made.items()]
    samples = [random_inputs(source.manifest.inputs, 3, 1) for source in sources]
    for data, each, outputs in zip(made.values(), samples, run_sanitized(sources, samples, tmp_path), strict=True):
        oracle = Oracle(data)
        for inputs, found in zip(each, outputs, strict=True):
            assert difference(oracle.run(inputs)[0], found[0]) < 1e-5


def test_half_a_set_of_peepholes_and_a_bias_without_projection_are_damage() -> None:
    data = random_operator("UNIDIRECTIONAL_SEQUENCE_LSTM", 3, "float32")

    def half(operator: Any, _: Any) -> None:
        operator.inputs[9:12] = [-1, operator.inputs[13], -1]

    def alone(operator: Any, _: Any) -> None:
        operator.inputs[16:18] = [-1, operator.inputs[13]]

    for change, text in (
        (half, "has peepholes of forget alone"),
        (alone, "the bias of a projection, and no projection"),
    ):
        with pytest.raises(ModelError, match=text):
            compile_model(changed(data, change), "net", Options())
