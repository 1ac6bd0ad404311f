"""Views of any task are rendered by the same page and the same Markdown, within the limits of a report."""

import base64
import math
import re
from typing import Any

import msgspec
import pytest
from tests.report.rendering.test_html import Page
from tests.test_views import EVERY

from edgerig.report.build import build
from edgerig.report.charts import curve, legend_of
from edgerig.report.limits import Budget, Limits
from edgerig.report.model import Report
from edgerig.report.rendering.html import render_html
from edgerig.report.rendering.markdown import render_markdown
from edgerig.report.views import cell_figure, checked_picture, curve_table, fit, page_table, text_table
from edgerig.views import Axis, Curve, Gallery, Heading, Item, Line, Matrix, Table, View

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(9)).decode()
HOSTILE = """</td><script>alert(1)</script>"'`{{7*7}}"""


@pytest.fixture
def with_views(make: Any) -> Any:
    """A report whose variant has the given views besides no others, as a task that edgerig does not know would make."""

    def report(*views: View) -> Report:
        whole = build([make.run(rows=make.DEMO[:1])])
        variant = msgspec.structs.replace(whole.variants[0], views=views)
        return msgspec.structs.replace(whole, variants=(variant,))

    return report


def test_every_kind_of_view_is_rendered_whoever_made_it(with_views: Any) -> None:
    report = with_views(*EVERY)
    page = Page(render_html(report))
    _, *rows = page.tables["t"]
    assert [row[1][0] for row in rows] == ["50.00 % 40.00–60.00 % emulated", "unavailable", "–"] or [
        row[1][0].split()[:2] for row in rows
    ] == [["50.00", "%"], ["unavailable"], ["–"]]
    assert [[text for text, _ in row] for row in page.tables["m · n"][1:]] == [["a", "1", "2"], ["b", "3", "4"]]
    assert ("path", "line s0") in [(tag, attributes.get("class")) for tag, attributes in page.tags]
    assert "no picture" in page.words, "what is no PNG is not shown"
    text = render_markdown(report)
    for title in "tmcg":
        assert f"**{title}**" in text
    assert "| dog | *unavailable: no box* |" in text
    assert "| true \\\\ predicted | a | b |" in text
    assert "| cat | 50.00 % | 25.00 % |" in text or "| cat | 50.0 % | 25.0 % |" in text
    assert "| cat | dog |" in text


@pytest.mark.parametrize("kind", [Table, Matrix, Curve, Gallery])
def test_texts_of_views_stay_text(with_views: Any, kind: type) -> None:
    hostile: dict[type, View] = {
        Table: Table(HOSTILE, (Heading(HOSTILE),), ((HOSTILE,),), HOSTILE),
        Matrix: Matrix(HOSTILE, (HOSTILE,), (HOSTILE,), ((1,),), HOSTILE, HOSTILE, HOSTILE, HOSTILE),
        Curve: Curve(HOSTILE, Axis(HOSTILE), Axis(HOSTILE), (Line(HOSTILE, (0, 1), (0, 1)),), HOSTILE),
        Gallery: Gallery(HOSTILE, (HOSTILE,), (Item((HOSTILE,), PNG),), 9, HOSTILE),
    }
    html = render_html(with_views(hostile[kind]))
    page = Page(html)
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert "alert(1)" in html
    assert "<script>" not in render_markdown(with_views(hostile[kind]))


def test_a_table_of_many_rows_keeps_the_most_telling_and_says_so() -> None:
    table = Table("t", (Heading("n"),), tuple((n,) for n in range(9)), order=(7, 3, 5), ordered_by="odd ones")
    shown = fit(table, Limits(classes=2), Budget(0))
    assert isinstance(shown, Table)
    assert shown.rows == ((7,), (3,))
    assert shown.note == "The 2 odd ones, out of 9; results.json has all."
    assert fit(table, Limits(classes=9), Budget(0)) == table


def test_a_gallery_stops_where_the_room_ends() -> None:
    gallery = Gallery("g", ("n",), tuple(Item((str(n),), PNG) for n in range(5)), total=70)
    shown = fit(gallery, Limits(mismatches=3), Budget(2 * len(PNG)))
    assert isinstance(shown, Gallery)
    assert [item.picture for item in shown.items] == [PNG, PNG, None]
    assert shown.note == "The first 3 are shown. 1 pictures are left out to keep the report small."


def test_a_curve_of_many_points_keeps_its_ends() -> None:
    line = Line("l", tuple(float(n) for n in range(1000)), tuple(float(n) for n in range(1000)))
    shown = fit(Curve("c", Axis("x"), Axis("y"), (line,)), Limits(points=10), Budget(0))
    assert isinstance(shown, Curve)
    assert len(shown.lines[0].x) == len(shown.lines[0].y) == 10
    assert (shown.lines[0].x[0], shown.lines[0].x[-1]) == (0.0, 999.0)


