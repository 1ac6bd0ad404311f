"""The report as Markdown (GitHub's tables), for pull requests and wikis."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edgerig.measure.kinds import Kind
from edgerig.report.model import Report
from edgerig.report.rendering.document import Block, Bullets, Code, Text, Title, document
from edgerig.report.tables import Heading, Table
from edgerig.report.values import Figure
from edgerig.text import harmless

_STYLES = {"plain": "", "strong": "**", "emphasis": "*"}


def render_markdown(report: Report) -> str:
    """The same content as the page without its drawings; names are escaped so that they stay text."""
    return markdown_blocks(document(report))


def markdown_blocks(blocks: Iterable[Block]) -> str:
    """Any document as Markdown."""
    return harmless("\n\n".join(_block(block) for block in blocks)) + "\n"


def markdown_table(table: Table) -> str:
    """One table that is of no report, as in the report."""
    return harmless(_declared(table)) + "\n"


def escape(text: str) -> str:
    """``text`` on one line, with everything escaped that Markdown or HTML would take for markup."""
    escaped = re.sub(r"([\\`*_{}\[\]<>|#~$!])", r"\\\1", " ".join(text.split()).replace("&", "&amp;"))
    # GitHub turns addresses into links, and names after @ into mentions.
    return re.sub(r"(?i)\b(www)\.", r"\1&#46;", escaped.replace("://", ":&#47;/").replace("@", "&#64;"))


def _block(block: Block) -> str:
    if isinstance(block, Title):
        return f"{'#' * block.level} {escape(block.text)}{_marks(block.warnings)}"
    if isinstance(block, Text):
        mark = _STYLES[block.style]
        return f"{mark}{escape(block.text)}{mark}"
    if isinstance(block, Bullets):
        title = f"**{escape(block.title)}**\n\n" if block.title else ""
        return title + "\n".join(f"- {escape(item)}" for item in block.items)
    return _code(block.lines, block.language) if isinstance(block, Code) else _declared(block)


def _declared(table: Table) -> str:
    """A declared table; a highlighted row has a star."""
    table = table.on("text")
    rows = [
        [
            ("★ " if line.marked and heading.head else "") + _value(figure, heading, table.reasons)
            for heading, figure in zip(table.headings, line.cells, strict=True)
        ]
        for line in table.lines
    ]
    head = [escape(heading.full_label) for heading in table.headings]
    return _table(head, rows, [heading.align == "right" for heading in table.headings])


def _value(figure: Figure | None, heading: Heading, reasons: bool) -> str:
    """A cell; a table without ``reasons`` has many columns, so reasons and warnings are listed with the variant."""
    if figure is None:
        return heading.absent or "–"
    if figure.reason is not None:
        return f"*unavailable: {escape(figure.reason)}*" if reasons else "unavailable"
    bounds = f" ({figure.interval})" if (heading.interval or figure.banded) and figure.interval else ""
    marks = _marks(figure.warnings) if reasons else " ⚠" if figure.warnings else ""
    return f"{escape(figure.text + bounds)}{_kind(figure.kind)}{marks}"


def _marks(warnings: Sequence[str]) -> str:
    """The mark behind a number, or a heading, with warnings."""
    return f" ⚠ {escape(' '.join(warnings))}" if warnings else ""


def _kind(kind: Kind | None) -> str:
    """The kind of a number that was not measured, as a word behind it."""
    return "" if kind in (None, "measured") else f" *{kind}*"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[bool] = ()) -> str:
    """A table; ``right`` tells which columns are right-aligned; none where it is empty."""
    rows = [[_cell(text) for text in row] for row in rows]
    if not rows:
        return ""
    rule = ["---:" if numbers else "---" for numbers in right or [False] * len(head)]
    return "\n".join("| " + " | ".join(line) + " |" for line in ([_cell(text) for text in head], rule, *rows))


def _cell(text: str) -> str:
    """``text`` as one cell: without line breaks, which would end the row, and with bars escaped, which end the cell."""
    return re.sub(
        r"(?<!\\)(\\*)\|", lambda bar: bar[0] if len(bar[1]) % 2 else f"{bar[1]}\\|", " ".join(text.splitlines())
    )


def _code(lines: Sequence[str], language: str = "sh") -> str:
    """A code block whose fence is longer than any run of backticks inside."""
    longest = max((len(run) for line in lines for run in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}{language}", *lines, fence]) if lines else ""
