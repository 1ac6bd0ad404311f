"""The formats that edgerig reads itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import ModelError
from edgerig.formats import Format, Predictor, Specification
from edgerig.plugins import Settings
from edgerig.tensors import TensorSpec

if TYPE_CHECKING:  # Each worker looks up how a network's file is put down, and reads no graph.
    from edgerig.models.graph.types import Graph

Array = NDArray[Any]


class TFLite(Format):
    """TFLite's FlatBuffers."""

    name = "tflite"
    summary = "TFLite: .tflite"
    suffixes = (".tflite",)
    networks = True
    runtime = "litert"

    def _graph(self, path: Path) -> Graph:
        from edgerig.models.graph.tflite_file import read_tflite

        return read_tflite(self.payload(path), path.name)

    def _weights(self, path: Path) -> Mapping[int, Array]:
        from edgerig.models.graph.tflite_file import read_tflite_weights

        return read_tflite_weights(self.payload(path), path.name)

    def _check(self, path: Path) -> None:
        from edgerig.models.graph.tflite_check import check_tflite

        check_tflite(self.payload(path), path.name)


class Onnx(Format):
    """ONNX; weights in external files are merged into it where it is read. Models of XGBoost become ONNX there."""

    name = "onnx"
    summary = "ONNX: .onnx, with the external data that it names; XGBoost: .ubj, .json"
    extra = "onnx"
    modules = ("onnx",)
    suffixes = (".onnx", ".ubj", ".json")
    runtime = "onnxruntime"
    free_axes = True
    isolated = True

    def _payload(self, path: Path) -> bytes:
        from edgerig.external_data import self_contained
        from edgerig.models.graph.xgboost_file import is_xgboost, onnx_of_xgboost

        data = super()._payload(path)
        return onnx_of_xgboost(data, path.name) if is_xgboost(data) else self_contained(data, path)

    def _graph(self, path: Path) -> Graph:
        from edgerig.models.graph.onnx_file import read_onnx

        return read_onnx(self.payload(path), path)

    def _weights(self, path: Path) -> Mapping[int, Array]:
        from edgerig.models.graph.onnx_file import read_onnx_weights

        return read_onnx_weights(self.payload(path), path)

    def _fix_axes(self, data: bytes, shapes: Mapping[str, Sequence[int]], path: Path) -> bytes:
        from edgerig.models.graph.onnx_shapes import with_shapes

        return with_shapes(data, shapes, path)


class KerasFileSettings(Settings, frozen=True, kw_only=True):
    """How Keras files are read."""

    custom: Annotated[
        str | None,
        msgspec.Meta(description="module, as package.module, that defines layers of the file that Keras does not have"),
    ] = None


class Keras(Format):
    """Keras 3's archives, and HDF5 files of Keras 2 and 3. Their layers are not the operators that run."""

    name = "keras"
    summary = "Keras: .keras, .h5, .hdf5"
    suffixes = (".keras", ".h5", ".hdf5")
    networks = True
    compiler = "float32"
    executable = False
    Settings = KerasFileSettings
    settings: KerasFileSettings

    def reads(self) -> tuple[Path, ...]:
        if not self.settings.custom:
            return ()
        from edgerig.plugin_code import files_of

        return files_of(self.settings.custom)

    def _specification(self, path: Path) -> Specification | None:
        """Only with layers of the user's, whose shapes Keras knows and the file may not tell."""
        if not self.settings.custom:
            return None
        from edgerig.bounded import isolated
        from edgerig.models.keras.files import specification_of

        what = f"Reading {path.name} with {self.settings.custom}"
        inputs, outputs = isolated(what, ModelError, specification_of, path, self.settings.custom)
        return Specification(inputs=inputs, outputs=outputs)

    def _graph(self, path: Path) -> Graph:
        from edgerig.models.graph.keras_file import read_keras

        def ask() -> tuple[TensorSpec, ...]:
            from edgerig.bounded import isolated
            from edgerig.models.keras.files import specification_of

            return isolated(f"Reading {path.name}", ModelError, specification_of, path, None)[1]

        return read_keras(self.payload(path), path, ask)

    def _predictor(self, path: Path) -> Predictor:
        from edgerig.models.keras.files import load_keras, stateless

        network = stateless(load_keras(path, self.settings.custom))

        def predict(batch: Array | list[Array]) -> list[Array]:
            return [np.asarray(output) for output in network(batch if isinstance(batch, list) else [batch])]

        return predict


