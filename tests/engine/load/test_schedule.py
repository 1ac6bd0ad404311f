"""Arrivals are a Poisson process, and percentiles those of MLPerf's load generator."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.engine.load.schedule import fewest_for, percentile_of, poisson_arrivals, rank_of

#: A run of MLPerf's load generator in the scenario Server; in a process of its own, since it keeps global state.
ORACLE = """
import sys, time
import mlperf_loadgen as lg
settings, output, logs = lg.TestSettings(), lg.LogOutputSettings(), lg.LogSettings()
settings.scenario, settings.mode = lg.TestScenario.Server, lg.TestMode.PerformanceOnly
settings.min_query_count = settings.max_query_count = 1000
settings.min_duration_ms, settings.server_target_qps = 0, 2000
output.outdir, logs.log_output, logs.enable_trace = sys.argv[1], output, True
def answer(queries):
    for query in queries:
        time.sleep(1e-5 * (query.id % 7))
        lg.QuerySamplesComplete([lg.QuerySampleResponse(query.id, 0, 0)])
sut = lg.ConstructSUT(answer, lambda: None)
samples = lg.ConstructQSL(100, 100, lambda _: None, lambda _: None)
lg.StartTestWithLogSettings(sut, samples, settings, logs)
"""
_SAMPLE = re.compile(r'"name":"Sample","cat":"default","ph":"b",.*?"ts":([\d.]+),.*?"complete_ns":(\d+)')
_PERCENTILE = re.compile(r"(\d+\.\d+) percentile latency \(ns\)\s*: (\d+)")


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, str]:
    """When MLPerf's requests were due and what they took, in ns, and what it says about them."""
    pytest.importorskip("mlperf_loadgen")
    folder = tmp_path_factory.mktemp("loadgen")
    subprocess.run([sys.executable, "-c", ORACLE, str(folder)], check=True, timeout=120)
    rows = _SAMPLE.findall((folder / "mlperf_log_trace.json").read_text())
    due = np.sort(np.array([float(microseconds) * 1e3 for microseconds, _ in rows]))
    return due, np.array([int(took) for _, took in rows]), (folder / "mlperf_log_summary.txt").read_text()


def distance_from_exponential(gaps: NDArray[Any], mean: float) -> float:
    """The largest difference between the distribution of ``gaps`` and the exponential one (Kolmogorov-Smirnov)."""
    expected = 1 - np.exp(-np.sort(gaps) / mean)
    ranks = np.arange(1, len(gaps) + 1) / len(gaps)
    return float(max(np.abs(ranks - expected).max(), np.abs(ranks - 1 / len(gaps) - expected).max()))


def test_percentiles_are_those_of_the_load_generator(oracle: tuple[Any, Any, str]) -> None:
    _, latencies, summary = oracle
    told = {float(percent): int(value) for percent, value in _PERCENTILE.findall(summary)}
    assert {50.0, 90.0, 99.0} <= told.keys()
    assert {percent: percentile_of(latencies, percent) for percent in told} == told


def test_arrivals_are_spread_as_those_of_the_load_generator(oracle: tuple[Any, Any, str]) -> None:
    due, _, _ = oracle
    ours = poisson_arrivals(2000.0, len(due), (0,))
    # Of two samples of n gaps the distance exceeds 1.95 * sqrt(2 / n) in one case of a thousand; seeds are fixed.
    values = np.sort(np.concatenate([np.diff(due), np.diff(ours)]))
    shares = [np.searchsorted(np.sort(np.diff(x)), values, "right") / (len(due) - 1) for x in (due, ours)]
    assert np.abs(shares[0] - shares[1]).max() < 1.95 * math.sqrt(2 / (len(due) - 1))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_gaps_are_exponential_and_independent(seed: int) -> None:
    arrivals = poisson_arrivals(100.0, 20_000, (seed,))
    gaps = np.diff(arrivals, prepend=0)
    assert gaps.mean() == pytest.approx(1e7, rel=0.03)
    assert distance_from_exponential(gaps, 1e7) < 1.95 / math.sqrt(len(gaps))
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) < 0.03
    # Counts in windows of 100 ms: mean 10, and a variance of the same size.
    counts = np.bincount(arrivals // 10**8)[:-1]
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.1)


def test_equal_seeds_give_equal_arrivals_and_other_rates_the_same_on_another_scale() -> None:
    slow, fast = poisson_arrivals(10.0, 500, (3, 1)), poisson_arrivals(20.0, 500, (3, 1))
    np.testing.assert_array_equal(slow, poisson_arrivals(10.0, 500, (3, 1)))
    np.testing.assert_allclose(slow, fast * 2, atol=2)
    assert (slow != poisson_arrivals(10.0, 500, (3, 2))).any(), "each round has arrivals of its own"
    assert (np.diff(slow) >= 0).all()


@pytest.mark.parametrize(
    ("percent", "count", "rank"),
    [(50, 4, 3), (99, 100, 100), (99, 500, 496), (29, 100, 30), (99.9, 1000, 1000), (99, 1, 1), (50, 5, 3)],
)
def test_ranks(percent: float, count: int, rank: int) -> None:
    assert rank_of(percent, count) == rank
    assert percentile_of(np.arange(1, count + 1)[::-1], percent) == rank


def test_a_percentile_needs_five_values_beyond_it() -> None:
    assert [fewest_for(percent) for percent in (50, 90, 99, 99.9)] == [10, 50, 500, 5000]
