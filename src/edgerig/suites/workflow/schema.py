"""The JSON Schema of workflow files, generated from the structs that read them."""

from __future__ import annotations

from typing import Any

import msgspec

from edgerig.rig.schema import DRAFT
from edgerig.suites.workflow.types import NAME, WORD, WorkflowFile


def workflow_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12)."""
    schema = msgspec.json.schema(WorkflowFile)
    definitions: dict[str, Any] = schema["$defs"]
    top = definitions.pop("WorkflowFile")
    named = {"steps": NAME, "parameters": WORD}
    for key, pattern in named.items():
        top["properties"][key]["propertyNames"] = {"pattern": f"^{pattern.pattern}$"}
    for key in ("inputs", "outputs"):
        definitions["Step"]["properties"][key]["propertyNames"] = {"pattern": f"^{WORD.pattern}$"}
    return {"$schema": DRAFT, **top, "title": "edgerig workflow file", "$defs": definitions}
