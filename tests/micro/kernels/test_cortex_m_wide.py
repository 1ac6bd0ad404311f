"""Kernels for Cortex-M of int16x8, and of int8 with packed weights of 4 bits: exact against LiteRT, simulated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig.micro import Options, compile_model, planning
from edgerig.micro.frontend.read import read_program
from edgerig.micro.ir import Conv2D, DepthwiseConv2D
from edgerig.micro.kernels.base import Context, Kernel
from edgerig.micro.kernels.cortex_m.wide.wide import PackedLayer, WideDepthwise, WideLayer, pairs, two_to_a_byte
from edgerig.micro.memory.planner import padded
from edgerig.testing.networks.four_bits import with_four_bits
from edgerig.testing.networks.operators import Case, OperatorBench
from edgerig.testing.networks.placement import placed
from edgerig.testing.networks.random_operators import GENERATORS, random_content, random_operator
from edgerig.testing.networks.random_operators.draw import Draw
from edgerig.testing.networks.reference_runs import Oracle
from edgerig.testing.networks.tflite_builder import TfliteBuilder

OPS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
SIZE = Options(cpu="cortex-m7", optimize="size")


def narrow_bias(op: str, seed: int) -> bytes:
    """A layer of int16 whose bias, and so whose sums, have 32 bits."""
    draw = Draw(op, seed, "int16")
    draw.wide_bias = "int32"
    return GENERATORS[op](draw)


def networks(seeds: range) -> list[tuple[bytes, Options]]:
    """Of int16x8 with biases of both kinds, and of packed weights."""
    made = [(random_operator(op, seed, "int16"), Options(cpu="cortex-m4")) for op in OPS for seed in seeds]
    for op in ("CONV_2D", "FULLY_CONNECTED"):
        made += [(narrow_bias(op, seed), Options(cpu="cortex-m7")) for seed in seeds]
        made += [(with_four_bits(random_operator(op, seed, "int8")), SIZE) for seed in seeds]
    return made


def kernels_and_faults(folder: Path, made: list[tuple[bytes, Options]], seed: int) -> tuple[set[str], list[int]]:
    """The kernels that ran the networks, and the numbers of those whose outputs are not LiteRT's."""
    bench, rng = OperatorBench(folder), np.random.default_rng(seed)
    cases = [bench.add_network(data, options) for data, options in made]
    wrong = []
    for number, ((data, _), case) in enumerate(zip(made, cases, strict=True)):
        inputs = [random_content(rng, value) for value in case.program.inputs]
        outputs, _ = bench.run(case, *inputs)
        if not all(map(np.array_equal, Oracle(data).run(inputs), outputs)):
            wrong.append(number)
    return {layer.kernel for case in cases for layer in case.manifest.layers}, wrong


@pytest.mark.slow
def test_random_layers_are_those_of_litert(tmp_path: Path) -> None:
    kernels, wrong = kernels_and_faults(tmp_path, networks(range(8)), 0)
    assert {"wide-s16", "wide-depthwise-s16", "packed-4bit"} <= kernels
    assert not kernels & {"portable-conv-s16", "portable-dense-s16", "portable-conv-4bit-s8", "portable-dense-4bit-s8"}
    assert not wrong


def dense(depth: int, scale: float, bias: str = "int64") -> bytes:
    """A dense layer of int16 with weights of one sign."""
    net, rng = TfliteBuilder(), np.random.default_rng(depth)
    x = net.tensor("x", (1, depth), "int16", scale=0.001)
    w = net.tensor("w", (5, depth), "int8", rng.integers(64, 128, (5, depth)), scale=0.01)
    b = net.tensor("b", (5,), bias, rng.integers(-1000, 1000, 5), scale=0.00001)
    y = net.tensor("y", (1, 5), "int16", scale=scale)
    net.operator("FULLY_CONNECTED", [x, w, b], [y], "FullyConnectedOptions")
    return net.build([x], [y])


