"""From bundles to a report file, written atomically."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from edgerig import files
from edgerig.errors import UsageError
from edgerig.report.build import build
from edgerig.report.limits import Limits
from edgerig.report.load import Loaded, load_bundle
from edgerig.report.model import Report

Format = Literal["html", "md", "rst", "csv", "json"]
#: One bundle's folder, or several.
Bundles = Path | str | Sequence[Path | str]
#: The formats of a report, which are also the suffixes of its file.
FORMATS: tuple[Format, ...] = get_args(Format)
#: Formats that a run writes into its bundle.
_IN_BUNDLES: tuple[Format, ...] = ("json", "md", "html")
#: Largest size of a page that has more than the table of variants.
MOST_BYTES = 2_500_000
#: Limits from everything down; the first with which the page fits is used.
_LEVELS = (
    Limits(),
    Limits(points=600, picture_bytes=300_000, mismatches=24, layers=120),
    Limits(points=200, picture_bytes=0, mismatches=10, classes=12, layers=40),
    Limits(points=0, picture_bytes=0, mismatches=0, classes=0, layers=0),
    Limits(points=0, picture_bytes=0, mismatches=0, classes=0, layers=0, details=False),
    Limits(points=0, picture_bytes=0, mismatches=0, classes=0, layers=0, details=False, others=False),
)


def write_report(bundles: Bundles, out: Path | str, format: Format | None = None) -> Path:
    """Write one report of one or several bundles, side by side.

    Args:
        bundles: Folders that `edgerig run` or `edgerig bench` made, or one of them.
        out: The file to write; its suffix (.html, .md, .rst, .csv, .json) sets the format where ``format`` is None.
            As CSV a file holds the table of variants; a folder, or a path without a suffix, gets a file for each table.
        format: The format, whatever the suffix.

    Returns:
        ``out``, as a path.

    Raises:
        UsageError: No bundle is given, one twice, or the suffix is of no known format.
        StorageError: A folder is no bundle or is damaged, or the file cannot be written.
    """
    out = Path(out)
    chosen = format or format_of(out)
    if chosen == "csv" and (out.is_dir() or not out.suffix):
        return _write_tables(bundles, out)
    if out.is_dir():
        raise UsageError(f"{out} is a folder.", f"Name a file: --out {out / f'report.{chosen}'}")
    files.write_text(out, render(_load(bundles), chosen))
    return out


def _write_tables(bundles: Bundles, folder: Path) -> Path:
    from edgerig.report.rendering.csv import render_csv_files

    for name, text in render_csv_files(build(_load(bundles))).items():
        files.write_text(folder / name, text)
    return folder


def write_reports(bundle: Path) -> Report:
    """Write ``report.html``, ``.md`` and ``.json`` into a bundle, and return what they show; raises as `write_report`
    does."""
    loaded = _load([bundle])
    report = build(loaded)
    for format in _IN_BUNDLES:
        files.write_text(bundle / f"report.{format}", render(loaded, format, report))
    return report


def build_report(bundles: Bundles) -> Report:
    """The model of the report of ``bundles``; raises as `write_report` does."""
    return build(_load(bundles))


def render(bundles: Sequence[Loaded], format: Format = "html", report: Report | None = None) -> str:
    """The report's text in one of `FORMATS`.

    A page that would be larger than 2.5 MB is made with fewer points, pictures and rows, then without sections of the
    variants, then of their table alone, which has all of them however many there are; and says so.

    Args:
        report: What `build` makes of ``bundles``, where it is there already.
    """
    from edgerig.report.rendering.csv import render_csv
    from edgerig.report.rendering.html import render_html
    from edgerig.report.rendering.json import render_json
    from edgerig.report.rendering.markdown import render_markdown
    from edgerig.report.rendering.rst import render_rst

    whole = {"json": render_json, "md": render_markdown, "rst": render_rst, "csv": render_csv}
    if format != "html":
        return whole[format](report or build(bundles))
    page = ""
    for limits in _LEVELS:
        shown = report if report is not None and limits == Limits() else build(bundles, limits)
        page = render_html(shown, limits, _left_out(limits, len(shown.variants)))
        if len(page.encode()) <= MOST_BYTES:
            break
    return page


def _left_out(limits: Limits, variants: int) -> str:
    """What a page says of the sections that it lacks; nothing where it has all of them."""
    if limits.details:
        return ""
    what = "their sections" if limits.others else "their sections, the plot, and what compares them"
    return (
        f"A page of at most {MOST_BYTES / 1e6} MB does not hold more than the table of the {variants:,} variants: "
        f"{what} are left out. report.md and report.json have all of it (edgerig report FOLDER --format md, csv, json)."
    )


def format_of(path: Path) -> Format:
    """The format of a file's suffix.

    Raises:
        UsageError: The suffix is of no known format.
    """
    suffix = path.suffix.lower().lstrip(".")
    for format in FORMATS:
        if suffix == format:
            return format
    raise UsageError(
        f"{path.name}: the suffix stands for no format of a report.",
        "Use .html, .md, .rst, .csv or .json, or say --format.",
    )


def _load(bundles: Bundles) -> list[Loaded]:
    if isinstance(bundles, str | Path):
        bundles = [bundles]
    if not bundles:
        raise UsageError("No bundle is given.", "Name at least one folder that `edgerig run` made.")
    seen: set[Path] = set()
    folders = [Path(bundle) for bundle in bundles]
    for bundle in folders:
        resolved = bundle.resolve()
        if resolved in seen:
            raise UsageError(f"{bundle} is given twice.", "Give each bundle once.")
        seen.add(resolved)
    return [load_bundle(bundle) for bundle in folders]
