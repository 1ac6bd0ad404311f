"""The report's charts as separate pictures, for notebooks and files.

>>> from edgerig.report import notebook
>>> notebook.quality_plot("runs/demo")  # doctest: +SKIP
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from edgerig import files
from edgerig.errors import UsageError
from edgerig.report.build import build
from edgerig.report.charts import distribution, histogram, operators, time_series
from edgerig.report.load import Loaded, load_bundle
from edgerig.report.model import Report, Times, Variant
from edgerig.report.plot import colours_of, plot_of
from edgerig.results.types import RunResult

#: A run: the return value of `edgerig.run`, or the folder of its bundle, which also has the raw samples.
Source = RunResult | Path | str
_CSS = Path(__file__).parent / "templates" / "report.css"


class Picture(msgspec.Struct, frozen=True):
    """A self-contained chart as SVG text, which a notebook displays."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Picture of {len(self.svg):,} characters of SVG>"

    def save(self, path: Path | str) -> Path:
        """Write it to a file, and return its path."""
        files.write_text(Path(path), self.svg)
        return Path(path)


def quality_plot(source: Source) -> Picture:
    """Quality against latency; latencies alone where no quality is known.

    Raises:
        UsageError: No variant has a latency.
        StorageError: The bundle cannot be read.
    """
    report = _report(source)
    plot = plot_of(report, *colours_of(report))
    drawing = plot.wide or plot.speed
    if drawing is None:
        raise UsageError("There is nothing to draw: no variant has a latency.", "See the report for the reasons.")
    return standalone(drawing)


def latency_histogram(source: Source, cell: str = "") -> Picture:
    """The distribution of a cell's latencies; ``cell`` is its id, which may be omitted if there is only one.

    Raises:
        UsageError: There is no such cell, or it has no raw samples.
        StorageError: The bundle cannot be read.
    """
    variant, times = _timed(source, cell)
    return standalone(histogram(times.histogram, variant.steady, variant.p90, variant.p99))


def latency_distribution(source: Source, cell: str = "") -> Picture:
    """The share of a cell's samples at or below each latency; see `latency_histogram`."""
    variant, times = _timed(source, cell)
    return standalone(distribution(times.ecdf, variant.steady, variant.p90, variant.p99))


def latency_series(source: Source, cell: str = "") -> Picture:
    """The latencies of a cell in the order of measurement; see `latency_histogram`."""
    variant, times = _timed(source, cell)
    return standalone(time_series(times.series, variant.steady))


def layers_plot(source: Source, cell: str = "") -> Picture:
    """The time of a cell, operator by operator.

    Raises:
        UsageError: There is no such cell, or it has no profile with times.
        StorageError: The bundle cannot be read.
    """
    variant = _variant(source, cell)
    drawing = operators(variant.layers) if variant.layers.reason is None else None
    if drawing is None:
        reason = variant.layers.reason or "no operator has a time"
        raise UsageError(f"{variant.id} has no times of operators: {reason}.", "Choose another cell.")
    return standalone(drawing)


def standalone(drawing: str) -> Picture:
    """A drawing of the report with its colours included."""
    style = "\n".join((_palette(), *_rules())).replace(".chart", ".edgerig-chart")
    opening = '<svg xmlns="http://www.w3.org/2000/svg" '
    # As plain text: `Markup` would escape the inserted style sheet.
    text = "".join(drawing)
    svg = text.replace("<svg ", opening, 1).replace('class="chart', 'class="edgerig-chart', 1)
    return Picture(re.sub(r"^(<svg [^>]*>)", lambda tag: f"{tag[0]}<style>{style}</style>", svg, count=1))


def _palette() -> str:
    """The colours of the light theme, restricted to the drawing."""
    root = re.search(r":root \{(.*?)color-scheme", _CSS.read_text(encoding="utf-8"), re.DOTALL)
    colours = " ".join(root[1].split()) if root else ""
    return f".chart {{ {colours} font-family: system-ui, sans-serif; background: #fff; }}"


def _rules() -> list[str]:
    """The rules of the page's style sheet for charts and series."""
    css = _CSS.read_text(encoding="utf-8")
    series = [f".chart {rule}" for rule in re.findall(r"\.s\d \{[^}]*\}", css)]
    return [*re.findall(r"^\.chart[^{]*\{[^}]*\}", css, re.MULTILINE), *series]


def _report(source: Source) -> Report:
    loaded = Loaded(Path(), source, {}) if isinstance(source, RunResult) else load_bundle(Path(source))
    return build([loaded])


def _variant(source: Source, cell: str) -> Variant:
    variants = {variant.id: variant for variant in _report(source).variants}
    if not cell and len(variants) == 1:
        return next(iter(variants.values()))
    if cell not in variants:
        problem = f"There is no cell {cell!r}." if cell else "There are several cells, and none is named."
        raise UsageError(problem, f"Name one of: {', '.join(variants) or 'none, for the run has none'}.")
    return variants[cell]


def _timed(source: Source, cell: str) -> tuple[Variant, Times]:
    variant = _variant(source, cell)
    if variant.times is None:
        hint = "Give the bundle's folder instead of the result: the raw samples lie there."
        raise UsageError(f"{variant.id} has no raw samples: {variant.times_reason}.", hint)
    return variant, variant.times
