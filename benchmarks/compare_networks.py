"""Networks whose work can be added to layer by layer, for `compare_verdicts.py`: chains of equal layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgerig.engine.compare.pair import Variant
from edgerig.models.files import open_artifact
from edgerig.rig.types import Part
from edgerig.testing.networks.tflite_builder import TfliteBuilder


class Subject(msgspec.Struct, frozen=True):
    """An engine, and chains of ``layers`` and of ``more`` equal layers, which is some 5 % more work.

    A ``dense`` layer has ``width`` neurons, a ``conv`` layer 3x3 kernels over 16 x 16 of ``width`` channels.
    """

    engine: str
    kind: str
    width: int
    layers: int
    more: int

    @property
    def label(self) -> str:
        return f"{self.engine} {self.layers} {self.kind} {self.width}"


SUBJECTS = (
    Subject("litert", "dense", 64, 16, 17),
    Subject("litert", "dense", 256, 30, 32),
    Subject("litert", "conv", 32, 19, 20),
    Subject("onnxruntime", "dense", 64, 14, 15),
    Subject("onnxruntime", "dense", 256, 38, 40),
    Subject("onnxruntime", "conv", 32, 19, 20),
    Subject("tflm", "dense", 64, 20, 21),
    Subject("tflm", "conv", 8, 19, 20),
    Subject("litert", "conv", 128, 19, 20),
    Subject("onnxruntime", "conv", 128, 19, 20),
    Subject("tflm", "conv", 16, 19, 20),
)
SIDE = 16


def variant(subject: Subject, layers: int, folder: Path) -> Variant:
    """The network of ``layers`` layers, written into ``folder``, with inputs for it."""
    suffix = "onnx" if subject.engine == "onnxruntime" else "tflite"
    path = folder / f"{subject.engine}-{subject.kind}{subject.width}-{layers}.{suffix}"
    if not path.exists():
        (_onnx if suffix == "onnx" else _tflite)(path, subject, layers)
    artifact = open_artifact(path)
    shape = artifact.inputs[0].call_shape
    inputs = np.random.default_rng(0).normal(size=(64, *shape)).astype(np.float32)
    return Variant(f"{layers} layers", artifact, Part(subject.engine), (inputs,))


def _weights(subject: Subject, layers: int) -> list[np.ndarray]:
    """Shape (width, width) each, or (width, 3, 3, width)."""
    rng = np.random.default_rng(1)
    width = subject.width
    shape = (width, width) if subject.kind == "dense" else (width, 3, 3, width)
    scale = 1 / np.sqrt(np.prod(shape[1:]))
    return [(rng.normal(size=shape) * scale).astype(np.float32) for _ in range(layers)]


def _tflite(path: Path, subject: Subject, layers: int) -> None:
    net = TfliteBuilder()
    dense = subject.kind == "dense"
    shape = (1, subject.width) if dense else (1, SIDE, SIDE, subject.width)
    first = last = net.tensor("x", shape, "float32")
    for number, weights in enumerate(_weights(subject, layers)):
        after = net.tensor(f"y{number}", shape, "float32")
        kernel = net.tensor(f"w{number}", weights.shape, "float32", weights)
        bias = net.tensor(f"b{number}", (subject.width,), "float32", np.zeros(subject.width))
        if dense:
            net.operator("FULLY_CONNECTED", [last, kernel, bias], [after], "FullyConnectedOptions")
        else:
            net.operator(
                "CONV_2D", [last, kernel, bias], [after], "Conv2DOptions", padding=0, strideH=1, strideW=1,
                dilationHFactor=1, dilationWFactor=1,
            )  # fmt: skip
        last = after
    path.write_bytes(net.build([first], [last]))


def _onnx(path: Path, subject: Subject, layers: int) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    dense = subject.kind == "dense"
    shape = [1, subject.width] if dense else [1, subject.width, SIDE, SIDE]
    names = ["x", *(f"y{number}" for number in range(layers))]
    kernels = [matrix if dense else matrix.transpose(0, 3, 1, 2) for matrix in _weights(subject, layers)]
    more: dict[str, Any] = {} if dense else {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("MatMul" if dense else "Conv", [names[i], f"w{i}"], [names[i + 1]], **more)
        for i in range(layers)
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in (names[0], names[-1])]
    weights = [numpy_helper.from_array(np.ascontiguousarray(matrix), f"w{i}") for i, matrix in enumerate(kernels)]
    graph = helper.make_graph(nodes, "chain", [ends[0]], [ends[1]], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
