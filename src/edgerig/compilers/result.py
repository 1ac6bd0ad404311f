"""The result of a compiler: its path, its payload, how it is read back and described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgerig import __version__, files
from edgerig.artifact import Artifact, TensorSpec
from edgerig.datasets.base import Dataset
from edgerig.environments.choice import SETTING
from edgerig.environments.interpreter import Interpreter
from edgerig.errors import ArtifactCheckError, CompileError, ModelError
from edgerig.formats import Format, Specification
from edgerig.installed import version
from edgerig.models.files import specification_of
from edgerig.models.graph.read import graph_in
from edgerig.models.graph.types import Graph
from edgerig.plugins import Settings

#: Packages that are called otherwise than the module that they bring.
_PACKAGES: Mapping[str, tuple[str, ...]] = {
    "iree": ("iree-base-compiler", "iree-base-runtime"),
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
    "tvm": ("apache-tvm",),
}


def output_path(artifact: Artifact, out: Path, compiler: str, format: Format, scheme: str | None) -> Path:
    """The path of the compiled file of ``artifact`` in the folder ``out``.

    A mere change of format keeps the name (``net.keras`` to ``net.tflite``, ``net_int8.tflite`` to
    ``net_int8.h``); everything else adds the compiler's name (``net.tflite`` to ``net_int8.tflite``).

    Args:
        compiler: The compiler's name. format: Its output format. scheme: Its declared one; None for that of its input.
    """
    stem = Path(artifact.path).stem
    if artifact.format == format.name or scheme not in (None, artifact.scheme):
        stem += "_" + compiler.replace("-", "_")
    return out / (stem + format.suffixes[0])


def payload_of(product: object, compiler: str, format: Format) -> bytes:
    """The bytes to deploy of ``product``, the bytes or the path that ``compiler`` returned.

    Raises:
        CompileError: It is neither, or not a network of ``format``.
    """
    if isinstance(product, bytes):
        return product
    try:
        if isinstance(product, Path):
            return format.payload(product)
        fault = f"it returned a {type(product).__name__}, where bytes or a path are due"
    except ModelError as error:
        fault = error.message
    raise CompileError(f"Compiler {compiler!r} made no {format.name} network: {fault}")


def read_back(stored: Path, compiler: str, format: Format) -> tuple[Graph | None, Specification | None]:
    """The operators, and inputs and outputs, of a compiled file, as far as its format provides them.

    Raises:
        ArtifactCheckError: It cannot be read.
    """
    try:
        graph = graph_in(format, stored)
        return graph, specification_of(format, stored, graph)
    except ModelError as error:
        raise ArtifactCheckError(
            f"What compiler {compiler!r} made is not usable: {error.message}",
            # Where a plugin reads the format, the network need not be to blame.
            "Compiler or format have a fault: `edgerig --debug` shows the line."
            if not type(format).__module__.startswith("edgerig.")
            else "Does the network compute with infinities, as masks do? Take another scheme.",
        ) from error


def describe(
    artifact: Artifact, path: Path, data: bytes, format: Format, scheme: str, specification: Specification | None
) -> Artifact:
    """The artifact that was made from ``artifact`` and will be at ``path``.

    Args:
        data: The bytes to deploy. format: Its format.
        scheme: The one that its compiler declares. specification: As read back; where that is impossible None, and
            inputs and outputs are those of the source.
    """
    compiled = msgspec.structs.replace(
        artifact,
        name=path.stem,
        format=format.name,
        format_options={},
        sha256=files.sha256(data),
        size=format.size(data),
        path=str(path),
        scheme=scheme,
    )
    if specification is None:
        return compiled
    return msgspec.structs.replace(
        compiled,
        inputs=with_layouts(specification.inputs, artifact.inputs),
        outputs=specification.outputs,
        left_out=specification.left_out,
        scheme=specification.scheme,
    )


def with_layouts(inputs: tuple[TensorSpec, ...], before: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    """``inputs`` with the layouts of the network before it was compiled: compilers keep shapes."""
    if [spec.shape for spec in inputs] != [spec.shape for spec in before]:
        return inputs
    return tuple(msgspec.structs.replace(spec, layout=old.layout) for spec, old in zip(inputs, before, strict=True))


def options_of(settings: Settings, calibration: Dataset | None) -> dict[str, Any]:
    """The artifact's record of the settings that it was made with, and of the calibration dataset."""
    options: dict[str, Any] = msgspec.to_builtins(settings)
    # Versions tell what it was made in; where that lies on this machine is nobody's affair.
    options.pop(SETTING, None)
    if calibration is not None:
        options["calibration"] = {
            "dataset": calibration.name,
            "options": msgspec.to_builtins(calibration.settings),
            "fingerprint": calibration.split("train").fingerprint,
        }
    return options


def versions_of(modules: Sequence[str], interpreter: Interpreter | None = None) -> dict[str, str]:
    """The artifact's record of the library versions that it was made with, in another ``interpreter`` those of that."""
    versions = {"edgerig": __version__}
    tops = [module.partition(".")[0] for module in modules]
    names = [name for top in tops for name in _PACKAGES.get(top, (top.replace("_", "-").lower(),))]
    if interpreter is not None:
        versions["python"] = interpreter.version
        return versions | {name: interpreter.packages[name] for name in names if name in interpreter.packages}
    return versions | {name: known for name in names if (known := version(name)) is not None}
