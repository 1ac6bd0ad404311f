import base64
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.report import render
from edgerig.report.build import build
from edgerig.report.figures import figure, metric_figure, number, wilson
from edgerig.report.labels import labels
from edgerig.report.limits import Limits
from edgerig.report.load import Loaded
from edgerig.report.model import AgreementView
from edgerig.report.variant.timing import times_of
from edgerig.tasks.judgement import Agreement, Disagreement, MetricValue, Quality
from edgerig.views import Gallery, Matrix, Table


def replaced(run: Loaded, place: int, **changes: Any) -> Loaded:
    """The run with one cell changed."""
    cells = list(run.result.cells)
    cells[place] = msgspec.structs.replace(cells[place], **changes)
    return msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, cells=tuple(cells)))


def test_training_is_told_in_words_and_without_what_was_left_at_none(demo: Loaded) -> None:
    facts = {fact.label: fact.value for fact in build([demo]).bundles[0].model}
    assert facts["trained with"] == "epochs=3, batch size=128, seed=0"
    assert facts["trained on"] == "9,000 samples of mnist"
    assert facts["after training"] == "accuracy=0.9877"
    assert not any("fingerprints" in value for value in facts.values())


def test_every_figure_is_the_results_own(demo: Loaded) -> None:
    report = build([demo])
    assert len(report.variants) == len(demo.result.cells) == 8
    for variant, cell in zip(report.variants, demo.result.cells, strict=True):
        latency, distribution = cell.latency, cell.latency.distribution
        assert distribution
        assert variant.quality.value == cell.quality.metrics[0].value
        assert (variant.quality.low, variant.quality.high) == (
            cell.quality.metrics[0].low,
            cell.quality.metrics[0].high,
        )
        assert variant.steady.value == latency.steady.value == distribution.median
        assert (variant.p90.value, variant.p99.value) == (distribution.p90, distribution.p99)
        assert variant.throughput.value == latency.throughput.value
        assert variant.size.value == cell.artifact.size
        assert {named.name: named.figure.value for named in variant.stages}["load"] == latency.load.value


def test_what_is_unavailable_keeps_its_reason_and_has_no_value(demo: Loaded) -> None:
    report = build([demo])
    transport = {named.name: named.figure for named in report.variants[0].stages}["transport, one sample"]
    assert transport.value is None
    assert "process of this machine" in (transport.reason or "")
    assert transport.text == "unavailable"
    assert report.variants[0].same.reason == "it is the float model itself"
    assert report.variants[0].arena.reason
    assert report.variants[6].layers.reason == "TFLite Micro's Python build has no profiler"
    assert report.variants[7].peak_rss.reason == "a board without an operating system has no resident set"


def test_kinds_are_kept_apart(demo: Loaded) -> None:
    report = build([demo])
    assert report.mixed
    assert report.kinds == ("measured", "emulated")
    assert {variant.kind for variant in report.variants[:7]} == {"measured"}
    emulated = report.variants[7]
    assert {emulated.kind, emulated.steady.kind, emulated.p90.kind, emulated.quality.kind} == {"emulated"}
    assert report.recommendation.chosen == ("v-int8-litert-local",)


def test_a_tail_that_too_few_samples_allow_says_how_many_it_needs(make: Any) -> None:
    cell, _ = make.cell(make.DEMO[0], samples=200)
    run = make.run(rows=make.DEMO[:1])
    run = msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, cells=(cell,)))
    variant = build([run]).variants[0]
    assert variant.p90.value is not None
    assert variant.p99.reason == "200 samples are too few for p99; at least 500 are needed"


def test_a_cell_without_quality_says_so(demo: Loaded) -> None:
    report = build([replaced(demo, 0, quality=Quality(samples=10))])
    assert report.variants[0].quality.reason
    assert report.variants[0].views == ()


def test_a_cell_without_latency_is_counted_in_the_notes(demo: Loaded) -> None:
    latency = msgspec.structs.replace(
        demo.result.cells[0].latency, steady=Unavailable("the device has no clock"), distribution=None
    )
    report = build([replaced(demo, 0, latency=latency)])
    assert report.variants[0].p90.reason == "the device has no clock"
    assert any("1 of 8 variants have no latency" in note for note in report.notes)


def test_a_result_that_is_not_finite_is_unavailable_never_zero(make: Any) -> None:
    shown = figure(make.number(float("nan")))
    assert (shown.value, shown.kind) == (None, None)
    assert "not a number" in (shown.reason or "")
    assert number(float("inf"), "s").value is None


