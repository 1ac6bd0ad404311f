"""RISC-V's kernels on QEMU's RV32IMC, many layers in one program: exact, over their inputs too, or refused."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
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
    zero_points,
)
from tests.needs import need

from edgerig.errors import CompileError
from edgerig.micro import Options, compile_model, planning
from edgerig.micro.ir import DepthwiseConv2D, Fused, Node
from edgerig.micro.kernels.base import THRIFT, Context, Kernel
from edgerig.micro.kernels.riscv import RISCV
from edgerig.micro.kernels.riscv.conv import ConvBlocks, ConvPoolBlocks
from edgerig.micro.kernels.scalar.cores import RV32
from edgerig.micro.kernels.scalar.depthwise import DepthwiseRows
from edgerig.micro.kernels.scalar.means import Means
from edgerig.micro.kernels.scalar.scaling import Scaling, scaling_of
from edgerig.micro.kernels.scalar.sums import Sums
from edgerig.micro.memory.planner import padded
from edgerig.testing.networks.known_networks import digits, mlperf_tiny
from edgerig.testing.networks.operators import Case, random_conv
from edgerig.testing.networks.placement import placed, thrifty
from edgerig.testing.networks.qemu_operators import QemuBench, Ran
from edgerig.testing.networks.random_operators import random_content
from edgerig.testing.networks.reference_runs import Oracle, difference, tolerance

pytestmark = pytest.mark.slow

OPTIONS = Options(cpu="rv32imc")


def several_outputs(rng: Generator) -> Node:
    """A depthwise convolution with two or three outputs of each channel."""
    channels, multiplier, same = int(rng.integers(1, 6)), int(rng.integers(2, 4)), bool(rng.integers(2))
    node = random_conv(
        rng,
        (int(rng.integers(4, 9)), int(rng.integers(4, 9)), channels),
        channels * multiplier,
        (int(rng.integers(1, 5)), int(rng.integers(1, 5))),
        stride=(1, int(rng.integers(1, 4))),
        same=same,
        activation="RELU" if same else "NONE",
        zero_points=zero_points(rng),
        depthwise=True,
    )
    assert isinstance(node, DepthwiseConv2D)
    node.multiplier = multiplier
    return node


#: Kernel, what makes layers for it, and how many of them are tried.
KINDS: dict[str, tuple[Kernel, Callable[[Generator], Node | Sequence[Node]], int]] = {
    "conv": (ConvBlocks(), any_conv, 60),
    "depthwise": (DepthwiseRows(RV32), any_depthwise, 60),
    "depthwise, several outputs": (DepthwiseRows(RV32), several_outputs, 12),
    "conv and maximum": (ConvPoolBlocks(), conv_and_pool, 30),
    "dense": (ConvBlocks(), any_dense, 30),
    "sum": (Sums(RV32), any_sides, 12),
    "mean": (Means(RV32), any_mean, 12),
}
#: Those whose outputs may lie over their inputs; and whether they are made from their end.
IN_PLACE = (("conv", False), ("depthwise", False), ("depthwise", True), ("conv and maximum", False))
#: Instructions that a network may take at most, float borders and softmax included; and what portable code takes.
MOST = {
    "digits_int8": (7_100_000, 13_000_000),
    "keyword_spotting": (9_900_000, 16_000_000),
    "image_classification": (41_500_000, 71_500_000),
    "anomaly_detection": (1_300_000, 1_670_000),
}


def random_runs(folder: Path, seed: int, times: int = 1) -> dict[str, list[Ran]]:
    """Random layers of each kind, at every thrift, in both orders."""
    bench, rng = QemuBench(folder, cpu="rv32imc"), np.random.default_rng(seed)
    cases: list[tuple[str, Case]] = []
    for name, (kernel, make, count) in KINDS.items():
        wanted = len(cases) + count * times
        while len(cases) < wanted:
            with pytest.MonkeyPatch.context() as patch, contextlib.suppress(CompileError):
                number = len(cases)
                patch.setattr(planning, "Context", thrifty(number % (THRIFT + 1), backward=number % 2 > 0))
                cases.append((name, bench.add(chained(make(rng)), [kernel])))
    runs: dict[str, list[Ran]] = {name: [] for name in KINDS}
    for (name, _), ran in zip(cases, bench.run_random([case for _, case in cases], rng), strict=True):
        runs[name].append(ran)
    return runs


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Ran]]:
    need("qemu-system-riscv32")
    return random_runs(tmp_path_factory.mktemp("random"), 11)


@pytest.mark.parametrize("name", KINDS)
def test_random_layers_are_bit_exact(runs: dict[str, list[Ran]], name: str) -> None:
    wrong = [str(ran.case.program.nodes) for ran in runs[name] if ran.differences()]
    assert not wrong, wrong
    assert any(len(np.unique(ran.outputs[0])) > 20 for ran in runs[name])


def test_both_ways_of_scaling_are_tried() -> None:
    rng = np.random.default_rng(11)
    answers = [scaling_of(node) for node in (any_conv(rng) for _ in range(60))]  # type: ignore[arg-type]
    assert {answer.rounding for answer in answers if isinstance(answer, Scaling)} == {"once", "twice"}


@pytest.mark.parametrize(("name", "backward"), IN_PLACE)
def test_layers_are_exact_over_their_inputs_and_not_all_of_them_nearer(
    name: str, backward: bool, tmp_path: Path
) -> None:
    need("qemu-system-riscv32")
    bench, rng = QemuBench(tmp_path, cpu="rv32imc"), np.random.default_rng(12)
    cases: list[Case] = []
    kernel, make, _ = KINDS[name]
    for thrift in [*range(THRIFT + 1)] * 5:
        nodes = chained(make(rng))
        node = Fused.of(*nodes) if len(nodes) > 1 else nodes[0]
        if not kernel.accepts(node, OPTIONS):
            continue
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(planning, "Context", thrifty(thrift, backward))
            (access,) = kernel.lower(node, Context(node, 0, OPTIONS, {}, thrift, backward=backward)).accesses
            assert access.backward == backward
            for lead in (padded(access.lead), padded(access.lead) - 8):
                patch.setattr(planning, "plan_memory", placed(-lead if backward else lead))
                cases.append(bench.add(nodes, [kernel]))
    ran = bench.run_random(cases, rng)
    assert not [said.case.program.nodes for said in ran[::2] if said.differences()]
    # Padding, or a layer that reads all of its input before it writes, lets many lie nearer.
    assert any(nearer.differences() for nearer in ran[1::2])


@pytest.fixture(scope="module")
def networks_run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, list[Ran]]]:
    """Each network by its own kernels and by portable ones."""
    need("qemu-system-riscv32")
    files = {"digits_int8": digits(), **mlperf_tiny()}
    bench, rng = QemuBench(tmp_path_factory.mktemp("networks"), cpu="rv32imc"), np.random.default_rng(0)
    cases = [bench.add_network(files[name], Options(cpu=cpu)) for name in MOST for cpu in ("rv32imc", "portable")]
    jobs = [(case, [random_content(rng, value) for value in case.program.inputs]) for case in cases]
    results = bench.run_all(jobs)
    return {name: (files[name], results[2 * i : 2 * i + 2]) for i, name in enumerate(MOST)}


@pytest.mark.parametrize("name", MOST)
def test_networks_are_exact_and_faster_than_portable_code(
    networks_run: dict[str, tuple[bytes, list[Ran]]], name: str
) -> None:
    data, results = networks_run[name]
    for ran in results:
        for expected, output in zip(Oracle(data).run(list(ran.inputs)), ran.outputs, strict=True):
            assert difference(expected, output) <= tolerance(expected.dtype)
    fast, portable = (ran.instructions for ran in results)
    assert fast <= MOST[name][0]
    assert portable >= MOST[name][1]


def test_gcc_builds_them_as_well(tmp_path: Path) -> None:
    need("qemu-system-riscv32", "riscv64-unknown-elf-gcc")
    bench, rng = QemuBench(tmp_path, "gcc", cpu="rv32imc"), np.random.default_rng(3)
    cases = [
        bench.add(chained(make(rng)), [kernel, *RISCV])
        for kernel, make, _ in KINDS.values()
        if make not in (any_dense, any_sides, any_mean)
    ]
    assert not [ran.case.program.nodes for ran in bench.run_random(cases, rng) if ran.differences()]


def test_scales_of_one_and_more_are_refused_by_their_channel() -> None:
    node = random_conv(np.random.default_rng(0), (3, 3, 4), 5, (1, 1))
    quantization = node.weights.quantization
    assert quantization is not None
    scales = (*quantization.scales[:3], 400 * quantization.scales[3], quantization.scales[4])
    node.weights.quantization = msgspec.structs.replace(quantization, scales=tuple(map(float, np.float32(scales))))
    answer = ConvBlocks().accepts(node, OPTIONS)
    assert not answer
    assert "channel 3 of 5: scale asks for a left shift" in str(answer)


def test_kernels_of_other_processors_are_not_mixed_in() -> None:
    for cpu, prefix in (("rv32imc", "riscv-"), ("cortex-m7", "")):
        source = compile_model(digits(), "net", Options(cpu=cpu))
        ours = [layer.kernel for layer in source.manifest.layers if layer.kernel.startswith("riscv-")]
        assert bool(ours) == (prefix == "riscv-")
        assert any("er_rv_" in path for path in source.files) == (prefix == "riscv-")
        mixed = [path for path in source.files if path.startswith("kernels/er_") and path[11:14] not in ("rv_", "sc_")]
        assert not (prefix and mixed)
