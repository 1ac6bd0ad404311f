"""Kinds of numbers: which may be ranked against which, and that no modelled one is shown without its error."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerig.measure.kinds import Kind, Measurement, ModelBand, Unavailable, microseconds
from edgerig.report.build import build
from edgerig.report.figures import figure
from edgerig.report.recommend.candidates import Candidate, choose, pareto
from edgerig.report.recommend.rule import recommend
from edgerig.report.rendering.html import render_html
from edgerig.report.rendering.json import render_json
from edgerig.report.rendering.markdown import render_markdown

KINDS: tuple[Kind, ...] = get_args(Kind)
MADE = ("modelled", "estimated")


def candidate(key: str, latency: float, kind: Kind, band: tuple[float, float] | None = None, **more: Any) -> Candidate:
    """98 % at ``latency`` seconds; ``band`` in shares of it."""
    low, high = band or (1.0, 1.0)
    bounds: dict[str, Any] = {"latency_low": latency * low, "latency_high": latency * high} if band else {}
    fields: dict[str, Any] = {"size": 1000, "quality": 0.98, "samples": 2000, "label": key} | bounds | more
    return Candidate(key=key, latency=latency, kind=kind, **fields)


@pytest.mark.parametrize(("one", "other"), list(itertools.product(KINDS, KINDS)))
def test_latencies_of_unlike_kinds_are_never_ranked(one: Kind, other: Kind) -> None:
    """Even if both claim to be of one group: the same data, device and unit."""
    band = (0.99, 1.01)
    made = recommend([candidate("slow", 1.0, one, band), candidate("quick", 0.001, other, band)])
    text = " ".join((*made.sentences, *made.reasons))
    if one == other:
        assert made.chosen == ("quick",)
        assert made.fronts == (("quick",),)
    else:
        assert made.chosen == ()
        assert not re.search(r"fast|slow(er|est)|times as", text.replace("slow was", "").replace("only slow", ""))
        assert sorted(made.fronts) == [("quick",), ("slow",)]
        assert "are not compared with each other" in text


@pytest.mark.parametrize("kind", MADE)
@given(
    st.lists(
        st.tuples(st.floats(1e-4, 1e-1), st.integers(1, 5), st.sampled_from([0.9, 0.95, 0.98])), min_size=2, max_size=8
    ),
    st.floats(0.3, 1.0),
    st.floats(1.0, 3.0),
)
@settings(max_examples=60, deadline=None)
def test_a_model_orders_only_what_its_error_cannot_turn_round(
    kind: Kind, rows: list[tuple[float, int, float]], low: float, high: float
) -> None:
    """Who is left off a front is beaten wherever the truth lies within the bands, and nobody is chosen as the fastest
    who is known to be slower."""
    made = [candidate(str(i), t, kind, (low, high), size=s, quality=q) for i, (t, s, q) in enumerate(rows)]
    front = {one.key for one in pareto(made)}
    for one in made:
        beaten = any(
            other.merit >= one.merit
            and other.size <= one.size
            and (
                (other.latency_high or 0) < (one.latency_low or 0)
                or (other.latency == one.latency and (other.merit > one.merit or other.size < one.size))
            )
            for other in made
        )
        assert (one.key in front) != beaten
    chosen, _, near, tied = choose(made)
    assert all((chosen.latency_low or 0) <= (one.latency_high or 0) for one in near)
    assert chosen.key in {one.key for one in pareto(near)}
    assert chosen.size == min(one.size for one in tied)


@pytest.mark.parametrize("kind", MADE)
def test_bands_that_overlap_leave_it_to_size_and_say_so(kind: Kind) -> None:
    band = (0.83, 1.49)
    made = recommend([candidate("big", 0.010, kind, band, size=9), candidate("small", 0.011, kind, band, size=3)])
    assert made.chosen == ("small",)
    assert "as small as it is" not in made.sentences[0]
    assert "not told apart by the model's latencies" in made.sentences[0]
    assert "times as fast" not in made.sentences[0]
    assert f"11.0 ms ({kind}, 9.13–16.4 ms)" in made.sentences[0]
    apart = recommend([candidate("big", 0.010, kind, band, size=9), candidate("small", 0.030, kind, band, size=3)])
    assert apart.chosen == ("big",)


@pytest.mark.parametrize("kind", MADE)
def test_without_quality_the_fastest_is_named_only_if_the_model_can_tell(kind: Kind) -> None:
    near = recommend([candidate(k, t, kind, (0.8, 1.5), quality=None) for k, t in (("a", 0.01), ("b", 0.012))])
    assert "nor can the model tell which is the fastest" in near.sentences[0]
    far = recommend([candidate(k, t, kind, (0.8, 1.5), quality=None) for k, t in (("a", 0.01), ("b", 0.03))])
    assert f"the fastest is a with 10.0 ms ({kind}, 8.00–15.0 ms)" in far.sentences[0]


@pytest.mark.parametrize("kind", MADE)
def test_without_bounds_a_model_orders_nothing(kind: Kind) -> None:
    made = [candidate("a", 0.001, kind, size=9), candidate("b", 1.0, kind, size=3)]
    assert recommend(made).chosen == ("b",), "the smaller"
    assert [one.key for one in pareto(made)] == ["a", "b"]


def test_a_model_without_its_error_makes_no_number() -> None:
    for kind in KINDS:
        plain = Measurement(value=0.01, unit="s", kind=kind, method="m", low=0.009, high=0.011)
        shown = figure(plain)
        assert (shown.reason is not None) == (kind in MADE), kind
        assert figure(msgspec.structs.replace(plain, bounds="model")).reason is None, kind


@pytest.mark.parametrize(("one", "other"), list(itertools.product(KINDS, KINDS)))
def test_side_by_side_gives_ratios_of_one_kind_only(make: Any, one: Kind, other: Kind) -> None:
    row = make.DEMO[0]
    quick = (*row[:4], row[4] / 10, row[5], other)
    report = build([make.run(rows=((*row[:6], one),), name="a"), make.run(rows=(quick,), name="b")])
    (change,) = (compared.change for compared in report.compared)
    assert change == ("10 times as fast" if one == other else f"not comparable: {one} against {other}")


def test_side_by_side_a_model_tells_no_difference_within_its_error(make: Any) -> None:
    row = make.DEMO[0]
    rows = [(*row[:4], row[4] * scale, row[5], "modelled") for scale in (1.0, 0.8)]
    report = build([make.run(rows=(one,), name=name) for one, name in zip(rows, "ab", strict=True)])
    assert report.compared[0].change == "not told apart: the error of the model is larger"


def test_the_band_stands_wherever_the_number_stands(make: Any, capfd: pytest.CaptureFixture[str]) -> None:
    run = make.run((make.DEMO[0], (*make.DEMO[-1][:-1], "modelled")))
    report = build([run])
    board = report.variants[1]
    figures = [board.steady, board.throughput, *(row.time for row in board.layers.rows), board.layers.total]
    figures += [stage.figure for stage in board.stages if stage.name in ("load", "first inference")]
    page, text = render_html(report), render_markdown(report)
    for one in figures:
        assert one is not None
        assert one.banded, one
        band = one.interval
        assert f'title="error of the model">{band}</span> <span class="badge modelled">' in page, band
        if one is not board.layers.total:  # the page alone shows the sum
            assert f"{one.text} ({band}) *modelled*" in text, band
        # Nowhere in the page is the number in a cell without its band behind it.
        for place in re.finditer(rf'<span class="num"[^>]*>{re.escape(one.text)}</span>(.{{0,120}})', page):
            assert band in place[1] or "modelled" not in place[1]
    assert "95 % interval" not in board.steady.title
    assert f"error of the model {board.steady.interval}" in board.steady.title
    assert f"{board.steady.whole}: median latency" in page, "the tip of the bubble"
    document = json.loads(render_json(report))
    steady = document["variants"][1]["steady"]
    assert (steady["bounds"], steady["low"] < steady["value"] < steady["high"]) == ("model", True)


def test_sorting_keeps_kinds_apart(make: Any) -> None:
    page = render_html(build([make.run((make.DEMO[0], (*make.DEMO[-1][:-1], "modelled")))]))
    assert page.count('data-kind="modelled"') >= 2
    assert 'data-kind="measured"' not in page
    assert "rank(a, column) - rank(b, column)" in page


def test_words_of_a_time_carry_kind_and_band() -> None:
    time = Measurement(value=8.2e-3, unit="s", kind="modelled", method="m")
    banded = ModelBand(0.72, 1.34, "a model").of(time)
    assert microseconds(banded) == "8,200.0 us, modelled, 5,904.0 to 10,988.0"
    assert microseconds(msgspec.structs.replace(time, kind="measured")) == "8,200.0 us"
    assert microseconds(time) == "8,200.0 us, modelled, with an error that nobody told"
    assert microseconds(msgspec.structs.replace(time, kind="measured", value=141e-9)) == "0.141 us"
    rate = ModelBand(0.5, 4.0, "m").of(Measurement(value=100.0, unit="1/s", kind="modelled", method="m"))
    assert (rate.low, rate.high, rate.bounds) == (25.0, 200.0, "model")


def test_a_board_without_times_is_emulated_and_never_measured(make: Any) -> None:
    run = make.run((make.DEMO[0], make.DEMO[-1]))
    measured, board = run.result.cells
    none = Unavailable("QEMU does not tell which instructions ran")
    latency = msgspec.structs.replace(
        board.latency, steady=none, first=none, load=none, throughput=none, distribution=None
    )
    counted = Measurement(value=1e6, unit="instructions", kind="emulated", method="counted")
    board = msgspec.structs.replace(board, latency=latency, instructions=counted)
    report = build([msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, cells=(measured, board)))])
    shown = report.variants[1]
    assert (shown.steady.reason, shown.times) == (none.reason, None)
    assert (shown.quality.kind, shown.same.kind) == ("emulated", "emulated")
    assert shown.times_reason == none.reason
    assert "QEMU does not tell" in render_markdown(report)
