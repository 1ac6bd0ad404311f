"""What kernels say of their order of access, against what their code computes there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from edgerig.errors import CompileError
from edgerig.micro import planning
from edgerig.micro.ir import (
    AveragePool2D,
    Concatenation,
    Conv2D,
    DepthwiseConv2D,
    Fused,
    MaxPool2D,
    Node,
    Padding,
    Value,
)
from edgerig.micro.kernels.access import Access
from edgerig.micro.kernels.base import THRIFT, Context, Kernel
from edgerig.micro.kernels.cortex_m import CORTEX_M
from edgerig.micro.kernels.portable import PORTABLE
from edgerig.micro.memory.planner import padded
from edgerig.micro.options import Options
from edgerig.testing.networks.operators import Case, OperatorBench, in_float, int8_value, pool_behind, random_conv
from edgerig.testing.networks.placement import placed, thrifty

pytestmark = pytest.mark.slow


OPTIONS = Options(cpu="cortex-m7")
KERNELS = {kernel.name: kernel for kernel in (*CORTEX_M, *PORTABLE)}


def access_of(kernel: Kernel, nodes: Sequence[Node], thrift: int = 0, backward: bool = False) -> Access:
    """What a kernel says of the layer that the nodes are, with all values plain.

    Raises:
        CompileError: It does not take them.
    """
    node = Fused.of(*nodes) if len(nodes) > 1 else nodes[0]
    if not kernel.accepts(node, OPTIONS):
        raise CompileError("refused")
    (access,) = kernel.lower(node, Context(node, 0, OPTIONS, {}, thrift, backward=backward)).accesses
    assert access.backward == backward
    return access


@dataclass(frozen=True)
class Shape:
    """A layer: the kernel's name, and the nodes made from a generator; ``backward``: from its end."""

    kernel: str
    nodes: Callable[[np.random.Generator], Sequence[Node]]
    thrift: int = 0
    backward: bool = False


def conv(kernel: str, image: tuple[int, int, int], channels: int, taps: int = 3, stride: int = 1, same: bool = True,
         activation: str = "RELU") -> Shape:  # fmt: skip
    return Shape(
        kernel,
        lambda rng: [
            random_conv(rng, image, channels, (taps, taps), stride=(stride, stride), same=same, activation=activation)
        ],
    )


def separable(kernel: str, image: tuple[int, int, int], channels: int, taps: int = 3, stride: int = 1) -> Shape:
    def nodes(rng: np.random.Generator) -> Sequence[Node]:
        first = random_conv(rng, image, image[2], (taps, taps), stride=(stride, stride), depthwise=True)
        second = random_conv(rng, first.output.shape[1:], channels, (1, 1))  # type: ignore[arg-type]
        return [first, replace(second, inputs=[first.output, *second.inputs[1:]])]

    return Shape(kernel, nodes, THRIFT)


def depthwise(kernel: str, image: tuple[int, int, int], taps: tuple[int, int], stride: int = 1, same: bool = True,
              floats: bool = False) -> Shape:  # fmt: skip
    def nodes(rng: np.random.Generator) -> Sequence[Node]:
        node = random_conv(rng, image, image[2], taps, stride=(stride, stride), same=same, depthwise=True)
        assert isinstance(node, DepthwiseConv2D)
        return [float_depthwise(node, rng) if floats else node]

    return Shape(kernel, nodes, THRIFT)


def float_depthwise(node: DepthwiseConv2D, rng: np.random.Generator) -> Node:
    values = [
        Value("x", node.input.shape, "float32"),
        Value("w", node.weights.shape, "float32", None, rng.normal(size=node.weights.shape).astype(np.float32)),
    ]
    output = Value("y", node.output.shape, "float32")
    return DepthwiseConv2D("d", 0, values, [output], "NONE", node.stride, node.dilation, node.padding)


def float_conv(kernel: str, image: tuple[int, int, int], channels: int, taps: int = 3, stride: int = 1,
               pooled: bool = False) -> Shape:  # fmt: skip
    def nodes(rng: np.random.Generator) -> Sequence[Node]:
        node = random_conv(rng, image, channels, (taps, taps), stride=(stride, stride))
        assert isinstance(node, Conv2D)
        floats = in_float(node, rng)
        return [floats, pool_behind(floats)] if pooled else [floats]

    return Shape(kernel, nodes)


def conv_pool(kernel: str, image: tuple[int, int, int], channels: int) -> Shape:
    def nodes(rng: np.random.Generator) -> Sequence[Node]:
        node = random_conv(rng, image, channels, (3, 3))
        return [node, pool_behind(node)]

    return Shape(kernel, nodes)


