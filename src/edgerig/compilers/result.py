"""One compiler at work: checks before, a temporary folder, the artifact inspected, then written whole."""

from __future__ import annotations

import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

from edgerig import __version__, files
from edgerig.artifact import FORMATS, Artifact, Origin, TensorSpec
from edgerig.bounded import isolated
from edgerig.compilers.base import ModelCompiler
from edgerig.datasets.base import Dataset
from edgerig.errors import (
    ArtifactCheckError,
    CompileError,
    EdgerigError,
    IncompatibleError,
    ModelError,
    UsageError,
    storing,
)
from edgerig.models.graph.read import io_specs
from edgerig.models.graph.scheme import scheme_of
from edgerig.models.graph.tflite_file import read_tflite
from edgerig.models.graph.types import Graph
from edgerig.progress import Progress

SUFFIXES = {format: suffix for suffix, format in FORMATS.items()}


def run_compiler(
    compiler: ModelCompiler, artifact: Artifact, out: Path, dataset: Dataset | None, progress: Progress
) -> Artifact:
    """Run ``compiler`` on ``artifact`` and write the inspected result with its description to the folder ``out``.

    The file is called by `output_path`. Preprocessing and classes are carried over.

    Raises:
        UsageError: The compiler calibrates and there is no dataset, or its input would be overwritten.
        IncompatibleError: The input's format or scheme is refused.
        MissingExtraError: The engine is not installed.
        CompileError: The engine failed, or calibration data are not usable.
        ArtifactCheckError: The result is not what was asked for.
        StorageError: ``out`` or the temporary folder cannot be written.
    """
    check_call(compiler, artifact, dataset)
    path = output_path(compiler, artifact, out)
    if path.resolve() == Path(artifact.path).resolve():
        raise UsageError(f"The compiled file would overwrite its input {path}.", "Choose another folder with --out.")
    started = time.perf_counter()
    with progress.task(f"compile {artifact.name} to {compiler.name}"):
        what = f"Compiling {Path(artifact.path).name} to {compiler.name}"
        data, made = isolated(what, CompileError, _make, compiler, artifact, path, dataset, progress)
    origin = Origin(
        tool=compiler.name,
        options=options_of(compiler, dataset),
        parent=artifact.sha256,
        versions=versions_of(compiler),
        seconds=round(time.perf_counter() - started, 3),
    )
    made = msgspec.structs.replace(made, origins=(*artifact.origins, origin))
    files.write_bytes(path, data)
    made.save()
    if compiler.needs_dataset and dataset is not None and dataset.task == "none":
        progress.log(
            f"{path.name} was calibrated on dataset {dataset.name!r}, whose numbers mean nothing: "
            "good for speed and size, not for accuracy"
        )
    return made


def _make(
    compiler: ModelCompiler, artifact: Artifact, path: Path, dataset: Dataset | None, progress: Progress
) -> tuple[bytes, Artifact]:
    """The compiled file's bytes, inspected, and its description."""
    data = _compile(compiler, artifact, dataset, progress)
    return data, _describe(compiler, artifact, path, data)


def output_path(compiler: ModelCompiler, artifact: Artifact, out: Path) -> Path:
    """Where the compiled file of ``artifact`` goes in the folder ``out``.

    A mere change of format keeps the name (``net.keras`` to ``net.tflite``, ``net_int8.tflite`` to
    ``net_int8.h``); everything else adds the compiler's name (``net.tflite`` to ``net_int8.tflite``).
    """
    stem = Path(artifact.path).stem
    if artifact.format == compiler.makes or compiler.scheme not in (None, artifact.scheme):
        stem += "_" + compiler.name.replace("-", "_")
    return out / (stem + SUFFIXES[compiler.makes])


def check_call(compiler: ModelCompiler, artifact: Artifact, dataset: Dataset | None) -> None:
    """Refuse what cannot work, before anything is done.

    Raises:
        UsageError: The compiler calibrates and there is no dataset.
        IncompatibleError: The input's format or scheme is refused.
        MissingExtraError: The engine is not installed.
    """
    reason = compiler.refuses(artifact.format, artifact.scheme)
    if reason:
        raise IncompatibleError(f"{artifact.name} cannot be compiled: {reason}.")
    compiler.require()
    if compiler.needs_dataset and dataset is None:
        raise UsageError(
            f"Compiler {compiler.name!r} calibrates on samples, and there is no dataset.",
            "Name one, for example --dataset mnist.",
        )


def _compile(compiler: ModelCompiler, artifact: Artifact, dataset: Dataset | None, progress: Progress) -> bytes:
    with storing("temporary files"), tempfile.TemporaryDirectory(prefix="edgerig-compile-") as work:
        try:
            return compiler._compile(artifact, Path(work), dataset, progress)
        except (EdgerigError, OSError):
            raise
        except Exception as error:
            text = (str(error).strip() or type(error).__name__).splitlines()[0][:300].rstrip(".")
            raise CompileError(
                f"Compiler {compiler.name!r} failed on {artifact.name}: {text}.",
                "Does the network use an operator that the compiler does not know?",
            ) from error


def _describe(compiler: ModelCompiler, artifact: Artifact, path: Path, data: bytes) -> Artifact:
    """The artifact that ``data`` is, inspected before anything is written to ``path``."""
    made = msgspec.structs.replace(
        artifact, name=path.stem, format=compiler.makes, sha256=files.sha256(data), size=len(data), path=str(path)
    )
    if compiler.makes == "c-array":
        return made
    graph, inputs, outputs = _read(data, path, compiler)
    inputs = with_layouts(inputs, artifact.inputs)
    made = msgspec.structs.replace(made, inputs=inputs, outputs=outputs, scheme=scheme_of(graph))
    compiler._inspect(graph, data, compiler.scheme or artifact.scheme, path.name)
    return made


def with_layouts(inputs: tuple[TensorSpec, ...], before: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    """``inputs`` with the layouts that those of the network had before it was compiled: compilers keep shapes."""
    if [spec.shape for spec in inputs] != [spec.shape for spec in before]:
        return inputs
    return tuple(msgspec.structs.replace(spec, layout=old.layout) for spec, old in zip(inputs, before, strict=True))


def _read(
    data: bytes, path: Path, compiler: ModelCompiler
) -> tuple[Graph, tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """The graph of ``data``, which are to become the file ``path``."""
    try:
        if compiler.makes == "onnx":
            from edgerig.models.graph.onnx_file import read_onnx

            graph = read_onnx(data, path)
        else:
            graph = read_tflite(data, path.name)
        return graph, *io_specs(graph)
    except ModelError as error:
        raise ArtifactCheckError(
            f"What compiler {compiler.name!r} made is not usable: {error.message}",
            "Does the network compute with infinities, as masks do? Take another scheme.",
        ) from error


def options_of(compiler: ModelCompiler, dataset: Dataset | None) -> dict[str, Any]:
    """What an artifact tells of the settings it was made with."""
    options: dict[str, Any] = msgspec.to_builtins(compiler.settings)
    if compiler.needs_dataset and dataset is not None:
        options["calibration"] = {
            "dataset": dataset.name,
            "options": msgspec.to_builtins(dataset.settings),
            "fingerprint": dataset.split("train").fingerprint,
        }
    return options


def versions_of(compiler: ModelCompiler) -> dict[str, str]:
    """What an artifact tells of the libraries it was made with."""
    found = {"edgerig": __version__}
    for module in compiler.modules:
        name = module.partition(".")[0].replace("_", "-")
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
