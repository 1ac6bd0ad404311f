"""Networks of int16x8: exact against LiteRT, in numpy and in C under sanitizers; what is not known is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.micro.against_litert import numpy_agrees, sanitized_code_agrees

from edgerig.errors import CompileError
from edgerig.micro import Options, compile_model
from edgerig.micro.frontend.read import read_program
from edgerig.micro.reference import Machine
from edgerig.testing.networks.generated import load
from edgerig.testing.networks.random_operators import GENERATORS, random_inputs, random_operator
from edgerig.testing.networks.random_operators.draw import Draw
from edgerig.testing.networks.reference_runs import Oracle
from edgerig.testing.networks.tflite_builder import TfliteBuilder

#: Operators that are exact in int16; DEQUANTIZE makes floats, which are as exact here.
OPERATORS = (
    "ADD", "AVERAGE_POOL_2D", "BATCH_MATMUL", "BROADCAST_TO", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D",
    "DEQUANTIZE", "EXPAND_DIMS", "FULLY_CONNECTED", "LEAKY_RELU", "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN",
    "MINIMUM", "MUL", "PACK", "PAD", "QUANTIZE", "RELU", "RELU6", "RESHAPE", "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR", "SLICE", "SOFTMAX", "SPLIT", "SQUEEZE", "STRIDED_SLICE", "SUB", "TANH", "TILE",
    "TRANSPOSE", "TRANSPOSE_CONV", "UNPACK",
)  # fmt: skip


@pytest.mark.parametrize("op", OPERATORS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_numpy_says_of_int16_what_litert_says(op: str, seed: int) -> None:
    numpy_agrees(random_operator(op, seed, "int16"), seed)


@pytest.mark.slow
def test_generated_code_says_of_int16_what_litert_says(tmp_path: Path) -> None:
    files = {f"{op}_{seed}": random_operator(op, seed, "int16") for op in OPERATORS for seed in range(4)}
    sanitized_code_agrees(files, tmp_path)


def same_three_ways(data: bytes, samples: list[list[Any]], folder: Path) -> None:
    """LiteRT, numpy and C give the same of all samples."""
    oracle, machine = Oracle(data), Machine(read_program(data, "net"))
    network = load(compile_model(data, "net", Options()), folder)
    for inputs in samples:
        (expected,) = oracle.run(inputs)
        assert np.array_equal(machine.run(inputs)[0], expected)
        assert np.array_equal(network.run(inputs)[0], expected)


@pytest.mark.parametrize("op", ["LOGISTIC", "TANH"])
def test_curves_are_exact_at_every_input(op: str, tmp_path: Path) -> None:
    """By scales that are powers of 2 and others; the first shifts nothing."""
    every = np.arange(-32768, 32768).astype(np.int16)[None]
    for scale in (1 / 4096, 1 / 2048, 1 / 12288, 4 / 12288, 0.00137, 1.0):
        net = TfliteBuilder()
        x = net.tensor("x", every.shape, "int16", scale=scale)
        y = net.tensor("y", every.shape, "int16", scale=1 / 32768)
        net.operator(op, [x], [y])
        same_three_ways(net.build([x], [y]), [[every]], tmp_path / f"{scale:.6f}")


def dense(
    depth: int,
    *,
    source: str = "int16",
    target: str = "int16",
    bias: str = "int64",
    zero: int = 0,
    out: float | None = None,
    **options: Any,
) -> bytes:
    net, rng = TfliteBuilder(), np.random.default_rng(depth)
    x = net.tensor("x", (1, depth), source, scale=0.001, zero_point=zero)
    w = net.tensor("w", (4, depth), "int8", rng.integers(0, 128, (4, depth)), scale=0.01)
    b = net.tensor("b", (4,), bias, rng.integers(-1000, 1000, 4), scale=0.00001)
    y = net.tensor("y", (1, 4), target, scale=out or 0.001 * 0.01 * depth * 60)
    net.operator("FULLY_CONNECTED", [x, w, b], [y], "FullyConnectedOptions", **options)
    return net.build([x], [y])


def test_sums_of_dense_layers_have_more_than_32_bits_and_products_more_than_64(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    samples = [[rng.integers(low, 32768, (1, 20_000)).astype(np.int16)] for low in (-32768, 20_000, 32_000) * 5]
    assert 20_000 * 60 * 32_000 > 1 << 35
    same_three_ways(dense(20_000), samples, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("op", ["CONV_2D", "FULLY_CONNECTED"])
def test_a_bias_of_32_bits_makes_sums_of_32_bits(op: str, tmp_path: Path) -> None:
    for seed in range(8):
        draw = Draw(op, seed, "int16")
        draw.wide_bias = "int32"
        data = GENERATORS[op](draw)
        same_three_ways(data, random_inputs(read_program(data, op).inputs, 5, seed), tmp_path / str(seed))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (dense(4, target="int8"), "its input is int16, its weights int8, its output int8"),
        (dense(4, source="int8"), "its input is int8, its weights int8, its output int16"),
        (dense(4, zero=3), "is int16 and has the zero point 3"),
        (dense(4, bias="int32"), r"its bias is int32 \[4\]; it must be a constant int64 \[4\]"),
        (dense(4, quantizedBiasType=2), r"its bias is int64 \[4\]; it must be a constant int32 \[4\]"),
        (dense(4, out=1e-9), "may overflow 64 bits"),
        (dense(3000, bias="int32", quantizedBiasType=2), "may overflow 32 bits"),
    ],
)
def test_what_cannot_be_exact_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(CompileError, match=text):
        compile_model(data, "net", Options())


def test_sums_by_shifts_and_mixed_types_are_refused() -> None:
    for kinds, scale, text in (
        (("int16", "int16"), 0.25, "scales that are powers of 2"),
        (("int16", "int8"), 0.3, "it mixes int16, int8 and int16"),
    ):
        net = TfliteBuilder()
        a, b = (net.tensor(name, (1, 4), kind, scale=scale) for name, kind in zip("ab", kinds, strict=True))
        y = net.tensor("y", (1, 4), "int16", scale=2 * scale)
        net.operator("ADD", [a, b], [y], "AddOptions")
        with pytest.raises(CompileError, match=text):
            compile_model(net.build([a, b], [y]), "net", Options())


def test_operators_without_int16_are_named() -> None:
    with pytest.raises(CompileError, match=r"no kernel for operator 0 \(HARD_SWISH, y\) of int16 to int16"):
        compile_model(random_operator("HARD_SWISH", 1, "int16"), "net", Options())
