"""int8 convolutions of Cortex-M against the numpy reference, on the simulated board."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edgerig.errors import CompileError, UsageError
from edgerig.micro.ir import Value
from edgerig.micro.kernels.base import Kernel
from edgerig.micro.kernels.cortex_m.conv.conv_block import ConvBlock, ConvPool
from edgerig.micro.kernels.cortex_m.conv.conv_first import FirstPool
from edgerig.micro.kernels.cortex_m.conv.conv_float import FloatConv, FloatConvPool
from edgerig.micro.kernels.cortex_m.conv.conv_pairs import ConvPairs
from edgerig.micro.kernels.cortex_m.conv.conv_winograd import ConvWinograd
from edgerig.micro.options import Options
from edgerig.testing.networks.operators import Case, OperatorBench, in_float, pool_behind, random_conv

_OPTIONS = Options(cpu="cortex-m7")
ANY: list[dict[str, Any]] = [
    {"image": (8, 8, 16), "channels": 16, "kernel": (3, 3)},
    {"image": (6, 7, 64), "channels": 10, "kernel": (1, 1)},
    {"image": (9, 7, 3), "channels": 8, "kernel": (3, 3), "stride": (2, 2), "zero_points": (0, -128)},
    {"image": (20, 10, 1), "channels": 6, "kernel": (10, 4), "stride": (2, 2)},
    {"image": (6, 5, 3), "channels": 5, "kernel": (3, 2), "dilation": (2, 2), "activation": "NONE"},
    {"image": (5, 4, 16), "channels": 4, "kernel": (3, 3), "activation": "NONE", "zero_points": (-9, 20)},
    {"image": (2, 1, 5), "channels": 3, "kernel": (3, 3), "activation": "RELU6", "zero_points": (5, -100)},
    {"image": (1, 1, 8), "channels": 2, "kernel": (1, 1), "activation": "RELU", "zero_points": (5, 3)},
    {"image": (7, 6, 6), "channels": 7, "kernel": (2, 3), "same": False, "zero_points": (127, -1)},
    {"image": (4, 4, 272), "channels": 2, "kernel": (1, 1)},
    {"image": (6, 5, 6), "channels": 4, "kernel": (7, 2)},
    {"image": (5, 5, 6), "channels": 1, "kernel": (1, 1), "activation": "NONE", "zero_points": (4, 4)},
    {"image": (5, 4, 3), "channels": 1, "kernel": (3, 3)},
    {"image": (5, 7, 2), "channels": 4, "kernel": (3, 6), "stride": (1, 2), "dilation": (2, 1)},
    {"image": (6, 9, 4), "channels": 4, "kernel": (2, 5), "dilation": (3, 2)},
    {"image": (9, 9, 5), "channels": 6, "kernel": (7, 7), "zero_points": (-3, -128)},
]
BLOCKS: list[dict[str, Any]] = [
    {"image": (8, 8, 16), "channels": 16, "kernel": (3, 3)},
    {"image": (8, 4, 12), "channels": 6, "kernel": (3, 3), "activation": "NONE", "zero_points": (11, 20)},
    {"image": (5, 11, 4), "channels": 2, "kernel": (3, 3), "same": False, "activation": "RELU6"},
    {"image": (3, 6, 8), "channels": 4, "kernel": (3, 3), "same": False, "zero_points": (5, 100)},
]
POOLS: list[dict[str, Any]] = [
    {"image": (7, 7, 32), "channels": 4, "kernel": (3, 3), "same": False},
    {"image": (8, 6, 8), "channels": 6, "kernel": (3, 3)},
    {"image": (5, 7, 4), "channels": 2, "kernel": (3, 3), "activation": "NONE", "zero_points": (0, 17)},
    {"image": (4, 9, 8), "channels": 4, "kernel": (3, 3), "activation": "RELU6", "zero_points": (-5, -100)},
]
FIRST: list[dict[str, Any]] = [
    {"image": (10, 12, 1), "channels": 8, "kernel": (3, 3), "same": False},
    {"image": (9, 7, 1), "channels": 3, "kernel": (3, 3), "zero_points": (3, -128)},
    {"image": (4, 4, 1), "channels": 300, "kernel": (3, 3)},
]
FLOATS: list[dict[str, Any]] = [
    {"image": (6, 6, 16), "channels": 8, "kernel": (3, 3)},
    {"image": (5, 5, 9), "channels": 6, "kernel": (3, 3), "same": False, "activation": "RELU6"},
    {"image": (9, 7, 3), "channels": 5, "kernel": (5, 3), "stride": (2, 2), "activation": "NONE"},
    {"image": (7, 6, 2), "channels": 4, "kernel": (2, 2), "dilation": (2, 2), "activation": "RELU_N1_TO_1"},
    {"image": (2, 2, 1), "channels": 4, "kernel": (1, 1), "activation": "NONE"},
    {"image": (5, 4, 6), "channels": 1, "kernel": (1, 1), "activation": "NONE"},
    {"image": (4, 4, 2), "channels": 3, "kernel": (3, 3)},
]
WINOGRAD: list[dict[str, Any]] = [
    {"image": (8, 8, 16), "channels": 16, "kernel": (3, 3), "zero_points": (7, -128)},
    {"image": (4, 4, 32), "channels": 4, "kernel": (3, 3), "activation": "NONE", "zero_points": (-1, 9)},
    {"image": (4, 8, 64), "channels": 6, "kernel": (3, 3)},
    {"image": (6, 6, 4), "channels": 2, "kernel": (3, 3), "same": False},
    {"image": (2, 4, 8), "channels": 2, "kernel": (3, 3), "activation": "NONE", "zero_points": (127, 0)},
    {"image": (4, 4, 12), "channels": 2, "kernel": (3, 3)},
    {"image": (2, 4, 20), "channels": 2, "kernel": (3, 3)},
    {"image": (2, 60, 52), "channels": 2, "kernel": (3, 3)},
]
CASES: list[tuple[str, Kernel, dict[str, Any]]] = [
    *((f"any-{i}", ConvPairs(), one) for i, one in enumerate(ANY)),
    *((f"block-{i}", ConvBlock(), one) for i, one in enumerate(BLOCKS)),
    *((f"pool-{i}", ConvPool(), one) for i, one in enumerate(POOLS)),
    *((f"pool-first-{i}", FirstPool(), one) for i, one in enumerate(FIRST)),
    *((f"winograd-{i}", ConvWinograd(), one) for i, one in enumerate(WINOGRAD)),
    *((f"float-{i}", FloatConv(), one) for i, one in enumerate(FLOATS)),
    *((f"float-pool-{i}", FloatConvPool(), one) for i, one in enumerate(FLOATS)),
]


@pytest.fixture(scope="module", params=["ziglang", pytest.param("gcc", marks=pytest.mark.slow)])
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[OperatorBench, dict[str, Case]]:
    """All cases in one firmware."""
    try:
        bench = OperatorBench(tmp_path_factory.mktemp("bench"), request.param)
    except UsageError as error:
        pytest.skip(str(error))
    return bench, {name: _add(bench, name) for name, _, _ in CASES}


def _add(bench: OperatorBench, name: str) -> Case:
    kernel, arguments = next((kernel, arguments) for known, kernel, arguments in CASES if known == name)
    rng = np.random.default_rng(7)
    conv = random_conv(rng, **arguments)
    node = in_float(conv, rng) if name.startswith("float") else conv
    return bench.add([node, pool_behind(node)] if "pool" in name else [node], [kernel])


@pytest.mark.parametrize("name", [name for name, _, _ in CASES])
@pytest.mark.slow
def test_convolutions_are_bit_exact_on_the_board(built: tuple[OperatorBench, dict[str, Case]], name: str) -> None:
    bench, cases = built
    rng = np.random.default_rng(8)
    for _ in range(2):
        bench.compare(cases[name], rng)


@pytest.mark.slow
def test_convolutions_are_exact_when_made_for_a_cortex_m4(tmp_path: Path) -> None:
    bench = OperatorBench(tmp_path, cpu="cortex-m4")
    cases = [_add(bench, name) for name in ("any-0", "block-1", "pool-3", "winograd-1", "float-1", "float-pool-1")]
    for case in cases:
        bench.compare(case, np.random.default_rng(8))


def test_convolutions_take_few_instructions(built: tuple[OperatorBench, dict[str, Case]]) -> None:
    bench, cases = built
    rng = np.random.default_rng(9)
    for name, most in (
        ("any-0", 1.05),
        ("any-9", 2.0),
        ("block-0", 0.9),
        ("pool-first-0", 1.6),
        ("float-0", 1.7),
        ("winograd-0", 0.6),
    ):
        macs = sum(layer.macs for layer in cases[name].manifest.layers)
        assert bench.compare(cases[name], rng) < most * macs, name


class _All(frozenset[Value]):
    """Holds every value."""

    def __contains__(self, value: object) -> bool:
        return True


@pytest.mark.slow
@pytest.mark.parametrize("cpu", ["cortex-m7", "cortex-m4"])
def test_every_form_of_weights_is_exact_and_the_larger_one_faster(tmp_path: Path, cpu: str) -> None:
    bench, rng = OperatorBench(tmp_path, cpu=cpu), np.random.default_rng(8)
    sizes = (3, 8, "RELU"), (8, 16, "RELU"), (16, 5, "RELU"), (40, 3, "NONE"), (7, 4, "NONE"), (16, 1, "NONE")
    for inputs, outputs, activation in sizes:
        zeros = (-9, -128 if activation == "RELU" else 7)
        node = random_conv(
            np.random.default_rng(7), (6, 7, inputs), outputs, (1, 1), activation=activation, zero_points=zeros
        )
        kernels = ConvPairs(), ConvPairs().sparing(_All())
        apart, together = (bench.add([node], [kernel]) for kernel in kernels)
        assert apart.manifest.constant_bytes > together.manifest.constant_bytes
        assert bench.compare(apart, rng) < bench.compare(together, rng)


@pytest.mark.slow
def test_the_largest_weights_have_room_in_half_a_word(tmp_path: Path) -> None:
    bench = OperatorBench(tmp_path)
    for activation, zero in (("RELU", -128), ("NONE", 3)):
        node = random_conv(np.random.default_rng(4), (4, 4, 8), 4, (1, 1), activation=activation, zero_points=(0, zero))
        node.weights.array[:] = np.array([127, -127, -127, 127]).reshape(4, 1, 1, 1)
        node.weights.array[0], node.weights.array[1, ..., 0] = -127, -128
        case = bench.add([node], [ConvPairs()])
        for fill in (-128, 127):
            image = np.full(node.input.shape, fill, np.int8)
            np.testing.assert_array_equal(bench.run(case, image)[0][0], case.reference.run([image])[0])


def test_weights_that_do_not_fit_in_pairs_are_left_to_others(tmp_path: Path) -> None:
    node = random_conv(np.random.default_rng(1), (4, 4, 4), 2, (1, 1))
    node.weights.array[:] = -128
    assert not ConvPairs().accepts(node, _OPTIONS)
    with pytest.raises(CompileError, match="no kernel"):
        OperatorBench(tmp_path).add([node], [ConvPairs()])


def test_accumulators_beyond_23_bits_are_refused() -> None:
    node = random_conv(np.random.default_rng(2), (4, 4, 272), 2, (1, 1), activation="NONE", zero_points=(0, 5))
    assert node.bias is not None
    assert node.weights.quantization is not None
    node.weights.array[:] = 127
    node.bias.array[:] = 6_000_000
    scale = 1e-5 * node.output.scale / node.input.scale
    node.weights.quantization = msgspec.structs.replace(node.weights.quantization, scales=(scale, scale))
    assert not ConvPairs().accepts(node, _OPTIONS)
    node.bias.array[:] = 600_000
    assert ConvPairs().accepts(node, _OPTIONS)


@pytest.mark.parametrize("kernel", [ConvPairs(), ConvBlock(), ConvWinograd()], ids=lambda kernel: str(kernel.name))
def test_channels_that_never_change_may_have_any_bias_and_scale(tmp_path: Path, kernel: Kernel) -> None:
    rng = np.random.default_rng(5)
    node = random_conv(rng, (4, 4, 8), 6, (3, 3), activation="NONE", zero_points=(3, -7))
    assert node.bias is not None
    assert node.weights.quantization is not None
    node.weights.array[[0, 1, 3]] = 0
    node.bias.array[:4] = 1 << 28, -(1 << 29), 70, 1 << 28
    scales = (0.01, 0.01, 1e-12, 1e-14, *node.weights.quantization.scales[4:])
    node.weights.quantization = msgspec.structs.replace(node.weights.quantization, scales=scales)
    bench = OperatorBench(tmp_path)
    bench.compare(bench.add([node], [kernel]), rng)


def test_winograd_is_only_for_speed_and_shapes_that_it_knows() -> None:
    rng = np.random.default_rng(3)
    node = random_conv(rng, (8, 8, 16), 16, (3, 3))
    assert ConvWinograd().accepts(node, _OPTIONS)
    assert not ConvWinograd().accepts(node, Options(cpu="cortex-m7", optimize="size"))
    for image, arguments in (((8, 6, 16), {}), ((8, 8, 6), {}), ((7, 8, 16), {}), ((8, 8, 16), {"stride": (2, 2)})):
        assert not ConvWinograd().accepts(random_conv(rng, image, 16, (3, 3), **arguments), _OPTIONS)


@pytest.mark.parametrize("kernel", [ConvPairs(), ConvBlock(), ConvWinograd()], ids=lambda kernel: str(kernel.name))
def test_largest_sums_do_not_overflow(tmp_path: Path, kernel: Kernel) -> None:
    node = random_conv(np.random.default_rng(4), (4, 4, 32), 2, (3, 3), activation="NONE", zero_points=(0, 0))
    node.weights.array[0], node.weights.array[1] = 127, -127
    bench = OperatorBench(tmp_path)
    case = bench.add([node], [kernel])
    for fill in (-128, 127):
        image = np.full(node.input.shape, fill, np.int8)
        outputs, _ = bench.run(case, image)
        np.testing.assert_array_equal(outputs[0], case.reference.run([image])[0])
