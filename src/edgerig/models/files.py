"""Model files that a user brings, opened as artifacts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgerig import files
from edgerig.artifact import Artifact, Origin, Preprocessing, format_of, sidecar_path
from edgerig.errors import ModelError
from edgerig.models.graph.read import io_specs, left_out, read_file, read_graph
from edgerig.models.graph.scheme import scheme_of


def open_artifact(path: Path, *, preprocessing: Preprocessing | None = None, classes: Sequence[str] = ()) -> Artifact:
    """The artifact of any .keras, .h5, .tflite or .onnx file.

    If its description (``<file>.json``, as `Artifact.save` writes it) lies beside the file, that one is used;
    otherwise inputs, outputs and scheme are read from the file itself. ``preprocessing`` and ``classes`` go before
    those of a description.

    Raises:
        ModelError: The file is missing, corrupt, or of no known format; or its description is damaged or that of
            another file, so that nobody knows which preprocessing the network was made for.
        MissingExtraError: Reading this format needs a package that is not installed.
    """
    path = Path(path)
    format = format_of(path)
    data = read_file(path)
    digest = files.sha256(data)
    artifact = _described(path, format, digest) or _read(path, format, digest, len(data))
    if preprocessing is not None:
        artifact = msgspec.structs.replace(artifact, preprocessing=preprocessing)
    if classes:
        artifact = msgspec.structs.replace(artifact, classes=tuple(classes))
    return artifact


def _described(path: Path, format: str, digest: str) -> Artifact | None:
    sidecar = sidecar_path(path)
    hint = f"Make {path.name} again with its description, or remove {sidecar.name} and let the file speak for itself."
    if not sidecar.is_file() or _somebody_elses(sidecar):
        return None
    try:
        artifact = Artifact.load(sidecar)
    except ModelError as error:
        raise ModelError(error.message, hint) from error
    if artifact.sha256 != digest or artifact.format != format:
        raise ModelError(f"{sidecar} describes another file than {path.name}: the SHA-256 differs.", hint)
    return msgspec.structs.replace(artifact, path=str(path))


def _somebody_elses(sidecar: Path) -> bool:
    """Whether it is sound JSON that never was a description of ours."""
    try:
        content = msgspec.json.decode(sidecar.read_bytes())
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return not (isinstance(content, dict) and {"sha256", "inputs"} <= content.keys())


def _read(path: Path, format: str, digest: str, size: int) -> Artifact:
    graph = read_graph(path)
    inputs, outputs = io_specs(graph)
    return Artifact(
        name=path.stem,
        format=format,
        sha256=digest,
        size=size,
        inputs=inputs,
        outputs=outputs,
        left_out=left_out(graph),
        path=str(path),
        scheme=scheme_of(graph),
        origins=(Origin(tool="file", options={"file": path.name}),),
    )
