"""Keras networks as artifacts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.compilers.conftest import CLASSES

from edgerig.artifact import Artifact, Preprocessing
from edgerig.models.files import open_artifact


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Any], Artifact]:
    """Writes a Keras model and opens it as an artifact for the blobs."""

    def save(model: Any) -> Artifact:
        path = tmp_path / "net.keras"
        model.save(path)
        return open_artifact(path, preprocessing=Preprocessing(scale=1 / 255), classes=CLASSES)

    return save
