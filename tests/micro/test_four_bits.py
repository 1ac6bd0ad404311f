"""Weights of 4 bits: exact against LiteRT, two to a byte in flash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.micro.against_litert import numpy_agrees, sanitized_code_agrees

from edgerig.errors import CompileError
from edgerig.micro import Options, compile_model
from edgerig.micro.frontend.read import read_program
from edgerig.testing.networks.four_bits import with_four_bits
from edgerig.testing.networks.generated import load
from edgerig.testing.networks.random_networks import random_graph
from edgerig.testing.networks.random_operators import random_operator
from edgerig.testing.networks.reference_runs import difference
from edgerig.testing.networks.tflite_builder import TfliteBuilder

OPS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@pytest.mark.parametrize("op", OPS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_numpy_says_of_four_bits_what_litert_says(op: str, seed: int) -> None:
    numpy_agrees(with_four_bits(random_operator(op, seed, "int8")), seed)


@pytest.mark.slow
def test_generated_code_says_of_four_bits_what_litert_says(tmp_path: Path) -> None:
    files = {f"{op}_{seed}": with_four_bits(random_operator(op, seed, "int8")) for op in OPS for seed in range(8)}
    files |= {f"graph_{seed}": with_four_bits(random_graph(seed, "int8")) for seed in range(6)}
    sources = sanitized_code_agrees(files, tmp_path)
    kernels = {layer.kernel for source in sources for layer in source.manifest.layers}
    assert {"portable-conv-4bit-s8", "portable-depthwise-4bit-s8", "portable-dense-4bit-s8"} <= kernels
    assert not kernels & {"portable-conv-s8", "portable-depthwise-s8", "portable-dense-s8", "portable-dense-rows-s8"}


def test_in_flash_they_are_two_to_a_byte_unless_a_fast_kernel_takes_them() -> None:
    data = random_operator("FULLY_CONNECTED", 7, "int8")
    (node,) = read_program(data, "net").nodes
    fast = compile_model(with_four_bits(data), "net", Options(cpu="cortex-m7")).manifest
    assert fast.layers[0].kernel.startswith("dense-")
    channels, depth = node.inputs[1].shape
    # The fast kernel takes pairs of channels by eight inputs.
    whole = -(-channels // 2) * 2 * -(-depth // 8) * 4
    for options, nbytes in (
        (Options(), -(-channels * depth // 2)),
        (Options(cpu="cortex-m7", optimize="size"), whole),
    ):
        source = compile_model(with_four_bits(data), "net", options)
        (constant,) = (entry for entry in source.manifest.constants if "w" in entry.tensors)
        assert constant.bytes == nbytes
    assert "weights of 4 bits, two to a byte" in {refusal.reason for refusal in source.manifest.layers[0].refusals}


def test_those_of_float_layers_are_unpacked_when_compiling(tmp_path: Path) -> None:
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 5), "float32"), net.tensor("y", (1, 3), "float32")
    q = net.tensor("q", (3, 5), "int8", (np.arange(15).reshape(3, 5) * 16 - 112).astype(np.int8), [0.1, 0.2, 0.3])
    w = net.tensor("w", (3, 5), "float32")
    net.operator("DEQUANTIZE", [q], [w])
    net.operator("FULLY_CONNECTED", [x, w], [y], "FullyConnectedOptions")
    data = with_four_bits(net.build([x], [y]), others=("DEQUANTIZE",))
    network, sample = load(compile_model(data, "net", Options()), tmp_path), np.arange(5, dtype=np.float32)[None]
    expected = np.array([0.1, 0.2, 0.3]) * ((np.arange(15).reshape(3, 5) - 7) @ sample[0])
    assert difference(expected[None], network.run([sample])[0]) < 1e-5


def test_activations_of_four_bits_are_refused() -> None:
    net = TfliteBuilder()
    x, y = (net.tensor(name, (1, 4), "int4", scale=0.1) for name in "xy")
    net.operator("RELU", [x], [y])
    with pytest.raises(CompileError, match=r"Tensor 0 \(x\) is int4 and no constant"):
        compile_model(net.build([x], [y]), "net", Options())
