"""Float TFLite (and through it Keras) to ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from edgerig.artifact import Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.datasets.base import Dataset
from edgerig.models.graph.scheme import FLOATS
from edgerig.progress import Progress


class Onnx(ModelCompiler):
    """Float ONNX of a float TFLite, Keras or PyTorch network; inputs keep their shape and layout."""

    name = "onnx"
    summary = "float32 ONNX of a TFLite, Keras, PyTorch or SavedModel network"
    extra = "onnx"
    modules: ClassVar[tuple[str, ...]] = ("onnx",)
    takes = frozenset({"keras", "tflite", "onnx", "torch", "savedmodel"})
    makes = "onnx"
    after = "float32"
    direct = frozenset({"onnx", "torch"})
    scheme = "float32"

    def for_format(self, format: str) -> ModelCompiler:
        return TorchOnnx(self.settings) if format == "torch" and type(self) is Onnx else self

    def _refuses(self, format: str, scheme: str) -> str | None:
        return refuses_quantized(self.name, format, scheme)

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes:
        return float_onnx(artifact)


class TorchOnnx(Onnx):
    """`Onnx` of PyTorch networks: the same by another engine."""

    extra = "torch"
    modules = ("torch", "onnxscript", "onnx")
    takes = frozenset({"torch"})


def refuses_quantized(name: str, format: str, scheme: str) -> str | None:
    """Why a network of that format and scheme cannot be the source of an ONNX file, or None."""
    if scheme == "float32":
        return None
    if format == Onnx.makes:
        what = f"computes in {scheme}" if scheme in FLOATS else f"is quantized already ({scheme})"
        return (
            f"compiler {name!r} starts from a float32 network, and this ONNX file {what}. Start from the float32 file"
        )
    return (
        f"compiler {name!r} starts from a float32 network, not from {scheme}: TFLite's rounding has no counterpart in "
        "ONNX, so the result would compute something else. Start from the float file"
    )


def float_onnx(artifact: Artifact) -> bytes:
    """Float ONNX bytes of a ``keras``, ``tflite``, ``torch`` or ``onnx`` artifact; an ``onnx`` one is passed through.

    Raises:
        MissingExtraError: It is a file of Keras or PyTorch, and what exports it is not installed.
        ModelError: The file is gone, changed or corrupt.
        CompileError: It has an operator that cannot be exported; names it, its position and what is supported.
    """
    if artifact.format == Onnx.makes:
        return artifact.read()
    if artifact.format == "torch":
        from edgerig.models.torch.files import onnx_of

        TorchOnnx.require()
        artifact.read()
        return onnx_of(Path(artifact.path))
    from edgerig.compilers.float32 import float_tflite
    from edgerig.compilers.tflite_to_onnx import export_onnx
    from edgerig.models.graph.tflite_file import read_tflite_network

    data, file = float_tflite(artifact), Path(artifact.path).name
    return export_onnx(*read_tflite_network(data, file), artifact.name)