def test_the_interval_of_an_accuracy_without_one_is_wilsons(demo: Loaded) -> None:
    metric = MetricValue(name="accuracy", value=0.985, higher_is_better=True)
    shown = metric_figure(metric, demo.result.cells[0])
    assert (shown.low, shown.high) == wilson(0.985, 2000)
    assert "Wilson" in shown.detail
    other = metric_figure(msgspec.structs.replace(metric, name="macro F1"), demo.result.cells[0])
    assert (other.low, other.interval) == (None, None)


def test_wilsons_interval_against_known_values() -> None:
    # Newcombe (1998), Statistics in Medicine 17, 857: 81 of 263, and 0 of 20.
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0.0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_disagreements_are_judged_and_counted(demo: Loaded) -> None:
    compared = build([demo]).variants[3].agreement
    assert compared
    items = gallery(compared).items
    assert len(items) == 12
    assert "12 of 2,000 predictions differ. 6 became wrong, 3 became right, 3 are wrong either way." in compared.note
    assert all(item.picture for item in items)
    assert [item.tone for item in items].count("bad") == 6
    assert [item.tone for item in items].count("good") == 3


def gallery(compared: AgreementView) -> Gallery:
    """The samples that are judged differently."""
    (view,) = compared.views
    assert isinstance(view, Gallery)
    return view


def agreement(*pictures: str | None, same: float = 0.99) -> Agreement:
    return Agreement(
        reference="float",
        samples=1000,
        same_class=same,
        max_abs_error=0.1,
        mean_abs_error=0.01,
        disagreements=tuple(
            Disagreement(index=n, label=1, reference=1, predicted=99, picture=picture)
            for n, picture in enumerate(pictures)
        ),
    )


@pytest.mark.parametrize(
    "picture",
    ["'><script>alert(1)</script>", "not base64!", base64.b64encode(b"<svg onload=alert(1)>").decode(), ""],
)
def test_only_a_real_png_becomes_a_picture(demo: Loaded, picture: str) -> None:
    compared = build([replaced(demo, 0, agreement=agreement(picture))]).variants[0].agreement
    assert compared
    item = gallery(compared).items[0]
    assert item.picture is None
    assert item.texts[gallery(compared).labels.index("this says")] == "99", (
        "a class without a name is shown by its number"
    )


def test_pictures_stop_where_the_room_ends(demo: Loaded, make: Any) -> None:
    pictures = [make.picture(n) for n in range(10)]
    room = sum(len(picture) for picture in pictures[:3])
    run = replaced(demo, 0, agreement=agreement(*pictures))
    compared = build([run], Limits(picture_bytes=room)).variants[0].agreement
    assert compared
    assert sum(item.picture is not None for item in gallery(compared).items) <= 4
    assert "pictures are left out" in gallery(compared).note
    compared = build([run], Limits(mismatches=4)).variants[0].agreement
    assert compared
    assert len(gallery(compared).items) == 4
    assert "The first 4 are shown." in gallery(compared).note


def test_full_agreement_is_said(demo: Loaded) -> None:
    compared = build([replaced(demo, 0, agreement=agreement(same=1.0))]).variants[0].agreement
    assert compared
    assert compared.note == "All 1,000 predictions are the same."


def test_too_many_classes_become_the_worst_pairs_and_rows(demo: Loaded) -> None:
    report = build([demo], Limits(classes=5))
    worst, classes, confusion = report.variants[0].views
    assert isinstance(confusion, Matrix)
    assert confusion.counts == ()
    assert "too many for a matrix" in confusion.note
    assert isinstance(classes, Table)
    assert len(classes.rows) == 5
    assert "lowest F1, out of 10" in classes.note
    f1 = sorted(row.f1 for row in demo.result.cells[0].quality.classes)
    assert sorted(row[3] for row in classes.rows) == f1[:5]  # type: ignore[type-var]
    matrix = np.array(demo.result.cells[0].quality.confusion)
    np.fill_diagonal(matrix, 0)
    assert isinstance(worst, Table)
    label, predicted, count, _ = worst.rows[0]
    assert count == matrix.max() == matrix[int(str(label)), int(str(predicted))]


def test_layers_add_up(demo: Loaded) -> None:
    layers = build([demo]).variants[3].layers
    assert sum(row.share or 0 for row in layers.rows) == pytest.approx(1.0)
    assert layers.total
    assert layers.total.value == pytest.approx(sum(row.time.value or 0 for row in layers.rows))
    assert {row.op: row.count for row in layers.operators}["CONV_2D"] == 2
    assert layers.operators[0].op == "CONV_2D"


