"""How many inferences a round measures: every sample once, and again until there are enough of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import edgerig
from edgerig.results.bundle import Bundle
from edgerig.results.types import CellResult
from edgerig.rig import types
from edgerig.rig.types import Measure
from edgerig.testing import networks

SAMPLES = 40


def run(net: Path, out: Path, block: dict[str, Any], **measure: Any) -> CellResult:
    rig = {
        "name": "t",
        "model": {"file": str(net)},
        "dataset": {"use": "random", "shape": [4], "samples": SAMPLES},
        "matrix": [block],
        "measure": {"warmup": 1, "profile": False, "transport_samples": 0, **measure},
    }
    (cell,) = edgerig.run(rig, out=out).cells
    return cell


@pytest.mark.parametrize(("rounds", "most"), [(1, 100_000), (5, 20_000), ("auto", 20_000), (20, 5_000)])
def test_rounds_share_the_inferences_of_a_cell_as_they_share_its_seconds(rounds: int | str, most: int) -> None:
    assert Measure(rounds=rounds).round_inferences == most


@pytest.mark.slow
def test_no_round_of_a_fast_network_has_more_than_its_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of some 1 us would need a million inferences for a second."""
    monkeypatch.setattr(types, "MOST_INFERENCES", 600)
    net = networks.dense_tflite(tmp_path / "net.tflite", 4, 4)
    cell = run(net, tmp_path / "out", {"runtimes": ["litert"]}, rounds=2, seconds=1)
    first, second = (len(times) for times in Bundle(tmp_path / "out").round_times(cell))
    # Samples that were begun again run to their end.
    assert 300 <= first <= 300 + SAMPLES
    assert second == 300


@pytest.mark.slow
def test_a_target_that_tells_the_same_again_runs_every_sample_once(tmp_path: Path) -> None:
    net = networks.dense_tflite_int8(tmp_path / "net.tflite", 4, 4)
    cell = run(net, tmp_path / "out", {"runtimes": ["micro"], "targets": ["sim:stm32f746"]}, seconds=1)
    (times,) = Bundle(tmp_path / "out").round_times(cell)
    assert len(times) == SAMPLES
