"""Helium's kernels on QEMU's Cortex-M55, many layers in one program: exact, over their inputs too, or refused."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.needs import need

from edgerig.errors import CompileError
from edgerig.micro import planning
from edgerig.micro.ir import Add, DepthwiseConv2D, FullyConnected, Fused, MaxPool2D, Node, Value, Weighted
from edgerig.micro.kernels.base import THRIFT, Context, Kernel
from edgerig.micro.kernels.helium.conv import ConvPoolVectors, ConvVectors
from edgerig.micro.kernels.helium.depthwise import DepthwiseVectors
from edgerig.micro.kernels.helium.sums import AddVectors
from edgerig.micro.memory.planner import padded
from edgerig.micro.options import Options
from edgerig.testing.networks.operators import Case, int8_value, random_conv
from edgerig.testing.networks.placement import placed, thrifty
from edgerig.testing.networks.qemu_operators import QemuBench, Ran

pytestmark = pytest.mark.slow

ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
CHANNELS = (1, 2, 3, 4, 5, 8, 15, 16, 17, 32, 33, 48)
Generator = np.random.Generator


def zero_points(rng: Generator) -> tuple[int, int]:
    return int(rng.integers(-128, 128)), int(rng.choice([-128, 0, 127, int(rng.integers(-128, 128))]))


def scatter_scales(rng: Generator, node: Weighted) -> None:
    """Scales over orders of magnitude, channels without weights, biases far off, now and then."""
    quantization, bias = node.weights.quantization, node.bias
    assert quantization is not None
    assert bias is not None
    if rng.integers(3) == 0:
        channels = len(quantization.scales)
        scales = np.array(quantization.scales) * 10 ** rng.uniform(-4, 0, channels)
        node.weights.quantization = msgspec.structs.replace(quantization, scales=tuple(np.float32(scales).tolist()))
        silent = rng.random(channels) < 0.3
        node.weights.array[(..., silent) if isinstance(node, DepthwiseConv2D) else silent] = 0
        bias.array[rng.random(channels) < 0.2] = int(rng.integers(-(1 << 30), 1 << 30))


def any_conv(rng: Generator) -> Node:
    """Any window that fits into its image."""
    while True:
        height, width, outputs = (int(rng.integers(1, 13)) for _ in range(3))
        pointwise, same = rng.integers(3) == 0, bool(rng.integers(2))
        kernel = (1, 1) if pointwise else (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
        stride, dilation = ((int(rng.integers(1, 3)), int(rng.integers(1, 3))) for _ in range(2))
        reach = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilation, strict=True)]
        if same or (height >= reach[0] and width >= reach[1]):
            break
    node = random_conv(
        rng,
        (height, width, int(rng.choice(CHANNELS))),
        outputs,
        kernel,
        stride=stride,
        dilation=dilation,
        same=same,
        activation=str(rng.choice(ACTIVATIONS)),
        zero_points=zero_points(rng),
    )
    scatter_scales(rng, node)
    return node


def any_depthwise(rng: Generator) -> Node:
    """Any window, 3x3 in half of them; lines of one column among the images."""
    while True:
        height, width = int(rng.integers(1, 13)), int(rng.choice([1, *range(1, 13)]))
        kernel = (3, 3) if rng.integers(2) else (int(rng.integers(1, 7)), int(rng.integers(1, 7)))
        stride, dilation = ((int(rng.integers(1, 4)), int(rng.integers(1, 3))) for _ in range(2))
        channels, same = int(rng.choice([2, 3, 5, 8, 12, 16, 24, 40, 64, 130])), bool(rng.integers(2))
        reach = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilation, strict=True)]
        if same or (height >= reach[0] and width >= reach[1]):
            break
    node = random_conv(
        rng,
        (height, width, channels),
        channels,
        kernel,
        stride=stride,
        dilation=dilation,
        same=same,
        activation=str(rng.choice(ACTIVATIONS)),
        zero_points=zero_points(rng),
        depthwise=True,
    )
    scatter_scales(rng, node)
    return node


def conv_and_pool(rng: Generator) -> Sequence[Node]:
    """A convolution and a maximum of windows that do not overlap, of odd and even numbers of pixels."""
    while True:
        conv = any_conv(rng)
        window = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        stride = (window[0] + int(rng.integers(2)), window[1] + int(rng.integers(2)))
        _, height, width, channels = conv.output.shape
        if height >= window[0] and width >= window[1]:
            break
    sizes = ((height - window[0]) // stride[0] + 1, (width - window[1]) // stride[1] + 1)
    output = Value("z", (1, *sizes, channels), "int8", conv.output.quantization)
    return [conv, MaxPool2D("pool", 1, [conv.output], [output], window, stride)]


def any_sum(rng: Generator) -> Node:
    """Two tensors of one shape; their scales are such that factors of 20 bits can be exact."""
    shape = (1, int(rng.integers(1, 50)))
    scale = float(rng.uniform(0.02, 0.2))
    ratio = 2.0 ** int(rng.integers(-2, 1))
    values = [
        int8_value(name, shape, [scale * factor], [int(rng.integers(-128, 128))])
        for name, factor in (("x0", 1), ("x1", ratio), ("y", 2))
    ]
    return Add("add", 0, values[:2], values[2:])


def any_dense(rng: Generator) -> Node:
    """Some rows."""
    inputs, outputs, rows = int(rng.integers(1, 100)), int(rng.integers(1, 30)), int(rng.choice([1, 1, 2, 5]))
    conv = random_conv(
        rng,
        (rows, 1, inputs),
        outputs,
        (1, 1),
        activation=str(rng.choice(ACTIVATIONS)),
        zero_points=zero_points(rng),
    )
    values = [Value(v.name, s, v.dtype, v.quantization, v.data) for v, s in zip(
        (*conv.inputs, conv.output), ((rows, inputs), (outputs, inputs), (outputs,), (rows, outputs)), strict=True
    )]  # fmt: skip
    values[1].data = values[1].array.reshape(outputs, inputs)
    return FullyConnected("dense", 0, values[:3], values[3:], conv.activation)


def chained(nodes: Node | Sequence[Node]) -> Sequence[Node]:
    """One node as a list."""
    return [nodes] if isinstance(nodes, Node) else nodes


#: Kernel, and what makes layers for it.
KINDS: dict[str, tuple[Kernel, Callable[[Generator], Node | Sequence[Node]]]] = {
    "conv": (ConvVectors(), any_conv),
    "depthwise": (DepthwiseVectors(), any_depthwise),
    "conv and maximum": (ConvPoolVectors(), conv_and_pool),
    "dense": (ConvVectors(), any_dense),
    "sum": (AddVectors(), any_sum),
}
CASES = {"conv": 30, "depthwise": 30, "conv and maximum": 15, "dense": 15, "sum": 10}
#: Those whose outputs may lie over their inputs.
IN_PLACE = ("conv", "depthwise", "conv and maximum")
OPTIONS = Options(cpu="cortex-m55")


@pytest.fixture(scope="module")
def random_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Ran]]:
    """Random layers of each kind, their outputs where the planner wants them, at every thrift."""
    need("qemu-system-arm")
    bench, rng = QemuBench(tmp_path_factory.mktemp("random")), np.random.default_rng(11)
    cases: list[tuple[str, Case]] = []
    for name, (kernel, make) in KINDS.items():
        wanted = len(cases) + CASES[name]
        while len(cases) < wanted:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(planning, "Context", thrifty(len(cases) % (THRIFT + 1)))
                with contextlib.suppress(CompileError) if name == "sum" else contextlib.nullcontext():
                    cases.append((name, bench.add(chained(make(rng)), [kernel])))
    runs: dict[str, list[Ran]] = {name: [] for name in KINDS}
    for (name, _), ran in zip(cases, bench.run_random([case for _, case in cases], rng), strict=True):
        runs[name].append(ran)
    return runs


@pytest.mark.parametrize("name", KINDS)
def test_random_layers_are_bit_exact(random_runs: dict[str, list[Ran]], name: str) -> None:
    wrong = [str(ran.case.program.nodes) for ran in random_runs[name] if ran.differences()]
    assert not wrong, wrong
    assert any(len(np.unique(ran.outputs[0])) > 20 for ran in random_runs[name])


@pytest.fixture(scope="module")
def placed_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Ran, Ran]]]:
    """Random layers of each kind whose outputs lie over their inputs: as the kernel says, and 8 bytes nearer."""
    need("qemu-system-arm")
    bench, rng = QemuBench(tmp_path_factory.mktemp("placed")), np.random.default_rng(12)
    cases: list[tuple[str, Case]] = []
    for name in IN_PLACE:
        kernel, make = KINDS[name]
        for thrift in [*range(THRIFT + 1)] * 4:
            nodes = chained(make(rng))
            node = Fused.of(*nodes) if len(nodes) > 1 else nodes[0]
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(planning, "Context", thrifty(thrift))
                (access,) = kernel.lower(node, Context(node, 0, OPTIONS, {}, thrift)).accesses
                for lead in (padded(access.lead), padded(access.lead) - 8):
                    patch.setattr(planning, "plan_memory", placed(lead))
                    cases.append((name, bench.add(nodes, [kernel])))
    runs = bench.run_random([case for _, case in cases], rng)
    pairs: dict[str, list[tuple[Ran, Ran]]] = {}
    for (name, _), said, nearer in zip(cases[::2], runs[::2], runs[1::2], strict=True):
        pairs.setdefault(name, []).append((said, nearer))
    return pairs


@pytest.mark.parametrize("name", IN_PLACE)
def test_layers_are_exact_over_their_inputs_and_not_all_of_them_nearer(
    placed_runs: dict[str, list[tuple[Ran, Ran]]], name: str
) -> None:
    pairs = placed_runs[name]
    assert not [said.case.program.nodes for said, _ in pairs if said.differences()]
    # Padding, or a layer that reads all of its input before it writes, lets many lie nearer.
    assert any(nearer.differences() for _, nearer in pairs)


def test_scales_of_one_and_more_are_refused() -> None:
    rng = np.random.default_rng(0)
    node = random_conv(rng, (3, 3, 4), 5, (1, 1))
    quantization = node.weights.quantization
    assert quantization is not None
    scales = (*quantization.scales[:3], 400 * quantization.scales[3], quantization.scales[4])
    node.weights.quantization = msgspec.structs.replace(quantization, scales=tuple(map(float, np.float32(scales))))
    answer = ConvVectors().accepts(node, OPTIONS)
    assert not answer
    assert "channel 3 of 5: scale asks for a left shift" in str(answer)


def test_a_single_rounding_of_a_half_and_more_is_refused() -> None:
    rng = np.random.default_rng(0)
    node = any_dense(rng)
    assert isinstance(node, FullyConnected)
    quantization = node.output.quantization
    assert quantization is not None
    node.inputs[1].quantization = msgspec.structs.replace(
        quantization, scales=(float(np.float32(0.7 * quantization.scale / 0.05)),), zero_points=(0,)
    )
    answer = ConvVectors().accepts(node, OPTIONS)
    assert not answer
    assert "one rounding, and a scale of a half or more" in str(answer)


def test_without_helium_its_kernels_are_left_out() -> None:
    from edgerig.micro.kernels.registry import kernels_for

    def names(cpu: str) -> list[str]:
        return [kernel.name for kernel in kernels_for(Options(cpu=cpu))]

    with_vectors = names("cortex-m55")
    for cpu in ("cortex-m33", "cortex-m55+nomve", "cortex-m85+nomve"):
        assert [name for name in with_vectors if not name.startswith("helium-")] == names(cpu)
    assert with_vectors == names("cortex-m85")
    assert "helium-conv" in with_vectors
    assert "helium-conv" not in names("cortex-m55+nofp")


def test_what_helium_refuses_others_take(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    node = random_conv(rng, (5, 5, 4), 4, (3, 3), depthwise=True)
    with pytest.raises(CompileError):
        QemuBench(tmp_path).add([node], [ConvVectors()])
    wide = random_conv(rng, (3, 60, 4), 4, (1, 50), depthwise=True)
    assert "50 columns, at most 48" in str(DepthwiseVectors().accepts(wide, OPTIONS))


@pytest.mark.parametrize(("optimize", "rolled"), [("speed", 0), ("size", 1)])
def test_windows_of_many_taps_go_row_by_row(optimize: Any, rolled: int) -> None:
    rng, options = np.random.default_rng(0), Options(cpu="cortex-m55", optimize=optimize)
    node = random_conv(rng, (9, 9, 8), 8, (5, 5), depthwise=True)
    (text,) = DepthwiseVectors().lower(node, Context(node, 0, options, {})).generated.values()
    assert text.count("vmullb") == (2 * 5 if rolled else 2 * 25)