@pytest.mark.parametrize(
    ("factor", "said"),
    [(1.6, "the profiler's own work"), (0.5, "the rest passes between them"), (1.0, "times the median")],
)
def test_what_the_operators_take_together_is_held_against_the_whole(demo: Loaded, factor: float, said: str) -> None:
    cell = demo.result.cells[3]
    assert isinstance(cell.latency.steady, Measurement)
    assert not isinstance(cell.layers, Unavailable)
    total = sum(layer.time.value for layer in cell.layers if isinstance(layer.time, Measurement))
    steady = msgspec.structs.replace(cell.latency.steady, value=total / factor)
    changed = msgspec.structs.replace(cell, latency=msgspec.structs.replace(cell.latency, steady=steady))
    cells = (*demo.result.cells[:3], changed, *demo.result.cells[4:])
    one = msgspec.structs.replace(demo, result=msgspec.structs.replace(demo.result, cells=cells))
    note = build([one]).variants[3].layers.note
    assert f"Together the operators take {factor:.2f} times the median inference" in note
    assert said in note
    assert note in render([one], "html").replace("&#39;", "'")
    assert note.split(":")[0] in render([one], "md")


def test_many_layers_are_cut_to_the_slowest_in_order(demo: Loaded) -> None:
    layers = build([demo], Limits(layers=3)).variants[3].layers
    assert [row.index for row in layers.rows] == [0, 2, 5]
    assert "3 slowest operators of 7" in layers.note


def test_operators_without_a_time_keep_their_reason(demo: Loaded, make: Any) -> None:
    rows = list(make.layers("litert", 100.0, "measured"))
    rows[1] = msgspec.structs.replace(rows[1], time=Unavailable("fused into the one before"))
    layers = build([replaced(demo, 0, layers=tuple(rows))]).variants[0].layers
    assert layers.rows[1].time.reason == "fused into the one before"
    assert layers.rows[1].share is None
    assert build([replaced(demo, 0, layers=())]).variants[0].layers.reason == "the profile is empty"


def test_a_long_series_keeps_its_peaks_and_says_what_it_leaves_out() -> None:
    times = np.full(100_000, 1000, np.int64)
    times[54_321] = 9000
    times[77_777] = 10
    made = times_of(times, 2000)
    assert made
    assert made.series.n == 100_000
    assert len(made.series.positions) <= 2000
    assert {54_321, 77_777} <= set(made.series.positions)
    assert "of 100,000 samples are drawn" in made.series.note
    short = times_of(times[:2000], 2000)
    assert short
    assert short.series.note == "all 2,000 samples"


@pytest.mark.parametrize("values", [[5], [5, 5, 5], [1, 1, 1, 1, 1, 1, 1, 1, 1, 10**9], list(range(1000)), [0, 0, 1]])
def test_the_histogram_loses_no_sample(values: list[int]) -> None:
    made = times_of(np.array(values, np.int64), 2000)
    assert made
    data = made.histogram
    assert sum(data.counts) + data.above == len(values)
    assert len(data.edges) == len(data.counts) + 1
    assert all(a < b for a, b in zip(data.edges[:-1], data.edges[1:], strict=True))
    assert list(made.ecdf) == sorted(made.ecdf)


def test_no_samples_make_no_charts() -> None:
    assert times_of(np.array([], np.int64), 2000) is None


def test_labels_leave_out_what_is_the_same_and_stay_unique(demo: Loaded) -> None:
    full, short = labels([(0, cell) for cell in demo.result.cells])
    assert len(set(full)) == len(set(short)) == 8
    assert full[0] == "float32 · litert · local"
    assert short[0] == "float32 · litert"
    assert short[4] == "int8 · litert · 127.0.0.1:7433"


def test_labels_tell_cells_apart_by_their_options_or_their_id(demo: Loaded) -> None:
    cell = demo.result.cells[0]
    two = msgspec.structs.replace(cell, options={"threads": 2})
    _, short = labels([(0, cell), (0, two)])
    assert short == ["float32 (threads=1)", "float32 (threads=2)"]
    _, short = labels([(0, cell), (0, msgspec.structs.replace(cell, id="other"))])
    assert short == ["float32 [float32-litert-local]", "float32 [other]"]


