import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from edgerig.cli import main


@pytest.fixture(scope="module")
def make() -> Any:
    """The builder of the report's tests."""
    spec = importlib.util.spec_from_file_location(
        "report_bundles", Path(__file__).parent.parent / "report" / "conftest.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Maker


@pytest.fixture
def home(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the bundles runs/demo and runs/b1."""
    monkeypatch.chdir(tmp_path)
    make.save(make.run(rows=make.DEMO[:3]), tmp_path / "runs" / "demo")
    make.save(make.run(rows=make.DEMO[:1], name="b1", seed=9), tmp_path / "runs" / "b1")
    return tmp_path


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["report", *arguments])
    return int(caught.value.code or 0)


def test_two_bundles_as_the_manual_writes_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("runs/demo", "runs/b1", "--out", "report.html") == 0
    page = (home / "report.html").read_text()
    assert "mnist and b1" in page
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Report: report.html" in captured.err


def test_one_bundle_keeps_its_report(home: Path) -> None:
    assert call("runs/demo") == 0
    assert (home / "runs" / "demo" / "report.html").is_file()


def test_several_bundles_report_here(home: Path) -> None:
    assert call("runs/demo", "runs/b1", "--format", "md") == 0
    assert (home / "report.md").read_text().startswith("# mnist and b1")


def test_a_format_goes_before_the_suffix(home: Path) -> None:
    assert call("runs/demo", "--format", "json", "--out", "some.txt") == 0
    assert json.loads((home / "some.txt").read_text())["title"] == "mnist"


def test_json_is_one_document_and_writes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("runs/demo", "--json") == 0
    assert json.loads(capsys.readouterr().out)["variants"][0]["variant"] == "float32"
    assert not (home / "runs" / "demo" / "report.html").exists()


def test_json_with_out_does_both(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("runs/demo", "--json", "--out", "r.html") == 0
    assert json.loads(capsys.readouterr().out)["title"] == "mnist"
    assert (home / "r.html").is_file()


def test_open_hands_the_file_to_the_browser(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("click.launch", opened.append)
    assert call("runs/demo", "--open") == 0
    assert opened == [str(home / "runs" / "demo" / "report.html")]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "BUNDLE"),
        (("runs/nowhere",), 2, "there is no such folder"),
        (("runs",), 2, "is not a bundle"),
        (("runs/demo", "--out", "report.pdf"), 2, "no format of a report"),
        (("runs/demo", "runs/demo", "--out", "r.html"), 2, "given twice"),
        (("runs/demo", "--format", "pdf"), 2, "pdf"),
        (("runs/demo", "--out", "runs/demo/bundle.json/r.html"), 1, "Could not write"),
    ],
)
def test_mistakes_get_one_message_and_no_file(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, message: str
) -> None:
    before = sorted(home.rglob("*"))
    assert call(*arguments) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert sorted(home.rglob("*")) == before


def test_a_damaged_bundle_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "runs" / "demo" / "results.json").write_text('{"version": 1')
    assert call("runs/demo") == 0
    said = capsys.readouterr().err
    assert "results.json is damaged" in said
    assert "Shown is what the files of the cells hold" in said
    (home / "runs" / "demo" / "bundle.json").unlink()
    assert call("runs/demo") == 1
    assert "is damaged" in capsys.readouterr().err


def test_a_cell_that_cannot_be_read_is_named_and_the_others_are_shown(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = home / "runs" / "demo"
    (folder / "results.json").unlink()
    first, *others = sorted(path.name for path in (folder / "cells").iterdir())
    (folder / "cells" / first / "result.json").write_text('{"id": null}')
    assert call("runs/demo", "--format", "md") == 0
    assert f"warning: {first}: " in capsys.readouterr().err
    text = (folder / "report.md").read_text()
    assert first in text
    assert others


def test_the_style_table_reads_bundles_histories_and_exports(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    from edgerig.results.bundle import Bundle
    from edgerig.results.tests.history import open_history
    from edgerig.results.tests.make import records_of
    from edgerig.results.tests.tests_json import export_tests

    records = records_of(Bundle(home / "runs" / "demo").result())
    history = open_history(home / "tests")
    for record in records:
        history.append(record)
    export_tests(records, home / "tests.json")
    (home / "tests" / "notes.txt").write_text("by hand")
    tables = []
    for source in ("runs/demo", "tests", "tests.json"):
        code = call("--style", "table", source, "--out", "table.csv", "--json")
        out, err = capsys.readouterr()
        assert code == 0, err
        tables.append((home / "table.csv").read_text())
        assert len(json.loads(out)["tests"]) == len(records)
        assert ("notes.txt" in err) == (source == "tests")
        assert "software" in err
    assert tables[0] == tables[1] == tables[2]
    assert call("--style", "table", "nowhere") == 1
    assert "neither a bundle nor a history" in capsys.readouterr().err
    assert call("--style", "table", "runs/demo") == 0
    assert (home / "runs" / "demo" / "table.html").exists()


def test_an_option_of_tables_is_refused_of_a_report(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("runs/demo", "--all") == 2
    assert "--style table" in capsys.readouterr().err
