"""The report as reStructuredText, for documentation that Sphinx or docutils builds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edgerig.report.model import Report
from edgerig.report.rendering.document import Block, Bullets, Code, Text, Title, document
from edgerig.report.tables import Heading, Table
from edgerig.report.values import Figure
from edgerig.text import harmless

_UNDERLINES = "=-~^"
_STYLES = {"plain": "", "strong": "**", "emphasis": "*"}


def render_rst(report: Report) -> str:
    """The same content as the Markdown report; tables are ``list-table`` directives."""
    return rst_blocks(document(report))


def rst_blocks(blocks: Iterable[Block]) -> str:
    """Any document as reStructuredText."""
    return harmless("\n\n".join(_block(block) for block in blocks)) + "\n"


def rst_table(table: Table) -> str:
    """One table that is of no report, as in the report."""
    return harmless(_table(table)) + "\n"


def escape(text: str) -> str:
    """``text`` on one line, with everything escaped that reStructuredText would take for markup."""
    line = re.sub(r"([\\`*_|<>\[\]@])", r"\\\1", " ".join(text.split()))
    # Addresses would become links; a mark or a number at the start would make lists, titles, fields and options.
    line = re.sub(r"(?i)\b(?=[a-z][a-z0-9.+-]{0,30}:\S)", r"\\", line)
    line = re.sub(r"^(?=[-+=~^\"'#:./;!$%&(){},?•‣⁃])", r"\\", line)
    return re.sub(r"^(\(?\w+)([.)])(?=\s|$)", r"\1\\\2", line).replace("::", ":\\:")


def _block(block: Block) -> str:
    if isinstance(block, Title):
        text = escape(block.text) + _marks(block.warnings)
        return f"{text}\n{_UNDERLINES[block.level - 1] * max(4, 2 * len(text))}"
    if isinstance(block, Text):
        return _styled(block.text, _STYLES[block.style])
    if isinstance(block, Bullets):
        title = _styled(block.title, "**") + "\n\n" if block.title else ""
        return title + "\n".join(f"- {escape(item)}" for item in block.items)
    if isinstance(block, Code):
        body = "\n".join(f"   {line}" for line in block.lines)
        return f".. code-block:: {block.language}\n\n{body}"
    return _table(block)


def _styled(text: str, mark: str) -> str:
    escaped = escape(text)
    return f"{mark}{escaped}{mark}" if escaped else ""


def _table(table: Table) -> str:
    table = table.on("text")
    named = any(heading.label for heading in table.headings)
    head = [[escape(heading.full_label) for heading in table.headings]] if named else []
    rows = [
        [
            ("★ " if line.marked and heading.head else "") + _cell(figure, heading, table.reasons)
            for heading, figure in zip(table.headings, line.cells, strict=True)
        ]
        for line in table.lines
    ]
    options = [f"   :header-rows: {len(head)}"] if head else []
    return "\n".join([".. list-table::", *options, "", *(_row(row) for row in (*head, *rows))])


def _row(cells: Sequence[str]) -> str:
    first, *others = cells
    return "\n".join([f"   * - {first}".rstrip(), *(f"     - {cell}".rstrip() for cell in others)])


def _cell(figure: Figure | None, heading: Heading, reasons: bool) -> str:
    if figure is None:
        return escape(heading.absent or "–")
    if figure.reason is not None:
        return _styled(f"unavailable: {figure.reason}", "*") if reasons else "unavailable"
    bounds = f" ({figure.interval})" if (heading.interval or figure.banded) and figure.interval else ""
    kind = "" if figure.kind in (None, "measured") else f" *{figure.kind}*"
    marks = _marks(figure.warnings) if reasons else " ⚠" if figure.warnings else ""
    return f"{escape(figure.text + bounds)}{kind}{marks}"


def _marks(warnings: Sequence[str]) -> str:
    return f" ⚠ {escape(' '.join(warnings))}" if warnings else ""
