"""The report as one JSON document: its model as it is."""

from __future__ import annotations

import msgspec

from edgerig.report.model import Report
from edgerig.text import harmless_json


def render_json(report: Report) -> str:
    """The report's model as indented JSON."""
    return harmless_json(msgspec.json.format(msgspec.json.encode(report), indent=1).decode()) + "\n"
