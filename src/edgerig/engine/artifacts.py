"""Copies of the artifacts that a run measures, in its bundle."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec

from edgerig import files, formats
from edgerig.artifact import Artifact
from edgerig.errors import ModelError
from edgerig.formats import Format

#: Characters kept of a file's name, so that the copy's name fits any file system.
LONGEST_STEM = 100


def place_artifact(artifact: Artifact, folder: Path, described: dict[str, Artifact] | None = None) -> Artifact:
    """A copy of an artifact's files and description in ``folder``; its name holds the hash, so that none collide.

    A copy that an earlier run left there is used again if it is intact.

    Args:
        described: The artifacts that this run placed there, by file name; the copy is added. Files of the same bytes
            and name with different descriptions get a copy each, since the description lies beside the file.

    Raises:
        ModelError: The file has changed since it was opened.
    """
    target = _free_name(artifact, folder, {} if described is None else described)
    format = formats.named(artifact.format)
    copy = format.location(target, Path(artifact.path).name)
    if not _is_there(copy, artifact, format):
        # Checked against its hash; an ONNX file's external data files are copied with it.
        copy = format.store(artifact.read(), target)
    placed = msgspec.structs.replace(artifact, path=str(copy))
    placed.save()
    return placed


def _free_name(artifact: Artifact, folder: Path, described: dict[str, Artifact]) -> Path:
    """The path of the copy; entered in ``described``."""
    source = Path(artifact.path)
    stem = f"{source.stem[:LONGEST_STEM]}-{artifact.sha256[:8]}"
    for number in itertools.count(1):
        name = (stem if number == 1 else f"{stem}-{number}") + source.suffix
        description = msgspec.structs.replace(artifact, path=name)
        if described.setdefault(name, description) == description:
            return folder / name
    raise AssertionError("unreachable")


def _is_there(copy: Path, artifact: Artifact, format: Format) -> bool:
    if copy.is_symlink():
        return False
    try:
        digest = files.sha256_file(copy) if format.storage == "file" else files.sha256(format.payload(copy))
    except (OSError, ModelError):
        return False
    return digest == artifact.sha256
