"""Two cells as bundles, compared by their stored rounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgerig.results.compare.stored import StoredOptions, compare_bundles
from edgerig.results.compare.types import CellComparison


@pytest.fixture
def compared(write_run: Callable[..., Path]) -> Callable[..., CellComparison]:
    def compare(a: Any, b: Any) -> CellComparison:
        (comparison,) = compare_bundles(write_run("a", a), write_run("b", b), StoredOptions()).comparisons
        return comparison

    return compare