def concatenation(shapes: Sequence[tuple[int, ...]], axis: int) -> Shape:
    def nodes(_: np.random.Generator) -> Sequence[Node]:
        values = [int8_value(f"x{index}", shape, [0.1], [3]) for index, shape in enumerate(shapes)]
        sizes = list(shapes[0])
        sizes[axis] = sum(shape[axis] for shape in shapes)
        return [Concatenation("join", 0, values, [int8_value("y", tuple(sizes), [0.1], [3])], axis)]

    return Shape("portable-concatenation", nodes)


def pool(kernel: str, kind: type[MaxPool2D | AveragePool2D], image: tuple[int, int, int], window: int, stride: int,
         pad: int = 0, dtype: str = "int8") -> Shape:  # fmt: skip
    def nodes(_: np.random.Generator) -> Sequence[Node]:
        sizes = [(size + 2 * pad - window) // stride + 1 for size in image[:2]]
        shapes = ((1, *image), (1, *sizes, image[2]))
        x, y = (
            int8_value(name, shape, [0.1], [3]) if dtype == "int8" else Value(name, shape, dtype)
            for name, shape in zip("xy", shapes, strict=True)
        )
        return [kind("pool", 0, [x], [y], (window, window), (stride, stride), Padding(pad, pad, pad, pad))]

    return Shape(kernel, nodes)


SHAPES = {
    "columns, stride 2 and padding": conv("conv-columns", (9, 11, 3), 8, stride=2),
    "columns, whole tiles": conv("conv-columns", (12, 12, 4), 16, stride=2),
    "columns, padding": conv("conv-columns", (7, 5, 4), 6),
    "columns, pointwise that grows": conv("conv-columns", (5, 7, 8), 24, taps=1),
    "columns, pointwise of one size": conv("conv-columns", (5, 7, 16), 16, taps=1),
    "columns, many tiles": conv("conv-columns", (8, 31, 2), 3, taps=1),
    "columns, no padding": conv("conv-columns", (8, 8, 5), 7, same=False),
    "columns, two pixels": conv("conv-columns", (1, 2, 8), 4, taps=1),
    "columns, a narrow image": conv("conv-columns", (11, 1, 8), 8),
    "columns, a copy of the image": conv("conv-columns", (6, 6, 3), 64),
    "block": conv("conv-3x3", (8, 9, 8), 8),
    "block without padding": conv("conv-3x3", (10, 8, 8), 6, same=False),
    "block of a large image": conv("conv-3x3", (14, 12, 16), 16),
    "block and maximum": conv_pool("conv-3x3-pool", (10, 12, 8), 6),
    "winograd": conv("conv-winograd", (8, 8, 8), 8),
    "winograd without padding": conv("conv-winograd", (10, 10, 4), 8, same=False),
    "first and maximum": conv_pool("conv-first-pool", (12, 14, 1), 8),
    "separable that grows": separable("depthwise-pointwise", (24, 15, 8), 16),
    "separable of one size": separable("depthwise-pointwise", (33, 16, 8), 8),
    "separable, stride 2": separable("depthwise-pointwise", (32, 31, 8), 24, stride=2),
    "separable, window of 5x5": separable("depthwise-window-pointwise", (24, 24, 8), 10, taps=5),
    "depthwise": depthwise("depthwise-3x3", (40, 20, 4), (3, 3)),
    "depthwise, stride 2": depthwise("depthwise-3x3", (40, 40, 4), (3, 3), stride=2),
    "taps": depthwise("depthwise-taps", (9, 3, 6), (3, 1), same=False),
    "maximum": pool("max-pool-words", MaxPool2D, (8, 9, 16), 2, 2),
    "overlapping maximum": pool("max-pool-words", MaxPool2D, (9, 9, 8), 3, 2, pad=1),
    "mean": pool("average-pool-words", AveragePool2D, (8, 8, 4), 2, 1),
    "float": float_conv("conv-float", (7, 9, 4), 8, stride=2),
    "float of one size": float_conv("conv-float", (5, 5, 8), 8, taps=1),
    "float and maximum": float_conv("conv-float-pool", (8, 10, 4), 8, pooled=True),
    "float depthwise": depthwise("depthwise-f32", (6, 7, 12), (3, 3), floats=True),
    "portable": conv("portable-conv-s8", (9, 9, 3), 5, stride=2),
    "portable, pointwise": conv("portable-conv-s8", (5, 6, 8), 8, taps=1),
    "portable and maximum": conv_pool("portable-conv-pool-s8", (10, 12, 3), 6),
    "portable depthwise": depthwise("portable-depthwise-s8", (8, 7, 12), (3, 3)),
    "portable float": float_conv("portable-conv-f32", (7, 6, 3), 5),
    "portable float and maximum": float_conv("portable-conv-pool-f32", (8, 10, 3), 5, pooled=True),
    "portable float depthwise": depthwise("portable-depthwise-f32", (6, 7, 5), (3, 3), floats=True),
    "portable maximum": pool("portable-max-pool-s8", MaxPool2D, (8, 9, 5), 2, 2),
    "portable mean": pool("portable-average-pool-s8", AveragePool2D, (8, 9, 5), 3, 2, pad=1),
    "concatenation of channels": concatenation([(1, 5, 7, 32), (1, 5, 7, 8)], 3),
    "concatenation of rows": concatenation([(2, 4, 5, 8), (2, 3, 5, 8)], 1),
    "portable float mean": pool("portable-pool-f32", AveragePool2D, (8, 9, 5), 3, 1, dtype="float32"),
}
SHAPES |= {
    f"{name}, from its end": replace(SHAPES[name], backward=True)
    for name in (
        "separable that grows",
        "separable of one size",
        "separable, stride 2",
        "separable, window of 5x5",
        "depthwise",
        "depthwise, stride 2",
        "portable depthwise",
    )
}
#: They may lie nearer than their kernels say: reading and writing take turns within a pixel, or a run of pixels; a row
#: is read again whose end alone is used; nothing is read once something was written.
CAUTIOUS = {
    "float depthwise",
    "portable float depthwise",
    "portable float and maximum",
    "portable float mean",
    "columns, padding",
    "columns, a copy of the image",
}


@dataclass(frozen=True)
class Run:
    """A layer whose output lies over its input: exactly as its kernel says, and 8 bytes nearer."""

    access: Access
    said: Case
    nearer: Case


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> OperatorBench:
    return OperatorBench(tmp_path_factory.mktemp("access"))


@pytest.fixture(scope="module")
def runs(bench: OperatorBench) -> dict[str, Run]:
    """All shapes, in one firmware."""
    runs = {}
    for number, (name, shape) in enumerate(SHAPES.items()):
        kernel, nodes = KERNELS[shape.kernel], shape.nodes(np.random.default_rng(number))
        access = access_of(kernel, nodes, shape.thrift, shape.backward)
        lead = padded(access.lead)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(planning, "Context", thrifty(shape.thrift, shape.backward))
            cases = []
            for bytes_before in (lead, lead - 8):
                patch.setattr(planning, "plan_memory", placed(-bytes_before if shape.backward else bytes_before))
                cases.append(bench.add(nodes, [kernel]))
        runs[name] = Run(access, *cases)
    return runs


@pytest.mark.parametrize("name", SHAPES)
def test_outputs_are_exact_over_the_input_where_the_kernel_says_and_not_nearer(
    bench: OperatorBench, runs: dict[str, Run], name: str
) -> None:
    run, rng = runs[name], np.random.default_rng(1)
    before = run.said.manifest.memory.inputs[0] - run.said.manifest.memory.outputs[0]
    assert before == padded(run.access.lead) * (-1 if run.access.backward else 1)
    bench.compare(run.said, rng)
    if name not in CAUTIOUS:
        with pytest.raises(AssertionError, match=r"Arrays are not equal|Not equal to tolerance"):
            bench.compare(run.nearer, rng)


@pytest.mark.parametrize("thrift", range(THRIFT + 1))
def test_random_layers_are_exact_over_their_inputs(tmp_path: Path, thrift: int) -> None:
    rng, bench = np.random.default_rng(7 + thrift), OperatorBench(tmp_path)
    cases: list[Case] = []
    with pytest.MonkeyPatch.context() as patch:
        while len(cases) < 20:
            name = str(rng.choice(["conv-columns", "conv-3x3", "depthwise-pointwise", "depthwise-window-pointwise"]))
            nodes, backward = random_shape(rng, name).nodes(rng), KERNELS[name].reversible and len(cases) % 2 > 0
            try:
                access = access_of(KERNELS[name], nodes, thrift, backward)
                patch.setattr(planning, "Context", thrifty(thrift, backward))
                patch.setattr(planning, "plan_memory", placed(padded(access.lead) * (-1 if backward else 1)))
                cases.append(bench.add(nodes, [KERNELS[name]]))
            except CompileError:
                continue
    for case in cases:
        bench.compare(case, rng)


def random_shape(rng: np.random.Generator, name: str) -> Shape:
    image = (int(rng.integers(3, 24)), int(rng.integers(1, 18)), int(rng.choice([1, 2, 3, 4, 8, 12])))
    channels, stride, taps = 2 * int(rng.integers(1, 13)), int(rng.integers(1, 3)), int(rng.integers(1, 4))
    if name == "conv-columns":
        return conv(name, image, channels - int(rng.integers(2)), taps, stride)
    if name == "conv-3x3":
        return conv(name, (*image[:2], 4 * image[2]), channels)
    return separable(name, image, channels, 3 if name == "depthwise-pointwise" else 5, stride)
