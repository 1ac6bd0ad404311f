import itertools
import re
import xml.etree.ElementTree as ET

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerig.measure.firmware import ArenaBuffer
from edgerig.report.charts import Bar, Point, arena, bars, distribution, histogram, operators, scatter, time_series
from edgerig.report.charts.arena import in_use
from edgerig.report.charts.frame import Box
from edgerig.report.charts.scales import Linear, Log, nice_step, robust_bounds, tick_text
from edgerig.report.charts.scatter import place_labels
from edgerig.report.charts.svg import Drawing, element
from edgerig.report.figures import number, unavailable
from edgerig.report.model import Layer, Layers, OperatorTime
from edgerig.report.variant.timing import times_of

HOSTILE = '"><script>alert(1)</script>&'


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def point(label: str, x: float, y: float, **more: object) -> Point:
    fields = {"label": label, "link": f"v-{label}", "x": x, "y": y, "size": 1000, "series": 0, "tip": label}
    return Point(**(fields | more))  # type: ignore[arg-type]


def test_names_cannot_leave_their_place_in_a_drawing() -> None:
    drawing = Drawing(10, 10, HOSTILE)
    drawing.text(HOSTILE, 1, 2, data_tip=HOSTILE)
    tree = parsed(drawing.render())
    assert tree.get("aria-label") == HOSTILE
    assert tree[0].text == HOSTILE
    assert [one.tag for one in tree.iter()] == ["svg", "text"]


def test_coordinates_are_short() -> None:
    assert element("line", x1=1.23456, x2=2.0, class_="a", data_tip=None) == '<line x1="1.2" x2="2" class="a"/>'


@pytest.mark.parametrize(("rough", "step"), [(0.7, 1), (1.2, 2), (2.2, 2.5), (3.0, 5), (6.0, 10), (0.012, 0.02)])
def test_steps_are_nice(rough: float, step: float) -> None:
    assert nice_step(rough) == pytest.approx(step)


@given(st.floats(1e-7, 1e3), st.floats(1.001, 1e4))
def test_ticks_lie_inside_and_their_labels_differ(low: float, factor: float) -> None:
    for scale in (Linear(low, low * factor, 0, 100), Log(low, low * factor, 0, 100)):
        ticks = scale.ticks()
        assert all(scale.low - 1e-12 <= tick <= scale.high * (1 + 1e-9) for tick in ticks)
        labels = [tick_text(tick, scale, "s") for tick in ticks]
        assert len(set(labels)) == len(labels)


def test_a_domain_of_one_value_is_widened() -> None:
    for value in (0.0, 5.0, -3.0):
        assert 0 < Linear(value, value, 0, 100)(value) < 100
    assert 0 < Log(5.0, 5.0, 0, 100)(5.0) < 100


def test_the_scatter_links_every_variant_and_marks_the_chosen() -> None:
    points = [point("a", 1e-4, 0.98, chosen=True), point("b", 1e-2, 0.99, kind="emulated"), point(HOSTILE, 5e-4, 0.97)]
    tree = parsed(scatter(points, width=640, height=400, x_unit="s", y_unit="1", y_title="accuracy"))
    links = [one.get("href") for one in tree.iter("a")]
    assert sorted(filter(None, links)) == sorted(f"#{one.link}" for one in points)
    rings = [one for one in tree.iter("circle") if one.get("class") == "ring"]
    assert len(rings) == 1
    dashed = [one for one in tree.iter("circle") if "derived" in (one.get("class") or "")]
    assert len(dashed) == 1
    assert "median latency (logarithmic)" in "".join(tree.itertext())


@pytest.mark.parametrize("count", [1, 2, 30])
def test_equal_points_make_a_drawing_too(count: int) -> None:
    points = [point(f"p{n}", 1e-4, 1.0) for n in range(count)]
    tree = parsed(scatter(points, width=400, height=300, x_unit="s", y_unit="1", y_title="accuracy"))
    assert sum(1 for _ in tree.iter("a")) == count
    assert "nan" not in scatter(points, width=400, height=300, x_unit="s", y_unit="1", y_title="accuracy")


