"""Passes: what they change, and that the results stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig.errors import CompileError
from edgerig.micro import Options, compile_model, ir
from edgerig.micro.frontend.read import read_program
from edgerig.micro.passes.canonical import canonical
from edgerig.micro.passes.integer_io import integer_io
from edgerig.micro.reference import Machine
from edgerig.testing.networks.generated import load
from edgerig.testing.networks.random_operators import random_inputs
from edgerig.testing.networks.reference_runs import Oracle, difference, tolerance
from edgerig.testing.networks.tflite_builder import TfliteBuilder


def labels(program: ir.Program) -> list[str]:
    return [node.label for node in program.nodes]


def with_float_ends() -> bytes:
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 6), "float32"), net.tensor("y", (1, 6), "float32")
    a = net.tensor("a", (1, 6), "int8", scale=0.1, zero_point=3)
    b = net.tensor("b", (1, 6), "int8", scale=1 / 256, zero_point=-128)
    net.operator("QUANTIZE", [x], [a])
    net.operator("LOGISTIC", [a], [b])
    net.operator("DEQUANTIZE", [b], [y])
    return net.build([x], [y])


def test_float_ends_can_be_left_to_the_caller(tmp_path: Path) -> None:
    program = read_program(with_float_ends(), "net")
    integer_io(program)
    assert labels(program) == ["LOGISTIC"]
    network = load(compile_model(with_float_ends(), "net", Options(io="integer")), tmp_path)
    (source,), (target,) = network.manifest.inputs, network.manifest.outputs
    assert (source.dtype, source.quantization and source.quantization.zero_points) == ("int8", (3,))
    sample = np.linspace(-6, 6, 6, dtype=np.float32).reshape(1, 6)
    stored = np.clip(np.round(sample / np.float32(0.1)) + 3, -128, 127).astype(np.int8)
    expected = Oracle(with_float_ends()).run([sample])[0]
    assert np.allclose((network.run([stored])[0].astype(np.float32) + 128) / 256, expected)
    assert target.nbytes == 6


def grouped(depth: int, channels: int, groups: int) -> bytes:
    """CONV_2D 3x3 in int8, a scale and a bias for each channel."""
    rng = np.random.default_rng(depth + channels)
    net = TfliteBuilder()
    scales = [0.001 * (1 + index) for index in range(channels)]
    x = net.tensor("x", (1, 5, 5, depth * groups), "int8", scale=0.05, zero_point=-7)
    weights = rng.integers(-127, 128, (channels, 3, 3, depth))
    w = net.tensor("w", (channels, 3, 3, depth), "int8", weights, scales)
    b = net.tensor("b", (channels,), "int32", rng.integers(-900, 900, channels), [0.05 * scale for scale in scales])
    y = net.tensor("y", (1, 5, 5, channels), "int8", scale=0.3, zero_point=4)
    options = {"padding": 0, "strideH": 1, "strideW": 1, "fusedActivationFunction": 1}
    net.operator("CONV_2D", [x, w, b], [y], "Conv2DOptions", **options)
    return net.build([x], [y])


@pytest.mark.parametrize("cpu", ["portable", "cortex-m7"])
@pytest.mark.parametrize(
    ("depth", "channels", "groups", "expected"),
    [
        (1, 8, 4, ["DEPTHWISE_CONV_2D"]),
        (4, 8, 2, ["SPLIT", "CONV_2D", "CONV_2D", "CONCATENATION"]),
        (2, 3, 3, ["SPLIT", "CONV_2D", "CONV_2D", "CONV_2D", "CONCATENATION"]),
    ],
)
def test_a_grouped_convolution_becomes_what_kernels_know(
    depth: int, channels: int, groups: int, expected: list[str], cpu: str, tmp_path: Path
) -> None:
    data = grouped(depth, channels, groups)
    source = compile_model(data, "net", Options(cpu=cpu))
    assert [layer.op for layer in source.manifest.layers] == expected
    assert sum(layer.macs for layer in source.manifest.layers) == 5 * 5 * channels * 9 * depth
    if cpu == "portable":
        network, oracle = load(source, tmp_path), Oracle(data)
        for inputs in random_inputs(source.manifest.inputs, 3, 1):
            np.testing.assert_array_equal(network.run(inputs)[0], oracle.run(inputs)[0])


def test_float_ends_that_something_else_reads_stay() -> None:
    net = TfliteBuilder()
    x, y, z = (net.tensor(name, (1, 4), "float32") for name in "xyz")
    a = net.tensor("a", (1, 4), "int8", scale=0.1)
    net.operator("QUANTIZE", [x], [a])
    net.operator("DEQUANTIZE", [a], [y])
    net.operator("ADD", [x, y], [z], "AddOptions")
    program = read_program(net.build([x], [y, z]), "net")
    integer_io(program)
    assert labels(program) == ["QUANTIZE", "DEQUANTIZE", "ADD"]


def test_shape_arithmetic_is_done_when_compiling() -> None:
    """SHAPE, STRIDED_SLICE, PACK, RESHAPE, as converters write a flexible batch."""
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 6), "float32"), net.tensor("y", (1, 2, 3), "float32")
    shape, batch = net.tensor("shape", (2,), "int32"), net.tensor("batch", (), "int32")
    begin, end = (net.tensor(name, (1,), "int32", np.array([at])) for name, at in (("begin", 0), ("end", 1)))
    two, three = (net.tensor(name, (), "int32", np.array(at)) for name, at in (("two", 2), ("three", 3)))
    target = net.tensor("target", (3,), "int32")
    net.operator("SHAPE", [x], [shape], "ShapeOptions", outType=2)
    net.operator("STRIDED_SLICE", [shape, begin, end, end], [batch], "StridedSliceOptions", shrinkAxisMask=1)
    net.operator("PACK", [batch, two, three], [target], "PackOptions", valuesCount=3)
    net.operator("RESHAPE", [x, target], [y], "ReshapeOptions")
    data = net.build([x], [y])
    assert labels(read_program(data, "net")) == ["RESHAPE"]
    assert compile_model(data, "net", Options()).manifest.layers == ()


def test_weights_stored_as_float16_are_unpacked_when_compiling(tmp_path: Path) -> None:
    net = TfliteBuilder()
    x, y, w = net.tensor("x", (1, 3), "float32"), net.tensor("y", (1, 2), "float32"), net.tensor("w", (2, 3), "float32")
    half = net.tensor("half", (2, 3), "float16", np.array([[1.5, -2, 0.25], [3, 0.5, -1]]))
    net.operator("DEQUANTIZE", [half], [w])
    net.operator("FULLY_CONNECTED", [x, w], [y], "FullyConnectedOptions")
    data = net.build([x], [y])
    assert labels(read_program(data, "net")) == ["FULLY_CONNECTED"]
    made = load(compile_model(data, "net", Options()), tmp_path).run([np.array([[1, 2, 4]], np.float32)])[0]
    assert made.tolist() == [[-1.5, 0.0]]


def test_a_depthwise_convolution_of_one_channel_is_a_convolution() -> None:
    rng = np.random.default_rng(0)
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 5, 5, 1), "int8", scale=0.1), net.tensor("y", (1, 5, 5, 4), "int8", scale=0.9)
    weights = rng.integers(-127, 128, (1, 3, 3, 4))
    w = net.tensor("w", (1, 3, 3, 4), "int8", weights, scale=[0.01, 0.02, 0.03, 0.04], axis=3)
    b = net.tensor("b", (4,), "int32", rng.integers(-99, 99, 4), scale=[0.001, 0.002, 0.003, 0.004])
    options = {"strideH": 1, "strideW": 1, "depthMultiplier": 4}
    net.operator("DEPTHWISE_CONV_2D", [x, w, b], [y], "DepthwiseConv2DOptions", **options)
    data = net.build([x], [y])
    program = read_program(data, "net")
    canonical(program)
    assert labels(program) == ["CONV_2D"]
    for inputs in random_inputs(program.inputs, 5, 0):
        assert (Machine(program).run(inputs)[0] == Oracle(data).run(inputs)[0]).all()


def test_what_nobody_needs_is_dropped() -> None:
    net = TfliteBuilder()
    x, y, z = (net.tensor(name, (1, 4), "float32") for name in "xyz")
    net.operator("RELU", [x], [y])
    net.operator("TANH", [y], [z])
    manifest = compile_model(net.build([x], [y]), "net", Options()).manifest
    assert [layer.op for layer in manifest.layers] == ["RELU"]


def conv_pool(pool: dict[str, int], also_output: bool = False, scale: float = 0.5) -> bytes:
    rng = np.random.default_rng(1)
    net = TfliteBuilder()
    x = net.tensor("x", (1, 9, 9, 3), "int8", scale=0.1, zero_point=5)
    w = net.tensor("w", (4, 3, 3, 3), "int8", rng.integers(-127, 128, (4, 3, 3, 3)), scale=0.01)
    b = net.tensor("b", (4,), "int32", rng.integers(-99, 99, 4), scale=0.001)
    a = net.tensor("a", (1, 7, 7, 4), "int8", scale=0.5, zero_point=-3)
    size = (7 - pool["filterHeight"]) // pool["strideH"] + 1
    y = net.tensor("y", (1, size, size, 4), "int8", scale=scale, zero_point=-3)
    net.operator("CONV_2D", [x, w, b], [a], "Conv2DOptions", padding=1, strideH=1, strideW=1, fusedActivationFunction=1)
    net.operator("MAX_POOL_2D", [a], [y], "Pool2DOptions", padding=1, **pool)
    return net.build([x], [a, y] if also_output else [y])


HALVING = {"filterHeight": 2, "filterWidth": 2, "strideH": 2, "strideW": 2}


def test_convolution_and_maximum_are_fused_where_that_is_the_same(tmp_path: Path) -> None:
    overlapping = {"filterHeight": 3, "filterWidth": 3, "strideH": 2, "strideW": 2}
    thirds = {"filterHeight": 3, "filterWidth": 3, "strideH": 3, "strideW": 3}
    for index, (data, fused) in enumerate(
        [
            (conv_pool(HALVING), True),
            (conv_pool(thirds), True),
            (conv_pool(overlapping), False),
            (conv_pool(HALVING, also_output=True), False),
        ]
    ):
        source = compile_model(data, "net", Options())
        assert ("CONV_2D+MAX_POOL_2D" in [layer.op for layer in source.manifest.layers]) == fused
        network, oracle = load(source, tmp_path / str(index)), Oracle(data)
        for inputs in random_inputs(network.manifest.inputs, 6, index):
            for expected, found in zip(oracle.run(inputs), network.run(inputs), strict=True):
                assert (expected == found).all()


def hold(data: bytes, folder: Path, times: int = 6) -> list[str]:
    """The C says what LiteRT says; the operators of its layers."""
    source = compile_model(data, "net", Options())
    network, oracle = load(source, folder), Oracle(data)
    for inputs in random_inputs(source.manifest.inputs, times, 0):
        for expected, found in zip(oracle.run(inputs), network.run(inputs), strict=True):
            assert difference(expected, found) <= tolerance(expected.dtype)
    return [layer.op for layer in source.manifest.layers]


@pytest.mark.parametrize(("target", "left"), [(0.5, ["CONV_2D"]), (0.4, ["CONV_2D", "RELU6"])])
def test_a_relu_is_fused_into_its_producer_where_the_scale_stays(
    target: float, left: list[str], tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    net = TfliteBuilder()
    x = net.tensor("x", (1, 5, 5, 3), "int8", scale=0.1, zero_point=5)
    w = net.tensor("w", (4, 1, 1, 3), "int8", rng.integers(-127, 128, (4, 1, 1, 3)), scale=0.01)
    b = net.tensor("b", (4,), "int32", rng.integers(-99, 99, 4), scale=0.001)
    a = net.tensor("a", (1, 5, 5, 4), "int8", scale=0.5, zero_point=-3)
    y = net.tensor("y", (1, 5, 5, 4), "int8", scale=target, zero_point=-3)
    net.operator("CONV_2D", [x, w, b], [a], "Conv2DOptions", strideH=1, strideW=1)
    net.operator("RELU6", [a], [y])
    assert hold(net.build([x], [y]), tmp_path) == left


@pytest.mark.parametrize(("filler", "left"), [(None, ["CONV_2D"]), (7, ["PAD", "CONV_2D"])])
def test_padding_is_fused_into_the_convolution_where_it_pads_with_zero(
    filler: int | None, left: list, tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    net = TfliteBuilder()
    x = net.tensor("x", (1, 6, 6, 3), "int8", scale=0.1, zero_point=5)
    a = net.tensor("a", (1, 9, 7, 3), "int8", scale=0.1, zero_point=5)
    pads = net.tensor("pads", (4, 2), "int32", np.array([[0, 0], [1, 2], [0, 1], [0, 0]]))
    extra = [] if filler is None else [net.tensor("v", (1,), "int8", np.array([filler]), scale=0.1, zero_point=5)]
    w = net.tensor("w", (4, 3, 3, 3), "int8", rng.integers(-127, 128, (4, 3, 3, 3)), scale=0.01)
    b = net.tensor("b", (4,), "int32", rng.integers(-99, 99, 4), scale=0.001)
    y = net.tensor("y", (1, 4, 3, 4), "int8", scale=0.5, zero_point=-3)
    if extra:
        net.operator("PADV2", [x, pads, *extra], [a], "PadV2Options")
    else:
        net.operator("PAD", [x, pads], [a], "PadOptions")
    net.operator("CONV_2D", [a, w, b], [y], "Conv2DOptions", padding=1, strideH=2, strideW=2)
    assert hold(net.build([x], [y]), tmp_path) == left


def test_functions_of_one_byte_in_a_row_become_one_table(tmp_path: Path) -> None:
    net = TfliteBuilder()
    x = net.tensor("x", (1, 64), "int8", scale=0.05, zero_point=3)
    a = net.tensor("a", (1, 64), "int8", scale=0.04, zero_point=-9)
    b = net.tensor("b", (1, 64), "int8", scale=1 / 256, zero_point=-128)
    real = net.tensor("real", (1, 64), "float32")
    y = net.tensor("y", (1, 64), "uint8", scale=1 / 200, zero_point=7)
    net.operator("RELU", [x], [a])
    net.operator("LOGISTIC", [a], [b])
    net.operator("DEQUANTIZE", [b], [real])
    net.operator("QUANTIZE", [real], [y])
    assert hold(net.build([x], [y]), tmp_path / "all", 20) == ["RELU+LOGISTIC+DEQUANTIZE+QUANTIZE"]
    assert hold(net.build([x], [y, b]), tmp_path / "some", 20) == ["RELU+LOGISTIC", "DEQUANTIZE+QUANTIZE"]
    assert hold(net.build([x], [real]), tmp_path / "open", 20) == ["RELU+LOGISTIC", "DEQUANTIZE"]


def stream(begin: int, start: float) -> bytes:
    """A window of five over a sequence that comes two at a time; ``begin`` is where the kept end starts."""
    net = TfliteBuilder()
    x, old, window, kept, y = (
        net.tensor(name, (1, size, 3), "float32") for name, size in (("x", 2), ("old", 3), ("w", 5), ("k", 3), ("y", 5))
    )
    handle = net.tensor("handle", (), "resource")
    at = [net.tensor(n, (3,), "int32", np.array(v)) for n, v in (("b", [0, begin, 0]), ("s", [1, 3, 3]))]
    net.subgraph()
    inner, first = net.tensor("h", (), "resource"), net.tensor("f", (1, 3, 3), "float32", np.full((1, 3, 3), start))
    net.operator("VAR_HANDLE", [], [inner], "VarHandleOptions", sharedName=b"s")
    net.operator("ASSIGN_VARIABLE", [inner, first], [], "AssignVariableOptions")
    net.main()
    net.operator("CALL_ONCE", [], [], "CallOnceOptions", initSubgraphIndex=1)
    net.operator("VAR_HANDLE", [], [handle], "VarHandleOptions", sharedName=b"s")
    net.operator("READ_VARIABLE", [handle], [old], "ReadVariableOptions")
    net.operator("CONCATENATION", [old, x], [window], "ConcatenationOptions", axis=1)
    net.operator("SLICE", [window, *at], [kept], "SliceOptions")
    net.operator("ASSIGN_VARIABLE", [handle, kept], [], "AssignVariableOptions")
    net.operator("TANH", [window], [y])
    return net.build([x], [y])


@pytest.mark.parametrize(("begin", "left"), [(2, ["PUSH", "TANH"]), (1, ["CONCATENATION", "STRIDED_SLICE", "TANH"])])
def test_state_that_is_shifted_is_shifted_in_its_place(begin: int, left: list[str], tmp_path: Path) -> None:
    assert hold(stream(begin, 0.5), tmp_path, 9) == left
    machine, oracle = Machine(read_program(stream(begin, 0.5), "net")), Oracle(stream(begin, 0.5))
    for inputs in random_inputs(machine.program.inputs, 5, 3):
        assert np.allclose(machine.run(inputs)[0], oracle.run(inputs)[0], atol=1e-6)


def dealt_out(kernel: tuple[int, int], block: list[int], pads: list[list[int]], cuts: list[list[int]]) -> bytes:
    """SPACE_TO_BATCH_ND, a convolution without padding, BATCH_TO_SPACE_ND; of a sequence where there is one block."""
    rng = np.random.default_rng(sum(block))
    net = TfliteBuilder()
    sizes = [9, 7][: len(block)]
    padded = [size + sum(sides) for size, sides in zip(sizes, pads, strict=True)]
    inner = [size // step for size, step in zip(padded, block, strict=True)]
    batch = int(np.prod(block))
    deep = [1, *inner] if len(block) == 1 else inner
    out = [size - length + 1 for size, length in zip(deep, kernel, strict=True)]
    narrow = out[1:] if len(block) == 1 else out
    last = [size * step - sum(sides) for size, step, sides in zip(narrow, block, cuts, strict=True)]
    like, target = {"scale": 0.05, "zero_point": -7}, {"scale": 0.3, "zero_point": 4}
    x = net.tensor("x", (1, *sizes, 3), "int8", **like)
    dealt = net.tensor("dealt", (batch, *inner, 3), "int8", **like)
    y = net.tensor("y", (1, *last, 4), "int8", **target)
    result = net.tensor("result", (batch, *narrow, 4), "int8", **target)
    blocks = net.tensor("block", (len(block),), "int32", np.array(block))
    sides = [net.tensor(name, (len(block), 2), "int32", np.array(each)) for name, each in (("p", pads), ("c", cuts))]
    w = net.tensor("w", (4, *kernel, 3), "int8", rng.integers(-127, 128, (4, *kernel, 3)), 0.01)
    b = net.tensor("b", (4,), "int32", rng.integers(-900, 900, 4), 0.0005)
    net.operator("SPACE_TO_BATCH_ND", [x, blocks, sides[0]], [dealt], "SpaceToBatchNDOptions")
    image, made = dealt, result
    if len(block) == 1:
        axis = net.tensor("axis", (), "int32", np.array(1))
        image = net.tensor("image", (batch, *deep, 3), "int8", **like)
        made = net.tensor("made", (batch, *out, 4), "int8", **target)
        net.operator("EXPAND_DIMS", [dealt, axis], [image], "ExpandDimsOptions")
    net.operator("CONV_2D", [image, w, b], [made], "Conv2DOptions", padding=1, strideH=1, strideW=1)
    if len(block) == 1:
        net.operator("SQUEEZE", [made], [result], "SqueezeOptions", squeezeDims=[1])
    net.operator("BATCH_TO_SPACE_ND", [result, blocks, sides[1]], [y], "BatchToSpaceNDOptions")
    return net.build([x], [y])


@pytest.mark.parametrize("cpu", ["portable", "cortex-m7"])
@pytest.mark.parametrize(
    ("kernel", "block", "pads", "cuts"),
    [
        ((3, 3), [2, 2], [[2, 3], [2, 3]], [[0, 1], [0, 1]]),
        ((2, 3), [3, 2], [[0, 0], [1, 2]], [[0, 0], [1, 0]]),
        ((1, 3), [4], [[8, 3]], [[0, 3]]),
    ],
)
def test_a_convolution_of_pixels_dealt_out_to_a_batch_is_a_dilated_one(
    kernel: tuple[int, int], block: list[int], pads: list[list[int]], cuts: list[list[int]], cpu: str, tmp_path: Path
) -> None:
    """As converters wrote a dilation, of a sequence too: causal, the padding all in front of it."""
    data = dealt_out(kernel, block, pads, cuts)
    source = compile_model(data, "net", Options(cpu=cpu))
    assert [layer.op for layer in source.manifest.layers] == ["CONV_2D"]
    if cpu == "portable":
        network, oracle = load(source, tmp_path), Oracle(data)
        for inputs in random_inputs(source.manifest.inputs, 4, 1):
            np.testing.assert_array_equal(network.run(inputs)[0], oracle.run(inputs)[0])


def test_a_convolution_of_a_batch_that_is_no_dilation_is_refused_by_name() -> None:
    """More is cut off than was put around."""
    data = dealt_out((3, 3), [3, 3], [[0, 0], [1, 1]], [[1, 0], [0, 1]])
    with pytest.raises(CompileError, match=r"operator 1 \(CONV_2D, result\) cannot be compiled: its batch is 9"):
        compile_model(data, "net", Options())
