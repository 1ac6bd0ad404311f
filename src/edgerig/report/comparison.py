"""A comparison, or a gate, as one HTML page that loads nothing from outside."""

from __future__ import annotations

import math

import msgspec
from markupsafe import Markup

from edgerig.report.charts.intervals import Interval, intervals
from edgerig.report.privacy import anonymous
from edgerig.report.rendering.page import page_css, page_environment
from edgerig.results.compare.texts import amount_text, change_text, interval_text, margin_text
from edgerig.results.compare.types import WORSE, CellComparison, Comparison, MetricVerdict
from edgerig.results.gate.judge import Check, GateResult
from edgerig.results.gate.output import TITLES, sides_of

#: Colours of the chart's rows, numbers of the page's series.
_SAME, _WORSE, _BETTER, _UNDECIDED = 0, 1, 2, 5


class MetricRow(msgspec.Struct, frozen=True):
    """A metric as a row of the page's table."""

    name: str
    a: str
    b: str
    change: str
    interval: str
    margin: str
    metric: MetricVerdict

    @property
    def tone(self) -> str:
        """``bad``, ``good``, ``open`` or none of these, for the verdict's colour."""
        if self.metric.verdict in WORSE:
            return "bad"
        return {"faster": "good", "better": "good", "inconclusive": "open"}.get(self.metric.verdict, "")


class CellSection(msgspec.Struct, frozen=True):
    """Two cells side by side, with their drawing."""

    cells: CellComparison
    rows: tuple[MetricRow, ...]
    drawing: Markup | None


class CheckRow(msgspec.Struct, frozen=True):
    """A limit as a row of the page's table."""

    check: Check
    a: str
    b: str
    change: str


def render_comparison(result: Comparison) -> str:
    """The page of ``edgerig compare``. Names are escaped; a content policy forbids scripts and requests."""
    result = anonymous(result)
    context = {"result": result, "sections": [_section(cells) for cells in result.comparisons], "css": page_css()}
    return page_environment().get_template("comparison.html.j2").render(context)


def render_gate(result: GateResult) -> str:
    """The page of ``edgerig gate``: the outcome, its checks, and the comparison behind them."""
    result = anonymous(result)
    context = {
        "gate": result,
        "title": TITLES[result.outcome],
        "checks": [_check_row(check) for check in result.checks],
        "sections": [_section(cells) for cells in result.comparison.comparisons],
        "css": page_css(),
    }
    return page_environment().get_template("gate.html.j2").render(context)


def interval_of(name: str, metric: MetricVerdict) -> Interval | None:
    """A metric in margins, positive for worse; None for exact figures and where there is no interval.

    A ratio counts by its logarithm, so that twice and half lie equally far from no change.
    """
    if metric.value is None or metric.low is None or metric.high is None or not metric.count or not metric.margin:
        return None
    if metric.change == "difference":
        value, low, high = (change / metric.margin for change in (metric.value, metric.low, metric.high))
    elif min(metric.value, metric.low) <= 0:
        return None
    else:
        unit = math.log1p(metric.margin)
        value, low, high = (math.log(change) / unit for change in (metric.value, metric.low, metric.high))
    if metric.higher_is_better:
        value, low, high = -value, -high, -low
    series = {"same": _SAME, "inconclusive": _UNDECIDED, "faster": _BETTER, "better": _BETTER}
    shown = f"{change_text(metric, metric.value)} ({interval_text(metric)})"
    return Interval(name, value, low, high, shown, series.get(metric.verdict, _WORSE))


def _section(cells: CellComparison) -> CellSection:
    rows = tuple(_metric_row(name, metric) for name, metric in cells.metrics.items())
    drawn = [row for name, metric in cells.metrics.items() if (row := interval_of(name, metric)) is not None]
    return CellSection(cells, rows, intervals(drawn, f"Changes of {cells.b.label} against {cells.a.label} in margins"))


def _metric_row(name: str, metric: MetricVerdict) -> MetricRow:
    change = "-" if metric.value is None else change_text(metric, metric.value)
    sides = (amount_text(metric.a, metric.unit), amount_text(metric.b, metric.unit))
    return MetricRow(name, *sides, change, interval_text(metric), margin_text(metric), metric)


def _check_row(check: Check) -> CheckRow:
    verdict = check.verdict
    change = "-" if verdict is None or verdict.value is None else change_text(verdict, verdict.value)
    return CheckRow(check, *sides_of(check), change)
