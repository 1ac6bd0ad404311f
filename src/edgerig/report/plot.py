"""The plot of quality against latency, or of latency alone where there is no quality."""

from __future__ import annotations

from collections import Counter

import msgspec
from markupsafe import Markup

from edgerig.report.charts import Bar, Point, bars, scatter
from edgerig.report.model import Report, Variant


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """The plot of quality against latency, for wide and for narrow pages; without quality ``speed`` alone."""

    wide: Markup | None = None
    narrow: Markup | None = None
    speed: Markup | None = None
    legend: tuple[str, ...] = ()
    derived: bool = False
    higher_is_better: bool = True
    note: str = ""


def colours_of(report: Report) -> tuple[dict[str, int], tuple[str, ...]]:
    """Colour numbers by anchor, and their legend: the bundle where there are several, else the runtime."""
    if len(report.bundles) > 1:
        return {variant.anchor: variant.bundle % 6 for variant in report.variants}, tuple(
            b.name for b in report.bundles
        )
    runtimes = list(dict.fromkeys(variant.runtime for variant in report.variants))
    return {variant.anchor: runtimes.index(variant.runtime) % 6 for variant in report.variants}, tuple(runtimes)


def plot_of(report: Report, colours: dict[str, int], legend: tuple[str, ...]) -> Plot:
    """Draws the variants whose quality and latency share the most common metric and unit."""
    complete = [
        variant for variant in report.variants if variant.quality.value is not None and variant.steady.value is not None
    ]
    if not complete:
        return _speed_only(report, colours, legend)
    common = Counter((variant.metric, variant.quality.unit, variant.steady.unit) for variant in complete).most_common(
        1
    )[0][0]
    drawn = [variant for variant in complete if (variant.metric, variant.quality.unit, variant.steady.unit) == common]
    metric, y_unit, x_unit = common
    points = [_point(variant, report, colours[variant.anchor]) for variant in drawn]
    left = len(report.variants) - len(drawn)
    what = "1 variant is" if left == 1 else f"{left} variants are"
    return Plot(
        wide=scatter(points, width=640, height=430, x_unit=x_unit, y_unit=y_unit, y_title=metric, class_="wide"),
        narrow=scatter(points, width=400, height=380, x_unit=x_unit, y_unit=y_unit, y_title=metric, class_="narrow"),
        legend=legend,
        derived=any(point.kind != "measured" for point in points),
        higher_is_better=_higher_is_better(drawn[0]),
        note=f" {what} not drawn, for want of quality or latency in these units." if left else "",
    )


def _speed_only(report: Report, colours: dict[str, int], legend: tuple[str, ...]) -> Plot:
    """Without known quality: the latencies of the variants that share the most common unit, as bars."""
    note = "No variant has both quality and latency."
    timed = [variant for variant in report.variants if variant.steady.value is not None]
    if not timed:
        return Plot(note=note)
    unit = Counter(variant.steady.unit for variant in timed).most_common(1)[0][0]
    rows = [
        Bar(
            variant.short,
            variant.steady.value or 0.0,
            variant.steady.whole,
            f"{variant.label}\n{variant.steady.title}",
            colours[variant.anchor],
        )
        for variant in timed
        if variant.steady.unit == unit
    ]
    return Plot(speed=bars(rows, "Median latency of each variant", 560.0), legend=legend, note=note)


def _higher_is_better(variant: Variant) -> bool:
    """Whether more is better of the quality that is drawn; less is of errors."""
    return next((metric.higher_is_better for metric in variant.metrics if metric.name == variant.metric), True)


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
