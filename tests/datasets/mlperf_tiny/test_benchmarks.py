"""What the five benchmarks take and give."""

from __future__ import annotations

import pytest

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS, benchmark_named
from edgerig.errors import UnknownNameError
from edgerig.suites.mlperf_tiny.grammar import LARGEST_SAMPLE


def test_bytes_of_one_inference() -> None:
    sizes = {name: benchmark.input_bytes for name, benchmark in BENCHMARKS.items()}
    assert sizes == {"kws01": 490, "vww01": 27_648, "ic01": 3_072, "ad01": 2_560, "sww01": 1_200}
    assert max(sizes.values()) == LARGEST_SAMPLE


def test_windows_are_of_one_input() -> None:
    anomaly = benchmark_named("ad01")
    assert anomaly.window_bytes == anomaly.input_bytes
    # The official files hold 25,600 values: 196 windows of 640 values, 128 apart.
    assert (102_400 - 2560) // 512 + 1 == 196


def test_classes_are_the_outputs() -> None:
    for benchmark in BENCHMARKS.values():
        assert len(benchmark.classes) in (0, benchmark.outputs)


def test_a_wrong_name_is_told_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"kws01"):
        benchmark_named("kws1")
