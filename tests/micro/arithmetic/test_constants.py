"""What is computed when compiling is what the device would compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig.micro import Options, compile_model
from edgerig.micro.frontend.read import read_program
from edgerig.testing.networks.generated import load
from edgerig.testing.networks.reference_runs import Oracle
from edgerig.testing.networks.tflite_builder import TfliteBuilder

RNG = np.random.default_rng(0)


def joined(net: TfliteBuilder, op: str, kind: str | None, inputs: list[int], shape: tuple[int, ...], **more) -> bytes:
    """``op`` on constants, added to an input, so that something is left to run."""
    x, folded, y = (net.tensor(name, shape, "float32") for name in ("x", "folded", "y"))
    net.operator(op, inputs, [folded], kind, **more)
    net.operator("ADD", [x, folded], [y], "AddOptions")
    return net.build([x], [y])


def real(net: TfliteBuilder, name: str, *shape: int) -> int:
    return net.tensor(name, shape, "float32", RNG.normal(size=shape))


def whole(net: TfliteBuilder, name: str, *numbers: int) -> int:
    return net.tensor(name, (len(numbers),), "int32", np.array(numbers))


def folded(op: str) -> bytes:
    """``op`` on constants of (2, 3), or of what gives (2, 3)."""
    net = TfliteBuilder()
    if op in ("ADD", "SUB", "MUL"):
        kind = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions"}[op]
        inputs = [real(net, "a", 2, 3), real(net, "b", 3)]
        return joined(net, op, kind, inputs, (2, 3), fusedActivationFunction=1)
    if op == "PAD":
        pads = net.tensor("pads", (2, 2), "int32", np.array([[0, 1], [1, 1]]))
        return joined(net, op, "PadOptions", [real(net, "a", 1, 1), pads], (2, 3))
    if op == "CONCATENATION":
        return joined(net, op, "ConcatenationOptions", [real(net, "a", 2, 1), real(net, "b", 2, 2)], (2, 3), axis=1)
    if op == "SLICE":
        inputs = [real(net, "a", 4, 5), whole(net, "begin", 1, 2), whole(net, "size", 2, 3)]
        return joined(net, op, "SliceOptions", inputs, (2, 3))
    if op == "STRIDED_SLICE":
        inputs = [real(net, "a", 2, 2, 6), *(whole(net, "bes"[i], *v) for i, v in enumerate(BEGIN_END_STEP))]
        return joined(net, op, "StridedSliceOptions", inputs, (2, 3), shrinkAxisMask=2)
    if op == "TRANSPOSE":
        return joined(net, op, "TransposeOptions", [real(net, "a", 3, 2), whole(net, "order", 1, 0)], (2, 3))
    if op == "BROADCAST_TO":
        return joined(net, op, "BroadcastToOptions", [real(net, "a", 1, 3), whole(net, "shape", 2, 3)], (2, 3))
    assert op == "RESHAPE"
    return joined(net, op, "ReshapeOptions", [real(net, "a", 6), whole(net, "shape", 2, 3)], (2, 3), newShape=[2, 3])


BEGIN_END_STEP = [(0, 1, 5), (2, 2, -7), (1, 1, -2)]

FOLDED = [
    "ADD",
    "SUB",
    "MUL",
    "PAD",
    "CONCATENATION",
    "SLICE",
    "STRIDED_SLICE",
    "TRANSPOSE",
    "BROADCAST_TO",
    "RESHAPE",
]


@pytest.mark.parametrize("op", FOLDED)
def test_an_operator_on_constants_leaves_the_constant_that_litert_computes(op: str) -> None:
    data = folded(op)
    (node,) = read_program(data, "net").nodes
    assert node.inputs[1].constant
    zeros = np.zeros((2, 3), np.float32)
    np.testing.assert_array_equal(node.inputs[1].array, Oracle(data).run([zeros])[0])


def test_a_split_constant_is_as_many_constants() -> None:
    net = TfliteBuilder()
    a, axis = real(net, "a", 2, 4), net.tensor("axis", (), "int32", np.array(1))
    first, second, x, y = (net.tensor(name, (2, 2), "float32") for name in ("f", "s", "x", "y"))
    net.operator("SPLIT", [axis, a], [first, second], "SplitOptions", numSplits=2)
    net.operator("ADD", [x, second], [y], "AddOptions")
    data = net.build([x], [y])
    (node,) = read_program(data, "net").nodes
    np.testing.assert_array_equal(node.inputs[1].array, Oracle(data).run([np.zeros((2, 2), np.float32)])[0])


@pytest.mark.parametrize("op", ["ADD", "CONV_2D", "SOFTMAX"])
def test_what_is_not_computed_when_compiling_runs_on_the_device(op: str, tmp_path: Path) -> None:
    """int8 sums, operators with weights and others, on constants alone."""
    net = TfliteBuilder()
    shape = (1, 2, 2, 4)
    a = net.tensor("a", shape, "int8", RNG.integers(-128, 128, shape), 0.05, 3)
    middle = net.tensor("m", shape, "int8", scale=1 / 256, zero_point=-128)
    x, y = (net.tensor(name, shape, "int8", scale=0.1) for name in "xy")
    if op == "CONV_2D":
        w = net.tensor("w", (4, 1, 1, 4), "int8", RNG.integers(-127, 128, (4, 1, 1, 4)), 0.001)
        b = net.tensor("b", (4,), "int32", RNG.integers(-999, 999, 4), 0.05 * 0.001)
        net.operator(op, [a, w, b], [middle], "Conv2DOptions", strideH=1, strideW=1)
    elif op == "ADD":
        net.operator("ADD", [a, a], [middle], "AddOptions")
    else:
        net.operator("SOFTMAX", [a], [middle], "SoftmaxOptions", beta=1.0)
    net.operator("ADD", [x, middle], [y], "AddOptions")
    data = net.build([x], [y])
    sample = RNG.integers(-128, 128, shape).astype(np.int8)
    for cpu in ("portable", "cortex-m7"):
        assert [layer.op for layer in compile_model(data, "net", Options(cpu=cpu)).manifest.layers] == [op, "ADD"]
    network = load(compile_model(data, "net", Options()), tmp_path)
    np.testing.assert_array_equal(network.run([sample])[0], Oracle(data).run([sample])[0])
