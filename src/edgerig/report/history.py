"""The history of many runs as one HTML page that loads nothing from outside: a chart for each series."""

from __future__ import annotations

from functools import partial

import msgspec
from markupsafe import Markup

from edgerig.measure.changes import change_points, levels
from edgerig.report.charts import curve
from edgerig.report.rendering.csv import csv_table
from edgerig.report.rendering.page import page_css, page_environment
from edgerig.report.tables import Column, make_table
from edgerig.report.units import show
from edgerig.report.values import Figure
from edgerig.results.history.store import Point, Series
from edgerig.text import counted
from edgerig.views import Axis, Curve, Line

#: Smallest change of level that is marked, as a share of the level before.
LEAST = 0.01


class Change(msgspec.Struct, frozen=True):
    """A new level: the first run that has it, and the two levels in words."""

    point: Point
    before: str
    after: str
    share: float


class Chart(msgspec.Struct, frozen=True):
    """One series as it is drawn."""

    series: Series
    drawing: Markup | None
    changes: tuple[Change, ...]
    latest: str
    runs: str


def changes_of(series: Series) -> tuple[Change, ...]:
    """Where the level of a series changes by more than `LEAST`."""
    values = [point.value for point in series.points]
    size = max(map(abs, values), default=0.0)
    indices = change_points(values, LEAST * size)
    level = levels(values, indices)
    return tuple(
        Change(
            series.points[index],
            show(level[index - 1], series.unit),
            show(level[index], series.unit),
            level[index] / level[index - 1] - 1 if level[index - 1] else 0.0,
        )
        for index in indices
    )


def chart_of(series: Series) -> Chart:
    """The values of a series in the order of time, and the levels between its changes."""
    values = [point.value for point in series.points]
    changes = changes_of(series)
    where = [series.points.index(change.point) for change in changes]
    numbers = tuple(float(number) for number in range(1, len(values) + 1))
    lines = (
        Line(series.metric, numbers, tuple(values)),
        Line("level", numbers, tuple(levels(values, where)), stepped=True),
    )
    drawing = curve(Curve(series.metric, Axis("run", whole=True), Axis(series.metric, series.unit), lines))
    return Chart(series, drawing, changes, show(values[-1], series.unit), counted(len(values), "run"))


def history_csv(series: list[Series]) -> str:
    """Every point of every series as a row of CSV, in SI units, with the kind of number and its bounds."""
    columns: tuple[Column[tuple[Series, Point]], ...] = (
        *(Column(name, partial(_word, name)) for name in ("rig", "cell", "device", "metric", "unit", "kind")),
        Column("created", lambda row: Figure(text=row[1].created)),
        Column("commit", lambda row: Figure(text=row[1].commit)),
        Column("value", lambda row: Figure(text="", value=row[1].value)),
        Column("low", lambda row: None if row[1].low is None else Figure(text="", value=row[1].low)),
        Column("high", lambda row: None if row[1].high is None else Figure(text="", value=row[1].high)),
        Column("bundle", lambda row: Figure(text=row[1].bundle)),
    )
    rows = [(each, point) for each in series for point in each.points]
    return csv_table(make_table(columns, rows, name="history", title="History"))


def _word(name: str, row: tuple[Series, Point]) -> Figure:
    return Figure(text=getattr(row[0], name))


def render_history(series: list[Series]) -> str:
    """The page. Names are escaped; a content policy forbids scripts and requests."""
    rigs: dict[str, list[Chart]] = {}
    for each in series:
        rigs.setdefault(each.rig, []).append(chart_of(each))
    context = {"rigs": rigs, "css": page_css()}
    return page_environment().get_template("history.html.j2").render(context)
