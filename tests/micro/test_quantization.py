"""Scales of channels: folded as LiteRT folds them, or refused; never is the first one taken for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgerig.artifact import Quantization
from edgerig.compilers import flatbuffer
from edgerig.errors import CompileError, EdgerigError, ModelError
from edgerig.micro import Options, compile_model
from edgerig.micro.arithmetic.conversion import dequantize
from edgerig.micro.arithmetic.tables import real_function
from edgerig.micro.frontend.read import read_program
from edgerig.micro.ir import Quantize, Unary, Value
from edgerig.micro.reference import Machine
from edgerig.testing.networks.changed_quantization import change_quantization, dequantize_constants
from edgerig.testing.networks.generated import load, load_all
from edgerig.testing.networks.random_operators import OPERATORS, random_inputs, random_operator
from edgerig.testing.networks.reference_runs import Oracle, RefusedError, RemoteOracle, difference, tolerance
from edgerig.testing.networks.tflite_builder import TfliteBuilder

SCALES = [0.01, 0.02, 0.03, 0.04]
#: LiteRT refuses anchors whose sides are below zero, as random integers make them.
STORED = tuple(op for op in OPERATORS if op != "TFLite_Detection_PostProcess")
SHAPED = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")


def test_one_scale_is_not_had_of_a_tensor_that_has_several() -> None:
    one, several = Quantization((0.5,), (3,)), Quantization((0.5, 0.25), (0, 0), 1)
    assert (one.scale, one.zero_point, one.per_channel, one.spread(4)) == (0.5, 3, False, ())
    assert (several.per_channel, several.spread(3)) == (True, (1, 2, 1))
    for read in (lambda: several.scale, lambda: several.zero_point, lambda: several.spread(1)):
        with pytest.raises(ModelError):
            read()
    assert Quantization((0.5, 0.25), (0, 0), -1).spread(3) == (1, 1, 2)
    # Zero points of channels beside one scale are no less several.
    with pytest.raises(ModelError, match="fit"):
        Quantization((0.5,), (1, 2), 0).spread(1)
    value = Value("w", (1, 2), "int8", several)
    for attribute in ("scale", "zero_point"):
        with pytest.raises(CompileError, match=r"'w' .* has 2 scales, one a channel"):
            getattr(value, attribute)


def product(zeros: list[int], dtype: str = "int8") -> tuple[bytes, np.ndarray]:
    """x (1, 2, 2, 4) times constants of four scales and zero points; and these."""
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 2, 2, 4), "float32"), net.tensor("y", (1, 2, 2, 4), "float32")
    stored = np.full((1, 1, 1, 4), 100)
    q = net.tensor("q", stored.shape, dtype, stored, SCALES, zeros, 3)
    w = net.tensor("w", stored.shape, "float32")
    net.operator("DEQUANTIZE", [q], [w])
    net.operator("MUL", [x, w], [y], "MulOptions")
    return net.build([x], [y]), (stored - np.array(zeros)) * np.array(SCALES)


@pytest.mark.parametrize("zeros", [[0, 0, 0, 0], [5, 5, 5, 5], [0, 1, 50, 100]])
def test_constants_with_a_scale_for_each_channel_are_what_they_are(zeros: list[int], tmp_path: Path) -> None:
    data, weights = product(zeros)
    network = load(compile_model(data, "net", Options()), tmp_path)
    ones = np.ones((1, 2, 2, 4), np.float32)
    assert network.run([ones])[0] == pytest.approx(np.broadcast_to(weights, ones.shape), abs=1e-6)
    assert difference(Oracle(data).run([ones])[0], network.run([ones])[0]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("op", STORED)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_stored_constants_of_every_operator_are_folded_as_litert_folds_them(op: str, seed: int) -> None:
    data = dequantize_constants(random_operator(op, seed, "float32"), seed)
    oracle = Oracle(data)
    machine = Machine(read_program(data, op))
    for inputs in random_inputs(machine.program.inputs, 2, seed):
        for expected, found in zip(oracle.run(inputs), machine.run(inputs), strict=True):
            assert difference(expected, found) <= tolerance(expected.dtype)


@pytest.mark.slow
def test_generated_code_of_stored_constants_says_what_litert_says(tmp_path: Path) -> None:
    files = {
        f"{op}_{seed}": dequantize_constants(random_operator(op, seed, "float32"), seed)
        for op in STORED
        for seed in range(200, 203)
    }
    networks = load_all([compile_model(data, name, Options()) for name, data in files.items()], tmp_path, ("-O1",))
    for data, network in zip(files.values(), networks, strict=True):
        oracle = Oracle(data)
        for inputs in random_inputs(network.manifest.inputs, 2, 7):
            for expected, found in zip(oracle.run(inputs), network.run(inputs), strict=True):
                assert difference(expected, found) <= tolerance(expected.dtype), network.manifest.name


@pytest.fixture(scope="module")
def oracle() -> Iterator[RemoteOracle]:
    remote = RemoteOracle()
    yield remote
    remote.close()


@pytest.mark.slow
@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("op", OPERATORS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1 << 30), dtype=st.sampled_from(["int8", "float32"]))
@example(seed=377, dtype="float32")  # of QUANTIZE: quotients beyond int32
@example(seed=101995, dtype="int8")  # of SQRT: likewise
def test_changed_quantization_is_refused_or_computed_as_litert_computes(
    oracle: RemoteOracle, op: str, stored: bool, seed: int, dtype: str
) -> None:
    data = random_operator(op, seed, dtype)
    data = change_quantization(dequantize_constants(data, seed) if stored else data, seed)
    try:
        compile_model(data, "net", Options())
    except EdgerigError:
        return
    machine = Machine(read_program(data, op))
    samples = random_inputs(machine.program.inputs, 2, seed)
    try:
        expected = oracle.run(data, samples)
    except RefusedError:
        return
    for inputs, wanted in zip(samples, expected, strict=True):
        for one, other in zip(wanted, machine.run(inputs), strict=True):
            if op not in SHAPED:
                other = np.where(quotients_of(machine, inputs) < 1 << 31, other, one)
            assert difference(one, other) <= tolerance(one.dtype)


def quotients_of(machine: Machine, inputs: list[np.ndarray]) -> np.ndarray:
    """Magnitudes of the real numbers over the scale that they get, of a QUANTIZE and of a function by a table; else 0.

    LiteRT casts them to int32. Beyond its range C++ leaves that undefined: x86 gives the lowest value, Arm the nearest.
    """
    node = next(iter(machine.program.nodes), None)
    if isinstance(node, Quantize) and node.input.dtype == "float32":
        real = inputs[0].astype(np.float64)
    elif isinstance(node, Unary) and node.output.dtype == "int8":
        with np.errstate(all="ignore"):
            real = np.nan_to_num(real_function(node, dequantize(inputs[0], node.input)))
    else:
        return np.zeros(())
    return np.abs(real / node.output.scale)


def test_values_that_are_far_too_large_for_a_scale_are_quantized_to_the_ends_of_its_range(tmp_path: Path) -> None:
    net = TfliteBuilder()
    x = net.tensor("x", (1, 4), "float32")
    y = net.tensor("y", (1, 4), "int8", None, [1e-30], [12], 0)
    net.operator("QUANTIZE", [x], [y])
    data = net.build([x], [y])
    values = np.array([[1.0, -1.0, 0.0, 3e-30]], np.float32)
    assert Machine(read_program(data, "net")).run([values])[0].tolist() == [[127, -128, 12, 15]]
    network = load(compile_model(data, "net", Options()), tmp_path)
    assert network.run([values])[0].tolist() == [[127, -128, 12, 15]]


def scaled(shape: tuple[int, ...], axis: int, build: Callable[[TfliteBuilder, int], list[int]]) -> bytes:
    net = TfliteBuilder()
    x = net.tensor("x", shape, "int8", None, [0.1] * shape[axis], 0, axis)
    return net.build([x], build(net, x))


def test_activations_with_a_scale_for_each_channel_are_refused() -> None:
    def dequantized(net: TfliteBuilder, x: int) -> list[int]:
        y = net.tensor("y", (1, 4), "float32")
        net.operator("DEQUANTIZE", [x], [y])
        return [y]

    def same(net: TfliteBuilder, x: int) -> list[int]:
        y = net.tensor("y", (1, 4), "int8", None, [0.1] * 4, 0, 1)
        net.operator("RELU", [x], [y])
        return [y]

    for build in (dequantized, same, lambda _, x: [x]):
        with pytest.raises(CompileError, match="a scale for each"):
            compile_model(scaled((1, 4), 1, build), "net", Options())


def test_scales_of_blocks_are_refused_by_name() -> None:
    from ai_edge_litert import schema_py_generated as schema

    model = flatbuffer.unpack(product([0, 0, 0, 0])[0])
    parameters = next(tensor for tensor in model.subgraphs[0].tensors if tensor.name == b"q").quantization
    parameters.detailsType = schema.QuantizationDetails.BlockwiseQuantization
    parameters.details = schema.BlockwiseQuantizationT()
    with pytest.raises(CompileError, match=r"\(q\) is quantized by BlockwiseQuantization"):
        compile_model(flatbuffer.pack(model), "net", Options())


@pytest.mark.parametrize("op", ["FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "BATCH_MATMUL", "MUL"])
@pytest.mark.parametrize("scales", [[0.01], SCALES])
def test_integers_that_an_operator_reads_as_real_numbers_by_itself_are_refused(op: str, scales: list[float]) -> None:
    """Weights of a dynamic-range network: the activations are real, and quantized while it runs."""
    shapes = {"FULLY_CONNECTED": (4, 4), "BATCH_MATMUL": (4, 4), "MUL": (1, 4)}
    image = op.endswith("CONV_2D")
    shape = shapes.get(op, (1, 1, 1, 4) if op.startswith("DEPTH") else (4, 1, 1, 4))
    axis = shape.index(4) if op != "BATCH_MATMUL" else 1
    net = TfliteBuilder()
    x, y = (net.tensor(name, (1, 2, 2, 4) if image else (1, 4), "float32") for name in "xy")
    w = net.tensor("w", shape, "int8", np.ones(shape), scales, 0, axis)
    net.operator(
        op,
        [x, w],
        [y],
        {"CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions"}.get(op),
        **({"strideH": 1, "strideW": 1} if image else {}),
    )
    with pytest.raises(CompileError, match=r"int8|scale for each"):
        compile_model(net.build([x], [y]), "net", Options())


def test_a_scale_of_real_numbers_means_nothing(tmp_path: Path) -> None:
    net = TfliteBuilder()
    x, y = (
        net.tensor("x", (1, 2, 2, 1), "float32", None, 0.5, 7),
        net.tensor("y", (1, 4, 4, 1), "float32", None, 0.5, 7),
    )
    pads = net.tensor("pads", (4, 2), "int32", np.array([[0, 0], [1, 1], [1, 1], [0, 0]]))
    net.operator("PAD", [x, pads], [y], "PadOptions")
    data = net.build([x], [y])
    ones = np.ones((1, 2, 2, 1), np.float32)
    found = load(compile_model(data, "net", Options()), tmp_path).run([ones])[0]
    assert difference(Oracle(data).run([ones])[0], found) == 0


def depthwise(axis: int) -> bytes:
    """A depthwise convolution whose bias names ``axis`` for its scales."""
    rng = np.random.default_rng(0)
    net = TfliteBuilder()
    x = net.tensor("x", (1, 6, 6, 4), "int8", None, 0.02, -128)
    w = net.tensor("w", (1, 3, 3, 4), "int8", rng.integers(-127, 128, (1, 3, 3, 4)), SCALES, 0, 3)
    b = net.tensor("b", (4,), "int32", rng.integers(-900, 900, 4), [0.02 * scale for scale in SCALES], 0, axis)
    y = net.tensor("y", (1, 4, 4, 4), "int8", None, 0.5, 0)
    options = {"padding": 1, "strideH": 1, "strideW": 1, "depthMultiplier": 1}
    net.operator("DEPTHWISE_CONV_2D", [x, w, b], [y], "DepthwiseConv2DOptions", **options)
    return net.build([x], [y])


@pytest.mark.slow
def test_a_vector_has_one_axis_whatever_the_file_calls_it(tmp_path: Path) -> None:
    network = load(compile_model(depthwise(3), "net", Options()), tmp_path)
    oracle = Oracle(depthwise(0))
    for inputs in random_inputs(network.manifest.inputs, 3, 1):
        assert difference(oracle.run(inputs)[0], network.run(inputs)[0]) == 0
