"""Results that others published for the benchmarks, each with its source; none is here without one."""

from __future__ import annotations

import msgspec

from edgerig.views import Cell, Heading, Table


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A published result.

    Attributes:
        benchmark: Its id.
        system: The device and its software, or the network, as the source names it.
        figure: With its unit.
        source: Where it is written.
    """

    benchmark: str
    system: str
    figure: str
    source: str


PUBLISHED: tuple[Published, ...] = (
    Published(
        benchmark="kws01",
        system="reference network, int8, 1,000 official samples",
        figure="top-1 90.2 %, AUC 0.995",
        source="MLCommons, MLPerf Tiny v1.4, reference implementation",
    ),
)

#: Boards of one maker with one network compiler, near those that edgerig simulates: where in the folder of the results
#: they are, what they are by their own description, and the median throughput of each benchmark in 1/s.
_BOARDS = (
    (
        "NUCLEO-H7A3ZI-Q",
        "NUCLEO-H7A3ZI-Q: Cortex-M7, 280 MHz, X-CUBE-AI 7.3.0",
        {"kws01": 59.667, "vww01": 19.722, "ic01": 18.401, "ad01": 547.705},
    ),
    (
        "NUCLEO_L4R5ZI",
        "NUCLEO-L4R5ZI: Cortex-M4, 120 MHz, X-CUBE-AI 7.3.0",
        {"kws01": 13.323, "vww01": 4.339, "ic01": 4.407, "ad01": 131.950},
    ),
)
PUBLISHED += tuple(
    Published(
        benchmark=benchmark,
        system=system,
        figure=f"{throughput:.3f} inferences/s",
        source=f"MLCommons, github.com/mlcommons/tiny_results_v1.0, closed/STMicroelectronics/results/{folder}",
    )
    for folder, system, throughputs in _BOARDS
    for benchmark, throughput in throughputs.items()
)


def published_table(benchmark: str) -> Table | None:
    """What was published for a benchmark; None if nothing is known here."""
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (entry.system, entry.figure, entry.source) for entry in PUBLISHED if entry.benchmark == benchmark
    )
    headings = (Heading("system"), Heading("result"), Heading("source"))
    return Table("Published results", headings, rows) if rows else None
