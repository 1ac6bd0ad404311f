"""One compiler at work: checks before, a temporary folder, the artifact inspected, then written whole."""

from __future__ import annotations

import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

from edgerig import __version__, files, formats
from edgerig.artifact import Artifact, Origin, TensorSpec
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
from edgerig.formats import Format, Specification
from edgerig.models.files import specification_of
from edgerig.models.graph.read import graph_in
from edgerig.models.graph.types import Graph
from edgerig.progress import Progress


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
    stored = formats.named(compiler.makes).store(data, path)
    made = msgspec.structs.replace(made, path=str(stored), origins=(*artifact.origins, origin))
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
    """What is to become the file ``path``, inspected, and its description."""
    format = formats.named(compiler.makes)
    with storing("temporary files"), tempfile.TemporaryDirectory(prefix="edgerig-compile-") as work:
        product = _compile(compiler, artifact, Path(work), dataset, progress)
        data = _payload(compiler, format, product)
    with storing("temporary files"), tempfile.TemporaryDirectory(prefix="edgerig-check-") as work:
        stored = format.store(data, Path(work) / path.name)
        return data, _describe(compiler, artifact, path, format, stored, data)


def output_path(compiler: ModelCompiler, artifact: Artifact, out: Path) -> Path:
    """Where the compiled file of ``artifact`` goes in the folder ``out``.

    A mere change of format keeps the name (``net.keras`` to ``net.tflite``, ``net_int8.tflite`` to
    ``net_int8.h``); everything else adds the compiler's name (``net.tflite`` to ``net_int8.tflite``).
    """
    stem = Path(artifact.path).stem
    if artifact.format == compiler.makes or compiler.scheme not in (None, artifact.scheme):
        stem += "_" + compiler.name.replace("-", "_")
    return out / (stem + formats.named(compiler.makes).suffixes[0])


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


def _compile(
    compiler: ModelCompiler, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress
) -> bytes | Path:
    try:
        return compiler._compile(artifact, work, dataset, progress)
    except (EdgerigError, OSError):
        raise
    except Exception as error:
        text = (str(error).strip() or type(error).__name__).splitlines()[0][:300].rstrip(".")
        raise CompileError(
            f"Compiler {compiler.name!r} failed on {artifact.name}: {text}.",
            "Does the network use an operator that the compiler does not know?",
        ) from error


def _payload(compiler: ModelCompiler, format: Format, product: object) -> bytes:
    """What travels of that which a compiler made."""
    if isinstance(product, bytes):
        return product
    try:
        if isinstance(product, Path):
            return format.payload(product)
        fault = f"it returned a {type(product).__name__}, where bytes or a path are due"
    except ModelError as error:
        fault = error.message
    raise CompileError(f"Compiler {compiler.name!r} made no {format.name} network: {fault}")


def _describe(
    compiler: ModelCompiler, artifact: Artifact, path: Path, format: Format, stored: Path, data: bytes
) -> Artifact:
    """The artifact ``data``, a copy of which lies at ``stored``, inspected before anything is written to ``path``."""
    made = msgspec.structs.replace(
        artifact, name=path.stem, format=format.name, sha256=files.sha256(data), size=format.size(data), path=str(path)
    )
    scheme = compiler.scheme or artifact.scheme
    graph, specification = _read(compiler, format, stored)
    if specification is None:
        # Nothing can be read back: it is taken for what it was made from.
        return msgspec.structs.replace(made, scheme=scheme)
    if graph is not None:
        compiler._inspect(graph, data, scheme, path.name)
        format.check(stored)
    elif specification.scheme != scheme:
        raise ArtifactCheckError(
            f"{path.name} should be {scheme} and is {specification.scheme}.",
            f"Compiler {compiler.name!r} and the format {format.name!r} must say the same.",
        )
    return msgspec.structs.replace(
        made, inputs=with_layouts(specification.inputs, artifact.inputs), outputs=specification.outputs,
        left_out=specification.left_out, scheme=specification.scheme,
    )  # fmt: skip


def with_layouts(inputs: tuple[TensorSpec, ...], before: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    """``inputs`` with the layouts that those of the network had before it was compiled: compilers keep shapes."""
    if [spec.shape for spec in inputs] != [spec.shape for spec in before]:
        return inputs
    return tuple(msgspec.structs.replace(spec, layout=old.layout) for spec, old in zip(inputs, before, strict=True))


def _read(compiler: ModelCompiler, format: Format, stored: Path) -> tuple[Graph | None, Specification | None]:
    """The operators, and inputs and outputs, of what was made, as far as its format tells them."""
    try:
        graph = graph_in(format, stored)
        return graph, specification_of(format, stored, graph)
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