class SavedModel(Format):
    """SavedModels of TensorFlow: folders with graphs, variables and signatures, which TensorFlow alone runs.

    Other runtimes take what TensorFlow exports of it: TFLite, or ONNX.
    """

    name = "savedmodel"
    summary = "TensorFlow: SavedModel, a folder"
    suffixes = (".savedmodel",)
    networks = True
    storage = "folder"
    runtime = "savedmodel"

    def _specification(self, path: Path) -> Specification:
        from edgerig.models.saved_model import left_out, signature_of, tensors_of

        signature = signature_of(path)
        inputs, outputs = tensors_of(signature, path.name)
        return Specification(inputs=inputs, outputs=outputs, left_out=left_out(signature))


class TensorRt(Format):
    """Engines of compiler tensorrt: plans, with what they are bound to. What they hold, TensorRT alone knows."""

    name = "tensorrt"
    summary = "TensorRT: .engine, of compiler tensorrt"
    suffixes = (".engine",)
    runtime = "tensorrt"
    executable = False

    def _specification(self, path: Path) -> Specification:
        from edgerig.models.tensorrt_engine import unpacked

        bound, _ = unpacked(self.payload(path), path.name)
        return Specification(inputs=bound.inputs, outputs=bound.outputs, scheme=bound.precision)

    def _details(self, path: Path) -> dict[str, str]:
        from edgerig.models.tensorrt_engine import unpacked

        bound, _ = unpacked(self.payload(path), path.name)
        return {"built by": f"TensorRT {bound.version}", "runs on": f"{bound.device}, {bound.capability}"}


class CpuModule(Format):
    """Machine code that a compiler has made of a network, for one processor. Its operators are not told."""

    executable = False

    def _specification(self, path: Path) -> Specification:
        from edgerig.models.cpu_module import unpacked

        bound, _ = unpacked(self.payload(path), path.name, self.name)
        return Specification(inputs=bound.inputs, outputs=bound.outputs, scheme=bound.scheme)

    def _details(self, path: Path) -> dict[str, str]:
        from edgerig.measure.cpu_features import checked
        from edgerig.models.cpu_module import unpacked

        bound, _ = unpacked(self.payload(path), path.name, self.name)
        return {
            "Compiled by": f"{bound.engine} {bound.version}",
            "Runs on": f"{bound.processor}, {bound.triple}",
            "Instruction sets": ", ".join(checked(bound.machine, bound.features)) or "the least of its architecture",
        }


class Iree(CpuModule):
    """IREE's modules, of compiler iree."""

    name = "iree"
    summary = "IREE: .vmfb, of compiler iree"
    suffixes = (".vmfb",)
    runtime = "iree"


class Tvm(CpuModule):
    """TVM's shared libraries, of compiler tvm."""

    name = "tvm"
    summary = "TVM: .so, of compiler tvm"
    suffixes = (".so",)
    runtime = "tvm"


class Torch(Format):
    """Programs of torch.export: tensors and a graph, no code. Their operators are not those that a device runs."""

    name = "torch"
    summary = "PyTorch: .pt2, .pt, programs of torch.export"
    suffixes = (".pt2", ".pt")
    networks = True
    runtime = "torch"
    compiler = "onnx"
    executable = False

    def _specification(self, path: Path) -> Specification:
        from edgerig.models.torch.archive import Archive

        return Archive(self.payload(path), path.name).specification()


class OpenVinoIr(Format):
    """OpenVINO's own files: the network in an .xml, its weights in the .bin beside it."""

    name = "openvino"
    summary = "OpenVINO's IR: .xml, with its .bin beside it"
    suffixes = (".xml",)
    storage = "files"
    runtime = "openvino"

    def _files(self, path: Path) -> tuple[Path, ...]:
        return (path.with_suffix(".bin"),)

    def _specification(self, path: Path) -> Specification:
        from edgerig.models.graph.openvino_file import read_ir

        return read_ir(path).specification()

    def _details(self, path: Path) -> Mapping[str, str]:
        from edgerig.models.graph.openvino_file import read_ir

        kinds = read_ir(path).operators()
        return {"Operators": ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())}
