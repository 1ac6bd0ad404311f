"""The Python API, which the command line uses itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgerig.engine.run import Options, execute
from edgerig.progress import Progress
from edgerig.results.types import RunResult
from edgerig.rig.document import Document, plain_copy, read_document, set_value
from edgerig.rig.parse import parse_rig
from edgerig.rig.plan import Plan, make_plan

#: Where a run goes if nobody says.
DEFAULT_OUT = Path("runs")


def plan(spec: str | Path | dict[str, Any], *, only: Sequence[str] = (), settings: Sequence[str] = ()) -> Plan:
    """The plan of a rig, checked as a whole; nothing is started.

    Args:
        spec: A rig file's path, or its content as a dict.
        only: Patterns of cell ids, as of the shell.
        settings: Assignments such as ``"measure.samples=200"``.

    Raises:
        SpecError, UnknownNameError, IncompatibleError, MissingExtraError: The rig is not valid, with every problem.
    """
    document = (
        Document(plain_copy(spec), "the rig", Path.cwd()) if isinstance(spec, dict) else read_document(Path(spec))
    )
    for assignment in settings:
        set_value(document, assignment)
    return make_plan(parse_rig(document), tuple(only))


def run(
    spec: str | Path | dict[str, Any] | Plan,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    only: Sequence[str] = (),
    settings: Sequence[str] = (),
    progress: Progress | None = None,
    command: str = "",
) -> RunResult:
    """Train, compile, deploy and measure what a rig names; leave a bundle.

    Args:
        spec: A rig file's path, its content as a dict, or a `Plan`.
        out: The bundle's folder; ``runs/<name of the rig>`` by default.
        resume: Go on with the unfinished run in ``out``.
        only: Patterns of cell ids, as of the shell.
        settings: Assignments such as ``"measure.samples=200"``.
        progress: Hears of progress; silent by default.
        command: The command line to name in the bundle.

    Returns:
        Everything that was measured, as in the bundle's ``results.json``.

    Raises:
        EdgerigError: See `edgerig.errors`; each says what to do.
    """
    ready = spec if isinstance(spec, Plan) else plan(spec, only=only, settings=settings)
    folder = Path(out) if out is not None else DEFAULT_OUT / ready.rig.name
    return execute(ready, Options(out=folder, resume=resume, command=command), progress)
