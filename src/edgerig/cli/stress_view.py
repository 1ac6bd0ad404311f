"""What a load showed, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from edgerig.measure.kinds import Measurement, Quantity
from edgerig.report.units import show
from edgerig.serve.stress.result import StressResult, Times

#: Characters of the longest bar.
BAR = 40


def lines_of(result: StressResult) -> Iterator[str]:
    """The figures, the latencies as bars, and what limits their truth."""
    how = "closed loop" if result.rate is None else f"{result.rate:g} requests/s, Poisson"
    each = ", a connection for each" if result.reconnect else ""
    yield f"{result.address}  {result.protocol}, {result.connections} connections, {how}{each}"
    yield f"requests    {result.total:,}: {result.good:,} good, {result.failed:,} failed"
    for kind, count in result.failures.items():
        yield f"            {count:,} x {kind}"
    yield f"time        {_text(result.seconds)}"
    yield f"throughput  {_text(result.throughput)}"
    yield f"server      {_text(result.server)} (mean, as it says)"
    yield from _times("latency", result.latency)
    if result.rate is not None:
        yield from _times("from send", result.service)
    yield from _times("connecting", result.connect)
    tool = result.tool
    yield (
        f"this tool   {tool.processes} process{'es' if tool.processes > 1 else ''}, busy {tool.cpu.value:.0%}; "
        f"late {show(tool.late.p99.value, 's')} (p99); all CPUs busy {_text(tool.machine)}"
    )
    yield ""
    yield from histogram_lines(result)


def histogram_lines(result: StressResult) -> Iterator[str]:
    """Each bar of the histogram as a line."""
    largest = max((count for _, count in result.histogram), default=0)
    for bound, count in result.histogram:
        bar = "█" * max(round(BAR * count / largest), 1 if count else 0)
        yield f"  up to {show(bound, 's'):>9}  {bar} {count:,}" if count else f"  up to {show(bound, 's'):>9}"


def _times(name: str, times: Times | None) -> Iterator[str]:
    if times is not None:
        figures = ", ".join(
            f"{label} {show(getattr(times, label).value, 's')}" for label in ("p50", "p95", "p99", "max", "mean")
        )
        yield f"{name:<11} {figures}"


def _text(quantity: Quantity) -> str:
    return show(quantity.value, quantity.unit) if isinstance(quantity, Measurement) else f"– ({quantity.reason})"
