"""Helium's kernels for float on QEMU's Cortex-M55: as near to the reference as all float kernels are, or refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.micro.kernels.random_layers import (
    Generator,
    any_conv,
    any_dense,
    any_depthwise,
    any_maximum,
    any_mean,
    any_product,
    any_sides,
    chained,
    conv_and_pool,
    in_floats,
)
from tests.needs import need

from edgerig.micro import planning
from edgerig.micro.ir import Fused, Mean, Node, Pool2D, Value
from edgerig.micro.kernels.base import THRIFT, Context, Kernel
from edgerig.micro.kernels.helium.conv_f32 import ConvPoolVectorsF32, ConvVectorsF32, DenseVectorsF32, stream
from edgerig.micro.kernels.helium.layers_f32 import (
    BinaryVectorsF32,
    DepthwiseVectorsF32,
    MeanVectorsF32,
    PoolVectorsF32,
)
from edgerig.micro.kernels.registry import kernels_for
from edgerig.micro.memory.planner import padded
from edgerig.micro.options import Options
from edgerig.testing.networks.operators import Case
from edgerig.testing.networks.placement import placed, thrifty
from edgerig.testing.networks.qemu_operators import QemuBench, Ran
from edgerig.testing.networks.reference_runs import difference, tolerance

OPTIONS = Options(cpu="cortex-m55")
Makers = dict[str, tuple[Sequence[Kernel], Callable[[Generator], Node | Sequence[Node]], int]]


def without_activation(node: Node) -> Node:
    return dataclasses.replace(node, activation="NONE") if isinstance(node, Pool2D) else node


def one_row(rng: Generator) -> Node:
    """A dense layer of one row, which its own kernel takes."""
    while True:
        node = any_dense(rng)
        if node.output.shape[0] == 1:
            return node


def seeing_some(rng: Generator) -> Node:
    """A depthwise layer each of whose outputs sees a pixel of the image."""
    while True:
        node = any_depthwise(rng)
        if DepthwiseVectorsF32().accepts(in_floats(rng, node)[0], OPTIONS):
            return node


def image_mean(rng: Generator) -> Node:
    shape = (1, *(int(rng.integers(1, 9)) for _ in range(2)), int(rng.integers(1, 40)))
    keep = bool(rng.integers(2))
    output = (1, 1, 1, shape[3]) if keep else (1, shape[3])
    return Mean("mean", 0, [Value("x", shape, "float32")], [Value("y", output, "float32")], (1, 2), keep)


def one_number(rng: Generator) -> Node:
    """A sum or product of a tensor and one number, on either side."""
    node = any_product(rng) if rng.integers(2) else any_sides(rng)
    sides = [node.inputs[0], Value("one", (1, 1), "int8", node.inputs[1].quantization)]
    values = [Value("x", node.output.shape, "int8", node.inputs[0].quantization), sides[1]]
    return dataclasses.replace(node, inputs=values if node.op == "SUB" or rng.integers(2) else values[::-1])


#: Kernels, what makes layers for them, and how many.
KINDS: Makers = {
    "conv": ([ConvVectorsF32()], any_conv, 30),
    "conv and maximum": ([ConvPoolVectorsF32()], conv_and_pool, 15),
    "rows": ([ConvVectorsF32()], any_dense, 10),
    "dense": ([DenseVectorsF32()], one_row, 15),
    "depthwise": ([DepthwiseVectorsF32()], seeing_some, 30),
    "maximum": ([PoolVectorsF32()], lambda rng: without_activation(any_maximum(rng)), 15),
    "mean": ([PoolVectorsF32()], lambda rng: without_activation(any_mean(rng)), 15),
    "mean of the image": ([MeanVectorsF32()], image_mean, 10),
    "sides": ([BinaryVectorsF32()], any_sides, 15),
    "product": ([BinaryVectorsF32()], any_product, 15),
    "one number": ([BinaryVectorsF32()], one_number, 15),
}
#: Those whose outputs may lie over their inputs.
IN_PLACE = ("conv", "conv and maximum", "depthwise", "maximum", "mean")


def far(ran: Ran) -> bool:
    """Whether an output is further from the reference than float kernels may be."""
    wanted = ran.case.reference.run(list(ran.inputs))
    return any(
        difference(right, output) > tolerance(right.dtype) for right, output in zip(wanted, ran.outputs, strict=True)
    )


@pytest.fixture(scope="module")
def random_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Ran]]:
    """Random layers of each kind, at every thrift, in one program."""
    need("qemu-system-arm")
    bench, rng = QemuBench(tmp_path_factory.mktemp("random")), np.random.default_rng(21)
    names, cases = [], []
    for name, (kernels, make, count) in KINDS.items():
        for index in range(count):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(planning, "Context", thrifty(index % (THRIFT + 1)))
                cases.append(bench.add(in_floats(rng, make(rng)), kernels))
            names.append(name)
    runs: dict[str, list[Ran]] = {name: [] for name in KINDS}
    for name, ran in zip(names, bench.run_random(cases, rng), strict=True):
        runs[name].append(ran)
    return runs


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_random_layers_are_as_near_as_float_kernels_are(random_runs: dict[str, list[Ran]], name: str) -> None:
    wrong = [ran.case.program.nodes for ran in random_runs[name] if far(ran)]
    assert not wrong, wrong
    assert any(len(np.unique(ran.outputs[0])) > 12 for ran in random_runs[name])


@pytest.fixture(scope="module")
def placed_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Ran, Ran]]]:
    """Random layers of each kind whose outputs lie over their inputs: as the kernel says, and 8 bytes nearer."""
    need("qemu-system-arm")
    bench, rng = QemuBench(tmp_path_factory.mktemp("placed")), np.random.default_rng(22)
    cases: list[tuple[str, Case]] = []
    for name in IN_PLACE:
        kernels, make, _ = KINDS[name]
        for thrift in [*range(THRIFT + 1)] * 3:
            nodes = in_floats(rng, make(rng))
            node = Fused.of(*nodes) if len(nodes) > 1 else nodes[0]
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(planning, "Context", thrifty(thrift))
                (access,) = kernels[0].lower(node, Context(node, 0, OPTIONS, {}, thrift)).accesses
                for lead in (padded(access.lead), padded(access.lead) - 8):
                    patch.setattr(planning, "plan_memory", placed(lead))
                    cases.append((name, bench.add(nodes, kernels)))
    runs = bench.run_random([case for _, case in cases], rng)
    pairs: dict[str, list[tuple[Ran, Ran]]] = {}
    for (name, _), said, nearer in zip(cases[::2], runs[::2], runs[1::2], strict=True):
        pairs.setdefault(name, []).append((said, nearer))
    return pairs


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_PLACE)
def test_layers_are_right_over_their_inputs_and_not_all_of_them_nearer(
    placed_runs: dict[str, list[tuple[Ran, Ran]]], name: str
) -> None:
    pairs = placed_runs[name]
    assert not [said.case.program.nodes for said, _ in pairs if far(said)]
    assert any(far(nearer) for _, nearer in pairs)


@pytest.mark.slow
def test_limits_hold_and_what_is_no_number_stays_none(tmp_path_factory: pytest.TempPathFactory) -> None:
    need("qemu-system-arm")
    bench, rng = QemuBench(tmp_path_factory.mktemp("limits")), np.random.default_rng(23)
    jobs: list[tuple[Case, list[NDArray[Any]]]] = []
    for name, activation in (("conv", "RELU6"), ("depthwise", "RELU"), ("dense", "RELU_N1_TO_1"), ("sides", "RELU6")):
        kernels, make, _ = KINDS[name]
        node = make(rng)
        while chained(node)[0].output.elements < 8:
            node = make(rng)
        node = dataclasses.replace(in_floats(rng, node)[0], activation=activation)  # type: ignore[call-arg]
        case = bench.add([node], kernels)
        inputs = [rng.normal(0, 30, value.shape).astype(np.float32) for value in case.program.inputs]
        jobs += [(case, inputs), (case, [np.full_like(given, np.nan) for given in inputs])]
    ran = bench.run_all(jobs)
    for numbers, none in zip(ran[::2], ran[1::2], strict=True):
        assert not far(numbers)
        assert np.ptp(numbers.outputs[0]) > 0
        assert np.isnan(none.outputs[0]).all()


def test_no_more_weights_are_kept_than_fours_of_channels() -> None:
    matrix, bias = np.arange(39, dtype=np.float32).reshape(13, 3), np.arange(13, dtype=np.float32)
    packed = stream(matrix, bias)
    assert packed.size == 16 * 4
    np.testing.assert_array_equal(packed[:8], matrix[:8, 0])
    np.testing.assert_array_equal(packed[24:32], bias[:8])
    # The last eight are 13 - 8 = 5, filled up to 8.
    np.testing.assert_array_equal(packed[32:40], [*matrix[8:, 0], 0, 0, 0])


def test_a_node_that_lies_apart_or_is_limited_is_refused_with_the_reason() -> None:
    rng = np.random.default_rng(0)
    (pool,) = in_floats(rng, dataclasses.replace(any_mean(rng), activation="RELU"))  # type: ignore[call-arg]
    assert "a fused RELU" in str(PoolVectorsF32().accepts(pool, OPTIONS))


def test_without_floats_in_vectors_the_kernels_are_left_out() -> None:
    def names(cpu: str) -> set[str]:
        return {kernel.name for kernel in kernels_for(Options(cpu=cpu)) if kernel.name.startswith("helium-")}

    assert "helium-conv-f32" in names("cortex-m55")
    assert "helium-conv-f32" in names("cortex-m85")
    assert not names("cortex-m55+nomve")
    assert not names("cortex-m55+nofp")


def test_chained_layers_stay_chained_in_floats() -> None:
    rng = np.random.default_rng(1)
    first, second = in_floats(rng, chained(conv_and_pool(rng)))
    assert second.input is first.output
