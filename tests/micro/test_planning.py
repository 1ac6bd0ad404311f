"""What plans cost: layers are packed for the plan that is chosen, and numbers that layers share are computed once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.micro import Options, compile_model
from edgerig.micro.arithmetic.memo import by_numbers, memoized
from edgerig.micro.frontend.read import read_program
from edgerig.micro.ir import Conv2D, DepthwiseConv2D, Weighted
from edgerig.micro.kernels.base import Context
from edgerig.micro.planning import Planned, Planner, Variant
from edgerig.testing.networks.published_shapes import published_shape
from edgerig.testing.networks.tflite_builder import TfliteBuilder


@pytest.fixture(scope="module")
def pictures() -> bytes:
    """A network whose first layers go in bands of rows."""
    return published_shape("mobilenet_v1", 96, 0.25)


@pytest.mark.parametrize("cpu", ["cortex-m7", "cortex-m55"])
def test_constants_are_packed_for_the_chosen_plan_alone(
    pictures: bytes, cpu: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of a layer function once; the planner looks at layers several times."""
    packed, asked = Counter[tuple[int, str]](), Counter[tuple[int, str]]()
    constant = Context.constant

    def counting(context: Context, name: str, data: Any, *more: Any, **named: Any) -> str:
        def pack() -> NDArray[Any]:
            packed[context.index, name] += 1
            array: NDArray[Any] = data() if callable(data) else data
            return array

        asked[context.index, name] += 1
        return constant(context, name, pack, *more, **named)

    monkeypatch.setattr(Context, "constant", counting)
    layers = compile_model(pictures, "net", Options(cpu=cpu)).manifest.layers
    functions = Counter(layer.position for layer in layers)
    assert max(functions.values()) > 1, "no bands"
    assert set(packed.values()) == {1}
    assert asked.total() > 2 * packed.total()


def test_numbers_are_computed_once_for_layers_that_share_them(pictures: bytes) -> None:
    seen: list[str] = []

    @by_numbers
    def total(node: Weighted, times: int = 1) -> int:
        seen.append(node.name)
        return times * int(np.sum(node.weights.array, dtype=np.int64))

    nodes = [node for node in read_program(pictures, "net").nodes if isinstance(node, Conv2D | DepthwiseConv2D)]
    assert total(nodes[0]) == total(nodes[0])
    assert len(seen) == 2, "nothing is remembered between compilations"
    with memoized():
        first = [total(node) for node in nodes]
        assert [total(node) for node in nodes] == first
        assert len(seen) == 2 + len(nodes)
        assert total(nodes[0], times=2) == 2 * first[0]
        assert len(seen) == 3 + len(nodes)
    assert total(nodes[0]) == first[0]
    assert len(seen) == 4 + len(nodes)


@pytest.mark.slow
def test_of_many_layers_only_the_fullest_are_tried_from_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans would be as many as layers, and work grow with the square of the network."""
    plans: list[Variant] = []
    below = Planner.below

    def counting(planner: Planner, variant: Variant, nbytes: int | None, thorough: bool = True) -> Planned | None:
        plans.append(variant)
        return below(planner, variant, nbytes, thorough)

    monkeypatch.setattr(Planner, "below", counting)
    counts = []
    monkeypatch.setattr("edgerig.micro.planning._TURNED", 12)
    for layers in (16, 32):
        plans.clear()
        compile_model(depthwise_chain(layers), "net", Options())
        counts.append(len(plans))
    assert counts[0] == counts[1] > 12
    # Of still more layers fewer are tried.
    monkeypatch.setattr("edgerig.micro.planning._PLANNED", 150)
    plans.clear()
    compile_model(depthwise_chain(16), "net", Options())
    assert len(plans) < counts[0] / 2


@pytest.mark.slow
def test_of_many_layers_not_each_is_tried_whether_it_may_be_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[bool] = []
    below = Planner.below

    def counting(planner: Planner, variant: Variant, nbytes: int | None, thorough: bool = True) -> Planned | None:
        tried.append(thorough)
        return below(planner, variant, nbytes, thorough)

    monkeypatch.setattr(Planner, "below", counting)
    arenas, counts = [], []
    for most in (250_000, 480):
        monkeypatch.setattr("edgerig.micro.planning._RELAXED", most)
        tried.clear()
        arenas.append(compile_model(depthwise_chain(16), "net", Options(cpu="cortex-m7")).manifest.memory.arena)
        counts.append(tried.count(False))
    assert arenas[0] == arenas[1]
    assert counts[0] > 20
    # More than one planner is asked where layers go in bands.
    assert counts[1] < counts[0] / 1.5


def depthwise_chain(layers: int) -> bytes:
    """Pointwise and depthwise convolutions in turn, behind each two a sum with what the sum before made."""
    rng, net = np.random.default_rng(0), TfliteBuilder()
    last = before = x = net.tensor("x", (1, 8, 8, 8), "int8", None, 0.05)
    strides = {"padding": 0, "strideH": 1, "strideW": 1}
    for _ in range(layers):
        dense, wide, y = (net.tensor("y", (1, 8, 8, 8), "int8", None, 0.05) for _ in range(3))
        weights = net.tensor("w", (8, 1, 1, 8), "int8", rng.integers(-127, 128, (8, 1, 1, 8)), 0.01)
        net.operator("CONV_2D", [last, weights], [dense], "Conv2DOptions", **strides)
        weights = net.tensor("w", (1, 3, 3, 8), "int8", rng.integers(-127, 128, (1, 3, 3, 8)), 0.01)
        net.operator(
            "DEPTHWISE_CONV_2D", [dense, weights], [wide], "DepthwiseConv2DOptions", depthMultiplier=1, **strides
        )
        net.operator("ADD", [wide, before], [y], "AddOptions")
        last = before = y
    return net.build([x], [last])
