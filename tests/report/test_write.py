import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgerig.errors import StorageError, UsageError
from edgerig.report import build_report, load_bundle, render, write, write_report
from edgerig.report.limits import Limits
from edgerig.report.load import Loaded


@pytest.mark.parametrize(
    ("suffix", "start"),
    [("html", "<!doctype html>"), ("md", "# mnist"), ("rst", "mnist\n====="), ("csv", "variant,"), ("json", "{")],
)
def test_the_suffix_tells_the_format(demo_folder: Path, tmp_path: Path, suffix: str, start: str) -> None:
    out = tmp_path / "sub" / f"report.{suffix}"
    assert write_report([demo_folder], out) == out
    assert out.read_text().startswith(start)
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_a_given_format_goes_before_the_suffix(demo_folder: Path, tmp_path: Path) -> None:
    out = write_report([demo_folder], tmp_path / "index", "md")
    assert out.read_text().startswith("# mnist")


def test_an_unknown_suffix_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no format of a report") as caught:
        write_report([tmp_path / "nowhere"], tmp_path / "report.pdf")
    assert ".html" in (caught.value.hint or "")


def test_a_folder_as_output_is_refused(demo_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out.html"
    folder.mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        write_report([demo_folder], folder)


def test_no_bundle_and_a_bundle_twice_are_refused(demo_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No bundle"):
        write_report([], tmp_path / "r.html")
    with pytest.raises(UsageError, match="twice"):
        write_report([demo_folder, demo_folder.parent / "." / demo_folder.name], tmp_path / "r.html")


def test_a_bundle_that_cannot_be_read_leaves_no_file_and_keeps_an_old_one(demo_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    out.write_text("old")
    with pytest.raises(StorageError):
        write_report([demo_folder, tmp_path / "nowhere"], out)
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_place_that_cannot_be_written_is_told(demo_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="Could not write"):
        write_report([demo_folder], tmp_path / "file" / "report.html")


def test_the_same_bundles_give_the_same_bytes(demo_folder: Path, tmp_path: Path) -> None:
    first = write_report([demo_folder], tmp_path / "a.html").read_bytes()
    assert write_report([demo_folder], tmp_path / "b.html").read_bytes() == first


def test_the_model_is_what_the_files_hold(demo_folder: Path) -> None:
    report = build_report([demo_folder])
    cells = load_bundle(demo_folder).result.cells
    assert [variant.id for variant in report.variants] == [cell.id for cell in cells]


def large(make: Any) -> Loaded:
    """80 cells, each with the pictures of 60 disagreements."""
    rows = [(f"variant{n}", "litert", "local", 0.98, 100.0 + n, 1000 * n + 1, "measured") for n in range(80)]
    run = make.run(rows=tuple(rows))
    cells = []
    for cell in run.result.cells:
        shown = cell.agreement.disagreements * 30
        cells.append(
            msgspec.structs.replace(cell, agreement=msgspec.structs.replace(cell.agreement, disagreements=shown))
        )
    made: Loaded = msgspec.structs.replace(run, result=msgspec.structs.replace(run.result, cells=tuple(cells)))
    return made


@pytest.mark.slow
def test_a_large_run_stays_below_the_limit_and_shows_every_variant(make: Any) -> None:
    run = large(make)
    page = render([run])
    assert len(page.encode()) <= write.MOST_BYTES
    for cell in run.result.cells:
        assert f'id="v-{cell.id}"' in page
    assert "2,000 samples are drawn" in page, "what is thinned out is said"


@pytest.mark.slow
@pytest.mark.parametrize("most", [120_000, 10_000])
def test_a_run_of_too_many_cells_for_a_page_has_its_table(
    demo: Loaded, make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """However small a page may be, every variant is in its table with all of its numbers; what is missing is said."""
    folder = make.save(demo, tmp_path / "bundle")
    whole = render([load_bundle(folder)])
    monkeypatch.setattr(write, "MOST_BYTES", most)
    report = write.write_reports(folder)
    page = (folder / "report.html").read_text()
    assert f"the table of the {len(report.variants)} variants: their sections" in page
    assert ("plot" in page.partition("are left out")[0].rpartition("their sections")[2]) == (most == 10_000)
    for variant in report.variants:
        assert page.count(f'id="{variant.anchor}"') == 1
        assert f'href="#{variant.anchor}"' in page
        assert variant.variant in (folder / "report.md").read_text()
    numbers = re.compile(r'data-v="([^"]+)"')
    table = re.compile(r'<table class="data sortable main.*?</table>', re.DOTALL)
    of_whole, of_part = (numbers.findall(table.search(text)[0]) for text in (whole, page))  # type: ignore[index]
    assert of_part == of_whole != []
    assert '<details class="variant" id' not in page


@pytest.mark.slow
def test_the_least_that_fits_is_thinned_no_more_than_needed(demo: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = render([demo])
    monkeypatch.setattr(write, "MOST_BYTES", len(whole.encode()) - 1)
    thinned = render([demo])
    assert len(thinned) < len(whole)
    assert "samples are drawn" in thinned
    monkeypatch.setattr(write, "_LEVELS", (Limits(points=0, picture_bytes=0, mismatches=0, classes=0, layers=0),))
    assert len(render([demo])) < len(thinned)


def test_paths_may_be_strings_and_one_bundle_needs_no_list(demo_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.md"
    assert write_report(str(demo_folder), str(out)) == out
    assert out.read_text() == write_report([demo_folder], tmp_path / "other.md").read_text()
    assert build_report(str(demo_folder)) == build_report([demo_folder])
