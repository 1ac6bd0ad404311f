"""Model files that a user brings, opened as artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgerig import files, formats
from edgerig.artifact import ITEM_SIZES, Artifact, Origin, Preprocessing, sidecar_path
from edgerig.errors import ModelError
from edgerig.formats import Format, Specification
from edgerig.models.graph.read import graph_in, io_specs, left_out
from edgerig.models.graph.scheme import scheme_of
from edgerig.models.graph.types import Graph, check_shape


def open_artifact(
    path: Path,
    *,
    preprocessing: Preprocessing | None = None,
    classes: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> Artifact:
    """The artifact of any model file: .keras, .h5, .tflite, .onnx, .pt2, or of a format that a plugin reads.

    If its description (``<file>.json``, as `Artifact.save` writes it) lies beside the file, that one is used;
    otherwise inputs, outputs and scheme are read from the file itself. ``preprocessing`` and ``classes`` override those
    of a description. ``options`` are settings of the file's format.

    Raises:
        ModelError: The file is missing, corrupt, or of no known format; or its description is damaged or that of
            another file, so that the network's preprocessing is unknown.
        MissingExtraError: Reading this format needs a package that is not installed.
    """
    path = Path(path)
    format = formats.format_of(path)
    if options:
        format = formats.named(format.name, options)
    data = format.payload(path)
    digest = files.sha256(data)
    artifact = _described(path, format.name, digest) or _read(path, format, digest, format.size(data))
    if preprocessing is not None:
        artifact = msgspec.structs.replace(artifact, preprocessing=preprocessing)
    if options:
        artifact = msgspec.structs.replace(artifact, format_options=dict(options))
    if classes:
        artifact = msgspec.structs.replace(artifact, classes=tuple(classes))
    return artifact


def _described(path: Path, format: str, digest: str) -> Artifact | None:
    sidecar = sidecar_path(path)
    hint = f"Make {path.name} again with its description, or remove {sidecar.name} and let the file speak for itself."
    if not sidecar.is_file() or _is_foreign_json(sidecar):
        return None
    try:
        artifact = Artifact.load(sidecar)
    except ModelError as error:
        raise ModelError(error.message, hint) from error
    if artifact.sha256 != digest or artifact.format != format:
        raise ModelError(f"{sidecar} describes another file than {path.name}: the SHA-256 differs.", hint)
    return msgspec.structs.replace(artifact, path=str(path))


def _is_foreign_json(sidecar: Path) -> bool:
    """Whether it is valid JSON that is not a description of edgerig's."""
    try:
        content = msgspec.json.decode(sidecar.read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return not (isinstance(content, dict) and {"sha256", "inputs"} <= content.keys())


def specification_of(format: Format, path: Path, graph: Graph | None = None) -> Specification | None:
    """Inputs, outputs and scheme of a file of a known format, as the format states them or else by its operators; None
    if neither is available.

    Args:
        graph: The operators, where they were read already.

    Raises:
        ModelError: The file is missing or corrupt, or has an impossible tensor.
    """
    specification = format.specification(path)
    if specification is not None:
        for spec in (*specification.inputs, *specification.outputs):
            if spec.dtype not in ITEM_SIZES:
                raise ModelError(f"{path.name}: {spec.name!r} is a {spec.dtype}, which edgerig cannot feed or read.")
            check_shape(
                path.name, f"the tensor {spec.name!r}", tuple(size for size in spec.shape if size != -1), spec.shape
            )
        return specification
    graph = graph or graph_in(format, path)
    if graph is None:
        return None
    inputs, outputs = io_specs(graph, path.name)
    return Specification(inputs=inputs, outputs=outputs, scheme=scheme_of(graph), left_out=left_out(graph))


def _read(path: Path, format: Format, digest: str, size: int) -> Artifact:
    specification = specification_of(format, path)
    if specification is None:
        raise ModelError(
            f"{path.name}: files of the format {format.name!r} do not tell their inputs and outputs.",
            f"Keep the description {sidecar_path(path).name}, which its compiler wrote, beside it.",
        )
    return Artifact(
        name=path.stem,
        format=format.name,
        sha256=digest,
        size=size,
        inputs=specification.inputs,
        outputs=specification.outputs,
        left_out=specification.left_out,
        path=str(path),
        scheme=specification.scheme,
        origins=(Origin(tool="file", options={"file": path.name}),),
    )
