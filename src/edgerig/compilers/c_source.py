"""A network as a folder of C99, for microcontrollers."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

from edgerig import files
from edgerig.artifact import Artifact
from edgerig.bounded import isolated
from edgerig.compilers.base import ModelCompiler, check_call, origin_of
from edgerig.compilers.c_array import c_identifier
from edgerig.compilers.result import with_layouts
from edgerig.datasets.base import Dataset
from edgerig.errors import CompileError, UsageError
from edgerig.micro.emit.manifest import Manifest
from edgerig.micro.emit.source import MANIFEST, check_folder
from edgerig.micro.options import CPUS, Io, Optimize, Options
from edgerig.plugins import Settings
from edgerig.progress import Progress


class CSourceSettings(Settings, frozen=True, kw_only=True):
    """Settings of the C compiler."""

    cpu: Annotated[str, msgspec.Meta(description=f"the CPU whose kernels are used: {', '.join(CPUS)}")] = "portable"
    optimize: Annotated[
        Optimize, msgspec.Meta(description="what decides where a faster kernel takes more flash: speed or size")
    ] = "speed"
    io: Annotated[
        Io,
        msgspec.Meta(
            description="file: inputs and outputs as the file has them; integer: without QUANTIZE and DEQUANTIZE there"
        ),
    ] = "file"
    ram: Annotated[
        str | int | None,
        msgspec.Meta(description="bytes of RAM that the arena may have, such as 64k; the fastest plan within is taken"),
    ] = None
    flash: Annotated[
        str | int | None,
        msgspec.Meta(
            description="bytes of flash for weights and tables, such as 900k; the fastest layers within are taken"
        ),
    ] = None
    name: Annotated[str, msgspec.Meta(description="prefix of all names in the C code, made fit for C")] = "model"


def memory_bytes(text: str | int | None, setting: str = "ram") -> int | None:
    """Bytes of memory as a user writes them: a whole number, with ``k`` or ``M`` for 1,024 or 1,048,576.

    Raises:
        UsageError: It is none.

    >>> memory_bytes("64k"), memory_bytes(65536), memory_bytes(None)
    (65536, 65536, None)
    """
    if text is None:
        return None
    parts = re.fullmatch(r"(\d{1,12})\s*(?:([kKmM])(?:i?[bB])?|[bB])?", str(text).strip())
    if parts is None or int(parts[1]) == 0:
        raise UsageError(f"{setting}={text} is no number of bytes.", "Write 65536, 64k or 1M.")
    return int(parts[1]) * {"": 1, "k": 1 << 10, "m": 1 << 20}[(parts[2] or "").lower()]


class CSource(ModelCompiler):
    """model.h, model.c, weights.c and the kernels that they use: no interpreter, no heap, one static arena."""

    name = "c"
    summary = "plain C99 for microcontrollers, from int8, int16x8 and float TFLite, and trees in ONNX"
    modules = ()
    takes = frozenset({"tflite", "onnx"})
    #: Trees and other classical models; networks in ONNX are refused when they are read.
    direct = frozenset({"onnx"})
    makes = "c-source"
    after = "float32"
    folder = True
    Settings: ClassVar[type[Settings]] = CSourceSettings

    def compile(
        self, artifact: Artifact, out: Path, dataset: Dataset | None = None, progress: Progress | None = None
    ) -> Artifact:
        """Write the C code to the folder ``out``, which then contains only that; return the artifact of its manifest.

        Raises:
            IncompatibleError: The input's format or scheme is refused.
            UsageError: ``out`` contains other files; the CPU is not known.
            CompileError: The network uses an unsupported operator or form.
            StorageError: ``out`` cannot be written; it is then left as it was.
        """
        from edgerig.micro.pipeline import compile_model

        check_call(self, artifact, dataset)
        if Path(artifact.path).resolve().parent == out.resolve():
            raise UsageError(f"{out} holds the network itself.", "Choose a folder of its own with --out.")
        check_folder(out)
        started = time.perf_counter()
        settings = self.settings
        with (progress or Progress()).task(f"compile {artifact.name} to {self.name}"):
            options = Options(
                cpu=settings.cpu,
                optimize=settings.optimize,
                io=settings.io,
                ram=memory_bytes(settings.ram),
                flash=memory_bytes(settings.flash, "flash"),
            )
            name = c_identifier(settings.name)
            if not re.search("[A-Za-z0-9]", settings.name):
                raise UsageError(
                    f"{settings.name!r} has nothing that could stand in a name in C.", "Letters, digits and _ can."
                )
            file = Path(artifact.path).name
            what = f"Compiling {file} to {self.name}"
            source = isolated(what, CompileError, compile_model, artifact.read(), name, options, file)
        origin = origin_of(self, artifact, dataset, time.perf_counter() - started)
        source.write(out)
        content = source.files[MANIFEST]
        return msgspec.structs.replace(
            artifact,
            inputs=with_layouts(source.manifest.inputs, artifact.inputs),
            outputs=source.manifest.outputs,
            name=name,
            format=self.makes,
            sha256=files.sha256(content),
            size=len(content),
            path=str(out / MANIFEST),
            origins=(*artifact.origins, origin),
        )

    def payload(self, compiled: Artifact, before: int) -> int:
        return msgspec.json.decode(compiled.read(), type=Manifest).constant_bytes

    def refuses_content(self, artifact: Artifact) -> str | None:
        from edgerig.micro.frontend.onnx import unsupported_file

        return unsupported_file(artifact) if artifact.format == "onnx" else None

    def _refuses(self, format: str, scheme: str) -> str | None:
        if scheme == "dynamic":
            return f"compiler {self.name!r} reads float32, float16, int8 and int16x8 networks, not {scheme}"
        return None

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes:
        raise NotImplementedError("it fills a folder: see compile")
