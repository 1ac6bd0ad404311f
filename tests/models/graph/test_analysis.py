"""Counts, against the figures published for the MNIST network and against counting by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerig.models.graph import Graph, Operator, Tensor, read_graph
from edgerig.models.graph.analysis import analyse
from edgerig.models.graph.costs import RULES


@pytest.mark.slow
def test_the_mnist_network_costs_what_was_published(mnist_tflite: Path) -> None:
    found = analyse(read_graph(mnist_tflite))
    assert found.parameters == 93_322
    assert found.weight_bytes == 4 * 93_322
    assert found.macs == 2_794_240
    assert found.macc == 2_852_598
    assert found.memory.plain_sum == 151_312
    assert found.memory.planned == 108_160
    assert found.memory.lower_bound == 108_160
    assert found.notes == ()


def test_each_layer_of_the_mnist_network(mnist_tflite: Path) -> None:
    rows = [(row.op, row.parameters, row.macs) for row in analyse(read_graph(mnist_tflite)).operators if row.macs]
    # A convolution of one channel is the same as a depthwise one, and the converter writes that.
    assert rows[0][0] in ("CONV_2D", "DEPTHWISE_CONV_2D")
    assert [row[1:] for row in rows] == [
        (320, 194_688),
        (18_496, 2_230_272),
        (36_928, 331_776),
        (36_928, 36_864),
        (650, 640),
    ]


@pytest.mark.parametrize("fixture", ["mnist_keras", "mnist_onnx"])
def test_other_formats_have_the_same_parameters_and_macs(fixture: str, request: pytest.FixtureRequest) -> None:
    found = analyse(read_graph(request.getfixturevalue(fixture)))
    assert (found.parameters, found.macs, found.macc) == (93_322, 2_794_240, 2_852_598)
    assert found.notes == ()


def network(
    *operators: tuple[str, tuple[int, ...], tuple[int, ...]], shapes: list[tuple[int, ...]], constants: set[int]
) -> Graph:
    return Graph(
        name="g",
        format="tflite",
        tensors=tuple(
            Tensor(index=i, name=f"t{i}", shape=shape, dtype="float32", constant=i in constants)
            for i, shape in enumerate(shapes)
        ),
        operators=tuple(
            Operator(index=i, op=op, name=f"{op}{i}", inputs=inputs, outputs=outputs)
            for i, (op, inputs, outputs) in enumerate(operators)
        ),
        inputs=(0,),
        outputs=operators[-1][2],
    )


@pytest.mark.parametrize(
    ("op", "shapes", "inputs", "macs"),
    [
        ("CONV_2D", [(1, 8, 8, 6), (4, 3, 3, 3), (1, 6, 6, 4)], (0, 1), 6 * 6 * 4 * 3 * 3 * 3),
        ("DEPTHWISE_CONV_2D", [(1, 8, 8, 6), (1, 3, 3, 12), (1, 6, 6, 12)], (0, 1), 6 * 6 * 12 * 9),
        ("TRANSPOSE_CONV", [(1, 4, 4, 6), (5, 2, 2, 6), (1, 8, 8, 5)], (-1, 1, 0), 4 * 4 * 6 * 4 * 5),
        ("FULLY_CONNECTED", [(3, 20), (7, 20), (3, 7)], (0, 1), 3 * 7 * 20),
        ("BATCH_MATMUL", [(2, 3, 4), (2, 4, 5), (2, 3, 5)], (0, 1), 2 * 3 * 4 * 5),
        ("Conv", [(1, 6, 8, 8), (4, 3, 3, 3), (1, 4, 6, 6)], (0, 1), 6 * 6 * 4 * 27),
        ("ConvTranspose", [(1, 6, 4, 4), (6, 5, 2, 2), (1, 5, 8, 8)], (0, 1), 4 * 4 * 6 * 5 * 4),
        ("MatMul", [(3, 20), (20, 7), (3, 7)], (0, 1), 3 * 7 * 20),
    ],
)
def test_macs_as_counted_by_hand(op: str, shapes: list[tuple[int, ...]], inputs: tuple[int, ...], macs: int) -> None:
    graph = network((op, inputs, (2,)), shapes=shapes, constants={1})
    assert analyse(graph).macs == macs


def test_an_unknown_operator_counts_as_nothing_and_is_named() -> None:
    found = analyse(network(("FROBNICATE", (0,), (1,)), shapes=[(1, 4), (1, 4)], constants=set()))
    assert (found.macs, found.operators[0].counted) == (0, False)
    assert "FROBNICATE" in found.notes[0]


def test_shapes_that_make_no_sense_are_named() -> None:
    found = analyse(network(("CONV_2D", (0,), (1,)), shapes=[(1, 4), (1, 4)], constants=set()))
    assert "operator 0 (CONV_2D" in found.notes[0]
    assert not found.operators[0].counted


def test_a_weight_used_twice_counts_once() -> None:
    twice = network(
        ("FULLY_CONNECTED", (0, 1), (2,)),
        ("FULLY_CONNECTED", (2, 1), (3,)),
        shapes=[(1, 4), (4, 4), (1, 4), (1, 4)],
        constants={1},
    )
    found = analyse(twice)
    assert (found.parameters, found.macs) == (16, 32)


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["float16", "dynamic", "int8"])
def test_quantized_forms_have_the_same_parameters_and_macs(compiler: str, mnist_tflite: Path, tmp_path: Path) -> None:
    from edgerig.compilers import quantize
    from edgerig.compilers.calibrated_tflite import calibrate
    from edgerig.compilers.quantize import Dynamic, Float16
    from edgerig.models.files import open_artifact
    from edgerig.models.graph import scheme_of

    if compiler == "int8":
        import numpy as np

        from edgerig.compilers import flatbuffer

        model = flatbuffer.unpack(mnist_tflite.read_bytes())
        (name,) = flatbuffer.ensure_signature(model)
        data = flatbuffer.pack(model)
        recipe = quantize.Int8()._recipe()
        samples = np.random.default_rng(0).random((3, 1, 28, 28, 1)).astype(np.float32)
        ranges = calibrate(data, recipe, {name: samples}, lambda: None)
        path = tmp_path / "int8.tflite"
        path.write_bytes(quantize.quantize(data, recipe, ranges))
    else:
        made = {"float16": Float16, "dynamic": Dynamic}[compiler]().compile(open_artifact(mnist_tflite), tmp_path)
        path = Path(made.path)
    graph = read_graph(path)
    found = analyse(graph)
    assert scheme_of(graph) == compiler
    assert (found.parameters, found.macs, found.notes) == (93_322, 2_794_240, ())
    bits = {"float16": 16, "dynamic": 8, "int8": 8}[compiler]
    assert found.weight_bytes == pytest.approx(93_322 * bits / 8, rel=0.02)
    if compiler == "float16":
        assert found.memory.unpacked_weights == 4 * (93_322 - 234), "biases stay float32"
        assert found.memory.planned == 108_160
    if compiler == "int8":
        assert found.memory.planned == pytest.approx(108_160 / 4, rel=0.05)


def test_rules_are_there_for_every_operator_that_the_onnx_compiler_reads() -> None:
    from edgerig.compilers.tflite_to_onnx import SUPPORTED

    assert set(SUPPORTED) - set(RULES) == set()
