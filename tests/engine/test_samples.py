"""The input that a dataset is fed to."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerig.artifact import TensorSpec
from edgerig.engine.samples import LARGEST_INPUT, the_input
from edgerig.errors import IncompatibleError
from edgerig.testing.faults import any_artifact


def test_an_input_beyond_what_is_fed_is_refused_at_once(tmp_path: Path) -> None:
    size = LARGEST_INPUT // 4 + 1
    spec = TensorSpec("x", (1, size), "int8")
    artifact = any_artifact(tmp_path, inputs=(spec,))
    with pytest.raises(IncompatibleError, match=f"takes {LARGEST_INPUT + 4:,} B of float32"):
        the_input(artifact)
    fits = any_artifact(tmp_path, inputs=(TensorSpec("x", (1, size - 1), "int8"),))
    assert the_input(fits).elements == size - 1
