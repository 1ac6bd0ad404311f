"""Keras files."""

from __future__ import annotations

from pathlib import Path

from edgerig.errors import ModelError
from edgerig.models.graph.types import Graph


def read_keras(data: bytes, path: Path) -> Graph:
    """The layers of the .keras file with the content ``data``."""
    raise ModelError(f"{path.name}: reading .keras files is not there yet.")
