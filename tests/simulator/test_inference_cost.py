"""What an inference of a firmware costs is what the target counts; where it cannot be had, the reason is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from edgerig.boards.board import load_board
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.models.files import open_artifact
from edgerig.simulator.cycles import cycle_model
from edgerig.simulator.inference_cost import InferenceCost, inference_cost
from edgerig.targets.emulated.base import BoardTarget
from edgerig.targets.resolve import target_for
from edgerig.testing import networks
from edgerig.testing.contracts.target import random_inputs


def test_it_is_what_a_bench_on_the_simulated_board_counts(tmp_path: Path) -> None:
    artifact = open_artifact(networks.dense_tflite_int8(tmp_path / "net_int8.tflite", 64, 10))
    target = target_for("sim:stm32f746", {})
    assert isinstance(target, BoardTarget)
    firmware = target.build(artifact)
    with target.open(artifact, "micro", {}) as session:
        session.run([np.zeros_like(values) for values in random_inputs(artifact, 1)])
        counts, report = session.counts(), session.firmware()
    assert counts is not None
    assert report is not None
    cost = inference_cost(firmware, target.board)
    values = []
    for ours, theirs in ((cost.instructions, counts.instructions), (cost.cycles, counts.cycles)):
        assert isinstance(ours, Measurement)
        assert isinstance(theirs, Measurement)
        assert ours.kind == theirs.kind
        values.append((ours.value, theirs.value))
    assert values[0][0] == values[0][1]
    # Nobody is returned to, so the branch that returns is not among the cycles.
    core = cycle_model("cortex-m7")
    assert values[1][1] - values[1][0] in (
        core.cycles(core.parts.taken + core.parts.missed) + end for end in (-1, 0, 1)
    )
    assert cost.macs == report.macs == 640
    assert cost.allocators == report.allocators == ()
    unknown = inference_cost(firmware, None)
    assert isinstance(unknown.instructions, Unavailable)
    assert "--board" in unknown.instructions.reason
    emulated = inference_cost(firmware, load_board("mps2-an500"))
    assert isinstance(emulated.cycles, Unavailable)
    assert "edgerig bench" in emulated.cycles.reason
    assert msgspec.convert(msgspec.to_builtins(cost), InferenceCost) == cost


@pytest.mark.parametrize(("text", "rate"), [("10/s", 10.0), ("0.5", 0.5), ("30/min", 0.5), ("7200 per hour", 2.0)])
def test_rates_are_inferences_a_second(text: str, rate: float) -> None:
    from edgerig.cli.inference_view import Rate

    assert Rate().convert(text, None, None) == rate