def test_bubbles_lie_inside_the_frame() -> None:
    rng = np.random.default_rng(0)
    points = [point(f"p{n}", float(10 ** rng.uniform(-5, -1)), float(rng.uniform(0.1, 1))) for n in range(30)]
    tree = parsed(scatter(points, width=640, height=400, x_unit="s", y_unit="1", y_title="accuracy"))
    for circle in tree.iter("circle"):
        assert 0 < float(circle.get("cx", "-1")) < 640
        assert 0 < float(circle.get("cy", "-1")) < 400


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(80, 600), st.floats(50, 340), st.floats(4, 20), st.integers(3, 40)), min_size=1, max_size=25
    )
)
def test_labels_never_cover_each_other_nor_a_bubble(items: list[tuple[float, float, float, int]]) -> None:
    box = Box(62, 34, 624, 354)
    places, radii = [(x, y) for x, y, _, _ in items], [r for _, _, r, _ in items]
    spots = [spot for spot in place_labels(["n" * n for *_, n in items], places, radii, box) if spot]
    for number_, a in enumerate(spots):
        for b in spots[number_ + 1 :]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        for (x, y), r in zip(places, radii, strict=True):
            assert a[2] <= x - r or x + r <= a[0] or a[3] <= y - r or y + r <= a[1]


def test_a_few_labels_all_find_room() -> None:
    points = [(100.0 + 12 * n, 150.0) for n in range(6)]
    assert None not in place_labels([f"variant {n}" for n in range(6)], points, [10.0] * 6, Box(62, 34, 624, 354))


@pytest.mark.parametrize("values", [[1000], [1000, 1000], [1000, 2000, 9_000_000], list(range(1, 3000))])
def test_latency_charts_of_any_samples(values: list[int]) -> None:
    times = times_of(np.array(values, np.int64), 2000)
    assert times
    steady, none = number(float(np.median(values)) * 1e-9, "s"), unavailable("too few")
    for svg in (
        histogram(times.histogram, steady, none, none),
        distribution(times.ecdf, steady, steady, none),
        time_series(times.series, steady),
    ):
        assert parsed(svg).get("aria-label")
        assert "nan" not in svg
        assert "inf" not in svg


def test_one_outlier_leaves_the_other_samples_apart() -> None:
    """A pause of 20 s among 60 samples of a millisecond: it is told, and sets no axis."""
    values = np.append(np.random.default_rng(0).normal(1e6, 1e4, 60), 20e9).astype(np.int64)
    times = times_of(values, 2000)
    assert times
    assert times.histogram.edges[-1] < 1.1e-3
    assert times.histogram.above == 1
    assert sum(1 for count in times.histogram.counts if count) >= 5
    steady, none = number(1e-3, "s"), unavailable("too few")
    curve = parsed(distribution(times.ecdf, steady, none, none))
    path = next(one for one in curve.iter("path") if one.get("class") == "curve").get("d", "")
    assert len({step.split()[0] for step in path[1:].split("L")}) > 30, "the curve must not be one vertical line"
    series = parsed(time_series(times.series, steady))
    assert "up to 20.0 s at the top edge" in "".join(series.itertext())
    dots = {one.get("class"): one.get("d", "").count("h0") for one in series.iter("path")}
    assert dots == {"dots": 60, "dots beyond": 1}


def test_dots_do_not_drift_along_their_path() -> None:
    """Each is drawn relative to the one before; their sums are the samples' own places, to a tenth of a point."""
    values = np.random.default_rng(1).normal(1e6, 1e4, 1500).astype(np.int64)
    times = times_of(values, 2000)
    assert times
    series = parsed(time_series(times.series, number(1e-3, "s")))
    path = next(each for each in series.iter("path") if each.get("class") == "dots").get("d", "")
    steps = np.array(
        [[float(part) for part in re.findall(r"-?\d*\.?\d+", step)] for step in re.split("[Mm]", path)[1:]]
    )
    assert np.all(steps[:, 2] == 0)
    x, y = np.cumsum(steps[:, 0]), np.cumsum(steps[:, 1])
    assert np.allclose(x, np.linspace(58, 390, len(times.series.positions))[: len(x)], atol=0.06)
    seconds = np.array(times.series.seconds)
    assert len(y) == len(seconds)
    slope, start = np.polyfit(seconds, y, 1)
    assert np.allclose(y, slope * seconds + start, atol=0.12)


