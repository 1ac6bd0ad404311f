"""ADD and SUB by tables on Cortex-M: exact for every pair of bytes, and on the simulated board."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerig.micro import Options, compile_model
from edgerig.micro.ir import Add, Binary, Mul, Sub
from edgerig.micro.kernels.cortex_m.elementwise.sums import (
    ChannelConstants,
    SumTables,
    channel_numbers,
    constant_side,
    sum_tables,
)
from edgerig.micro.kernels.refusals import Refusal
from edgerig.micro.reference import run_node
from edgerig.testing.networks.operators import OperatorBench, int8_value
from edgerig.testing.networks.tflite_builder import TfliteBuilder

BYTES = np.arange(-128, 128).astype(np.int8)
SCALES = st.floats(1e-3, 0.5)
ZEROS = st.integers(-128, 127)


def node(kind: type[Binary], scales: tuple[float, ...], zeros: tuple[int, ...], activation: str, *shape: int) -> Binary:
    a, b, y = (int8_value(name, shape, [scale], [zero]) for name, scale, zero in zip("aby", scales, zeros, strict=True))
    return kind("sum", 0, [a, b], [y], activation)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from([Add, Sub]),
    scales=st.tuples(SCALES, SCALES, SCALES),
    zeros=st.tuples(ZEROS, ZEROS, ZEROS),
    activation=st.sampled_from(["NONE", "RELU", "RELU6"]),
)
def test_tables_give_the_reference_s_sum_of_every_pair(
    kind: type[Binary], scales: tuple[float, ...], zeros: tuple[int, ...], activation: str
) -> None:
    """What the assembly does, in numpy, on all 65536 pairs."""
    pairs = node(kind, scales, zeros, activation, 256, 256)
    tables = sum_tables(pairs)
    first, second = np.repeat(BYTES[:, None], 256, 1), np.repeat(BYTES[None], 256, 0)
    (expected,) = run_node(pairs, [first, second])
    if isinstance(tables, Refusal):
        return
    a, b, (multiplier, offset, shift) = tables
    total = a[first.view(np.uint8)].astype(np.int64) + b[second.view(np.uint8)]
    assert np.abs(total).max() < 1 << 31
    high = (total * multiplier + (1 << 31) >> 32) + offset
    assert np.abs(high).max() < (1 << 31) - 1
    np.testing.assert_array_equal(np.clip(high - (total < 0) >> shift, -128, 127), expected)


def test_tables_take_what_networks_have() -> None:
    """Sums with and without RELU whose zero point is the least integer; not where a clamp lies within the range."""
    scales = (0.05, 0.04, 0.07)
    assert sum_tables(node(Add, scales, (3, -4, 5), "NONE", 16, 16))
    assert sum_tables(node(Add, scales, (3, -4, -128), "RELU", 16, 16))
    assert not sum_tables(node(Add, scales, (3, -4, 5), "RELU", 16, 16))
    assert not SumTables().accepts(node(Add, scales, (3, -4, 5), "NONE", 15), Options(cpu="cortex-m7"))
    size = Options(cpu="cortex-m7", optimize="size")
    assert not SumTables().accepts(node(Add, scales, (3, -4, 5), "NONE", 16, 16), size)


def with_constants(
    kind: type[Binary], scales: tuple[float, ...], zeros: tuple[int, ...], side: int, data: np.ndarray, *shape: int
) -> Binary:
    """An operator of whose inputs the one at ``side`` is a constant for each channel."""
    pair = node(kind, scales, zeros, "NONE", *shape)
    old = pair.inputs[side]
    pair.inputs[side] = int8_value(old.name, data.shape, [old.scale], [old.zero_point], data=data)
    return pair


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from([Add, Sub, Mul]),
    scales=st.tuples(SCALES, SCALES, SCALES),
    zeros=st.tuples(ZEROS, ZEROS, ZEROS),
    side=st.integers(0, 1),
)
def test_constants_of_channels_give_the_reference_s_result_of_every_pair(
    kind: type[Binary], scales: tuple[float, ...], zeros: tuple[int, ...], side: int
) -> None:
    pairs = with_constants(kind, scales, zeros, side, BYTES.reshape(1, 256), 256, 256)
    numbers = channel_numbers(pairs)
    if isinstance(numbers, Refusal):
        return
    head, constants, (multiplier, offset, shift) = numbers
    x = np.repeat(BYTES[:, None], 256, 1)
    contents = [x, x]
    contents[side] = BYTES.reshape(1, 256)
    (expected,) = run_node(pairs, contents)
    if isinstance(head, int):
        total = (x.astype(np.int64) - head) * constants
    else:
        total = head[x.view(np.uint8)].astype(np.int64) + constants
    assert np.abs(total).max() < 1 << 31
    high = (total * multiplier + (1 << 31) >> 32) + offset
    assert np.abs(high).max() < (1 << 31) - 1
    np.testing.assert_array_equal(np.clip(high - (total < 0) >> shift, -128, 127), expected)


def test_constants_of_channels_are_told_from_others() -> None:
    scales, zeros = (0.05, 0.04, 0.07), (3, -4, 5)
    shape = (1, 4, 4, 8)
    for data, side in ((BYTES[:8], 1), (BYTES[:8].reshape(1, 1, 1, 8), 1), (BYTES[:1].reshape(()), 1)):
        assert constant_side(with_constants(Add, scales, zeros, side, data, *shape)) == side
    assert constant_side(with_constants(Sub, scales, zeros, 0, BYTES[:8], *shape)) == 0
    for data in (BYTES[:4].reshape(4, 1), BYTES[:32].reshape(4, 8), BYTES[:8].reshape(1, 1, 8, 1)[:, :, :4]):
        assert constant_side(with_constants(Add, scales, zeros, 1, data, *shape)) is None
    assert constant_side(node(Add, scales, zeros, "NONE", *shape)) is None


@pytest.mark.parametrize("cpu", ["cortex-m7", "cortex-m4"])
def test_constants_of_channels_on_the_board(cpu: str, tmp_path: Path) -> None:
    bench, rng = OperatorBench(tmp_path, cpu=cpu), np.random.default_rng(0)
    cases = []
    for kind, side in ((Add, 1), (Add, 0), (Sub, 1), (Sub, 0), (Mul, 1), (Mul, 0)):
        for channels in (1, 3, 16):
            data = rng.integers(-128, 128, (channels,)).astype(np.int8)
            # A product needs a larger step.
            scales = (0.05, 0.04, 0.3 if kind is Mul else 0.1)
            pair = with_constants(kind, scales, (3, -4, 5), side, data, 1, 16, 17, channels)
            cases.append(bench.add([pair], [ChannelConstants()]))
    for case in cases:
        (output,) = case.program.outputs
        assert bench.compare(case, rng) <= 11 * output.elements + 5 * 16 * 17 + 60


def network(op: str, scales: tuple[float, ...], zeros: tuple[int, ...], activation: int, *shape: int) -> bytes:
    net = TfliteBuilder()
    a, b, y = (
        net.tensor(name, shape, "int8", scale=scale, zero_point=zero)
        for name, scale, zero in zip("aby", scales, zeros, strict=True)
    )
    net.operator(op, [a, b], [y], {"ADD": "AddOptions", "SUB": "SubOptions"}[op], fusedActivationFunction=activation)
    return net.build([a, b], [y])


#: Of ADD, no two factors give this exactly.
HARD = (0.0363, 0.041, 0.08), (-128, -26, -128)


@pytest.mark.parametrize("cpu", ["cortex-m7", "cortex-m4"])
def test_sums_on_the_board_are_the_reference_s(cpu: str, tmp_path: Path) -> None:
    bench, rng = OperatorBench(tmp_path, cpu=cpu), np.random.default_rng(0)
    cases = [bench.add_network(network("ADD", *HARD, 1, 1, 16, 16, 4))]
    for channels in range(1, 6):
        scales = tuple(float(scale) for scale in rng.uniform(0.01, 0.1, 3))
        zeros = tuple(int(zero) for zero in rng.integers(-128, 128, 3))
        cases.append(bench.add_network(network("SUB", scales, zeros, 0, 1, 16, 17, channels)))
    for case in cases:
        (layer,) = case.manifest.layers
        assert layer.kernel == "sum-tables"
        assert bench.compare(case, rng) <= 10.5 * case.program.outputs[0].elements + 60


def test_a_sum_that_no_two_factors_give_takes_tables() -> None:
    """As the first one of MLPerf Tiny's ResNet-8; written over one of its inputs."""
    source = compile_model(network("ADD", *HARD, 1, 1, 32, 32, 16), "net", Options(cpu="cortex-m7"))
    (layer,) = source.manifest.layers
    assert (layer.kernel, layer.constant_bytes) == ("sum-tables", 2048)
    for sides, kernel in ((16, "sum-tables"), (15, "portable-binary-s8")):
        data = network("ADD", *HARD, 1, 1, sides, sides, 16)
        small = compile_model(data, "net", Options(cpu="cortex-m7", optimize="size"))
        assert [layer.kernel for layer in small.manifest.layers] == [kernel]
