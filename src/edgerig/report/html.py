"""The report as one HTML file that loads nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from typing import Any

import msgspec
from markupsafe import Markup

from edgerig.report import contents
from edgerig.report.charts import arena, curve, distribution, histogram, legend_of, operators, time_series
from edgerig.report.model import Report, Variant
from edgerig.report.page import asset, page_environment
from edgerig.report.plot import colours_of, plot_of
from edgerig.report.shared import SHARED_LEGEND
from edgerig.report.units import percent
from edgerig.report.views import page_table


class Shown(msgspec.Struct, frozen=True):
    """A variant with its drawings. ``series`` numbers its colour."""

    variant: Variant
    series: int
    histogram: Markup | None
    distribution: Markup | None
    series_chart: Markup | None
    operators: Markup | None
    arena: Markup | None


def render_html(report: Report) -> str:
    """The whole page. Names and messages are escaped; a content policy forbids any other script and any request."""
    environment = page_environment()
    environment.filters["percent"] = percent
    environment.filters["unbroken"] = _unbroken
    environment.filters["without"] = _without
    environment.filters["kind"] = lambda view: type(view).__name__
    environment.filters["page_table"] = page_table
    environment.filters["drawn"] = curve
    environment.filters["legend"] = legend_of
    environment.globals["zip"] = zip
    environment.globals["heat"] = _heat
    css, js = asset("report.css"), asset("report.js") + asset("tools.js")
    script_hash = "sha256-" + base64.b64encode(hashlib.sha256(js.encode()).digest()).decode()
    colours, legend = colours_of(report)
    context: dict[str, Any] = {
        "report": report,
        "variants": [_shown(variant, colours[variant.anchor]) for variant in report.variants],
        "plot": plot_of(report, colours, legend),
        "table": report.table.on("html"),
        "tables": contents,
        "boards": contents.boards_table(report),
        "shared_legend": SHARED_LEGEND,
        "css": Markup(css),
        "js": Markup(js),
        "script_hash": script_hash,
    }
    return environment.get_template("report.html.j2").render(context)


def _unbroken(text: str) -> str:
    """Keeps a number and its unit on one line."""
    return re.sub(r"(?<=\d) (?=(?:[nµm]?s|[kMG]?B|%|points?|times)\b|%)", "\N{NO-BREAK SPACE}", text)


def _without(text: str, unit: str) -> str:
    """A figure without its unit, for a column whose heading has it."""
    return text.removesuffix(f" {unit}")


def _shown(variant: Variant, series: int) -> Shown:
    times, marks = variant.times, (variant.steady, variant.p90, variant.p99)
    return Shown(
        variant,
        series,
        histogram(times.histogram, *marks) if times else None,
        distribution(times.ecdf, *marks) if times else None,
        time_series(times.series, variant.steady) if times else None,
        operators(variant.layers) if variant.layers.reason is None else None,
        arena(variant.firmware.arena) if variant.firmware else None,
    )


def _heat(count: int, total: int, hit: bool) -> str:
    """Opacity of a confusion cell. For misses it is the root of their share, or the few that matter would be invisible;
    hits and misses are limited so that the number on the cell stays readable."""
    share = count / total if total else 0.0
    return f"{0.5 * share:.2f}" if hit else f"{0.12 + 0.5 * math.sqrt(share):.2f}"
