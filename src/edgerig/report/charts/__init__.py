"""Charts as SVG text, coloured by the page's CSS variables, so that one drawing serves every theme."""

from edgerig.report.charts.arena import arena
from edgerig.report.charts.bars import Bar, bars
from edgerig.report.charts.curve import curve, legend_of
from edgerig.report.charts.latency import distribution, histogram, time_series
from edgerig.report.charts.operators import operators
from edgerig.report.charts.scatter import Point, scatter

__all__ = [
    "Bar",
    "Point",
    "arena",
    "bars",
    "curve",
    "distribution",
    "histogram",
    "legend_of",
    "operators",
    "scatter",
    "time_series",
]
