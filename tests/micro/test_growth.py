"""Work grows with the network, not with its square: four times the operators are at most five times the steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgerig.micro import Options, compile_model
from edgerig.models.graph.analysis import analyse
from edgerig.models.graph.lifetimes import MOST_OVERLAPS, count_overlaps, first_gaps
from edgerig.models.graph.memory import activation_memory
from edgerig.models.graph.tflite_file import read_tflite
from edgerig.testing.networks.growth import steps
from edgerig.testing.networks.tflite_builder import TfliteBuilder

#: Operators of the smaller network; the larger one has four times as many.
COUNT = 60
SHAPE = (1, 4, 4, 2)


def chain(count: int, add: Callable[[TfliteBuilder, list[int], int], int], dtype: str = "float32") -> bytes:
    net = TfliteBuilder()
    made = [net.tensor("x", SHAPE, dtype, None, 0.5 if dtype == "int8" else None)]
    for index in range(count):
        made.append(add(net, made, index))
    return net.build([made[0]], [made[-1]])


def value(net: TfliteBuilder, index: int, dtype: str = "float32", shape: tuple[int, ...] = SHAPE) -> int:
    return net.tensor(f"t{index}", shape, dtype, None, 0.5 if dtype == "int8" else None)


def logistic(net: TfliteBuilder, made: list[int], index: int) -> int:
    y = value(net, index)
    net.operator("LOGISTIC", [made[-1]], [y])
    return y


def table(net: TfliteBuilder, made: list[int], index: int) -> int:
    """Functions of a byte, of which two become one table."""
    y = value(net, index, "int8")
    if index % 3 == 2:
        net.operator("ADD", [made[-1], made[-1]], [y], "AddOptions")
    else:
        net.operator("RELU", [made[-1]], [y])
    return y


def view(net: TfliteBuilder, made: list[int], index: int) -> int:
    shape = ((1, 32), SHAPE)[index % 2]
    y = value(net, index, shape=shape)
    net.operator("RESHAPE", [made[-1], net.tensor("s", (len(shape),), "int32", np.array(shape))], [y], "ReshapeOptions")
    return y


def residual(net: TfliteBuilder, made: list[int], index: int) -> int:
    if index % 3 != 2:
        return logistic(net, made, index)
    y = value(net, index)
    net.operator("ADD", [made[-1], made[-3]], [y], "AddOptions")
    return y


def padded(net: TfliteBuilder, made: list[int], index: int) -> int:
    """PAD, convolution, RELU: one layer."""
    y = value(net, index, shape=(1, 6, 6, 2) if index % 3 == 0 else SHAPE)
    if index % 3 == 0:
        pads = net.tensor("pads", (4, 2), "int32", np.array([[0, 0], [1, 1], [1, 1], [0, 0]]))
        net.operator("PAD", [made[-1], pads], [y], "PadOptions")
    elif index % 3 == 1:
        w = net.tensor("w", (2, 3, 3, 2), "float32", np.ones((2, 3, 3, 2)))
        net.operator("CONV_2D", [made[-1], w], [y], "Conv2DOptions", padding=1, strideH=1, strideW=1)
    else:
        net.operator("RELU", [made[-1]], [y])
    return y


def conversion(net: TfliteBuilder, made: list[int], index: int) -> int:
    y = value(net, index, ("int8", "float32")[index % 2])
    net.operator(("QUANTIZE", "DEQUANTIZE")[index % 2], [made[-1]], [y])
    return y


def convolution(net: TfliteBuilder, made: list[int], index: int) -> int:
    """Layers that could go in bands, whose output lies a little before their input."""
    y, w = value(net, index, "int8"), net.tensor("w", (2, 3, 3, 2), "int8", np.ones((2, 3, 3, 2)), 0.01)
    net.operator("CONV_2D", [made[-1], w], [y], "Conv2DOptions", padding=0, strideH=1, strideW=1)
    return y


def depthwise(net: TfliteBuilder, made: list[int], index: int) -> int:
    """Likewise, and every other one could be made from its end."""
    if index % 2:
        return convolution(net, made, index)
    y, w = value(net, index, "int8"), net.tensor("w", (1, 3, 3, 2), "int8", np.ones((1, 3, 3, 2)), 0.01)
    options = {"padding": 0, "strideH": 1, "strideW": 1, "depthMultiplier": 1}
    net.operator("DEPTHWISE_CONV_2D", [made[-1], w], [y], "DepthwiseConv2DOptions", **options)
    return y


CHAINS = {
    "logistic": (logistic, "float32"),
    "tables": (table, "int8"),
    "views": (view, "float32"),
    "residual": (residual, "float32"),
    "padded": (padded, "float32"),
    "conversions": (conversion, "float32"),
}


def growth(work: Callable[[bytes], object], files: Callable[[int], bytes], count: int = COUNT) -> float:
    small, large = files(count), files(4 * count)
    work(small)  # what is read or imported only once
    return steps(lambda: work(large)) / steps(lambda: work(small))


@pytest.mark.slow
@pytest.mark.parametrize("kind", CHAINS)
@pytest.mark.parametrize("cpu", ["portable", "cortex-m7"])
def test_compiling_grows_with_the_network(kind: str, cpu: str) -> None:
    add, dtype = CHAINS[kind]
    assert growth(lambda data: compile_model(data, "net", Options(cpu=cpu)), lambda n: chain(n, add, dtype)) < 5


@pytest.mark.slow
@pytest.mark.parametrize("add", [convolution, depthwise])
def test_plans_of_layers_that_overlap_and_could_go_in_bands_grow_with_the_network(
    add: Callable[[TfliteBuilder, list[int], int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that a network is large already here.
    monkeypatch.setattr("edgerig.micro.planning._PLANNED", 80)
    monkeypatch.setattr("edgerig.micro.stages._MANY", 40)
    monkeypatch.setattr("edgerig.micro.stages._FULLEST", 4)
    monkeypatch.setattr("edgerig.micro.memory.planner.SEARCH", 0)
    assert growth(lambda data: compile_model(data, "net", Options()), lambda n: chain(n, add, "int8"), 30) < 5


@pytest.mark.slow
@pytest.mark.parametrize("kind", CHAINS)
def test_inspecting_grows_with_the_network(kind: str) -> None:
    add, dtype = CHAINS[kind]
    assert growth(lambda data: analyse(read_tflite(data, "net")), lambda n: chain(n, add, dtype)) < 5


def streams(count: int) -> bytes:
    """``count`` delays: each variable gives the last value and takes the new one."""
    net = TfliteBuilder()
    x = net.tensor("x", (1, 4), "float32")
    last, handles = x, []
    for index in range(count):
        handle = net.tensor(f"h{index}", (1,), "resource")
        net.operator("VAR_HANDLE", [], [handle], "VarHandleOptions", sharedName=f"v{index}")
        old, new = net.tensor(f"old{index}", (1, 4), "float32"), net.tensor(f"new{index}", (1, 4), "float32")
        net.operator("READ_VARIABLE", [handle], [old], "ReadVariableOptions")
        net.operator("ADD", [last, old], [new], "AddOptions")
        net.operator("ASSIGN_VARIABLE", [handle, new], [], "AssignVariableOptions")
        handles.append(handle)
        last = new
    y = net.tensor("y", (1, 4), "float32")
    net.operator("LOGISTIC", [last], [y])
    return net.build([x], [y])


@pytest.mark.slow
def test_state_grows_with_the_network() -> None:
    assert growth(lambda data: compile_model(data, "net", Options()), streams) < 5


def nested(net: TfliteBuilder, made: list[int], index: int, half: int) -> int:
    """Every value of the first half is needed once in the second, the last first: all live long."""
    if index < half:
        return logistic(net, made, index)
    y = value(net, index)
    net.operator("ADD", [made[-1], made[2 * half - index - 1]], [y], "AddOptions")
    return y


def test_plans_of_what_all_lives_together_are_sound_and_take_no_square(monkeypatch: pytest.MonkeyPatch) -> None:
    def graph(count: int) -> bytes:
        return chain(count, lambda net, made, index: nested(net, made, index, count // 2))

    monkeypatch.setattr("edgerig.models.graph.memory.MOST_OVERLAPS", 100)
    assert growth(lambda data: activation_memory(read_tflite(data, "net")), graph) < 5
    found = activation_memory(read_tflite(graph(COUNT), "net"))
    assert found.planned == found.lower_bound
    monkeypatch.undo()
    assert found.planned == activation_memory(read_tflite(graph(COUNT), "net")).planned
    assert MOST_OVERLAPS > 100


def test_gaps_that_are_given_back_are_used_again_and_never_twice() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        firsts, spans, sizes = (rng.integers(0, most, 30).tolist() for most in (20, 9, 50))
        pieces = [(first, first + span, size) for first, span, size in zip(firsts, spans, sizes, strict=True)]
        offsets = first_gaps(pieces)
        for i, (one, at) in enumerate(zip(pieces, offsets, strict=True)):
            for other, place in list(zip(pieces, offsets, strict=True))[:i]:
                apart = one[1] < other[0] or other[1] < one[0]
                assert apart or at + one[2] <= place or place + other[2] <= at
        pairs = [(a, b) for i, a in enumerate(pieces) for b in pieces[:i] if a[0] <= b[1] and b[0] <= a[1]]
        assert count_overlaps((first, last) for first, last, _ in pieces) == len(pairs)
