"""What a compiler is: artifact in, artifact out, checked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from edgerig.artifact import Artifact
from edgerig.datasets.base import Dataset
from edgerig.models.graph.types import Graph
from edgerig.plugins import Plugin
from edgerig.progress import Progress


class ModelCompiler(Plugin, ABC):
    """Artifact in, artifact out: convert, quantize, lower to C.

    Class attributes:
        takes: Names of formats it reads: ``"keras"``, ``"tflite"``, ``"onnx"``, or your own.
        makes: Name of the format it writes. One of your own is known once its class is: define or import the class
            (`edgerig.formats.Format`) in the compiler's module.
        scheme: The quantization scheme of what it writes: ``"float32"``, ``"float16"``, ``"dynamic"``, ``"int8"``,
            ``"int16x8"``; None where it keeps the scheme of its input.
        needs_dataset: Whether it calibrates.
        after: The compiler that the engine runs first where the input is not yet in the format which that one makes.
        folder: Whether it fills the folder that it is given, and puts nothing else there.
    """

    takes: ClassVar[frozenset[str]]
    makes: ClassVar[str]
    scheme: ClassVar[str | None] = None
    needs_dataset: ClassVar[bool] = False
    after: ClassVar[str | None] = None
    folder: ClassVar[bool] = False

    def refuses(self, format: str, scheme: str) -> str | None:
        """Why an input of that format and scheme cannot be compiled, or None. Needs no engine and no file."""
        if format not in self.takes:
            return f"compiler {self.name!r} reads {' or '.join(sorted(self.takes))}, not {format}"
        return self._refuses(format, scheme)

    def compile(
        self, artifact: Artifact, out: Path, dataset: Dataset | None = None, progress: Progress | None = None
    ) -> Artifact:
        """Write the compiled file and its description to the folder ``out``; return its artifact, inspected.

        Raises:
            IncompatibleError: The input's format or scheme is refused.
            MissingExtraError: The engine is not installed.
            CompileError: The engine failed, or calibration data are not usable (NaN).
            ArtifactCheckError: The result is not what was asked for; names the tensor.
            StorageError: ``out`` cannot be written; nothing half-written is left.
        """
        from edgerig.compilers.result import run_compiler

        return run_compiler(self, artifact, out, dataset, progress or Progress())

    def payload(self, made: Artifact, before: int) -> int:
        """Bytes that the network takes on a device once it is ``made``; ``before`` is what its input takes."""
        return made.size

    def _refuses(self, format: str, scheme: str) -> str | None:
        return None

    def _inspect(self, graph: Graph, data: bytes, scheme: str, file: str) -> None:
        """Raise `ArtifactCheckError` unless ``graph``, read from the bytes ``data``, is in ``scheme`` as declared."""
        from edgerig.compilers.checks import check_artifact

        check_artifact(graph, data, scheme, file)

    @abstractmethod
    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes | Path:
        """The bytes of the compiled file; or, where the format has several, what was written: the first file or the
        folder. ``work`` is an empty folder that is removed afterwards."""