def test_sums_of_more_than_32_bits_are_exact(tmp_path: Path) -> None:
    """Pieces of 127 steps are added up in 64 bits; inputs at the ends of their range."""
    bench, rng = OperatorBench(tmp_path), np.random.default_rng(0)
    made = [dense(depth, 0.00001 * depth * 90) for depth in (506, 508, 512, 4001)]
    for data, case in zip(made, [bench.add_network(data) for data in made], strict=True):
        (layer,) = case.manifest.layers
        assert layer.kernel == "wide-s16"
        for low in (-32768, 30_000, 32_767):
            x = rng.integers(low, 32768, case.program.inputs[0].shape).astype(np.int16)
            (found,), _ = bench.run(case, x)
            assert np.array_equal(found, Oracle(data).run([x])[0])
    assert 4001 * 64 * 32767 > 1 << 32


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kernel", "op", "dtype"),
    [
        (WideLayer(), "CONV_2D", "int16"),
        (WideDepthwise(), "DEPTHWISE_CONV_2D", "int16"),
        (PackedLayer(), "CONV_2D", "4"),
    ],
)
def test_layers_are_exact_over_their_inputs_and_not_all_of_them_nearer(
    kernel: Kernel, op: str, dtype: str, tmp_path: Path
) -> None:
    bench, rng = OperatorBench(tmp_path), np.random.default_rng(1)
    cases: list[Case] = []
    for seed in range(80):
        data = with_four_bits(random_operator(op, seed, "int8")) if dtype == "4" else random_operator(op, seed, dtype)
        (node,) = read_program(data, "net").nodes
        assert isinstance(node, Conv2D | DepthwiseConv2D)
        # Of one channel, or of several groups, it becomes another operator.
        plain = node.input.shape[3] > 1 if isinstance(node, DepthwiseConv2D) else node.groups == 1
        if not plain or not kernel.accepts(node, SIZE):
            continue
        with pytest.MonkeyPatch.context() as patch:
            (access,) = kernel.lower(node, Context(node, 0, SIZE, {})).accesses
            for lead in (padded(access.lead), padded(access.lead) - 8):
                patch.setattr(planning, "plan_memory", placed(lead))
                cases.append(bench.add([node], [kernel], SIZE))
    assert len(cases) > 40
    differ = []
    for case in cases:
        inputs = [random_content(rng, value) for value in case.program.inputs]
        outputs, _ = bench.run(case, *inputs)
        differ.append(not all(map(np.array_equal, outputs, case.reference.run(inputs))))
    assert not any(differ[::2])
    # Padding, or a layer that reads all of its input before it writes, lets many lie nearer.
    assert any(differ[1::2])


def test_weights_are_packed_as_the_assembly_reads_them() -> None:
    """Bytes 0 and 2 of a word go with the first two inputs, 1 and 3 with the next; upper halves before lower ones."""
    assert pairs(np.arange(8).reshape(2, 4)).ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    packed = two_to_a_byte(np.array([[1, 2, 3, 4, 5, 6, 7, -8]]))[0, 0].view(np.uint8).tolist()
    assert packed == [[0x15, 0x37, 0x26, 0x48], [0, 0, 0, 0]]


def test_packed_weights_stay_two_to_a_byte_and_those_of_small_depthwise_layers_do_not() -> None:
    def kinds(op: str, options: Options) -> set[str]:
        data = with_four_bits(random_operator(op, 7, "int8"))
        return {layer.kernel.partition("-")[0] for layer in compile_model(data, "net", options).manifest.layers}

    assert kinds("FULLY_CONNECTED", SIZE) == {"packed"}
    assert kinds("FULLY_CONNECTED", Options(cpu="cortex-m7")) == {"dense"}
    assert kinds("FULLY_CONNECTED", Options(optimize="size")) == {"portable"}
    assert kinds("DEPTHWISE_CONV_2D", SIZE) == kinds("DEPTHWISE_CONV_2D", Options(cpu="cortex-m7")) == {"depthwise"}
