"""The report as one HTML file that loads nothing from outside."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import msgspec
from markupsafe import Markup

from edgerig.report.charts import arena, distribution, histogram, operators, time_series
from edgerig.report.limits import WHOLE, Limits
from edgerig.report.model import Report, Variant
from edgerig.report.plot import Plot, colours_of, plot_of
from edgerig.report.quality.accuracies import SHARED_LEGEND
from edgerig.report.quality.metrics import QUALITY_LEGEND
from edgerig.report.rendering import contents
from edgerig.report.rendering.page import asset
from edgerig.report.rendering.view_page import view_environment
from edgerig.report.units import percent


class Shown(msgspec.Struct, frozen=True):
    """A variant with its drawings. ``series`` numbers its colour."""

    variant: Variant
    series: int
    histogram: Markup | None
    distribution: Markup | None
    series_chart: Markup | None
    operators: Markup | None
    arena: Markup | None


def render_html(report: Report, limits: Limits = WHOLE, left_out: str = "") -> str:
    """The whole page. Names and messages are escaped; a content policy forbids any other script and any request.

    Args:
        limits: What of its sections is shown. left_out: what the page says of those that are not.
    """
    environment = view_environment()
    environment.filters["percent"] = percent
    css, js = asset("report.css"), asset("report.js") + asset("tools.js") + asset("stacks.js")
    script_hash = "sha256-" + base64.b64encode(hashlib.sha256(js.encode()).digest()).decode()
    colours, legend = colours_of(report)
    context: dict[str, Any] = {
        "report": report,
        "variants": [_shown(variant, colours[variant.anchor], limits) for variant in report.variants],
        "plot": plot_of(report, colours, legend) if limits.others else Plot(note=left_out),
        "details": limits.details,
        "others": limits.others,
        "left_out": left_out,
        "table": report.table.on("html"),
        "tables": contents,
        "boards": contents.boards_table(report),
        "shared_legend": SHARED_LEGEND,
        "quality_legend": QUALITY_LEGEND,
        "css": Markup(css),
        "js": Markup(js),
        "script_hash": script_hash,
    }
    return environment.get_template("report.html.j2").render(context)


def _shown(variant: Variant, series: int, limits: Limits) -> Shown:
    if not limits.details:
        return Shown(variant, series, None, None, None, None, None)
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
