"""The deployed files of a bundle, to be measured again."""

from __future__ import annotations

from pathlib import Path

from edgerig.errors import StorageError
from edgerig.files import sha256_file
from edgerig.results.bundle import Bundle
from edgerig.results.types import CellResult


def kept_file(bundle: Path, cell: CellResult) -> Path:
    """The path of the network of ``cell`` in its bundle, wherever the bundle has been moved to.

    Raises:
        StorageError: It is missing, or is another file.
    """
    path = Bundle(bundle).artifacts / Path(cell.artifact.path).name
    if not path.is_file() or not path.resolve().is_relative_to(Bundle(bundle).artifacts.resolve()):
        raise StorageError(f"{bundle} does not hold the network of {cell.id} any more.", "Measure it again.")
    if sha256_file(path) != cell.artifact.sha256:
        raise StorageError(f"{path} is not the network that {cell.id} was measured with.", "Measure it again.")
    return path
