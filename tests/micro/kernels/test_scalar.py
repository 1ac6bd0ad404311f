"""Kernels of Cortex-M0+ and M3 on the simulated board, many layers in one program: exact, over their inputs too."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.micro.kernels.random_layers import (
    Generator,
    any_conv,
    any_dense,
    any_depthwise,
    any_mean,
    any_sides,
    chained,
    conv_and_pool,
)
from tests.micro.kernels.test_riscv import several_outputs

from edgerig.boards.toolchain import Choice, find_toolchain
from edgerig.errors import CompileError
from edgerig.micro import Options, compile_model, planning
from edgerig.micro.arithmetic.requantize import requantization, scale_once, scale_twice
from edgerig.micro.ir import Conv2D, DepthwiseConv2D, FullyConnected, Fused, Node
from edgerig.micro.kernels.base import THRIFT, Context, Kernel
from edgerig.micro.kernels.cortex_m.prescaled import sums
from edgerig.micro.kernels.scalar import SCALAR
from edgerig.micro.kernels.scalar.conv import RUNS, ConvPairs, ConvPoolPairs, runs
from edgerig.micro.kernels.scalar.cores import ARMV6M, ARMV7M, Core
from edgerig.micro.kernels.scalar.dense import DensePixels
from edgerig.micro.kernels.scalar.depthwise import DepthwiseRows
from edgerig.micro.kernels.scalar.means import Means
from edgerig.micro.kernels.scalar.pieces import LOW, TWICE, pieces
from edgerig.micro.kernels.scalar.scaling import Scaling
from edgerig.micro.kernels.scalar.sums import Sums
from edgerig.micro.memory.planner import padded
from edgerig.simulator.layer_counts import count_layers
from edgerig.testing.networks.known_networks import digits, mlperf_tiny
from edgerig.testing.networks.operators import Case, OperatorBench, random_conv
from edgerig.testing.networks.placement import placed, thrifty
from edgerig.testing.networks.random_operators import random_content
from edgerig.testing.networks.reference_runs import Oracle, difference, tolerance

CORES: dict[str, Core] = {"cortex-m0plus": ARMV6M, "cortex-m3": ARMV7M}
#: Kernel, what makes layers for it, and how many of them are tried.
KINDS: dict[str, tuple[Callable[[Core], Kernel], Callable[[Generator], Node | Sequence[Node]], int]] = {
    "conv": (ConvPairs, any_conv, 40),
    "depthwise": (DepthwiseRows, any_depthwise, 40),
    "depthwise, several outputs": (DepthwiseRows, several_outputs, 8),
    "conv and maximum": (ConvPoolPairs, conv_and_pool, 20),
    "dense": (DensePixels, any_dense, 20),
    "dense, several rows": (ConvPairs, any_dense, 8),
    "sum": (Sums, any_sides, 10),
    "mean": (Means, any_mean, 8),
}
#: Those whose outputs may lie over their inputs; and whether they are made from their end.
IN_PLACE = (
    ("conv", False),
    ("depthwise", False),
    ("depthwise", True),
    ("depthwise, several outputs", True),
    ("conv and maximum", False),
    ("mean", False),
)
#: Of each network the instructions that it may take at most, softmax included, and those of portable code at least.
MOST = {
    "cortex-m0plus": {"keyword_spotting": (11_800_000, 25_000_000), "anomaly_detection": (1_150_000, 2_400_000)},
    "cortex-m3": {"keyword_spotting": (8_200_000, 11_500_000), "anomaly_detection": (800_000, 1_100_000)},
}
#: Files of generated C that say for which CPU it is.
NAMING = {"CMakeLists.txt", "manifest.json"}
#: What a processor without long products calls for them, and for divisions.
CALLS = {"__aeabi_lmul", "__aeabi_ldivmod", "__aeabi_idiv", "__aeabi_idivmod", "__aeabi_uidiv", "__aeabi_llsl"}


@pytest.fixture(scope="module", params=CORES)
def cpu(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def cases(cpu: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[OperatorBench, dict[str, list[Case]]]:
    """Random layers of each kind, at every thrift, in both orders."""
    bench, rng = OperatorBench(tmp_path_factory.mktemp("random"), cpu=cpu), np.random.default_rng(11)
    cases: dict[str, list[Case]] = {name: [] for name in KINDS}
    for name, (kernel, make, count) in KINDS.items():
        while len(cases[name]) < count:
            with pytest.MonkeyPatch.context() as patch, contextlib.suppress(CompileError):
                number = len(cases[name])
                patch.setattr(planning, "Context", thrifty(number % (THRIFT + 1), backward=number % 2 > 0))
                cases[name].append(bench.add(chained(make(rng)), [kernel(CORES[cpu])]))
    return bench, cases


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_random_layers_are_bit_exact(cases: tuple[OperatorBench, dict[str, list[Case]]], name: str) -> None:
    bench, known = cases
    rng, values = np.random.default_rng(5), set()
    for case in known[name]:
        inputs = [random_content(rng, value) for value in case.program.inputs]
        outputs, _ = bench.run(case, *inputs)
        for output, wanted in zip(outputs, case.reference.run(inputs), strict=True):
            assert (output == wanted).all(), str(case.program.nodes)
            values.update(output.reshape(-1).tolist())
    assert len(values) > 20


@pytest.mark.slow
def test_layers_are_exact_over_their_inputs_and_not_all_of_them_nearer(cpu: str, tmp_path: Path) -> None:
    bench, rng, options = OperatorBench(tmp_path, cpu=cpu), np.random.default_rng(12), Options(cpu=cpu)
    pairs: dict[tuple[str, bool], list[Case]] = {kind: [] for kind in IN_PLACE}
    for name, backward in IN_PLACE:
        make_kernel, make, _ = KINDS[name]
        kernel = make_kernel(CORES[cpu])
        for thrift in [*range(THRIFT + 1)] * 4:
            nodes = chained(make(rng))
            node = Fused.of(*nodes) if len(nodes) > 1 else nodes[0]
            if not kernel.accepts(node, options):
                continue
            # A depthwise convolution of one channel is a convolution.
            with pytest.MonkeyPatch.context() as patch, contextlib.suppress(CompileError):
                patch.setattr(planning, "Context", thrifty(thrift, backward))
                context = Context(node, 0, options, {}, thrift, backward=backward)
                (access,) = kernel.lower(node, context).accesses
                assert access.backward == backward
                for lead in (padded(access.lead), padded(access.lead) - 8):
                    patch.setattr(planning, "plan_memory", placed(-lead if backward else lead))
                    pairs[name, backward].append(bench.add(nodes, [kernel]))

    def wrong(case: Case) -> bool:
        inputs = [random_content(rng, value) for value in case.program.inputs]
        return not np.array_equal(bench.run(case, *inputs)[0][0], case.reference.run(inputs)[0])

    for kind, known in pairs.items():
        assert not [case.program.nodes for case in known[::2] if wrong(case)]
        # Padding, or a layer that reads all of its input before it writes, lets many lie nearer.
        assert any(wrong(case) for case in known[1::2]), kind


def test_plans_take_about_the_ram_of_portable_code(cpu: str) -> None:
    """Depthwise layers make several rows at a time, portable ones some pixels; leads of both orders do not add up."""
    data = mlperf_tiny()["keyword_spotting"]
    own, portable = (
        compile_model(data, "net", Options(cpu=kernels, io="integer")).manifest.memory.arena
        for kernels in (cpu, "portable")
    )
    assert own <= 1.15 * portable


@pytest.mark.slow
def test_gcc_builds_them_as_well(cpu: str, tmp_path: Path) -> None:
    bench, rng = OperatorBench(tmp_path, "gcc", cpu), np.random.default_rng(3)
    kinds = [kind for kind in KINDS.values() if kind[0] is not Means]
    known = [bench.add(chained(make(rng)), [kernel(CORES[cpu]), *SCALAR]) for kernel, make, _ in kinds[:5]]
    for case in known:
        bench.compare(case, rng)


@pytest.mark.slow
def test_networks_are_those_of_litert(cpu: str, tmp_path: Path) -> None:
    files = {name: mlperf_tiny()[name] for name in ("keyword_spotting", "image_classification", "anomaly_detection")}
    bench, rng = OperatorBench(tmp_path, cpu=cpu), np.random.default_rng(6)
    cases = {name: bench.add_network(data) for name, data in files.items()}
    for name, case in cases.items():
        inputs = [random_content(rng, value) for value in case.program.inputs]
        for output, wanted in zip(bench.run(case, *inputs)[0], Oracle(files[name]).run(inputs), strict=True):
            assert difference(wanted, output) <= tolerance(wanted.dtype), name


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["ziglang", "gcc"])
@pytest.mark.parametrize("like", ["cortex-m0", "cortex-m23"])
def test_cores_that_run_armv6m_have_its_kernels(like: str, compiler: Choice, tmp_path: Path) -> None:
    """The same files but what names the CPU, built for that core, and the same outputs."""
    data = mlperf_tiny()["keyword_spotting"]
    sources = [compile_model(data, "net", Options(cpu=cpu, io="integer")) for cpu in (like, "cortex-m0plus")]
    own, wanted = ({path: text for path, text in source.files.items() if path not in NAMING} for source in sources)
    assert own == wanted
    assert any(layer.kernel == "m0plus-depthwise" for layer in sources[0].manifest.layers)
    bench = OperatorBench(tmp_path, compiler, like)
    case = bench.add_network(data)
    inputs = [random_content(np.random.default_rng(8), value) for value in case.program.inputs]
    for output, expected in zip(bench.run(case, *inputs)[0], Oracle(data).run(inputs), strict=True):
        assert difference(expected, output) <= tolerance(expected.dtype)


@pytest.mark.slow
def test_networks_take_less_than_portable_code(cpu: str, tmp_path: Path) -> None:
    for name, (most, least) in MOST[cpu].items():
        counts = []
        for kernels in (cpu, "portable"):
            source = compile_model(mlperf_tiny()[name], "net", Options(cpu=kernels, io="integer"))
            source.write(tmp_path / kernels)
            counts.append(sum(count_layers(tmp_path / kernels, source.manifest, cpu=cpu)))
        assert counts[0] <= most, name
        assert counts[1] >= least, name


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["ziglang", "gcc"])
def test_no_kernel_of_a_small_core_calls_for_products_or_divisions(compiler: Choice, tmp_path: Path) -> None:
    from elftools.elf.elffile import ELFFile

    source = compile_model(mlperf_tiny()["image_classification"], "net", Options(cpu="cortex-m0plus", io="integer"))
    source.write(tmp_path / "c")
    tool = find_toolchain(compiler, "cortex-m0plus")
    flags = (*tool.machine("cortex-m0plus", ""), *tool.optimize("2"), "-ffreestanding", f"-I{tmp_path / 'c/kernels'}")
    built = sorted((tmp_path / "c" / "kernels").glob("er_sc_*.[cS]"))
    assert {"er_sc_pairs", "er_sc_dense", "er_sc_sum", "er_sc_mean"} <= {path.stem for path in built}
    for path in built:
        tool.compile(path, tmp_path / "one.o", flags, tmp_path)
        with (tmp_path / "one.o").open("rb") as file:
            symbols = ELFFile(file).get_section_by_name(".symtab").iter_symbols()
            assert not {symbol.name for symbol in symbols} & CALLS, path.name


def test_all_int8_layers_of_networks_have_kernels_of_their_core(cpu: str) -> None:
    prefix = f"{CORES[cpu].name}-"
    for name, data in {"digits": digits(), **mlperf_tiny()}.items():
        layers = compile_model(data, "net", Options(cpu=cpu, io="integer")).manifest.layers
        others = {layer.kernel for layer in layers if layer.macs and not layer.kernel.startswith(prefix)}
        assert not others, name
    kernels = {layer.kernel for layer in compile_model(digits(), "net", Options(cpu="cortex-m7")).manifest.layers}
    assert not any(kernel.startswith(prefix) for kernel in kernels), "nor are they mixed into those of others"


def value_of(row: Sequence[int], sums_: np.ndarray) -> np.ndarray:
    """What er_sc_scale_pieces makes of sums, before limits; asserts that no piece leaves 32 bits."""
    start, multiplier, addend, shift = map(int, row)
    moved = sums_ + start
    low = (moved & (1 << LOW) - 1) * multiplier + addend
    high = (moved >> LOW) * multiplier
    total = high + (low >> LOW)
    assert 0 <= low.min() <= low.max() < 1 << 32
    for part in (moved, high, total):
        assert -(1 << 31) <= part.min() <= part.max() < 1 << 31
    return np.asarray(total >> shift)


@pytest.mark.parametrize("make", [any_conv, any_depthwise, any_dense])
def test_scaling_in_pieces_is_that_of_litert_for_every_sum_near_a_step(make: Callable[[Generator], Node]) -> None:
    rng, tried = np.random.default_rng(3), 0
    for _ in range(30):
        node = make(rng)
        assert isinstance(node, Conv2D | DepthwiseConv2D | FullyConnected)
        scaling = pieces(node)
        if not isinstance(scaling, Scaling):
            continue
        scales, (lowest, highest) = requantization(node), sums(node)
        for channel, row in enumerate(scaling.channels):
            if row[3] >= TWICE:
                continue
            span = np.linspace(lowest[channel], highest[channel], 4000).astype(np.int64)
            near = np.unique(np.clip(span[:, None] + np.arange(-2, 3), lowest[channel], highest[channel]))
            scale = scale_once if scales.once else scale_twice
            multiplier, exponent = (
                scales.multipliers[channel].astype(np.int64),
                scales.exponents[channel].astype(np.int64),
            )
            wanted = scale(near + scales.bias[channel], multiplier, exponent) + scales.zero_point
            limits = scales.low, scales.high
            np.testing.assert_array_equal(np.clip(value_of(row, near), *limits), np.clip(wanted, *limits))
            tried += 1
    assert tried > 50


@pytest.mark.slow
def test_pairs_are_told_apart_where_both_pixels_have_the_extreme_sum_of_a_run(cpu: str, tmp_path: Path) -> None:
    bench, rng = OperatorBench(tmp_path, cpu=cpu), np.random.default_rng(4)
    node = random_conv(rng, (4, 1, 16), 8, (1, 1), activation="NONE", zero_points=(0, 0))
    # The first four reach -32,768, the next two almost.
    for channel, run in enumerate(
        [[64] * 4, [32] * 8, [127, 2, -128, 0], [126, 2, 127, 1], [64, 64, 64, 63], [127], [85] * 6 + [127] * 2]
    ):
        node.weights.array[channel] = np.resize(run, (1, 1, 16))
    case = bench.add([node], [ConvPairs(CORES[cpu])])
    lowest = np.where(node.weights.array.reshape(8, 16) > 0, -128, 127)
    for row in [np.full(16, -128), *lowest]:
        for image in (np.tile(row, (4, 1)), np.tile(-1 - row, (4, 1)), np.array([row, -1 - row, -1 - row, row])):
            content = image.astype(np.int8).reshape(node.input.shape)
            np.testing.assert_array_equal(bench.run(case, content)[0][0], case.reference.run([content])[0])


def test_runs_are_the_longest_whose_sums_fit_16_bits() -> None:
    rows = np.zeros((6, 8), np.int8)
    rows[1] = [127, 127, 2, 0, 0, 0, 0, 0]
    rows[2] = [127, -127, 0, 0, 0, 0, 0, 3]
    rows[3, :2] = -128
    rows[4] = [64, 64, 64, 63, 1, 0, 0, 0]
    rows[5, :4] = 64
    # A run of 2 of row 1 makes at least -128 * 254 = -32,512. 4 of rows 1 and 5, and 8 of row 4, make -128 * 256 =
    # -32,768, which fits, but not behind another one that is below 0 and takes 1.
    chosen = np.array(list(RUNS))
    assert chosen[runs(rows)].tolist() == [8, 2, 4, 1, 4, 3]
    # Runs of 3 come in eights.
    assert chosen[runs(rows[:, :4])].tolist() == [4, 2, 4, 1, 4, 2]
