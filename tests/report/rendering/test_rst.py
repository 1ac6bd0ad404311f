"""The report as reStructuredText, read by docutils itself."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.report import render
from edgerig.report.build import build
from edgerig.report.load import Loaded
from edgerig.report.rendering.document import Bullets, Code, Text, document
from edgerig.report.rendering.markdown import render_markdown
from edgerig.report.rendering.rst import escape

HOSTILE = (
    "|a| b_ `c` *d* [1]_ <http://evil.example> ann@desk :role:`x` \\ .. raw:: html\n\n   <script>alert(1)</script>"
)


def html_of(text: str, folder: Path) -> str:
    """What docutils makes of ``text``; any complaint, even a small one, is a failure."""
    (folder / "report.rst").write_text(text)
    command = [sys.executable, "-m", "docutils", "--halt=2", "--report=2", "--no-raw", "--no-file-insertion"]
    done = subprocess.run([*command, "report.rst"], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.slow
def test_docutils_reads_it_without_complaint(demo: Loaded, make: Any, tmp_path: Path) -> None:
    html = html_of(render([demo, make.run(rows=make.DEMO[3:4], name="b1", seed=50)], "rst"), tmp_path)
    for part in ("<h2>Variants", "int8 · litert · local", "median latency", "★ ", "<em>emulated</em>", "<pre class"):
        assert part in html, part


def test_every_figure_of_the_markdown_is_there(demo: Loaded) -> None:
    text = render([demo], "rst").replace("\\", "")
    for line in build([demo]).table.lines:
        for figure in line.cells:
            if figure is not None and figure.reason is None:
                assert figure.text in text


@pytest.mark.slow
def test_hostile_names_make_no_markup(make: Any, tmp_path: Path) -> None:
    run = make.run(rows=make.DEMO[2:4])
    cells = tuple(
        msgspec.structs.replace(
            cell, variant=HOSTILE, target=HOSTILE, warnings=(HOSTILE,), commands=(HOSTILE,), options={HOSTILE: 1}
        )
        for cell in run.result.cells
    )
    result = msgspec.structs.replace(run.result, name=HOSTILE, cells=cells, failures=(make.failure(HOSTILE),))
    html = html_of(render([msgspec.structs.replace(run, result=result)], "rst"), tmp_path)
    assert "<script" not in html
    assert "href" not in html.split("<body")[1]


@given(st.text(max_size=60))
def test_escaped_text_is_one_line(text: str) -> None:
    assert "\n" not in escape(text)


@pytest.mark.slow
@pytest.mark.parametrize("row", ["a.", "a:", "://", "`", "\\", "1. "])
def test_the_cost_of_a_long_row_grows_with_its_length(row: str) -> None:
    # With its square, this would take a quarter of an hour.
    assert escape(row * 500_000)


@pytest.mark.parametrize("text", ["- a", "1. a", "(a) b", "-v b", ":a: b", ".. raw:: html", ">>> 1", "====", "a::"])
def test_the_beginning_of_a_text_makes_no_list_and_no_directive(text: str, tmp_path: Path) -> None:
    html = html_of(f"{escape(text)}\n\nend\n", tmp_path)
    assert "<p>" in html
    assert not any(tag in html for tag in ("<ul", "<ol", "<dl", "<pre", "<h1", "<aside"))


def test_a_document_has_no_empty_block(make: Any) -> None:
    for block in document(build([make.run(rows=make.DEMO[:2])])):
        if isinstance(block, Bullets):
            assert block.items
        elif isinstance(block, Code):
            assert block.lines
        elif isinstance(block, Text):
            assert block.text
    assert "\n\n\n" not in render_markdown(build([make.run(rows=make.DEMO[:2])]))
