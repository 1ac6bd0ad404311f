"""Helium's kernels on QEMU's Cortex-M55, many layers in one program: exact, over their inputs too, or refused."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.micro.kernels.random_layers import (
    Generator,
    any_conv,
    any_dense,
    any_depthwise,
    any_maximum,
    any_mean,
    any_product,
    any_sides,
    any_sum,
    chained,
    conv_and_pool,
)
from tests.needs import need

from edgerig.errors import CompileError
from edgerig.micro import planning
from edgerig.micro.ir import FullyConnected, Fused, Node
from edgerig.micro.kernels.base import THRIFT, Context, Kernel
from edgerig.micro.kernels.helium.binary import ProductVectors, SidesVectors
from edgerig.micro.kernels.helium.conv import ConvPoolVectors, ConvVectors
from edgerig.micro.kernels.helium.depthwise import DepthwiseVectors
from edgerig.micro.kernels.helium.pool import AveragePoolVectors, MaxPoolVectors
from edgerig.micro.kernels.helium.sums import AddVectors
from edgerig.micro.memory.planner import padded
from edgerig.micro.options import Options
from edgerig.testing.networks.operators import Case, random_conv
from edgerig.testing.networks.placement import placed, thrifty
from edgerig.testing.networks.qemu_operators import QemuBench, Ran

pytestmark = pytest.mark.slow

#: Kernel, and what makes layers for it.
KINDS: dict[str, tuple[Kernel, Callable[[Generator], Node | Sequence[Node]]]] = {
    "conv": (ConvVectors(), any_conv),
    "depthwise": (DepthwiseVectors(), any_depthwise),
    "conv and maximum": (ConvPoolVectors(), conv_and_pool),
    "dense": (ConvVectors(), any_dense),
    "sum": (AddVectors(), any_sum),
    "sides": (SidesVectors(), any_sides),
    "product": (ProductVectors(), any_product),
    "maximum": (MaxPoolVectors(), any_maximum),
    "mean": (AveragePoolVectors(), any_mean),
}
CASES = {
    "conv": 30, "depthwise": 30, "conv and maximum": 15, "dense": 15, "sum": 10, "sides": 30, "product": 30,
    "maximum": 20, "mean": 30,
}  # fmt: skip
#: Those whose outputs may lie over their inputs, and what of them is made from its end.
IN_PLACE = {
    "conv": "conv",
    "depthwise": "depthwise",
    "depthwise, from its end": "depthwise",
    "conv and maximum": "conv and maximum",
    "maximum": "maximum",
    "mean": "mean",
}
OPTIONS = Options(cpu="cortex-m55")


@pytest.fixture(scope="module")
def random_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Ran]]:
    """Random layers of each kind, their outputs where the planner wants them, at every thrift and in both orders."""
    need("qemu-system-arm")
    bench, rng = QemuBench(tmp_path_factory.mktemp("random")), np.random.default_rng(11)
    cases: list[tuple[str, Case]] = []
    for name, (kernel, make) in KINDS.items():
        wanted = len(cases) + CASES[name]
        while len(cases) < wanted:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(planning, "Context", thrifty(len(cases) % (THRIFT + 1), backward=len(cases) % 2 > 0))
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
    for name, kind in IN_PLACE.items():
        (kernel, make), backward = KINDS[kind], name != kind
        for thrift in [*range(THRIFT + 1)] * 4:
            nodes = chained(make(rng))
            node = Fused.of(*nodes) if len(nodes) > 1 else nodes[0]
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(planning, "Context", thrifty(thrift, backward))
                (access,) = kernel.lower(node, Context(node, 0, OPTIONS, {}, thrift, backward=backward)).accesses
                assert access.backward == backward
                for lead in (padded(access.lead), padded(access.lead) - 8):
                    patch.setattr(planning, "plan_memory", placed(-lead if backward else lead))
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


def test_means_are_divided_exactly() -> None:
    """What er_mve_pool_mean does for every sum of at most 255 bytes."""
    for count in range(1, 256):
        numbers = np.arange(128 * count + count // 2 + 1, dtype=np.int64)
        assert numbers[-1] < 1 << 15
        reciprocal = (1 << 30) // count + 1
        np.testing.assert_array_equal(2 * (2 * numbers) * reciprocal >> 32, numbers // count)


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
