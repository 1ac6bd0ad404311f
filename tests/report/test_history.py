import re

import pytest
from tests.report.conftest import seen

from edgerig.report.history import changes_of, render_history
from edgerig.results.history.store import Point, Series


def series(values: list[float], **changes: str) -> Series:
    points = tuple(
        Point(bundle=f"/runs/{i}", created=f"2026-01-{i + 1:02}", commit=f"{i:040x}", value=value, low=None, high=None)
        for i, value in enumerate(values)
    )
    names = {"rig": "mnist", "cell": "int8", "device": "local", "metric": "latency", "unit": "s", "kind": "measured"}
    return Series(**(names | changes), points=points)


SLOWER = [1e-3, 1.01e-3, 0.99e-3, 1e-3, 1.01e-3, 1e-3, 1.2e-3, 1.21e-3, 1.19e-3, 1.2e-3, 1.21e-3, 1.2e-3]


def test_a_change_names_the_run_that_has_it_and_both_levels() -> None:
    (change,) = changes_of(series(SLOWER))
    assert change.point.bundle == "/runs/6"
    assert change.share == pytest.approx(0.2, abs=0.01)
    assert "ms" in change.before
    assert changes_of(series([0.0] * 12)) == ()


def test_the_page_shows_each_series_and_its_changes_and_loads_nothing() -> None:
    page = render_history([series(SLOWER), series([1.0], metric="size", unit="B"), series([1.0, 2.0], rig="other")])
    text = seen(page)
    assert "+20.0 %" in text
    assert "2026-01-07" in text
    assert "other" in text
    assert page.count("<svg") == 2
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_runs_are_counted_in_whole_numbers() -> None:
    """Between two runs there is none: an axis from 1 to 2 has no 1.25."""
    for count in (2, 9):
        page = render_history([series([1.0 + i for i in range(count)], metric="size", unit="B")])
        labels = re.findall(r">([\d.,]+)</text>", page)
        assert len(labels) >= 2
        assert not any("." in label for label in labels), labels
    assert "1 run, now" in seen(render_history([series([1e-3])]))


def test_names_are_text_and_no_markup() -> None:
    page = render_history([series(SLOWER, cell="<b>x</b>", device="\x1b[31m")])
    assert "<b>x</b>" not in page
    assert "\x1b" not in page
    assert "No run is in the history yet" in seen(render_history([]))
