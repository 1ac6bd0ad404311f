"""Dense layers on inputs of every rank, with sizes of one in every place."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerig.compilers.float32 import convert_keras
from edgerig.compilers.stablehlo import dense_as_convolution
from edgerig.models.keras.engine import import_keras, seeded

#: Every shape of up to four axes behind the batch, of sizes 1 and 3.
SHAPES = [shape for rank in (1, 2, 3, 4) for shape in itertools.product((1, 3), repeat=rank)]


def run(data: bytes, values: Any) -> list[Any]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], values[tuple(detail["shape"][1:])])
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


@pytest.mark.slow
@pytest.mark.parametrize("units", [1, 2])
def test_dense_layers_of_all_ranks_are_exact(units: int, tmp_path: Path) -> None:
    """All of them in one network, since converting takes longer than the layers."""
    import jax

    keras = import_keras()
    with seeded(3):
        inputs = [keras.Input(shape) for shape in SHAPES]
        outputs = [
            keras.layers.Dense(units, activation="relu", bias_initializer="random_normal", name=f"dense_{place}")(x)
            for place, x in enumerate(inputs)
        ]
        model = keras.Model(inputs, outputs)
    path = tmp_path / "dense.keras"
    model.save(path)
    rng = np.random.default_rng(0)
    values = {shape: rng.normal(size=(1, *shape)).astype(np.float32) for shape in SHAPES}
    # Compiled at once: call by call JAX would compile each operation of each shape.
    expected = [np.asarray(y) for y in jax.jit(model)([values[shape] for shape in SHAPES])]
    found = run(convert_keras(path), values)
    for shape, right, result in zip(SHAPES, expected, found, strict=True):
        assert right.shape == (1, *shape[:-1], units)
        np.testing.assert_allclose(result, right, rtol=1e-5, atol=1e-6, err_msg=str(shape))


def test_squeeze_and_excitation_is_converted(tmp_path: Path) -> None:
    keras = import_keras()
    layers = keras.layers
    with seeded(4):
        x = keras.Input((6, 6, 8))
        squeezed = layers.GlobalAveragePooling2D(keepdims=True)(x)
        excited = layers.Dense(8, activation="sigmoid")(layers.Dense(2, activation="relu")(squeezed))
        model = keras.Model(x, layers.Multiply()([x, excited]))
    path = tmp_path / "squeeze.keras"
    model.save(path)
    values = np.random.default_rng(0).normal(size=(1, 6, 6, 8)).astype(np.float32)
    (found,) = run(convert_keras(path), {(6, 6, 8): values})
    np.testing.assert_allclose(found, np.asarray(model(values)), rtol=1e-5, atol=1e-6)


LINE = (
    "    %4 = stablehlo.dot_general %3, %cst, contracting_dims = [3] x [0], precision = [DEFAULT, DEFAULT] : "
    "(tensor<{left}xf32>, tensor<8x4xf32>) -> tensor<{right}xf32> loc(#loc74)"
)


def test_one_product_becomes_a_convolution_at_the_same_place() -> None:
    lines = dense_as_convolution(LINE.format(left="1x5x1x8", right="1x5x1x4")).split("\n")
    assert lines[0] == "    %image_4 = stablehlo.reshape %3 : (tensor<1x5x1x8xf32>) -> tensor<1x5x1x8xf32> loc(#loc74)"
    assert lines[1] == "    %kernel_4 = stablehlo.reshape %cst : (tensor<8x4xf32>) -> tensor<1x1x8x4xf32> loc(#loc74)"
    assert lines[2].startswith("    %made_4 = stablehlo.convolution(%image_4, %kernel_4) dim_numbers")
    assert lines[2].endswith(" : (tensor<1x5x1x8xf32>, tensor<1x1x8x4xf32>) -> tensor<1x5x1x4xf32> loc(#loc74)")
    assert lines[3] == "    %4 = stablehlo.reshape %made_4 : (tensor<1x5x1x4xf32>) -> tensor<1x5x1x4xf32> loc(#loc74)"
    assert len(lines) == 4


@pytest.mark.parametrize(
    "line",
    [
        LINE.format(left="1x5x8", right="1x5x4").replace("[3]", "[2]"),
        LINE.format(left="1x?x1x8", right="1x?x1x4"),
        LINE.format(left="1x5x1x8", right="1x5x1x4").replace("[3]", "[2]"),
        LINE.format(left="1x5x1x8", right="1x5x1x4").replace("8x4x", "8x4x2x"),
        LINE.format(left="1x5x1x8", right="1x5x1x4").replace("contracting", "batching_dims = [0] x [0], contracting"),
        LINE.format(left="1x5x1x8", right="1x5x1x4").replace("%cst", "%2"),
        "    return %4",
    ],
)
def test_other_lines_stay(line: str) -> None:
    assert dense_as_convolution(line) == line
