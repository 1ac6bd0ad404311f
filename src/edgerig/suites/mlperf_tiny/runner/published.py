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


PUBLISHED = (
    Published(
        benchmark="kws01",
        system="reference network, int8, 1,000 official samples",
        figure="top-1 90.2 %, AUC 0.995",
        source="MLCommons, MLPerf Tiny v1.4, reference implementation",
    ),
)


def published_table(benchmark: str) -> Table | None:
    """What was published for a benchmark; None if nothing is known here."""
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (entry.system, entry.figure, entry.source) for entry in PUBLISHED if entry.benchmark == benchmark
    )
    headings = (Heading("system"), Heading("result"), Heading("source"))
    return Table("Published results", headings, rows) if rows else None
