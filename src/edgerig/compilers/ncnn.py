"""Networks of ncnn out of ONNX files, by pnnx."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import msgspec

from edgerig.artifact import Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.onnx import refuses_quantized
from edgerig.compilers.pnnx import Converted, convert
from edgerig.compilers.program import run_python
from edgerig.datasets.base import Dataset
from edgerig.errors import CompileError, NotInstalledError
from edgerig.models.graph.ncnn_file import End, Ends, ends_file
from edgerig.plugins import is_there
from edgerig.progress import Progress
from edgerig.tensors import TensorSpec

#: What installs pnnx beside edgerig; `edgerig engines install ncnn` does it, too.
PNNX = "pip install --no-deps 'pnnx>=20250930,<20280000'"

#: Ends well if ncnn takes both files.
_LOAD = "import ncnn; net = ncnn.Net(); sys.exit(bool(net.load_param(sys.argv[2]) or net.load_model(sys.argv[3])))"


class Ncnn(ModelCompiler):
    """ncnn's network in float32; pnnx alone would store the weights in float16."""

    name = "ncnn"
    summary = "ncnn's network (.param and .bin) in float32, by pnnx"
    extra = "ncnn"
    engine = "ncnn"
    modules = ("ncnn", "pnnx")
    takes = frozenset({"onnx"})
    makes = "ncnn"
    after = "onnx"
    direct = frozenset({"onnx"})
    scheme = "float32"
    float16: ClassVar[bool] = False

    @classmethod
    def missing(cls) -> NotInstalledError | None:
        if not is_there("pnnx") and is_there("ncnn"):
            return NotInstalledError(
                f"Compiler {cls.name!r} needs pnnx, which is not installed.",
                f"{PNNX} (without --no-deps pip brings PyTorch, which it does not use here); or in an environment of "
                "its own: edgerig engines install ncnn",
            )
        return super().missing()

    def _refuses(self, format: str, scheme: str) -> str | None:
        return refuses_quantized(self.name, format, scheme)

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> Path:
        source = work / "pnnx" / "network.onnx"
        source.parent.mkdir()
        source.write_bytes(artifact.read())
        inputs = tuple(msgspec.structs.replace(spec, shape=_with_batch(spec.shape)) for spec in artifact.inputs)
        converted = convert(source, inputs, float16=self.float16)
        for warning in converted.warnings:
            progress.log(f"pnnx: {warning}")
        folder = work / "made"
        folder.mkdir()
        path = converted.param.rename(folder / f"{Path(artifact.path).stem}.param")
        weights = converted.weights.rename(path.with_suffix(".bin"))
        ends = Ends(
            inputs=_ends(inputs, converted, "inputs"),
            outputs=_ends(artifact.outputs, converted, "outputs"),
            weights=weights.stat().st_size,
        )
        ends_file(path).write_bytes(msgspec.json.format(msgspec.json.encode(ends)) + b"\n")
        _load(path)
        return path


class NcnnFloat16(Ncnn):
    """The same with weights stored in float16; the runtime computes in float32 unless it is told otherwise."""

    name = "ncnn-float16"
    summary = "ncnn's network with weights stored in float16, by pnnx"
    scheme = "float16"
    float16 = True


def _with_batch(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A free batch is 1."""
    return (1, *shape[1:]) if shape[:1] == (-1,) else shape


def _ends(specs: tuple[TensorSpec, ...], converted: Converted, what: str) -> tuple[End, ...]:
    """The ends as the network names them, with ncnn's blobs.

    Raises:
        CompileError: There are more or fewer of them, or ncnn has no numbers of that type.
    """
    blobs = converted.inputs if what == "inputs" else converted.outputs
    if len(blobs) != len(specs):
        raise CompileError(f"pnnx made {len(blobs)} {what} of the network's {len(specs)}.")
    ends: list[Any] = []
    for spec, blob in zip(specs, blobs, strict=True):
        if what == "outputs" and spec.dtype != "float32":
            raise CompileError(
                f"Output {spec.name!r} is {spec.dtype}, and ncnn gives float32 alone.",
                "Cut the network before the operator that makes it.",
            )
        ends.append(
            End(name=spec.name, blob=blob.name, shape=_with_batch(spec.shape), dtype=spec.dtype, batch=blob.batch)
        )
    return tuple(ends)


def _load(path: Path) -> None:
    """Have ncnn load the network, in a process of its own.

    Raises:
        CompileError: It does not.
    """
    ended = run_python(_LOAD, [str(path), str(path.with_suffix(".bin"))], path.parent, "ncnn")
    if ended.fault:
        raise CompileError(
            f"ncnn does not load what pnnx made of the network: {ended.last_words}",
            "Does the network have an operator that ncnn lacks?",
        )