def test_anchors_are_unique_and_plain(demo: Loaded) -> None:
    cells = (demo.result.cells[0], msgspec.structs.replace(demo.result.cells[0], id='"><b>'), demo.result.cells[0])
    run = msgspec.structs.replace(demo, result=msgspec.structs.replace(demo.result, cells=cells))
    found = [variant.anchor for variant in build([run]).variants]
    assert len(set(found)) == 3
    assert all(anchor.replace("-", "").isalnum() for anchor in found)


def test_two_runs_side_by_side(demo: Loaded, make: Any) -> None:
    other = make.run(rows=make.DEMO[3:4], name="b1", seed=50)
    report = build([demo, other])
    assert report.title == "mnist and b1"
    assert [row.label for row in report.compared] == ["int8 · litert · local"]
    row = report.compared[0]
    assert row.steady[0]
    assert row.steady[1]
    assert row.steady[0].value == demo.result.cells[3].latency.steady.value
    assert row.steady[1].value == other.result.cells[0].latency.steady.value
    assert any(" of mnist " in s or " of b1 " in s for s in report.recommendation.sentences)


@pytest.mark.parametrize(("micro", "words"), [(46.0, "2.0 times as fast"), (184.0, "2.0 times slower")])
def test_a_change_of_speed_between_runs_is_put_in_words(make: Any, micro: float, words: str) -> None:
    def run(name: str, speed: float) -> Loaded:
        made: Loaded = make.run(rows=(("int8", "litert", "local", 0.98, speed, 1000, "measured"),), name=name)
        return made

    assert build([run("old", 92.0), run("new", micro)]).compared[0].change == words
    assert "about the same" in build([run("old", 92.0), run("new", 92.0)]).compared[0].change


def test_kinds_are_not_compared_between_runs(make: Any) -> None:
    row = ("int8", "litert", "local", 0.98, 92.0, 1000, "measured")
    runs = [make.run(rows=(row,), name="a"), make.run(rows=((*row[:6], "emulated"),), name="b")]
    assert build(runs).compared[0].change == "not comparable: measured against emulated"


def test_runs_of_one_name_are_told_apart_by_their_folders(demo: Loaded) -> None:
    other = msgspec.structs.replace(demo, path=Path("runs/second"))
    assert [view.name for view in build([demo, other]).bundles] == ["mnist (mnist)", "mnist (second)"]


def test_different_data_and_sample_counts_are_noted(demo: Loaded, make: Any) -> None:
    dataset = msgspec.structs.replace(demo.result.dataset, name="cifar10", fingerprint="c")
    other = make.run(name="other", dataset=dataset)
    report = build([demo, other])
    assert any("different data" in note for note in report.notes)
    assert len(report.recommendation.chosen) == 2, "one for each kind of data"
    fewer = replaced(demo, 0, quality=make.quality(0.98, 1, 500))
    assert any("500, 2,000" in note for note in build([fewer]).notes)


def test_an_unfinished_run_is_said_everywhere(make: Any) -> None:
    planned = ("a", *(cell.id for cell in make.run().result.cells))
    report = build([make.run(finished=None, failures=(make.failure(),), planned=planned)])
    assert not report.finished
    assert not report.bundles[0].finished
    assert any("8 of 9 cells measured" in note for note in report.notes)
    why = f"{make.failure().id} could not be measured: onnxruntime cannot load it."
    assert any(note.endswith(why) for note in report.notes)
    assert report.bundles[0].failures[0].message == "onnxruntime cannot load it"
    assert not report.recommendation.firm


def test_of_many_failures_the_first_are_named_and_the_others_counted(make: Any) -> None:
    failures = tuple(make.failure(f"cell-{n}") for n in range(5))
    notes = build([make.run(finished=None, failures=failures)]).notes
    assert [number for number in range(5) if any(f"cell-{number} " in note for note in notes)] == [0, 1, 2]
    assert any("2 more cells could not be measured" in note for note in notes)


@pytest.mark.parametrize(("count", "shown"), [(2, "net-0, net-1"), (12, "12 models")])
def test_a_run_of_many_models_is_described_in_a_line(make: Any, count: int, shown: str) -> None:
    run = make.run()
    models = tuple(msgspec.structs.replace(run.result.model, name=f"net-{n}") for n in range(count))
    run = msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, models=models))
    fact = build([run]).bundles[0].model[0]
    assert fact.value == shown
    assert fact.title.split(", ") == [model.name for model in models]


def test_a_run_without_cells_still_makes_a_report(make: Any) -> None:
    report = build([make.run(rows=())])
    assert report.variants == ()
    assert "Nothing was measured" in report.recommendation.sentences[0]
