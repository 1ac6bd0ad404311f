"""What others published: every figure has its source, and belongs to a benchmark."""

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS
from edgerig.suites.mlperf_tiny.runner.published import PUBLISHED, published_table


def test_every_published_figure_names_its_benchmark_and_where_it_is_written() -> None:
    for entry in PUBLISHED:
        assert entry.benchmark in BENCHMARKS
        assert "MLPerf Tiny" in entry.source or "mlcommons" in entry.source
        assert entry.figure[-1].isalnum() or entry.figure.endswith("%")
        assert entry.system


def test_the_table_of_a_benchmark_has_its_own_figures_alone() -> None:
    table = published_table("kws01")
    assert table is not None
    assert {row[0] for row in table.rows} >= {"NUCLEO-L4R5ZI: Cortex-M4, 120 MHz, X-CUBE-AI 7.3.0"}
    assert ("59.667 inferences/s" in [row[1] for row in table.rows]) is True
    assert published_table("sww01") is None
