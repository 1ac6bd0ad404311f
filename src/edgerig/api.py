"""``edgerig.run``: measure, and write the report beside the results."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgerig.engine import api
from edgerig.engine.run import Options, execute
from edgerig.errors import EdgerigError, StorageError
from edgerig.progress import Progress
from edgerig.report import write_reports
from edgerig.results.types import RunResult
from edgerig.rig.plan import Plan


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
    """Train, compile, deploy and measure what a rig names; write a bundle with its report.

    Args:
        spec: A rig file's path, its content as a dict, or a `Plan`.
        out: The bundle's folder; ``runs/<name of the rig>`` by default.
        resume: Resume the unfinished run in ``out``.
        only: Patterns of cell ids, in the shell's syntax (``*``, ``?``).
        settings: Assignments such as ``"measure.samples=200"``.
        progress: Receives progress; silent by default.
        command: The command line to name in the bundle.

    Returns:
        Everything that was measured, as in the bundle's ``results.json``.

    Raises:
        EdgerigError: See `edgerig.errors`; each says what to do. If only cells failed, its attribute ``bundle`` names
            the folder with what was measured and the report.
    """
    plan = spec if isinstance(spec, Plan) else api.plan(spec, only=only, settings=settings)
    folder = Path(out) if out is not None else api.DEFAULT_OUT / plan.rig.name
    try:
        result = execute(plan, Options(out=folder, resume=resume, command=command), progress)
    except EdgerigError as error:
        if error.bundle is not None:
            with contextlib.suppress(StorageError):
                write_reports(Path(error.bundle))
        raise
    try:
        write_reports(folder)
    except StorageError as error:
        # An error of the report must not lose the measurements.
        (progress or Progress()).log(f"The report is not whole: {error.message}")
    return result
