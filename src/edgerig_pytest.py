"""What pytest loads of edgerig by itself: the marker and the fixture ``edgerig_gate``.

A module of its own at the top, since pytest rewrites the assertions of the whole package that a plugin lies in: it
would translate all of edgerig anew for every suite. Only the contracts, whose assertions are made to be read, are.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from edgerig.testing.gate_plugin import GateRunner

MARKER = (
    "edgerig_gate(rig, baseline, out=None, only=(), settings=(), inconclusive='fail'): what the fixture edgerig_gate "
    "measures and compares; inconclusive is fail, pass, skip or retry"
)

pytest.register_assert_rewrite("edgerig.testing.contracts")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def edgerig_gate(request: pytest.FixtureRequest, tmp_path: Path) -> GateRunner:
    """Call it to check the marker's rig against its baseline; it fails the test after a regression."""
    from edgerig.testing.gate_plugin import GateRunner

    marker = request.node.get_closest_marker("edgerig_gate")
    given = dict(marker.kwargs) if marker is not None else {}
    if marker is not None and marker.args:
        given |= dict(zip(("rig", "baseline"), marker.args, strict=False))
    return GateRunner(request.config.rootpath, tmp_path / "gate", given)
