"""Networks of the shapes of published ones: fast kernels take every layer with weights, outputs are those of LiteRT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig.micro import Options, compile_model
from edgerig.testing.networks.operators import OperatorBench
from edgerig.testing.networks.published_shapes import SHAPES, published_shape
from edgerig.testing.networks.reference_runs import Oracle

#: What no portable kernel may run; a part of a fused layer is enough.
FAST = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD"}


@pytest.mark.slow
@pytest.mark.parametrize("side", [32, 224])
@pytest.mark.parametrize("name", SHAPES)
def test_no_layer_with_weights_goes_to_portable_code(name: str, side: int) -> None:
    source = compile_model(published_shape(name, side, 0.25), "net", Options(cpu="cortex-m7"))
    portable = {layer.op: layer.kernel for layer in source.manifest.layers if layer.kernel.startswith("portable-")}
    # Sums of fewer than 256 elements are not worth a table.
    small = {"ADD"} if side == 32 else set()
    assert not {op: kernel for op, kernel in portable.items() if (FAST - small) & set(op.split("+"))}


@pytest.mark.slow
@pytest.mark.parametrize("part", [0, 1])
def test_networks_on_the_board_are_litert_s(tmp_path: Path, part: int) -> None:
    """Half of them in each firmware, for which the board has room."""
    bench, rng = OperatorBench(tmp_path), np.random.default_rng(0)
    files = {name: published_shape(name, 32, 0.25, seed=3) for name in sorted(SHAPES)[part::2]}
    cases = {name: bench.add_network(data) for name, data in files.items()}
    for name, case in cases.items():
        oracle = Oracle(files[name])
        for _ in range(2):
            (value,) = case.program.inputs
            inputs = [rng.integers(-128, 128, value.shape).astype(np.int8)]
            outputs, _ = bench.run(case, *inputs)
            for expected, output in zip(oracle.run(inputs), outputs, strict=True):
                np.testing.assert_array_equal(output, expected, name)


@pytest.mark.slow
def test_a_network_without_relu_takes_few_instructions(tmp_path: Path) -> None:
    """FD-MobileNet, whose linear depthwise convolutions went to portable code at 14 instructions and more."""
    bench, rng = OperatorBench(tmp_path), np.random.default_rng(0)
    case = bench.add_network(published_shape("fd_mobilenet", 64, 0.25))
    macs = sum(layer.macs for layer in case.manifest.layers)
    assert bench.compare(case, rng) < 1.6 * macs
