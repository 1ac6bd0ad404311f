"""Kernels for x86-64 and aarch64: exact as those for any CPU, at every width of vectors that this machine has."""

from __future__ import annotations

import dataclasses
import itertools
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.micro.kernels.random_layers import (
    ACTIVATIONS,
    CHANNELS,
    Generator,
    any_conv,
    any_dense,
    any_depthwise,
    any_sum,
    in_floats,
    zero_points,
)

from edgerig.errors import CompileError
from edgerig.micro import Options, compile_model
from edgerig.micro.ir import AveragePool2D, Conv2D, DepthwiseConv2D, MaxPool2D, Mul, Node, Padding, Sub, Value, Weighted
from edgerig.micro.kernels.base import Kernel
from edgerig.micro.kernels.simd import SIMD
from edgerig.micro.pipeline import compile_program
from edgerig.micro.reference import Machine
from edgerig.testing.networks.generated import compile_c, load_all, run_sanitized, write_all
from edgerig.testing.networks.operators import chain_of, int8_value, random_conv
from edgerig.testing.networks.random_operators import OPERATORS, random_content, random_inputs, random_operator
from edgerig.testing.networks.reference_runs import Oracle, difference, tolerance

OPTIONS = Options(cpu="simd")
#: Flags of the C compiler, and the features in /proc/cpuinfo that what they make needs.
WIDTHS: dict[str, tuple[str, frozenset[str]]] = (
    {
        "SSE2": ("-march=x86-64", frozenset()),
        "AVX2": ("-march=x86-64-v3", frozenset({"avx2", "fma"})),
        "AVX-512": ("-march=x86-64-v4", frozenset({"avx512bw", "avx512dq", "avx512vl"})),
        "all": ("-march=native", frozenset()),
    }
    if platform.machine() in ("x86_64", "AMD64")
    else {"NEON": ("-march=armv8-a", frozenset()), "all": ("-march=native", frozenset())}
)
#: Operators with kernels of their own.
OWN = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "ADD",
    "SUB",
    "MUL",
    "MAX_POOL_2D",
    "AVERAGE_POOL_2D",
    "QUANTIZE",
)


def flags_of(width: str) -> str:
    flag, features = WIDTHS[width]
    try:
        has = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        has = set()
    if not features <= has:
        pytest.skip(f"this machine's processor lacks {', '.join(sorted(features - has))}")
    return flag


def in_halves(rng: Generator, node: Node) -> Node:
    """Scales that are powers of 2, so that many sums lie on a half."""
    assert isinstance(node, Weighted)
    for value in (node.input, node.output):
        value.quantization = msgspec.structs.replace(value.quantization, scales=(0.5,))
    quantization = node.weights.quantization
    assert quantization is not None
    scales = tuple(float(2.0 ** -rng.integers(7, 14)) for _ in quantization.scales)
    node.weights.quantization = msgspec.structs.replace(quantization, scales=scales)
    return node


def any_two(rng: Generator) -> Node:
    """A sum, a difference or a product; with one number for all, or for each row."""
    width, channels = int(rng.integers(1, 6)), int(rng.choice([1, 3, 8, 16, 17, 40]))
    shapes = [(1, 2, width, channels)] * 2
    if rng.integers(3) == 0:
        shapes[int(rng.integers(2))] = ((1, 1, 1, channels), (1, 2, width, 1), (1, 1, 1, 1))[int(rng.integers(3))]
    values = [
        int8_value(name, shape, [float(rng.uniform(0.02, 0.2))], [int(rng.integers(-128, 128))])
        for name, shape in (("x0", shapes[0]), ("x1", shapes[1]), ("y", (1, 2, width, channels)))
    ]
    kind = (Sub, Mul)[int(rng.integers(2))]
    return kind("two", 0, values[:2], values[2:], str(rng.choice(ACTIVATIONS)))


def any_pool(rng: Generator) -> Node:
    """A maximum or an average, whose windows may reach over the border."""
    conv = any_depthwise(rng)
    assert isinstance(conv, DepthwiseConv2D)
    while conv.dilation != (1, 1):
        conv = any_depthwise(rng)
        assert isinstance(conv, DepthwiseConv2D)
    kind = (MaxPool2D, AveragePool2D)[int(rng.integers(2))]
    conv.output.quantization = conv.input.quantization
    more = {"padding": conv.padding, "activation": str(rng.choice(ACTIVATIONS))}
    return kind("pool", 0, [conv.input], [conv.output], conv.kernel, conv.stride, **more)


