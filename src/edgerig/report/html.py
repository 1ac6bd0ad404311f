"""The report as one HTML file that loads nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from markupsafe import Markup

from edgerig.report import contents
from edgerig.report.charts import Bar, Point, bars, curve, distribution, histogram, operators, scatter, time_series
from edgerig.report.model import Report, Variant
from edgerig.report.shared import SHARED_LEGEND
from edgerig.report.units import percent
from edgerig.report.views import page_table
from edgerig.text import harmless

_TEMPLATES = Path(__file__).parent / "templates"


class Shown(msgspec.Struct, frozen=True):
    """A variant with its drawings. ``series`` numbers its colour."""

    variant: Variant
    series: int
    histogram: Markup | None
    distribution: Markup | None
    series_chart: Markup | None
    operators: Markup | None


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """The plot of quality against latency, drawn for wide and for narrow pages; without quality, of ``speed`` alone."""

    wide: Markup | None = None
    narrow: Markup | None = None
    speed: Markup | None = None
    legend: tuple[str, ...] = ()
    derived: bool = False
    note: str = ""


def _shown_value(value: Any) -> Any:
    """What a template shows: texts without what a browser would obey instead of showing it, the rest as it is."""
    if isinstance(value, Markup):
        return Markup(harmless(value))
    return harmless(value) if isinstance(value, str) else value


def render_html(report: Report) -> str:
    """The whole page. Names and messages are escaped; a content policy forbids any other script and any request."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=_shown_value,
    )  # fmt: skip
    environment.filters["percent"] = percent
    environment.filters["together"] = _together
    environment.filters["without"] = _without
    environment.filters["kind"] = lambda view: type(view).__name__
    environment.filters["page_table"] = page_table
    environment.filters["drawn"] = curve
    environment.globals["zip"] = zip
    environment.globals["heat"] = _heat
    css, js = _part("report.css"), _part("report.js") + _part("tools.js")
    script_hash = "sha256-" + base64.b64encode(hashlib.sha256(js.encode()).digest()).decode()
    colours, legend = _colours(report)
    context: dict[str, Any] = {
        "report": report,
        "variants": [_shown(variant, colours[variant.anchor]) for variant in report.variants],
        "plot": _plot(report, colours, legend),
        "table": report.table.on("html"),
        "tables": contents,
        "boards": contents.boards_table(report),
        "shared_legend": SHARED_LEGEND,
        "css": Markup(css),
        "js": Markup(js),
        "script_hash": script_hash,
    }
    return environment.get_template("report.html.j2").render(context)


def _together(text: str) -> str:
    """Keeps numbers and their units on one line."""
    return re.sub(r"(?<=\d) (?=(?:[nµm]?s|[kMG]?B|%|points?|times)\b|%)", "\N{NO-BREAK SPACE}", text)


def _without(text: str, unit: str) -> str:
    """A figure without its unit, for a column whose heading says it."""
    return text.removesuffix(f" {unit}")


def _part(name: str) -> str:
    """A style sheet or script without indentation and without lines that are comments: the page is read by browsers."""
    text = (_TEMPLATES / name).read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))


def _colours(report: Report) -> tuple[dict[str, int], tuple[str, ...]]:
    """Colour numbers by anchor and what they stand for: the bundle where there are several, else the runtime."""
    if len(report.bundles) > 1:
        return {one.anchor: one.bundle % 6 for one in report.variants}, tuple(b.name for b in report.bundles)
    runtimes = list(dict.fromkeys(one.runtime for one in report.variants))
    return {one.anchor: runtimes.index(one.runtime) % 6 for one in report.variants}, tuple(runtimes)


def _shown(variant: Variant, series: int) -> Shown:
    times, marks = variant.times, (variant.steady, variant.p90, variant.p99)
    return Shown(
        variant,
        series,
        histogram(times.histogram, *marks) if times else None,
        distribution(times.ecdf, *marks) if times else None,
        time_series(times.series, variant.steady) if times else None,
        operators(variant.layers) if variant.layers.reason is None else None,
    )


def _plot(report: Report, colours: dict[str, int], legend: tuple[str, ...]) -> Plot:
    """Draws the variants whose quality and latency share the most common metric and unit."""
    complete = [one for one in report.variants if one.quality.value is not None and one.steady.value is not None]
    if not complete:
        return _speed_only(report, colours, legend)
    common = Counter((one.metric, one.quality.unit, one.steady.unit) for one in complete).most_common(1)[0][0]
    drawn = [one for one in complete if (one.metric, one.quality.unit, one.steady.unit) == common]
    metric, y_unit, x_unit = common
    points = [_point(one, report, colours[one.anchor]) for one in drawn]
    left = len(report.variants) - len(drawn)
    what = "1 variant is" if left == 1 else f"{left} variants are"
    return Plot(
        wide=scatter(points, width=640, height=430, x_unit=x_unit, y_unit=y_unit, y_title=metric, class_="wide"),
        narrow=scatter(points, width=400, height=380, x_unit=x_unit, y_unit=y_unit, y_title=metric, class_="narrow"),
        legend=legend,
        derived=any(point.kind != "measured" for point in points),
        note=f" {what} not drawn, for want of quality or latency in these units." if left else "",
    )


def _speed_only(report: Report, colours: dict[str, int], legend: tuple[str, ...]) -> Plot:
    """Where quality is not known: the latencies of the variants that share the most common unit, as bars."""
    note = "No variant has both quality and latency."
    timed = [one for one in report.variants if one.steady.value is not None]
    if not timed:
        return Plot(note=note)
    unit = Counter(one.steady.unit for one in timed).most_common(1)[0][0]
    rows = [
        Bar(
            one.short,
            one.steady.value or 0.0,
            one.steady.whole,
            f"{one.label}\n{one.steady.title}",
            colours[one.anchor],
        )
        for one in timed
        if one.steady.unit == unit
    ]
    return Plot(speed=bars(rows, "Median latency of each variant", 560.0), legend=legend, note=note)


def _point(variant: Variant, report: Report, series: int) -> Point:
    bundle = report.bundles[variant.bundle].name if len(report.bundles) > 1 else ""
    kind = variant.kind or "measured"
    latency = f"{variant.steady.whole}{' median' if kind == 'measured' else ': median'} latency"
    lines = (variant.label, bundle, f"{variant.quality.text} {variant.metric}", latency, variant.size.text)
    quality, steady = variant.quality, variant.steady
    return Point(
        label=variant.short,
        link=variant.anchor,
        x=steady.value or 0.0,
        y=quality.value or 0.0,
        size=int(variant.size.value or 0),
        series=series,
        tip="\n".join(line for line in lines if line),
        kind=kind,
        x_low=steady.low,
        x_high=steady.high,
        y_low=quality.low,
        y_high=quality.high,
        chosen=variant.anchor in report.recommendation.chosen,
        front=next((n for n, front in enumerate(report.recommendation.fronts) if variant.anchor in front), None),
    )


def _heat(count: int, total: int, hit: bool) -> str:
    """Opacity of a confusion cell. Misses go by the root of their share, or the few that matter would be unseen;
    neither gets so dark that the number on it could not be read."""
    share = count / total if total else 0.0
    return f"{0.5 * share:.2f}" if hit else f"{0.12 + 0.5 * math.sqrt(share):.2f}"
