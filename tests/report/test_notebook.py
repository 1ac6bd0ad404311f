"""Charts as pictures of their own: whole SVG, with colours, from a result or from a bundle."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest

from edgerig.errors import UsageError
from edgerig.measure.kinds import Unavailable
from edgerig.report import notebook
from edgerig.report.load import Loaded

CELL = "int8-litert-local"
SVG = "{http://www.w3.org/2000/svg}"
OF_A_CELL = (
    notebook.latency_histogram,
    notebook.latency_distribution,
    notebook.latency_series,
    notebook.layers_plot,
)


@pytest.mark.parametrize("plot", OF_A_CELL)
def test_charts_of_a_cell_are_whole_pictures(plot: Callable[..., Any], demo_folder: Path, tmp_path: Path) -> None:
    picture = plot(demo_folder, CELL)
    drawing = ElementTree.fromstring(picture._repr_svg_())
    assert drawing.tag == f"{SVG}svg"
    style = drawing.find(f"{SVG}style")
    assert style is not None
    assert style.text
    assert "--s0:" in style.text
    assert all(line.startswith(".edgerig-chart") for line in style.text.splitlines()), (
        "no rule reaches beyond the chart"
    )
    assert ElementTree.parse(picture.save(tmp_path / "chart.svg")).getroot().tag == f"{SVG}svg"
    assert "characters of SVG" in repr(picture)


def test_quality_against_latency_is_drawn_of_a_result_alone(demo: Loaded) -> None:
    drawing = ElementTree.fromstring(notebook.quality_plot(demo.result).svg)
    bubbles = [circle for circle in drawing.iter(f"{SVG}circle") if "bubble" in circle.get("class", "")]
    assert len(bubbles) == len(demo.result.cells)


def test_without_quality_the_latencies_are_drawn(make: Any) -> None:
    run = make.run(rows=make.DEMO[:3])
    cells = tuple(
        msgspec.structs.replace(cell, quality=msgspec.structs.replace(cell.quality, metrics=()))
        for cell in run.result.cells
    )
    picture = notebook.quality_plot(msgspec.structs.replace(run.result, cells=cells))
    assert "Median latency of each variant" in picture.svg


def test_what_cannot_be_drawn_says_why(demo: Loaded, make: Any) -> None:
    with pytest.raises(UsageError, match="no cell 'x'") as caught:
        notebook.layers_plot(demo.result, "x")
    assert CELL in (caught.value.hint or "")
    with pytest.raises(UsageError, match="several cells"):
        notebook.layers_plot(demo.result)
    with pytest.raises(UsageError, match="no raw samples") as caught:
        notebook.latency_histogram(demo.result, CELL)
    assert "bundle's folder" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="has no profiler"):
        notebook.layers_plot(demo.result, "int8-tflm-local")
    none = Unavailable("no clock")
    cells = tuple(
        msgspec.structs.replace(cell, latency=msgspec.structs.replace(cell.latency, steady=none, distribution=None))
        for cell in demo.result.cells
    )
    with pytest.raises(UsageError, match="nothing to draw"):
        notebook.quality_plot(msgspec.structs.replace(demo.result, cells=cells))


def test_the_only_cell_needs_no_name(make: Any) -> None:
    run = make.run(rows=make.DEMO[:1])
    assert notebook.layers_plot(run.result).svg.startswith("<svg")
