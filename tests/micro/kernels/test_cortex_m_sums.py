"""ADD and SUB by tables on Cortex-M: exact for every pair of bytes, and on the simulated board."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgerig.micro import Options, compile_model
from edgerig.micro.arithmetic.requantize import activation_range
from edgerig.micro.ir import Add, Binary, Mul, Node, Sub, Value
from edgerig.micro.kernels.cortex_m.elementwise.products import ProductBytes
from edgerig.micro.kernels.cortex_m.elementwise.sum_tables import SumTables, sum_tables
from edgerig.micro.kernels.cortex_m.elementwise.sums import ChannelConstants, channel_numbers, constant_side
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
@example(kind=Add, scales=(0.1875, 0.125, 0.04), zeros=(0, 0, 0), activation="NONE")  # all sums of some bytes saturate
def test_tables_give_the_reference_s_sum_of_every_pair(
    kind: type[Binary], scales: tuple[float, ...], zeros: tuple[int, ...], activation: str
) -> None:
    """What the assembly does, in numpy, on all 65536 pairs."""
    pairs = node(kind, scales, zeros, activation, 256, 256)
    assert isinstance(pairs, Add | Sub)
    tables = sum_tables(pairs)
    first, second = np.repeat(BYTES[:, None], 256, 1), np.repeat(BYTES[None], 256, 0)
    (expected,) = run_node(pairs, [first, second])
    if isinstance(tables, Refusal):
        return
    a, b, step = tables
    total = a[:, None].astype(np.int64) + b[None, :]
    assert np.abs(total).max() < 1 << 31
    low, high = activation_range(activation, pairs.output)
    np.testing.assert_array_equal(np.clip(np.clip(total >> step, -128, 127), low, high), expected)


@pytest.mark.parametrize("zeros", [(60, 63, 54), (-71, -96, -97), (0, 0, 0), (-128, -128, -128)])
@pytest.mark.parametrize("scales", [(0.05, 0.1, 0.1), (0.1, 0.025, 0.1), (0.05, 0.05, 0.1), (0.05, 0.05, 0.05)])
def test_halves_between_two_outputs_are_rounded_as_the_reference_does(
    scales: tuple[float, ...], zeros: tuple[int, ...]
) -> None:
    """Scales whose ratio is a power of two put many sums halfway."""
    for kind in (Add, Sub):
        pairs = node(kind, scales, zeros, "NONE", 256, 256)
        assert isinstance(pairs, Add | Sub)
        tables = sum_tables(pairs)
        assert not isinstance(tables, Refusal)
        total = tables[0][:, None].astype(np.int64) + tables[1][None, :]
        (expected,) = run_node(pairs, [np.repeat(BYTES[:, None], 256, 1), np.repeat(BYTES[None], 256, 0)])
        np.testing.assert_array_equal(np.clip(total >> tables[2], -128, 127), expected)


def test_tables_take_what_networks_have() -> None:
    """Sums of any scales with any activation, from a number of elements on; not where the output's step is tiny."""
    scales = (0.05, 0.04, 0.07)
    kernel, speed = SumTables(), Options(cpu="cortex-m7")
    for zero, activation in ((5, "NONE"), (-128, "RELU"), (5, "RELU"), (5, "RELU6")):
        assert kernel.accepts(node(Add, scales, (3, -4, zero), activation, 16, 16), speed)
    assert not kernel.accepts(node(Add, scales, (3, -4, 5), "NONE", 15), speed)
    assert not kernel.accepts(node(Add, (0.5, 0.5, 1e-5), (3, -4, 5), "NONE", 16, 16), speed)
    size = Options(cpu="cortex-m7", optimize="size")
    assert not kernel.accepts(node(Add, scales, (3, -4, 5), "NONE", 16, 16), size)


def test_products_on_the_board(tmp_path: Path) -> None:
    """Of one shape, and by a number for each channel as squeeze and excitation has them; with a clamp, too."""
    bench, rng = OperatorBench(tmp_path), np.random.default_rng(0)
    cases = []
    for activation, zeros in (("NONE", (3, -4, 5)), ("RELU", (-128, 7, -20)), ("RELU6", (0, 0, -128))):
        for shapes in (((1, 5, 7, 6), (1, 5, 7, 6)), ((1, 5, 7, 6), (1, 1, 1, 6)), ((1, 1, 1, 4), (1, 9, 3, 4))):
            a, b = (
                int8_value(name, shape, [scale], [zero])
                for name, shape, scale, zero in zip("ab", shapes, (0.05, 0.04), zeros, strict=False)
            )
            y = int8_value("y", max(shapes, key=np.prod), [0.1], [zeros[2]])
            cases.append(bench.add([Mul("product", 0, [a, b], [y], activation)], [ProductBytes()]))
    for case in cases:
        inputs = [rng.integers(-128, 128, value.shape).astype(np.int8) for value in _inputs(case.program.nodes[0])]
        outputs, instructions = bench.run(case, *inputs)
        np.testing.assert_array_equal(outputs[0], case.reference.run(inputs)[0])
        assert instructions < 13.5 * outputs[0].size + 250


def _inputs(node: Node) -> list[Value]:
    return [value for value in node.inputs if not value.constant]


def test_products_of_other_shapes_are_left_to_others() -> None:
    pair = node(Mul, (0.05, 0.04, 0.3), (3, -4, 5), "NONE", 1, 4, 4, 8)
    assert ProductBytes().accepts(pair, Options(cpu="cortex-m7"))
    pair.inputs[1] = int8_value("b", (1, 4, 1, 8), [0.04], [-4])
    reason = ProductBytes().accepts(pair, Options(cpu="cortex-m7"))
    assert reason == Refusal("the inputs have different shapes, and neither is a number for each channel")


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


@pytest.mark.slow
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
    kernels = [case.manifest.layers[0].kernel for case in cases]
    assert kernels[0] == "sum-tables"
    assert set(kernels[1:]) <= {"sum-tables", "add-bytes"}
    assert "add-bytes" in kernels
    for case in cases:
        assert bench.compare(case, rng) <= 7.4 * case.program.outputs[0].elements + 80


def test_a_sum_that_no_two_factors_give_takes_tables() -> None:
    """As the first one of MLPerf Tiny's ResNet-8; written over one of its inputs."""
    source = compile_model(network("ADD", *HARD, 1, 1, 32, 32, 16), "net", Options(cpu="cortex-m7"))
    (layer,) = source.manifest.layers
    assert (layer.kernel, layer.constant_bytes) == ("sum-tables", 2048)
    for sides, kernel in ((16, "sum-tables"), (15, "portable-binary-s8")):
        data = network("ADD", *HARD, 1, 1, sides, sides, 16)
        small = compile_model(data, "net", Options(cpu="cortex-m7", optimize="size"))
        assert [layer.kernel for layer in small.manifest.layers] == [kernel]