#: What makes layers, and how many of them.
KINDS: dict[str, tuple[Callable[[Generator], Node], int]] = {
    "conv": (any_conv, 40),
    "conv in halves": (lambda rng: in_halves(rng, any_conv(rng)), 15),
    "depthwise": (any_depthwise, 40),
    "depthwise in halves": (lambda rng: in_halves(rng, any_depthwise(rng)), 15),
    "dense": (any_dense, 20),
    "dense in halves": (lambda rng: in_halves(rng, any_dense(rng)), 10),
    "sum": (any_sum, 15),
    "difference or product": (any_two, 30),
    "pool": (any_pool, 30),
    "float conv": (lambda rng: in_floats(rng, any_conv(rng))[0], 20),
    "float depthwise": (lambda rng: in_floats(rng, any_depthwise(rng))[0], 15),
    "float dense": (lambda rng: in_floats(rng, any_dense(rng))[0], 10),
}


def layers() -> list[tuple[str, Node]]:
    rng = np.random.default_rng(5)
    return [(kind, make(rng)) for kind, (make, count) in KINDS.items() for _ in range(count)]


def one_by_one(name: str, wanted: Sequence[Kernel]) -> list[tuple[Machine, Any]]:
    """Reference and C of the layers of a kind; those that no kernel takes are few."""
    cases = []
    for kind, node in layers():
        if kind == name:
            try:
                prefix = f"{name.replace(' ', '_')}_{len(cases)}"
                source = compile_program(chain_of([node]), prefix, OPTIONS, kernels=wanted)
            except CompileError:
                continue
            cases.append((Machine(chain_of([node])), source))
    assert len(cases) > 0.7 * KINDS[name][1]
    return cases


@pytest.fixture(scope="module")
def cases() -> dict[str, list[tuple[Machine, Any]]]:
    return {name: one_by_one(name, SIMD) for name in KINDS}


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_random_layers_are_exact(width: str, cases: dict[str, list[tuple[Machine, Any]]], tmp_path: Path) -> None:
    flag, rng = flags_of(width), np.random.default_rng(6)
    # All in one library: kernels are compiled once for a width, and what calls them once for all.
    sources = [source for each in cases.values() for _, source in each]
    networks = iter(load_all(sources, tmp_path, ("-O2",), flag))
    for name, each in cases.items():
        moved = 0
        for machine, _ in each:
            network = next(networks)
            for _ in range(3):
                inputs = [random_content(rng, value) for value in machine.program.inputs]
                (expected,), (found,) = machine.run(inputs), network.run(inputs)
                assert difference(expected, found) <= tolerance(expected.dtype), (name, machine.program.nodes)
                moved += len(np.unique(expected)) > 8
        assert moved > 3, name


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_every_operator_is_exact(dtype: str, tmp_path: Path) -> None:
    files = {f"{op}_{seed}": random_operator(op, 50 + seed, dtype) for op in OPERATORS for seed in range(3)}
    networks = load_all(
        [compile_model(data, name, OPTIONS) for name, data in files.items()], tmp_path, ("-O2", flags_of("all"))
    )
    kernels: set[str] = set()
    for data, network in zip(files.values(), networks, strict=True):
        oracle = Oracle(data)
        kernels |= {layer.kernel for layer in network.manifest.layers}
        for inputs in random_inputs(network.manifest.inputs, 4, 7):
            for expected, found in zip(oracle.run(inputs), network.run(inputs), strict=True):
                assert difference(expected, found) <= tolerance(expected.dtype), network.manifest.name
    assert len([name for name in kernels if name.startswith("simd-")]) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("width", [next(iter(WIDTHS)), "all"])
def test_no_layer_reads_or_writes_beyond_its_memory(width: str, tmp_path: Path) -> None:
    files = [
        (op, random_operator(op, 70 + seed, dtype)) for op in OWN for seed in range(4) for dtype in ("int8", "float32")
    ]
    sources = [compile_model(data, f"{op}_{index}", OPTIONS) for index, (op, data) in enumerate(files)]
    samples = [random_inputs(source.manifest.inputs, 2, 1) for source in sources]
    results = run_sanitized(sources, samples, tmp_path, flags_of(width))
    for (_, data), each, outputs in zip(files, samples, results, strict=True):
        oracle = Oracle(data)
        for inputs, found in zip(each, outputs, strict=True):
            for expected, one in zip(oracle.run(inputs), found, strict=True):
                assert difference(expected, one) <= tolerance(expected.dtype)


