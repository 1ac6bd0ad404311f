"""From a rig to its plan, for the command line and for Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgerig.rig.document import NO_FILE, Document, plain_copy, read_document, set_value
from edgerig.rig.parse import parse_rig
from edgerig.rig.plan import Plan, make_plan

#: Default folder of a run.
DEFAULT_OUT = Path("runs")


def plan(spec: str | Path | dict[str, Any], *, only: Sequence[str] = (), settings: Sequence[str] = ()) -> Plan:
    """The plan of a rig, checked as a whole; nothing is started.

    Args:
        spec: A rig file's path, or its content as a dict.
        only: Patterns of cell ids, in the shell's syntax (``*``, ``?``).
        settings: Assignments such as ``"measure.samples=200"``.

    Raises:
        SpecError, UnknownNameError, IncompatibleError, MissingExtraError: The rig is not valid, with every problem.
    """
    document = Document(plain_copy(spec), NO_FILE, Path.cwd()) if isinstance(spec, dict) else read_document(Path(spec))
    for assignment in settings:
        set_value(document, assignment)
    return make_plan(parse_rig(document), tuple(only))
