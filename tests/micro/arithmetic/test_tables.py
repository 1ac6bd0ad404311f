"""Tables of functions of one byte: all 256 values are what LiteRT computes, for scales near and far."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig.errors import CompileError
from edgerig.micro import Options, compile_model
from edgerig.micro.arithmetic.tables import table
from edgerig.micro.frontend.read import read_program
from edgerig.micro.ir import RECORDS
from edgerig.testing.networks.generated import load
from edgerig.testing.networks.reference_runs import Oracle
from edgerig.testing.networks.tflite_builder import TfliteBuilder

BYTES = np.arange(-128, 128).astype(np.int8).reshape(1, 256)


def function(op: str, source: tuple[float, int], target: tuple[float, int], kinds: tuple[str, str] = ("int8",) * 2):
    net = TfliteBuilder()
    x, y = (
        net.tensor(name, (1, 256), kind, scale=scale, zero_point=zero)
        for name, kind, (scale, zero) in zip("xy", kinds, (source, target), strict=True)
    )
    net.operator(op, [x], [y], RECORDS[op].options or None, **({"alpha": 0.17} if op == "LEAKY_RELU" else {}))
    return net.build([x], [y])


@pytest.mark.parametrize("source", [(0.05, 3), (0.001, -128), (0.9, 127)])
@pytest.mark.parametrize(
    ("op", "target"),
    [
        ("LOGISTIC", (1 / 256, -128)),
        ("TANH", (1 / 128, 0)),
        ("RELU", (0.04, -9)),
        ("RELU6", (6 / 255, -128)),
        ("HARD_SWISH", (0.03, -110)),
        ("LEAKY_RELU", (0.03, -40)),
        ("ABS", (0.03, -40)),
        ("EXP", (0.5, -128)),
        ("LOG", (0.03, 20)),
        ("GELU", (0.03, -100)),
        ("QUANTIZE", (0.03, 17)),
    ],
)
def test_a_table_is_what_litert_computes(op: str, source: tuple[float, int], target: tuple[float, int]) -> None:
    data = function(op, source, target)
    (node,) = read_program(data, "net").nodes
    np.testing.assert_array_equal(table(node), Oracle(data).run([BYTES])[0][0])


@pytest.mark.parametrize("op", ["SQRT", "RSQRT"])
@pytest.mark.parametrize("scales", [(0.05, 0.02), (0.001, 0.2), (0.9, 0.0021), (3.7e-5, 0.031)])
@pytest.mark.parametrize("zero", [-128, 5])
def test_a_root_is_what_litert_computes(op: str, scales: tuple[float, float], zero: int) -> None:
    data = function(op, (scales[0], -128), (scales[1], zero))
    (node,) = read_program(data, "net").nodes
    np.testing.assert_array_equal(table(node), Oracle(data).run([BYTES])[0][0])


@pytest.mark.parametrize("op", ["SQRT", "RSQRT"])
def test_a_root_of_what_may_be_negative_is_refused(op: str) -> None:
    with pytest.raises(CompileError, match=f"{op}.*zero point -127, and so values below 0"):
        compile_model(function(op, (0.05, -127), (0.02, 0)), "net", Options())


def test_an_int8_negation_is_refused_since_the_reference_leaves_the_zero_point_out() -> None:
    with pytest.raises(CompileError, match=r"NEG.*without their zero point"):
        compile_model(function("NEG", (0.05, 3), (0.05, 3)), "net", Options())


def test_a_float_gelu_follows_the_form_that_the_file_names(tmp_path: Path) -> None:
    outputs = []
    for approximate in (False, True):
        net = TfliteBuilder()
        x, y = net.tensor("x", (1, 256), "float32"), net.tensor("y", (1, 256), "float32")
        net.operator("GELU", [x], [y], "GeluOptions", approximate=approximate)
        data = net.build([x], [y])
        values = np.linspace(-6, 6, 256, dtype=np.float32).reshape(1, 256)
        outputs.append(load(compile_model(data, "net", Options()), tmp_path / str(approximate)).run([values])[0])
        np.testing.assert_allclose(outputs[-1], Oracle(data).run([values])[0], atol=1e-6)
    assert np.abs(outputs[0] - outputs[1]).max() > 1e-4


@pytest.mark.parametrize("scale", [1e-9, 1e-20, 1e-30, 2e-37])
def test_results_far_beyond_the_range_of_the_output_are_clamped(scale: float, tmp_path: Path) -> None:
    """Their quotients fit into no integer: they must not wrap around to the other end."""
    data = function("TANH", (0.05, 3), (scale, 0))
    expected = Oracle(data).run([BYTES])[0]
    np.testing.assert_array_equal(load(compile_model(data, "net", Options()), tmp_path).run([BYTES])[0], expected)
    np.testing.assert_array_equal(expected, np.clip(127 * np.sign(BYTES.astype(int) - 3) * 2, -128, 127))
    # LiteRT takes no such LOGISTIC; all of its results are above 0.
    (node,) = read_program(function("LOGISTIC", (0.05, 3), (scale, 0)), "net").nodes
    assert set(table(node)) == {127}


@pytest.mark.parametrize("kinds", [("int8", "uint8"), ("uint8", "int8"), ("uint8", "uint8")])
def test_a_change_of_type_is_a_table(kinds: tuple[str, str]) -> None:
    data = function("QUANTIZE", (0.05, 7), (0.04, 9), kinds)
    (node,) = read_program(data, "net").nodes
    content = BYTES if kinds[0] == "int8" else BYTES.view(np.uint8) ^ 0x80
    np.testing.assert_array_equal(table(node), Oracle(data).run([content])[0][0])
