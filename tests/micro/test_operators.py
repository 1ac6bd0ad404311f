"""Every operator against LiteRT's reference kernels: in numpy, in generated C, and in C under sanitizers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.micro.against_litert import is_near, sanitized_code_agrees

from edgerig.micro import Options, compile_model
from edgerig.micro.frontend.read import read_program
from edgerig.micro.ir import RECORDS, Binary
from edgerig.micro.reference import Machine
from edgerig.testing.networks.generated import load_all
from edgerig.testing.networks.random_operators import CASES, OPERATORS, random_inputs, random_operator
from edgerig.testing.networks.random_operators.draw import Draw
from edgerig.testing.networks.reference_runs import Oracle, difference, tolerance

DTYPES = ("int8", "float32")
BINARY = [name for name, record in RECORDS.items() if record.node and issubclass(record.node, Binary)]
#: Networks of each operator and type that are compiled to C.
COMPILED = 4


@pytest.mark.slow
@pytest.mark.parametrize(("op", "dtype"), CASES)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_numpy_says_what_litert_says(op: str, dtype: str, seed: int) -> None:
    data = random_operator(op, seed, dtype)
    oracle = Oracle(data)
    machine = Machine(read_program(data, op))
    for inputs in random_inputs(machine.program.inputs, 3, seed):
        for expected, found in zip(oracle.run(inputs), machine.run(inputs), strict=True):
            assert (expected.shape, expected.dtype) == (found.shape, found.dtype)
            assert difference(expected, found) <= tolerance(expected.dtype)


def test_the_multipliers_of_a_prelu_are_those_of_single_precision(tmp_path: Path) -> None:
    """Those of double precision would put a value of this network on the other side of a half."""
    data = random_operator("PRELU", 979, "int8")
    machine, oracle = Machine(read_program(data, "net")), Oracle(data)
    (network,) = load_all([compile_model(data, "net", Options())], tmp_path, ("-O1",))
    for inputs in random_inputs(machine.program.inputs, 3, 979):
        (expected,) = oracle.run(inputs)
        assert np.array_equal(machine.run(inputs)[0], expected)
        assert np.array_equal(network.run(inputs)[0], expected)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_generated_code_says_what_litert_says(dtype: str, tmp_path: Path) -> None:
    files = {f"{op}_{seed}": random_operator(op, seed, dtype) for op in OPERATORS for seed in range(COMPILED)}
    sources = [compile_model(data, name, Options()) for name, data in files.items()]
    networks = load_all(sources, tmp_path, ("-O1",))
    for data, network in zip(files.values(), networks, strict=True):
        oracle = Oracle(data)
        for inputs in random_inputs(network.manifest.inputs, 4, 7):
            for expected, found in zip(oracle.run(inputs), network.run(inputs), strict=True):
                assert difference(expected, found) <= tolerance(expected.dtype), network.manifest.name


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_generated_code_is_clean_under_sanitizers(dtype: str, tmp_path: Path) -> None:
    files = {f"{op}_{seed}": random_operator(op, 100 + seed, dtype) for op in OPERATORS for seed in range(5)}
    sanitized_code_agrees(files, tmp_path, is_near)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "op",
    [name for name, record in RECORDS.items() if record.node and issubclass(record.node, Binary) and name != "DIV"],
)
def test_a_relu_behind_an_operator_on_two_values_limits_it(op: str, dtype: str, tmp_path: Path) -> None:
    draw = Draw(op, 0, dtype)
    a, b, y, z = (draw.input((1, 8), name, (0.05, 0)) for name in "abyz")
    draw.operator([a, b], [y])
    draw.net.operator("RELU", [y], [z])
    data = draw.build([a, b], [z])
    inputs = [np.arange(first, first + 8).reshape(1, 8).astype(dtype) for first in (-4, -6)]
    (expected,) = Oracle(data).run(inputs)
    machine = Machine(read_program(data, op))
    (network,) = load_all([compile_model(data, "net", Options())], tmp_path, ("-O1",))
    assert [layer.op for layer in network.manifest.layers] == [op]
    for found in (*machine.run(inputs), *network.run(inputs)):
        assert difference(expected, found) <= tolerance(expected.dtype)
    assert expected.min() >= 0
