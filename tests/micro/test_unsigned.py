"""Networks of uint8: exact against LiteRT, uint8 at their ends, int8 within."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.micro.against_litert import numpy_agrees, sanitized_code_agrees

from edgerig.errors import CompileError
from edgerig.micro import Options, compile_model
from edgerig.micro.frontend.unsigned import ALIKE
from edgerig.models.graph.tflite_file import read_tflite
from edgerig.testing.networks.generated import load_all
from edgerig.testing.networks.random_networks import random_graph
from edgerig.testing.networks.random_operators import random_inputs, random_operator
from edgerig.testing.networks.reference_runs import Oracle
from edgerig.testing.networks.tflite_builder import TfliteBuilder
from edgerig.testing.networks.unsigned import as_unsigned

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@pytest.mark.parametrize("op", sorted(ALIKE))
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1 << 30), far=st.booleans())
def test_numpy_says_of_uint8_what_litert_says(op: str, seed: int, far: bool) -> None:
    data = as_unsigned(random_operator(op, seed, "int8"), seed, far=far)
    machine = numpy_agrees(data, seed)
    assert {value.dtype for value in machine.program.inputs} <= {"uint8"}


@pytest.mark.slow
def test_generated_code_says_of_uint8_what_litert_says(tmp_path: Path) -> None:
    files = {
        f"{op}_{seed}": as_unsigned(random_operator(op, seed, "int8"), seed, far=seed % 2 == 1)
        for op in sorted(ALIKE)
        for seed in range(4 if op in WEIGHTED else 2)
    }
    files |= {f"graph_{seed}": as_unsigned(random_graph(seed, "int8"), seed) for seed in range(10) if alike(seed)}
    sanitized_code_agrees(files, tmp_path)


def alike(seed: int) -> bool:
    """Whether a random graph has no operator that is refused in uint8."""
    graph = read_tflite(random_graph(seed, "int8"), "graph")
    return "RESIZE_BILINEAR" not in {operator.op for operator in graph.operators}


def test_weights_within_int8_take_a_byte_and_others_two(tmp_path: Path) -> None:
    near, far = (as_unsigned(random_operator("CONV_2D", 2, "int8"), 2, far=far) for far in (False, True))
    sources = [
        compile_model(near, "near", Options(cpu="cortex-m7")),
        compile_model(far, "far", Options(cpu="cortex-m7")),
        compile_model(far, "far_portable", Options()),
    ]
    kernels = [[layer.kernel for layer in source.manifest.layers if layer.op == "CONV_2D"] for source in sources]
    assert "wide" not in kernels[0][0]
    assert kernels[1:] == [["portable-conv-wide-s8"]] * 2
    (layer,) = (layer for layer in sources[1].manifest.layers if layer.op == "CONV_2D")
    assert "9 bits without their zero point" in " ".join(refusal.reason for refusal in layer.refusals)
    (network,) = load_all([sources[2]], tmp_path)
    oracle = Oracle(far)
    for inputs in random_inputs(network.manifest.inputs, 5, 0):
        assert np.array_equal(network.run(inputs)[0], oracle.run(inputs)[0])


def test_the_ends_stay_as_the_file_has_them() -> None:
    data = as_unsigned(random_operator("CONV_2D", 2, "int8"), 2)
    manifest = compile_model(data, "net", Options()).manifest
    assert [spec.dtype for spec in (*manifest.inputs, *manifest.outputs)] == ["uint8", "uint8"]
    assert [layer.op for layer in manifest.layers] == ["QUANTIZE", "CONV_2D", "QUANTIZE"]


def test_halves_of_pooled_means_are_rounded_up(tmp_path: Path) -> None:
    """LiteRT rounds those of int8 away from zero."""
    net = TfliteBuilder()
    x, y = (
        net.tensor(name, shape, "int8", scale=0.1, zero_point=3)
        for name, shape in (("x", (1, 1, 2, 1)), ("y", (1, 1, 1, 1)))
    )
    net.operator(
        "AVERAGE_POOL_2D", [x], [y], "Pool2DOptions", filterHeight=1, filterWidth=2, strideH=1, strideW=1, padding=1
    )
    data = as_unsigned(net.build([x], [y]), 0)
    for cpu in ("portable", "cortex-m7"):
        source = compile_model(data, "net", Options(cpu=cpu))
        assert source.manifest.layers[1].kernel == "portable-average-pool-s8"
    (network,) = load_all([source], tmp_path)
    for pair in ((3, 4), (100, 101), (200, 201)):
        image = np.array(pair, np.uint8).reshape(1, 1, 2, 1)
        assert network.run([image])[0] == Oracle(data).run([image])[0] == pair[1]


def test_what_litert_computes_otherwise_in_uint8_is_refused() -> None:
    data = as_unsigned(random_operator("RESIZE_BILINEAR", 1, "int8"), 1)
    with pytest.raises(CompileError, match=r"\(RESIZE_BILINEAR, y\) of net.tflite computes in uint8"):
        compile_model(data, "net", Options())


def test_bytes_that_are_only_moved_or_converted_stay_uint8() -> None:
    """As before: an image of uint8 that is quantized to int8 passes one table."""
    net = TfliteBuilder()
    x = net.tensor("x", (1, 4), "uint8", scale=0.1, zero_point=7)
    q, y = (net.tensor(name, (1, 4), "int8", scale=0.1, zero_point=3) for name in "qy")
    net.operator("QUANTIZE", [x], [q])
    net.operator("RELU", [q], [y])
    assert len(compile_model(net.build([x], [y]), "net", Options()).manifest.layers) == 1