@pytest.mark.slow
@pytest.mark.parametrize("width", [next(iter(WIDTHS)), "all"])
def test_windows_may_lie_wholly_in_the_border(width: str, tmp_path: Path) -> None:
    """A PAD that was merged may be wider than all that windows far apart see of a row, border included."""
    rng, sources, machines = np.random.default_rng(3), [], []
    for depthwise, dtype in itertools.product((False, True), ("int8", "float32")):
        layer = random_conv(rng, (3, 1, 40), 40, (1, 1), depthwise=depthwise, zero_points=(7, -3))
        layer = layer if dtype == "int8" else in_floats(rng, layer)[0]
        assert isinstance(layer, Conv2D | DepthwiseConv2D)
        node = dataclasses.replace(layer, padding=Padding(1, 30, 2, 0), stride=(1, 31))
        output = Value("y", node.output_shapes()[0], dtype, layer.output.quantization)
        node = dataclasses.replace(node, outputs=[output])
        assert output.shape[1:3] == (6, 1)
        machines.append(Machine(chain_of([node])))
        sources.append(compile_program(chain_of([node]), f"case{len(sources)}", OPTIONS, kernels=SIMD))
    samples = [[[random_content(rng, value) for value in machine.program.inputs]] for machine in machines]
    results = run_sanitized(sources, samples, tmp_path, flags_of(width))
    for machine, (inputs,), ((found,),) in zip(machines, samples, results, strict=True):
        (expected,) = machine.run(inputs)
        assert difference(expected, found) <= tolerance(expected.dtype)
        # No window reaches the image's one column: each pixel is the bias, scaled.
        assert (found == found[:, :1]).all()


@pytest.mark.slow
@pytest.mark.parametrize("flags", ["-march=x86-64-v4 -mavxvnni", "-march=alderlake", "-march=knl", "-U__SSE2__"])
def test_kernels_compile_for_processors_that_this_one_is_not(flags: str, tmp_path: Path) -> None:
    """Whatever mix of extensions a processor has: products come from the widest vectors that have them."""
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("these are extensions of x86-64")
    node = random_conv(np.random.default_rng(0), (4, 4, 8), 8, (3, 3))
    source = compile_program(chain_of([node]), "net", OPTIONS, kernels=SIMD)
    try:
        compile_c(write_all([source], tmp_path), ("-O1", *flags.split(), "-shared", "-fPIC"), tmp_path / "net.so")
    except CompileError as error:
        if "unrecognized" in str(error) or "bad value" in str(error):
            pytest.skip(f"this C compiler does not know {flags}")
        raise


def test_what_they_refuse_portable_code_takes() -> None:
    rng = np.random.default_rng(0)
    node = random_conv(rng, (4, 4, 6), 6, (3, 3), depthwise=True, zero_points=zero_points(rng))
    assert isinstance(node, DepthwiseConv2D)
    wide = DepthwiseConv2D(
        "twice", 0, [int8_value("x", (1, 4, 4, 2), [0.05], [0]), *node.inputs[1:]], node.outputs, "NONE",
        node.stride, node.dilation, node.padding, 3,
    )  # fmt: skip
    answers = [kernel.accepts(wide, OPTIONS) for kernel in SIMD if isinstance(wide, kernel.node)]
    assert not any(answers)
    assert any("several outputs a channel" in str(answer) for answer in answers)
    source = compile_program(chain_of([wide]), "net", OPTIONS)
    assert [layer.kernel for layer in source.manifest.layers] == ["portable-depthwise-s8"]


def test_channels_are_packed_in_blocks_of_sixteen() -> None:
    """Whatever the processor, so that one folder of C runs on all of them."""
    rng = np.random.default_rng(0)
    for channels in CHANNELS:
        node = random_conv(rng, (2, 2, 5), channels, (3, 3))
        source = compile_program(chain_of([node]), "net", OPTIONS)
        sizes = {constant.name.rpartition("_")[2]: constant.bytes for constant in source.manifest.constants}
        blocks = -(-channels // 16)
        # Three rows of 15 weights, each filled up to 16.
        assert sizes["weights"] == blocks * 16 * 3 * 16
        assert sizes["scales"] == blocks * 16 * 5 * 4
