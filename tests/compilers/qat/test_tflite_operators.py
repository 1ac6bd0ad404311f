"""Each operator as it is trained computes what LiteRT's reference kernels compute in int8, to within a step."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.compilers.qat.tflite_network import TfliteNetwork
from edgerig.compilers.qat.tflite_operators import RULES
from edgerig.errors import CompileError
from edgerig.models.graph.tflite_file import read_tflite
from edgerig.testing.networks.random_operators import FLOAT_ONLY, OPERATORS, random_operator

#: A kernel that rounds in the middle may come to rest on the other side of a border.
STEP = 1.01
SEEDS = range(3)


def litert(data: bytes, inputs: list[NDArray[np.int8]]) -> list[NDArray[Any]]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    for detail, values in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


@pytest.mark.parametrize("op", sorted(set(OPERATORS) & RULES.keys() - FLOAT_ONLY))
@pytest.mark.slow
def test_it_agrees_with_the_int8_kernel(op: str) -> None:
    import jax

    judged = 0
    for seed in SEEDS:
        data = random_operator(op, seed, "int8")
        graph = read_tflite(data, "net")
        if any(graph.tensors[index].dtype != "int8" for index in (*graph.inputs, *graph.outputs)):
            continue
        network = TfliteNetwork(data, data, "net")
        rng = np.random.default_rng(seed)
        numbers = [rng.integers(-128, 128, graph.tensors[index].shape).astype(np.int8) for index in graph.inputs]
        inputs = [real(graph.tensors[i], n).astype(np.float32) for i, n in zip(graph.inputs, numbers, strict=True)]
        # Compiled as one program, as in a training; call by call JAX would compile each of its operations.
        outputs = jax.jit(partial(network.outputs, rounded=True))(network.parameters, inputs)
        for index, ours, theirs in zip(graph.outputs, outputs, litert(data, numbers), strict=True):
            scale = graph.tensors[index].quantization.scales[0]
            steps = np.abs(np.asarray(ours) - real(graph.tensors[index], theirs)) / scale
            assert steps.max() <= STEP, (op, seed)
            judged += 1
    assert judged


def real(tensor: Any, numbers: NDArray[np.int8]) -> NDArray[np.float64]:
    (scale,), (zero,) = tensor.quantization.scales, tensor.quantization.zero_points
    return (numbers.astype(np.float64) - zero) * scale


def test_what_has_no_gradient_is_named() -> None:
    data = random_operator("ARG_MAX", 0, "int8")
    with pytest.raises(CompileError, match=r"operator 0 \(ARG_MAX, .* has no gradient here"):
        TfliteNetwork(data, data, "net.tflite")
