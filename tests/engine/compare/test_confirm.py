"""A gate's limits on a load and on batches, confirmed in pairs: what is slower stays so, and what was not is not.

The engine sleeps in proportion to a network's outputs, which a busy machine does not hide: the first look decides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgerig
from edgerig.engine.api import plan
from edgerig.engine.compare.gate import GateOptions, run_gate
from edgerig.engine.compare.load_rounds import LOAD_LOOKS
from edgerig.progress import Progress
from edgerig.results.gate.judge import GateResult
from edgerig.testing import networks

pytestmark = pytest.mark.slow

ENGINE = """\
import time

from edgerig.runtimes.litert import LiteRt


class Paced(LiteRt):
    name = "paced"

    def _calls(self):
        set_inputs, invoke, get_outputs = super()._calls()
        seconds = 0.25e-3 * self.outputs[0].shape[-1]

        def paced():
            time.sleep(seconds)
            invoke()

        return set_inputs, paced, get_outputs
"""
LOADS = {
    "streams": {"scenario": "streams", "streams": 2, "load_seconds": 0.2},
    "offline": {"scenario": "offline", "batch": 4},
}


def rig(net: Path, gate: dict[str, Any] | None = None, **measure: Any) -> dict[str, Any]:
    return {
        "name": "t",
        "model": {"file": str(net)},
        "dataset": {"use": "random", "shape": [512], "samples": 16},
        "matrix": [{"runtimes": [{"use": "paced_engine:Paced", "name": "paced"}]}],
        "measure": {
            "rounds": 2, "warmup": 1, "seconds": 0, "profile": False, "transport_samples": 0, **measure,
        },
        **({"gate": gate} if gate else {}),
    }  # fmt: skip


def gated(net: Path, baseline: Path, out: Path, scenario: str, limit: str) -> GateResult:
    given = plan(rig(net, {"throughput": limit}, **LOADS[scenario]))
    return run_gate(given, baseline, GateOptions(out=out, retry=True), Progress())


def as_if_far_faster(bundle: Path) -> None:
    """The stored rounds of a machine that did twenty times as much then as it does now."""
    path = bundle / "results.json"
    document = json.loads(path.read_text())
    (cell,) = document["cells"]
    if "under_load" in cell:
        for entry in cell["under_load"]["rounds"]:
            entry["throughput"] *= 20
    else:
        cell["offline"]["round_seconds"] = [each / 20 for each in cell["offline"]["round_seconds"]]
    path.write_text(json.dumps(document))


@pytest.fixture(scope="module", autouse=True)
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("engine")
    (folder / "paced_engine.py").write_text(ENGINE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.dense_tflite(tmp_path_factory.mktemp("net") / "small.tflite", 512, 4)


@pytest.mark.parametrize("scenario", LOADS)
def test_what_is_the_same_in_pairs_passes_whatever_the_machine_did_then(
    small: Path, scenario: str, tmp_path: Path
) -> None:
    edgerig.run(rig(small, **LOADS[scenario]), out=tmp_path / "base")
    as_if_far_faster(tmp_path / "base")
    result = gated(small, tmp_path / "base", tmp_path / "now", scenario, "70 %")
    (check,) = result.checks
    assert check.outcome == "passed", check.sentence
    (comparison,) = result.comparison.comparisons
    assert comparison.pairs >= 4
    (note,) = (each for each in comparison.notes if "throughput decided in pairs; by stored rounds: " in each)
    assert "The throughput" in note
    if scenario == "streams":
        with np.load(tmp_path / "now" / "load-pairs-small-paced-local.npz") as arrays:
            assert {f"{side}{number}_done_ns" for side in "ab" for number in range(1, 5)} <= set(arrays)


def test_a_network_that_is_slower_under_load_is_so_in_pairs(small: Path, tmp_path: Path) -> None:
    large = networks.dense_tflite(tmp_path / "large.tflite", 512, 40)
    edgerig.run(rig(small, **LOADS["streams"]), out=tmp_path / "base")
    (check,) = gated(large, tmp_path / "base", tmp_path / "now", "streams", "20 %").checks
    assert (check.outcome, check.metric) == ("regressed", "throughput")
    assert check.verdict is not None
    assert check.verdict.count in LOAD_LOOKS
    assert "took turns" in check.verdict.method
