"""What is shared of a bundle, a network or a folder: the files that become entries of a version in a store."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgerig import formats
from edgerig.artifact import sidecar_path
from edgerig.errors import ModelError, SpecError, UsageError
from edgerig.files import hint_for_missing
from edgerig.formats.base import Format
from edgerig.results.bundle import Bundle
from edgerig.store.folders import folder_files
from edgerig.store.transfer import LocalFile


class SharedFiles(msgspec.Struct, frozen=True):
    """Files, and what they are together: ``run``, ``model`` or ``files``."""

    kind: str
    files: tuple[LocalFile, ...]


def shared_files(path: Path) -> SharedFiles:
    """The files of a bundle; of a network, with those that it refers to and its description; or of a folder.

    Raises:
        UsageError: There is nothing, or a run that is not finished.
        StoreError: A name cannot be shared; names it.
    """
    if not path.exists():
        raise UsageError(f"There is no {path}.", hint_for_missing(path, "Name a bundle, a model file, or a folder."))
    bundle = Bundle(path)
    if path.is_dir() and bundle.exists:
        if not bundle.finished:
            raise UsageError(f"{path} holds a run that is not finished.", "Go on with it first: --resume.")
        return SharedFiles("run", folder_files(path, labelled=False).files)
    kind = _format(path)
    if kind is None and path.is_dir():
        return SharedFiles("files", folder_files(path, labelled=False).files)
    members = (path,) if kind is None else (*kind.files(path), sidecar_path(path))
    # What a network refers to lies beside it or below.
    local = (
        LocalFile(path=member, name=member.relative_to(path.parent).as_posix())
        for member in members
        if member.is_file()
    )
    return SharedFiles("files" if kind is None else "model", tuple(local))


def _format(path: Path) -> Format | None:
    try:
        return formats.format_of(path)
    except (ModelError, SpecError):
        return None
