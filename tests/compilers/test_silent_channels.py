"""Channels whose weights are all 0 keep their biases when a network is quantized."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.artifact import Artifact, Preprocessing
from edgerig.compilers.float32 import Float32
from edgerig.compilers.onnx_int8 import OnnxInt8
from edgerig.compilers.quantize import Int8, Int8Settings, Int16x8, Int16x8Settings
from edgerig.compilers.silent_channels import with_biases
from edgerig.datasets.base import Dataset
from edgerig.models.files import open_artifact

ENDS: dict[str, Any] = {"input_type": "float32", "output_type": "float32"}
Run = Callable[..., NDArray[Any]]


@pytest.fixture(scope="module")
def silent_net(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """Channel 1 of the first convolution, the depthwise one and the dense layer has no weights but a bias; the second
    convolution has no weights at all."""
    from edgerig.models.keras.engine import import_keras, seeded

    layers = import_keras().layers
    with seeded(1):
        model = import_keras().Sequential(
            [
                layers.Input((12, 12, 1)),
                layers.Conv2D(4, 3),
                layers.DepthwiseConv2D(3),
                layers.Conv2D(2, 1),
                layers.Flatten(),
                layers.Dense(4),
            ]
        )
    for index, shape in ((0, (..., 1)), (1, (slice(None), slice(None), 1)), (2, (...,)), (4, (..., 1))):
        kernel, bias = model.layers[index].get_weights()
        kernel[shape] = 0
        model.layers[index].set_weights([kernel, bias + 0.5 * (index + 1) - np.arange(len(bias)) / 8])
    folder = tmp_path_factory.mktemp("silent")
    model.save(folder / "net.keras")
    keras = open_artifact(folder / "net.keras", preprocessing=Preprocessing(scale=1 / 255), classes=tuple("abcd"))
    return Float32().compile(keras, folder)


@pytest.mark.parametrize(
    ("compiler", "most"),
    [
        (Int8(Int8Settings(**ENDS)), 0.03),
        (Int8(Int8Settings(per_channel=False, **ENDS)), 0.03),
        (Int8(Int8Settings(weight_bits=4, **ENDS)), 0.5),
        (Int16x8(Int16x8Settings(**ENDS)), 0.02),
    ],
    ids=["per channel", "one scale", "int4", "int16x8"],
)
def test_biases_beside_zeros_outlast_quantization(
    compiler: Int8, most: float, silent_net: Artifact, blobs: Dataset, tmp_path: Path, run_litert: Run
) -> None:
    inputs = blobs.split("test").inputs(slice(0, 40), silent_net.preprocessing)
    expected = run_litert(silent_net.path, inputs)
    assert np.ptp(expected[:, 1]) == 0, "the bias alone"
    assert abs(expected[0, 1]) > 2
    compiled = compiler.compile(silent_net, tmp_path, blobs)
    np.testing.assert_allclose(run_litert(compiled.path, inputs), expected, atol=most)
    np.testing.assert_allclose(run_litert(compiled.path, inputs, reference=True), expected, atol=most)


def test_onnx_keeps_them_too(silent_net: Artifact, blobs: Dataset, tmp_path: Path, run_litert: Run) -> None:
    import onnxruntime

    inputs = blobs.split("test").inputs(slice(0, 40), silent_net.preprocessing)
    compiled = OnnxInt8().compile(silent_net, tmp_path, blobs)
    session = onnxruntime.InferenceSession(compiled.path, providers=["CPUExecutionProvider"])
    (spec,) = compiled.inputs
    outputs = [session.run(None, {spec.name: x.reshape(spec.shape)})[0][0] for x in inputs]
    np.testing.assert_allclose(np.stack(outputs), run_litert(silent_net.path, inputs), atol=0.05)


def test_a_file_without_such_channels_stays_as_it_is(float_net: Artifact, blobs: Dataset, tmp_path: Path) -> None:
    data = Int8(Int8Settings(**ENDS)).compile(float_net, tmp_path, blobs).read()
    assert with_biases(data, float_net.read(), "net") is data
