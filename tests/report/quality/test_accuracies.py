"""Qualities compared on the samples that all variants ran."""

from pathlib import Path
from typing import Any

import pytest

import edgerig
from edgerig.cli.finish import shared_lines, show_cells
from edgerig.report import build_report
from edgerig.report.model import Report
from edgerig.report.quality.accuracies import verdict
from edgerig.report.rendering.html import render_html
from edgerig.report.rendering.markdown import render_markdown
from edgerig.results.bundle import Bundle
from edgerig.results.compare.shared_samples import Paired
from edgerig.results.types import RunResult
from edgerig.testing import networks


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    """A float network on 60 digits and an int8 one on 20 of them."""
    folder = tmp_path_factory.mktemp("shared")
    networks.dense_tflite(folder / "a.tflite", 784, 10)
    networks.dense_tflite_int8(folder / "b.tflite", 784, 10, seed=3)
    data: dict[str, Any] = {
        "models": [str(folder / "a.tflite"), str(folder / "b.tflite")],
        "dataset": "mnist",
        "matrix": [{"models": ["a"], "runtimes": ["litert"]}, {"models": ["b"], "runtimes": ["litert"], "samples": 20}],
        "measure": {"samples": 60, "warmup": 1, "rounds": 1, "seconds": 0, "profile": False, "transport_samples": 0},
    }
    return folder / "out", edgerig.run(data, out=folder / "out")


@pytest.fixture
def report(run: tuple[Path, RunResult]) -> Report:
    return build_report([run[0]])


@pytest.mark.slow
def test_a_cell_of_fewer_samples_is_compared_on_those(run: tuple[Path, RunResult], report: Report) -> None:
    (view,) = report.shared
    assert (view.fewest, view.most) == (20, 60)
    whole, part = view.rows
    assert (whole.samples, part.samples) == (60, 20)
    a, b = (Bundle(run[0]).samples(cell.id) for cell in run[1].cells)
    places = {index: row for row, index in enumerate(a["indices"])}
    rows = [places[index] for index in b["indices"]]
    wrong = [int((a["predictions"][rows] != a["labels"][rows]).sum()), int((b["predictions"] != b["labels"]).sum())]
    assert [part.baseline_errors, part.errors] == wrong
    assert part.quality.value == (20 - part.errors) / 20
    assert part.errors - part.baseline_errors == part.lost - part.gained
    assert whole.errors == int((a["predictions"] != a["labels"]).sum())


def test_every_form_of_the_report_says_what_is_compared(
    run: tuple[Path, RunResult], report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    show_cells(run[1])
    terminal = capsys.readouterr().err + "\n".join(shared_lines(report))
    assert " of 20" in terminal
    assert " of 60" in terminal
    for text in (terminal, render_html(report), render_markdown(report)):
        assert "The variants ran 20 to 60 samples. Each is compared with a · litert · local" in text
        assert "20" in text


def row(**changes: Any) -> Paired:
    values: dict[str, Any] = {
        "cell": "x",
        "samples": 2000,
        "baseline_errors": 100,
        "errors": 130,
        "accuracy": 0.935,
        "low": 0.92,
        "high": 0.95,
        "lost": 40,
        "gained": 10,
        "ratio": 1.3,
        "p": 0.00002,
    }
    return Paired(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "1.3 times as many errors; p < 0.001"),
        ({"p": 0.3, "errors": 102, "ratio": 1.02}, "1.02 times as many errors; may be chance, p = 0.30"),
        (
            {"p": 0.3, "errors": 2001, "baseline_errors": 2000, "ratio": 1.0005},
            "1 more error; may be chance, p = 0.30",
        ),
        ({"lost": 0, "gained": 0, "p": 1.0}, "the same errors"),
        ({"lost": 3, "gained": 3, "p": 1.0}, "as many errors, on other samples; may be chance, p = 1.00"),
        ({"ratio": None, "errors": 9, "p": 0.004}, "9 errors where there were none; p = 0.004"),
    ],
)
def test_a_difference_is_put_in_words(changes: dict[str, Any], said: str) -> None:
    assert verdict(row(**changes), baseline=False) == said