@pytest.mark.parametrize(
    ("values", "bounds"),
    [
        ([3.0], (3.0, 3.0)),
        ([1.0, 1.0, 1.0], (1.0, 1.0)),
        ([1.0, 2.0, 3.0, 4.0, 1000.0], (1.0, 4.0)),
        ([-1000.0, 1.0, 2.0, 3.0, 4.0], (1.0, 4.0)),
        ([1.0, 5.0], (1.0, 5.0)),
        ([*[1.0] * 80, *[1.1] * 10, 2.0, 50.0], (1.0, 2.0)),
    ],
)
def test_robust_bounds_leave_outliers_out(values: list[float], bounds: tuple[float, float]) -> None:
    assert robust_bounds(values) == bounds


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_robust_bounds_hold_the_middle_half(values: list[float]) -> None:
    low, high = robust_bounds(values)
    assert min(values) <= low <= high <= max(values)
    assert low <= float(np.quantile(values, 0.25)) + 1e-6
    assert high >= float(np.quantile(values, 0.75)) - 1e-6


def test_a_variant_that_failed_stands_at_the_edge_with_its_value() -> None:
    points = [*(point(f"p{n}", 1e-4 * (n + 1), 0.97 + 0.002 * n) for n in range(6)), point("broken", 3e-4, 0.101)]
    tree = parsed(scatter(points, width=640, height=400, x_unit="s", y_unit="1", y_title="accuracy"))
    assert "broken ↓ 10.10 %" in "".join(tree.itertext())
    heights = sorted(float(one.get("cy", "nan")) for one in tree.iter("circle"))
    assert heights[-1] <= 354
    assert heights[-2] - heights[0] > 150, "the others must use the height of the chart"


def test_an_interval_of_a_point_that_others_intervals_reach_lies_within_the_frame() -> None:
    """Four qualities nearly alike with wide intervals, and one apart whose interval ends beyond theirs."""
    known = [(0.9940, 0.9907, 0.9962), (0.9942, 0.9908, 0.9963), (0.9941, 0.9908, 0.9963), (0.9968, 0.9941, 0.9982)]
    points = [
        msgspec.structs.replace(point(f"p{n}", 1e-4 * (n + 1), y), y_low=low, y_high=high)
        for n, (y, low, high) in enumerate(known)
    ]
    tree = parsed(scatter(points, width=640, height=400, x_unit="s", y_unit="1", y_title="auc"))
    whiskers = next(one for one in tree.iter("g") if one.get("class") == "whiskers")
    assert min(float(line.get("y2", "nan")) for line in whiskers) >= 34


def test_the_histogram_has_a_bar_for_each_bin_that_holds_samples() -> None:
    values = np.append(np.random.default_rng(0).normal(1e6, 1e4, 2000), 9e6).astype(np.int64)
    times = times_of(values, 2000)
    assert times
    svg = histogram(times.histogram, number(1e-3, "s"), unavailable(""), unavailable(""))
    assert sum(1 for _ in parsed(svg).iter("rect")) == sum(1 for count in times.histogram.counts if count)
    assert "1 above" in svg


def layer(index: int, seconds: float | None, op: str = "CONV_2D") -> Layer:
    time = unavailable("no") if seconds is None else number(seconds, "s")
    return Layer(index=index, name=HOSTILE, op=op, time=time, share=None if seconds is None else 0.5, shape="")