@pytest.mark.parametrize("picture", [None, "", "no base64!", base64.b64encode(b"<svg onload=alert(1)>").decode()])
def test_only_a_real_png_is_a_picture(picture: str | None) -> None:
    assert checked_picture(picture) is None
    assert checked_picture(PNG) == PNG


@pytest.mark.parametrize(
    ("cell", "unit", "text"),
    [
        (0.985, "1", "98.5 %"),
        (12_345, "", "12,345"),
        (0.00125, "s", "1.25 ms"),
        (math.nan, "s", "–"),
        (math.nan, "1", "–"),
        (math.inf, "", "–"),
        ("cat", "", "cat"),
        (2048, "B", "2.05 kB"),
    ],
)
def test_plain_numbers_are_shown_in_the_unit_of_their_column(cell: Any, unit: str, text: str) -> None:
    figure = cell_figure(cell, unit)
    assert figure is not None
    assert figure.text == text


def test_rows_that_are_too_short_have_empty_cells() -> None:
    table = page_table(Table("t", (Heading("a"), Heading("b")), (("x", 1), ("y",))))
    assert [line.cells[1] and line.cells[1].text for line in table.lines] == ["1", None]


def test_a_line_is_broken_where_it_is_not_finite_and_none_is_drawn_of_nothing() -> None:
    x, y = Axis("x"), Axis("y")
    drawing = curve(Curve("c", x, y, (Line("l", (0, 1, 2, 3), (0, 1, math.nan, 1)),)))
    assert drawing is not None
    assert len(re.findall(r"M[\d.]", re.search(r'd="([^"]*)" class="line', drawing)[1])) == 2  # type: ignore[index]
    assert curve(Curve("c", x, y, (Line("l", (math.nan,), (1.0,)),))) is None
    assert curve(Curve("c", x, y, ())) is None


def test_a_stepped_line_holds_its_value() -> None:
    drawing = curve(Curve("c", Axis("x"), Axis("y"), (Line("l", (0, 1, 2), (0, 1, 0), stepped=True),)))
    assert drawing is not None
    path = re.search(r'd="([^"]*)" class="line', drawing)
    assert path
    assert re.fullmatch(r"M[\d.]+ [\d.]+(H[\d.]+V[\d.]+){2}", path[1])


def test_a_logarithmic_axis_draws_what_is_positive() -> None:
    drawing = curve(Curve("c", Axis("x", log=True), Axis("y"), (Line("l", (0, 1, 100), (0, 1, 2)),)))
    assert drawing is not None
    assert "nan" not in drawing


def test_lines_of_one_group_have_one_colour_and_one_entry_in_the_legend() -> None:
    lines = tuple(Line(f"{name}, round {n}", (0, 1), (n, n + 1), group=name) for n in (1, 2) for name in "ab")
    view = Curve("c", Axis("x"), Axis("y"), lines)
    assert legend_of(view) == ["a", "b"]
    drawing = str(curve(view))
    assert (drawing.count('class="line s0"'), drawing.count('class="line s1"')) == (2, 2)
    assert 'data-tip="a, round 2"' in drawing


def test_a_point_between_two_gaps_is_drawn() -> None:
    drawing = curve(Curve("c", Axis("x"), Axis("y"), (Line("l", (0, 1, 2), (1.0, math.nan, 2.0)),)))
    assert len(re.findall(r"M[\d.]+ [\d.]+h4", str(drawing))) == 2


def test_no_line_lies_on_the_frame_but_at_a_natural_bound() -> None:
    """The frame ends at y = 28 and 206."""

    def ends(*values: float) -> list[float]:
        drawing = str(curve(Curve("c", Axis("x"), Axis("y", "B"), (Line("l", (0, 1), values),))))
        return [float(y) for _, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", drawing)]

    assert ends(0.0, 1.0) == [206, 28]
    low, high = ends(53e6, 55e6)
    assert 28 < high < low < 206


def test_a_curve_that_is_thinned_keeps_its_gaps() -> None:
    y = tuple(math.nan if 501 <= n <= 503 else 1.0 for n in range(1000))
    thin = fit(Curve("c", Axis("x"), Axis("y"), (Line("l", tuple(range(1000)), y),)), Limits(points=50), Budget(0))
    assert isinstance(thin, Curve)
    assert any(math.isnan(value) for value in thin.lines[0].y)
    assert len(thin.lines[0].y) <= 51


def test_what_is_written_of_a_curve_holds_its_ends() -> None:
    line = Line("l", tuple(float(n) for n in range(100)), tuple(float(n) for n in range(100)))
    rows = curve_table(Curve("c", Axis("x"), Axis("y"), (line,))).rows
    assert len(rows) == 11
    assert (rows[0][1], rows[-1][1]) == (0.0, 99.0)
    assert text_table(EVERY[0]) is EVERY[0]
