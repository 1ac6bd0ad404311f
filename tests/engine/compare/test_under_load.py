"""Two real runs under load, compared and gated: a device that takes longer for each request is told from itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgerig
from edgerig.engine.api import plan
from edgerig.engine.compare.gate import GateOptions, run_gate
from edgerig.progress import Progress
from edgerig.results.compare.stored import StoredOptions, compare_bundles
from edgerig.results.compare.types import MetricVerdict
from edgerig.results.types import RunResult
from edgerig.testing import networks
from edgerig.testing.faults import NAME as FAULTY

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return networks.dense_tflite(tmp_path_factory.mktemp("net") / "net.tflite", 4, 4)


def rig(net: Path, seconds: float, gate: dict[str, Any] | None = None, **measure: Any) -> dict[str, Any]:
    """A cell whose engine sleeps for ``seconds`` an inference."""
    return {
        "name": "t",
        "model": {"file": str(net)},
        "dataset": {"use": "random", "shape": [4], "samples": 4},
        "matrix": [{"runtimes": [{"use": FAULTY, "name": "sleeps", "seconds": seconds}]}],
        "measure": {
            "rounds": 4,
            "warmup": 1,
            "seconds": 0,
            "profile": False,
            "transport_samples": 0,
            "load_seconds": 0.2,
            **measure,
        },
        **({"gate": gate} if gate else {}),
    }


@pytest.fixture(scope="module")
def streams(net: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, RunResult, Path, Path]:
    """Two streams on an engine that sleeps 1 ms, and on one that sleeps 25 ms: no busy machine hides that."""
    folder = tmp_path_factory.mktemp("streams")
    runs = [
        edgerig.run(rig(net, seconds, scenario="streams", streams=2), out=folder / name)
        for name, seconds in (("a", 0.001), ("b", 0.025))
    ]
    return runs[0], runs[1], folder / "a", folder / "b"


def metrics(a: Path, b: Path) -> dict[str, MetricVerdict]:
    (comparison,) = compare_bundles(a, b, StoredOptions()).comparisons
    return comparison.metrics


def throughputs(run: RunResult) -> list[float]:
    load = run.cells[0].under_load
    assert load
    return [entry.throughput for entry in load.rounds]


def test_the_verdicts_are_of_the_rounds_that_were_measured(
    streams: tuple[RunResult, RunResult, Path, Path],
) -> None:
    fast, slow, a, b = streams
    verdicts = metrics(a, b)
    throughput = verdicts["throughput"]
    first, second = (np.log(throughputs(run)).mean() for run in (fast, slow))
    assert throughput.value == pytest.approx(np.exp(second - first))
    assert (throughput.verdict, throughput.count) == ("worse", 4)
    assert verdicts["p50_under_load"].verdict == "slower"
    assert metrics(b, a)["throughput"].verdict == "better"


def test_a_gate_on_throughput_fails_by_its_limit(
    net: Path, streams: tuple[RunResult, RunResult, Path, Path], tmp_path: Path
) -> None:
    gate = {"throughput": ["50 %", "> 1 /s"], "p50_under_load": "50 %", "rate": "5 %"}
    given = plan(rig(net, 0.025, gate, scenario="streams", streams=2))
    result = run_gate(given, streams[2], GateOptions(out=tmp_path / "gate"), Progress())
    outcomes = {(check.metric, check.limit): check.outcome for check in result.checks}
    assert outcomes == {
        ("throughput", "50 %"): "regressed",
        ("throughput", "> 1 /s"): "passed",
        ("p50_under_load", "50 %"): "regressed",
    }
    assert result.outcome == "regressed"
    assert result.comparison.comparisons[0].pairs == 0, "pairs say nothing of a load"
    assert "rate 5 % was checked on no cell: there is none (it was not measured)." in result.notes


def test_a_searched_rate_is_compared_with_the_steps_of_its_search(net: Path, tmp_path: Path) -> None:
    measure = {"scenario": "server", "latency_bound": "400 ms", "percentile": 50, "rounds": 2, "load_seconds": 0.1}
    result = edgerig.run(rig(net, 0.004, **measure), out=tmp_path)
    load = result.cells[0].under_load
    assert load
    rate = metrics(tmp_path, tmp_path)["rate"]
    held = [entry.rate or 0.0 for entry in load.rounds]
    failed = [min(trial.rate for trial in entry.trials if not trial.holds) for entry in load.rounds]
    assert (rate.value, rate.count) == (1.0, 2)
    assert rate.a == pytest.approx(np.exp(np.log(held).mean()))
    step = float(np.exp(np.log(failed).mean() - np.log(held).mean()))
    assert rate.low is not None
    assert rate.high is not None
    assert rate.high >= step > 1, "the interval holds at least what the searches leave open"
    assert rate.low * rate.high == pytest.approx(1.0)
