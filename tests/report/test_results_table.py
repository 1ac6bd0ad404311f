"""The table of tests: which rows it has, and that every format shows the same numbers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from docutils.core import publish_doctree
from msgspec.structs import replace
from tests.report.conftest import make_run, number, seen

from edgerig.errors import UsageError
from edgerig.measure.kinds import Unavailable
from edgerig.report.results_table import results_table
from edgerig.report.results_write import render_results, write_results
from edgerig.results.tests.make import overlaps, records_of, similarity_of
from edgerig.results.tests.record import Platform, RecordedTest
from edgerig.tasks.judgement import MetricValue

MakeTest = Callable[..., RecordedTest]
MATRIX = ((70, 10), (5, 15))


@pytest.fixture(scope="module")
def make_test() -> MakeTest:
    """A test of two classes, 90 of 100 pixels right, 40 ms an image on a processor of a name."""
    (base,) = records_of(make_run((("int8", "litert", "local", 0.98, 24.0, 101_664, "measured"),)).result)

    def make(processor: str = "Jetson NX", software: str = "litert int8", **changes: object) -> RecordedTest:
        platform = Platform(software=software, processor=processor, target="local")
        return replace(
            base,
            platform=platform,
            run="",
            date="2026-03-14T09:26:00Z",
            accuracy=0.85,
            metrics=(MetricValue(name="pixel_accuracy", value=0.85, higher_is_better=True, low=0.8, high=0.9),),
            similarity=similarity_of(MATRIX),
            classes=overlaps(("road", "car"), MATRIX),
            confusion=MATRIX,
            images=100,
            inference=number(0.040),
            image_time=number(0.050),
            warnings=(),
            **changes,
        )

    return make


def cells(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_every_format_shows_the_numbers(make_test: MakeTest) -> None:
    results = results_table([make_test()])
    (row,) = cells(render_results(results, "csv"))
    assert (row["software"], row["hardware"], row["images"]) == ("litert int8", "Jetson NX", "100")
    assert [float(row[name]) for name in ("accuracy", "accuracy low", "accuracy high")] == [0.85, 0.8, 0.9]
    assert float(row["similarity"]) == 85 / 115
    assert float(row["inference time (s)"]) == 0.040
    assert float(row["image time (s)"]) == 0.050
    document = json.loads(render_results(results, "json"))
    assert document["tests"][0]["confusion"] == [[70, 10], [5, 15]]
    markdown, page, rst = (render_results(results, name) for name in ("md", "html", "rst"))
    for text in (markdown, seen(page), publish_doctree(rst, settings_overrides={"halt_level": 2}).astext()):
        for expected in ("Jetson NX", "85.00 %", "73.91 %", "40.0 ms", "50.0 ms", "70", "82.4 %"):
            assert expected in text, expected
    assert "default-src 'none'" in page


def test_one_row_for_the_latest_of_each_platform(make_test: MakeTest) -> None:
    tests = [
        make_test(),
        replace(make_test(), date="2026-03-15T09:26:00Z", images=50),
        make_test("Raspberry Pi 5"),
        make_test(software="onnxruntime float32"),
    ]
    results = results_table(tests)
    assert [(test.platform.software, test.platform.processor, test.images) for test in results.tests] == [
        ("litert int8", "Jetson NX", 50),
        ("litert int8", "Raspberry Pi 5", 100),
        ("onnxruntime float32", "Jetson NX", 100),
    ]
    assert "Of 4 tests" in results.notes[1]
    assert len(results_table(tests, everything=True).tests) == 4
    assert len({matrix.title for matrix in results_table(tests, everything=True).matrices}) == 4


def test_a_test_out_of_a_bundle_and_a_history_is_one(make_test: MakeTest) -> None:
    test = make_test()
    from_bundle = replace(test, run="test-nightly", run_date="2026-03-14T09:25:00Z", name="test-nightly")
    from_history = replace(from_bundle, name="nightly")
    for order in ((from_bundle, from_history), (from_history, from_bundle)):
        assert [test.name for test in results_table(order, everything=True).tests] == ["nightly"]


def test_what_an_emulator_predicts_and_takes_is_called_emulated(make_test: MakeTest) -> None:
    emulated = replace(
        make_test(), inference=number(0.040, kind="emulated"), image_time=Unavailable("its stages are of several kinds")
    )
    (row,) = cells(render_results(results_table([emulated]), "csv"))
    assert row["accuracy kind"] == row["inference time kind"] == "emulated"
    assert row["image time unavailable because"] == "its stages are of several kinds"


def test_a_row_without_a_number_says_why_and_columns_without_any_are_left_out(make_test: MakeTest) -> None:
    bare = replace(make_test(), metrics=(), accuracy=None, similarity=None, classes=(), confusion=(), source="mllib")
    bare = replace(bare, inference=Unavailable("not told apart"))
    results = results_table([bare])
    assert not {"accuracy", "similarity"} & {heading.label for heading in results.table.headings}
    assert "unavailable" in render_results(results, "md")
    assert results.matrices == results.classes == ()
    assert "imported" in results.notes[-1]


def test_warnings_stand_below_the_table_once(make_test: MakeTest) -> None:
    tests = [
        replace(make_test(name), warnings=(f"Other programs kept {load} of 2 cores busy meanwhile.",))
        for name, load in (("Jetson NX", 1.5), ("Raspberry Pi 5", 1.7))
    ]
    text = render_results(results_table(tests), "md")
    assert text.count("cores busy meanwhile") == 1
    assert "litert int8 · Jetson NX, litert int8 · Raspberry Pi 5: Other programs" in text


def test_many_classes_have_no_matrix_and_json_has_all(make_test: MakeTest) -> None:
    size = 40
    wide = tuple(tuple(int(i == j) for j in range(size)) for i in range(size))
    results = results_table(
        [replace(make_test(), confusion=wide, classes=overlaps(tuple(map(str, range(size))), wide))]
    )
    assert results.matrices == results.classes == ()
    assert "too many for a matrix" in results.notes[-1]
    assert len(json.loads(render_results(results, "json"))["tests"][0]["confusion"]) == size


def test_names_of_strangers_stay_text_and_paths_are_cut(make_test: MakeTest) -> None:
    test = replace(make_test("<script>alert(1)</script>"), name="/home/ann/secret/net")
    page = render_results(results_table([test]), "html")
    assert "<script>alert" not in page
    assert "/home/ann" not in page


def test_an_empty_history_is_a_table_that_says_so(tmp_path: Path) -> None:
    results = results_table([])
    assert results.notes == ("No test is in the history yet.",)
    for name in ("html", "md", "rst", "csv", "json"):
        write_results(results, tmp_path / f"table.{name}")
    assert "No test is in the history yet." in (tmp_path / "table.html").read_text()
    with pytest.raises(UsageError, match="folder"):
        write_results(results, tmp_path, "md")
