"""Write the table of operators in docs/micro.md from the records of the C compiler.

Run it after adding an operator; a test holds the page against the records.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from edgerig.micro.ir import RECORDS

PAGE = Path(__file__).parent.parent / "docs" / "micro.md"
HEAD = "| operator | int8 | float32 | remarks |\n|---|---|---|---|\n"


def table() -> str:
    """The lines of the table; operators that share a row stand together."""
    rows = dict.fromkeys(record.row for record in RECORDS.values())
    lines = []
    for row in rows:
        names = ", ".join(record.name for record in RECORDS.values() if record.row is row)
        cells = (names, row.int8, row.float32, row.remarks)
        lines.append("|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|\n")
    return "".join(lines)


def documented(page: str) -> set[str]:
    """The operators that the table of the page names."""
    lines = page.partition(HEAD)[2].partition("\n\n")[0].splitlines()
    return {name for line in lines for name in line.split("|")[1].replace(",", " ").split()}


def with_table(page: str) -> str:
    """The page with its table made anew."""
    before, head, rest = page.partition(HEAD)
    if not head:
        raise SystemExit(f"{PAGE} has no table of operators that begins with:\n{HEAD}")
    return before + head + table() + "\n" + re.sub(r"\A(?:\|.*\n)*\n*", "", rest)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
    sys.stdout.write(f"{PAGE}\n")
