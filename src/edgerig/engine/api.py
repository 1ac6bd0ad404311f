"""From a rig to its plan, for the command line and for Python."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from edgerig.errors import EdgerigError, SpecError, UnknownNameError
from edgerig.rig.document import NO_FILE, Document, plain_copy, read_document, set_value
from edgerig.rig.parse import parse_rig
from edgerig.rig.parts import SUITE, parts_of
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
    document = _document(spec, settings)
    if parts_of(document) is not None:
        raise SpecError(f"{document.name} holds several rigs.", "Run it with `edgerig run`, or take `plans` of it.")
    return make_plan(parse_rig(document), tuple(only))


class Parts(NamedTuple):
    """A file of several rigs.

    Attributes:
        plans: The plans by the names of their parts; of those that were chosen.
        suite: What all of them belong to; None where they belong to nothing.
        left_out: By the names of all parts of the file, in their order, the ids of the cells that were not chosen; None
            for a part that was not chosen and that cannot run here.
    """

    plans: dict[str, Plan]
    suite: str | None
    left_out: dict[str, tuple[str, ...] | None]


def plans(spec: str | Path | dict[str, Any], *, only: Sequence[str] = (), settings: Sequence[str] = ()) -> Parts | None:
    """The plans of a file of several rigs; None where it is a single rig.

    Args:
        only: Patterns of parts' names, or of such a name, a ``/`` and a cell's id: ``kws01``, ``kws01/int8-*``.
        settings: As for `plan`; ``parts.kws01.measure.samples=200`` is for one part alone.

    Raises:
        SpecError, UnknownNameError, IncompatibleError, MissingExtraError: A rig is not valid, or a pattern matches
            nothing.
    """
    document = _document(spec, settings)
    parts = parts_of(document)
    if parts is None:
        return None
    patterns = [pattern.partition("/") for pattern in only]
    for part, _, _ in patterns:
        if not any(fnmatch.fnmatch(name, part) for name in parts):
            raise UnknownNameError("part", part, parts)
    result: dict[str, Plan] = {}
    left_out: dict[str, tuple[str, ...] | None] = {}
    for name, part_document in parts.items():
        own = [cell or "*" for part, _, cell in patterns if fnmatch.fnmatch(name, part)]
        if own or not patterns:
            result[name] = make_plan(parse_rig(part_document), tuple(own))
        left_out[name] = _left_out(part_document, result.get(name)) if patterns else ()
    suite = document.data.get(SUITE)
    return Parts(result, None if suite is None else str(suite), left_out)


def _left_out(document: Document, chosen: Plan | None) -> tuple[str, ...] | None:
    """Ids of a rig's cells that are not in ``chosen``; None where nothing is chosen and the rig has no plan."""
    try:
        whole = make_plan(parse_rig(document))
    except EdgerigError:
        return None if chosen is None else ()
    ids = {cell.id for cell in chosen.cells} if chosen is not None else set()
    return tuple(cell.id for cell in whole.cells if cell.id not in ids)


def _document(spec: str | Path | dict[str, Any], settings: Sequence[str]) -> Document:
    document = Document(plain_copy(spec), NO_FILE, Path.cwd()) if isinstance(spec, dict) else read_document(Path(spec))
    for assignment in settings:
        set_value(document, assignment)
    return document
