"""Write what is generated from the code: the schema of rig files and the reference of every setting.

Run it after changing a setting; a test holds the files against the code.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from edgerig.models.base import TrainSettings
from edgerig.plugins import NOUNS, Plugin, Settings, describe, find, names
from edgerig.spec.schema import rig_schema
from edgerig.spec.types import Measure

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "examples" / "rig.schema.json"
REFERENCE = ROOT / "docs" / "settings.md"


def schema_text() -> str:
    """Content of the schema file."""
    return json.dumps(rig_schema(), indent=1, sort_keys=True) + "\n"


def reference_text() -> str:
    """Content of the settings page."""
    return "\n".join(_reference_lines()) + "\n"


def _reference_lines() -> Iterator[str]:
    yield "# Every setting"
    yield ""
    yield "Made from the code by `scripts/make_reference.py`. How they are put together: [rig-file.md](rig-file.md)."
    yield from _section("measure", "How each cell is measured", Measure, level=2)
    yield from _section("model.train", "How a registered model is trained", TrainSettings, level=2)
    for noun in NOUNS:
        yield ""
        yield f"## {noun.capitalize()}s"
        for name in names(noun):
            plugin = find(noun, name, Plugin)
            extra = f" Extra: `{plugin.extra}`." if plugin.extra else ""
            yield from _section(name, f"{plugin.summary}.{extra}", plugin.Settings, level=3)


def _section(name: str, summary: str, settings: type[Settings], level: int) -> Iterator[str]:
    yield ""
    yield f"{'#' * level} {name}"
    yield ""
    yield summary.replace("..", ".")
    rows = list(describe(settings))
    if rows:
        yield ""
        yield "| setting | default | meaning |"
        yield "|---|---|---|"
        for key, default, text in rows:
            yield f"| `{key}` | `{default}` | {text} |"


if __name__ == "__main__":
    SCHEMA.write_text(schema_text())
    REFERENCE.write_text(reference_text())
    sys.stdout.write(f"{SCHEMA}\n{REFERENCE}\n")
