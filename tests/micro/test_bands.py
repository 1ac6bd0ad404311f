"""Layers in bands of rows: what each band computes, and whole networks, exact in as little RAM as there can be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig.errors import CompileError
from edgerig.micro import Options, compile_model
from edgerig.micro.frontend.read import read_program
from edgerig.micro.ir import Conv2D, Fused, MoveRows, Program
from edgerig.micro.passes import PASSES
from edgerig.micro.passes.bands import Stage, chains, in_bands, row_bytes, stage_of
from edgerig.testing.networks.generated import load
from edgerig.testing.networks.operators import OperatorBench
from edgerig.testing.networks.poisoned import PoisonedNetwork
from edgerig.testing.networks.published_shapes import published_shape
from edgerig.testing.networks.random_operators import random_inputs
from edgerig.testing.networks.reference_runs import Oracle
from edgerig.testing.networks.tflite_builder import TfliteBuilder


def program_of(name: str, side: int) -> Program:
    program = read_program(published_shape(name, side, 0.25), name)
    for run in PASSES:
        run(program)
    return program


def least_ram(data: bytes, cpu: str) -> int:
    """What the message says that the least is."""
    with pytest.raises(CompileError) as refused:
        compile_model(data, "net", Options(cpu=cpu, ram=64))
    return int(str(refused.value.hint).split("ram=")[1].split()[0])


@pytest.mark.parametrize("height", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("layers", [2, 3, 4, 6])
def test_each_row_is_computed_once_and_only_from_rows_that_are_there(height: int, layers: int) -> None:
    program = program_of("mobilenet_v1", 64)
    stage = stage_of(chains(program)[0][:layers], height)
    for node, bands in zip(stage.nodes, stage.rows, strict=True):
        ends = [band.end for band in bands]
        assert [band.first for band in bands] == [0, *ends[:-1]]
        assert ends == sorted(ends)
        assert ends[-1] <= node.output.shape[1]
    assert stage.rows[-1][-1].end == stage.output.shape[1]
    for layer in range(layers - 1):
        for own, following, start in zip(stage.rows[layer], stage.rows[layer + 1], stage.starts(layer), strict=True):
            assert following.none or start <= following.low <= following.high <= own.end
            assert own.end - start <= stage.window_rows(layer)


def test_bands_together_multiply_no_more_than_the_layers_do() -> None:
    program = program_of("mobilenet_v1", 64)
    stage = stage_of(chains(program)[0][:5], 4)
    banded = in_bands(program, stage)
    assert sum(node.macs for node in banded.nodes) <= sum(node.macs for node in program.nodes)
    assert sum(isinstance(node, MoveRows) for node in banded.nodes) > 0
    assert not set(stage.nodes) & set(banded.nodes)


def test_a_band_has_the_padding_of_its_place() -> None:
    program = program_of("mobilenet_v1", 64)
    stage = stage_of(chains(program)[0][:2], 8)
    layers = [node for node in in_bands(program, stage).nodes if node.position == stage.nodes[0].position]
    convolutions = [node for node in layers if isinstance(node, Conv2D)]
    whole = stage.nodes[0]
    assert isinstance(whole, Conv2D)
    assert convolutions[0].padding.top == whole.padding.top
    assert convolutions[-1].padding.bottom == whole.padding.bottom
    assert {node.padding.top for node in convolutions[1:]} == {0}
    assert {node.padding.bottom for node in convolutions[:-1]} == {0}
    assert all(node.padding.left == whole.padding.left for node in convolutions)


def test_what_is_read_elsewhere_or_has_no_rows_does_not_go_in_bands() -> None:
    program = program_of("mobilenet_v2", 64)
    inside = {value for chain in chains(program) for node in chain[:-1] for value in node.outputs}
    users = program.users()
    assert all(len(users[value]) == 1 for value in inside)
    assert not inside & set(program.outputs)
    assert all(row_bytes(value) % 8 == 0 for value in inside)
    assert not any(isinstance(node, Fused) for chain in chains(program) for node in chain)


def test_reads_and_writes_of_bands_are_those_of_their_rows() -> None:
    program = program_of("mobilenet_v1", 64)
    stage: Stage = stage_of(chains(program)[0][:3], 4)
    assert stage.reads == sorted(stage.reads)
    assert stage.writes[-1] == stage.output.nbytes
    assert stage.writes[0] == 4 * row_bytes(stage.output)


def in_padding(above: int, below: int) -> bytes:
    """A depthwise convolution of 2x2 whose first or last windows lie in the padding alone, and a pointwise one."""
    rng, net = np.random.default_rng(0), TfliteBuilder()
    x = net.tensor("x", (1, 3, 4, 8), "int8", None, 0.05, 3)
    padded = net.tensor("padded", (1, 3 + above + below, 5, 8), "int8", None, 0.05, 3)
    pads = net.tensor("pads", (4, 2), "int32", np.array([[0, 0], [above, below], [0, 1], [0, 0]]))
    net.operator("PAD", [x, pads], [padded], "PadOptions")
    last, height = padded, 2 + above + below
    for name, shape, channels in (("DEPTHWISE_CONV_2D", (1, 2, 2, 8), 8), ("CONV_2D", (3, 1, 1, 8), 3)):
        weights = net.tensor("w", shape, "int8", rng.integers(-127, 128, shape), 0.01)
        bias = net.tensor("b", (channels,), "int32", rng.integers(-900, 900, channels), 0.0005)
        y = net.tensor("y", (1, height, 4, channels), "int8", None, 0.05, 3)
        more = {"depthMultiplier": 1} if shape[0] == 1 else {}
        options = {"padding": 1, "strideH": 1, "strideW": 1, **more}
        net.operator(name, [last, weights, bias], [y], f"{'Depthwise' * len(more)}Conv2DOptions", **options)
        last = y
    return net.build([x], [last])


@pytest.mark.parametrize(("above", "below"), [(4, 0), (0, 4), (3, 3)])
@pytest.mark.parametrize("cpu", ["portable", "cortex-m7", "cortex-m55", "rv32imc"])
def test_windows_in_the_padding_alone_need_no_rows(above: int, below: int, cpu: str, tmp_path: Path) -> None:
    """Bands of them would read images of no rows."""
    data = in_padding(above, below)
    source = compile_model(data, "net", Options(cpu=cpu))
    assert least_ram(data, cpu) <= source.manifest.memory.arena
    if cpu == "portable":
        for sample in random_inputs(source.manifest.inputs, 2, 3):
            np.testing.assert_array_equal(load(source, tmp_path).run(sample)[0], Oracle(data).run(sample)[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "large_windows"])
def test_networks_in_the_least_ram_are_exact(name: str, tmp_path: Path) -> None:
    data = published_shape(name, 64, 0.25)
    source = compile_model(data, "net", Options(ram=least_ram(data, "portable")))
    assert len(source.manifest.layers) > len(read_program(data, name).nodes)
    inputs = random_inputs(source.manifest.inputs, 2, 3)
    network, oracle = load(source, tmp_path), Oracle(data)
    poisoned = PoisonedNetwork(network)
    for seed, sample in enumerate(inputs):
        expected = oracle.run(sample)[0]
        np.testing.assert_array_equal(network.run(sample)[0], expected)
        np.testing.assert_array_equal(poisoned.run(sample, seed)[0], expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v2", "large_windows"])
def test_networks_in_the_least_ram_are_exact_on_the_board(name: str, tmp_path: Path) -> None:
    data = published_shape(name, 64, 0.25)
    bench = OperatorBench(tmp_path)
    whole = bench.add_network(data, Options(cpu="cortex-m7"))
    most, least = whole.manifest.memory.arena, least_ram(data, "cortex-m7")
    budgets = [None, least, (least + most) // 2]
    cases = [whole, *(bench.add_network(data, Options(cpu="cortex-m7", ram=ram)) for ram in budgets[1:])]
    for seed, (case, ram) in enumerate(zip(cases, budgets, strict=True)):
        assert ram is None or case.manifest.memory.arena <= ram
        sample = random_inputs(case.manifest.inputs, 1, seed)[0]
        outputs, _ = bench.run(case, *sample)
        np.testing.assert_array_equal(outputs[0], Oracle(data).run(sample)[0])
    if name == "mobilenet_v2":
        # One chain in bands leaves another one as the fullest.
        assert sum("bands of rows" in note for note in cases[1].manifest.notes) == 2


@pytest.mark.slow
def test_more_ram_takes_no_more_calls() -> None:
    """An arena that is larger than estimated is no reason to take the smallest of all."""
    data = published_shape("mobilenet_v1", 224, 0.25)
    most = 0
    for kibibytes in (240, 215, 190, 160):
        manifest = compile_model(data, "net", Options(cpu="cortex-m7", ram=kibibytes * 1024)).manifest
        assert manifest.memory.arena <= kibibytes * 1024
        assert len(manifest.layers) >= most
        most = len(manifest.layers)
    assert most < 60, "the plan of 150 KiB has 203 layer functions, one for each row of a band"