def test_operator_bars_are_proportional_to_time() -> None:
    svg = operators(Layers(rows=(layer(0, 1e-4), layer(1, 2e-4), layer(2, None)), total=number(3e-4, "s")))
    assert svg
    widths = [float(one.get("width", "0")) for one in parsed(svg).iter("rect")]
    assert len(widths) == 2
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.02)


def test_many_operators_are_drawn_by_type() -> None:
    rows = tuple(layer(n, 1e-5) for n in range(60))
    svg = operators(Layers(rows=rows, operators=(OperatorTime("CONV_2D", 60, 6e-4, 1.0),), total=number(6e-4, "s")))
    assert svg
    assert sum(1 for _ in parsed(svg).iter("rect")) == 1
    assert "CONV_2D × 60" in svg


def test_without_times_there_are_no_bars() -> None:
    assert operators(Layers(rows=(layer(0, None),))) is None


def test_bars_stay_inside_their_drawing_whatever_the_names() -> None:
    rows = [Bar(HOSTILE * 5, 1.0, "100 µs (emulated)", HOSTILE), Bar("b", 0.0, "0 ns", "b")]
    tree = parsed(bars(rows, "label"))
    for one in tree.iter("rect"):
        assert float(one.get("x", "")) + float(one.get("width", "")) < 420
    assert "…" in "".join(tree.itertext())
    for length in range(1, 20):
        name = "n" * length
        assert name in bars([Bar(name, 1.0, "1 µs", "tip")], "label"), "a short name stays whole"


ARENA = (ArenaBuffer("input", 0, 784, 0, 0), ArenaBuffer("conv", 784, 4000, 0, 2), ArenaBuffer(HOSTILE, 0, 640, 1, 3))


def test_a_plan_of_an_arena_has_a_rectangle_for_each_buffer() -> None:
    drawing = arena(ARENA)
    assert drawing is not None
    tree = parsed(drawing)
    rectangles = list(tree.iter("rect"))
    tips = [rectangle.get("data-tip", "") for rectangle in rectangles]
    assert [tip.startswith(buffer.name) for tip, buffer in zip(tips, ARENA, strict=True)] == [True] * 3
    assert "layers 0 to 2" in rectangles[1].get("data-tip", "")
    widths = [float(rectangle.get("width", 0)) for rectangle in rectangles]
    assert widths[1] == pytest.approx(3 * widths[0], abs=0.2)
    heights = [float(rectangle.get("height", 0)) for rectangle in rectangles]
    assert heights[1] / heights[0] == pytest.approx(4000 / 784, rel=0.02)
    assert arena(()) is None


def test_what_is_in_use_is_the_sum_of_a_layers_buffers() -> None:
    assert in_use(ARENA, 4) == [4784, 4640, 4640, 640]


def test_what_an_output_shares_with_its_input_is_in_use_once() -> None:
    assert in_use([ArenaBuffer("x", 100, 400, 0, 0), ArenaBuffer("y", 0, 300, 0, 1)], 2) == [500, 300]


@pytest.mark.parametrize(
    "names", [["a", "b"], [f"Ziffer {n}" for n in range(10)], ["W" * 14] * 12, ["x", "y" * 14] * 6]
)
def test_names_below_pairs_of_bars_do_not_run_into_one_another(names: list[str]) -> None:
    from edgerig.report.charts.two_samples import paired_bars

    drawing = paired_bars([0.1] * len(names), [0.1] * len(names), names, "shares", 420.0)
    placed = re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]+)<', drawing)
    assert [name for *_, name in placed] == names
    height = float(re.findall(r'viewBox="0 0 [\d.]+ ([\d.]+)"', drawing)[0])
    rows: dict[float, list[tuple[float, float]]] = {}
    for x, y, name in placed:
        half = 6.7 * len(name) / 2
        assert float(y) <= height
        assert float(x) - half >= 0
        assert float(x) + half <= 420
        rows.setdefault(float(y), []).append((float(x) - half, float(x) + half))
    for spans in rows.values():
        ordered = sorted(spans)
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(ordered))
