"""Dense layers of any scale on Cortex-M: what pairs of outputs cannot do, several vectors, one pixel without a ReLU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig.micro import Options
from edgerig.micro.ir import FullyConnected, Node, Program, Value
from edgerig.micro.kernels.cortex_m.dense.dense import Dense
from edgerig.micro.kernels.cortex_m.dense.dense_rows import DenseRows
from edgerig.micro.pipeline import compile_program
from edgerig.testing.networks.operators import Case, OperatorBench, int8_value, random_conv

SPEED = Options(cpu="cortex-m7")


def dense(rows: int, inputs: int, outputs: int, activation: str = "NONE", step: float = 0.05) -> FullyConnected:
    """``step``: the output's scale for each root of an input; small ones make scales of 1 and more."""
    rng = np.random.default_rng(inputs)
    weights = rng.integers(-128, 128, (outputs, inputs)).astype(np.int8)
    scales = 0.01 * 10 ** rng.uniform(-1, 0, outputs)
    x = int8_value("x", (rows, inputs), [0.05], [-4])
    w = int8_value("w", weights.shape, scales, [0] * outputs, 0, weights)
    b = Value("b", (outputs,), "int32", None, rng.integers(-3000, 3000, outputs).astype(np.int32))
    y = int8_value("y", (rows, outputs), [step * inputs**0.5], [7 if activation == "NONE" else -60])
    return FullyConnected("dense", 0, [x, w, b], [y], activation)


def nodes() -> dict[str, Node]:
    return {
        "pairs": dense(1, 40, 11),
        "left shift": dense(1, 40, 5, step=1e-5),
        "clamp": dense(1, 33, 6, "RELU6"),
        "rows": dense(5, 24, 7),
        "rows of odd length": dense(4, 13, 6, "RELU"),
        "long": dense(1, 4000, 3),
        "one": dense(3, 1, 1),
        "pixel": random_conv(
            np.random.default_rng(2), (5, 4, 6), 9, (5, 4), same=False, activation="NONE", zero_points=(3, -9)
        ),
        "pixel of 1x1": random_conv(
            np.random.default_rng(2), (1, 1, 20), 6, (1, 1), activation="NONE", zero_points=(3, -9)
        ),
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[OperatorBench, dict[str, Case]]:
    """All cases in one firmware."""
    bench = OperatorBench(tmp_path_factory.mktemp("bench"))
    return bench, {name: bench.add([node], [DenseRows()]) for name, node in nodes().items()}


@pytest.mark.parametrize("name", list(nodes()))
def test_outputs_are_the_reference_s(built: tuple[OperatorBench, dict[str, Case]], name: str) -> None:
    bench, cases = built
    rng = np.random.default_rng(8)
    for _ in range(3):
        bench.compare(cases[name], rng)


def test_largest_sums_do_not_overflow(tmp_path: Path) -> None:
    node = dense(1, 4000, 2)
    node.weights.array[0], node.weights.array[1] = 127, -128
    bench = OperatorBench(tmp_path)
    case = bench.add([node], [DenseRows()])
    for fill in (-128, 127):
        x = np.full(node.input.shape, fill, np.int8)
        outputs, instructions = bench.run(case, x)
        np.testing.assert_array_equal(outputs[0], case.reference.run([x])[0])
        assert instructions < 1.6 * 2 * 4000 + 1.2 * 4000 + 200


def test_what_pairs_can_do_goes_to_pairs() -> None:
    """And nothing else of dense layers to portable code."""
    for name, node in nodes().items():
        inputs = [value for value in node.inputs if not value.constant]
        program = Program("net", "0" * 64, [node], inputs, [node.output])
        (layer,) = compile_program(program, "net", SPEED).manifest.layers
        assert layer.kernel in ("dense-4x1", "dense-rows"), name
        assert (layer.kernel == "dense-4x1") is bool(Dense().accepts(node, SPEED))
