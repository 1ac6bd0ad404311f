"""What went wrong with a step, and how to mend it."""

from __future__ import annotations

import shutil
import signal
import tempfile
from pathlib import Path

from edgerig.errors import EdgerigError
from edgerig.suites.workflow.process import Ended, last_lines
from edgerig.suites.workflow.records import FILES, LOG
from edgerig.suites.workflow.types import PlannedStep

#: Lines of a log that stand in an error.
LINES = 6
#: Free bytes below which a full disk is the likely cause.
FULL = 16 << 20
#: Exit code with which programs tell that they were stopped by Ctrl-C.
INTERRUPTED = 130


class StepError(EdgerigError):
    """A step failed.

    Attributes:
        left: A folder with what it left, for whoever looks for the cause; it is the reader's to remove.
        log: The step's log.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.left: Path | None = None
        self.log = ""

    def keep(self, folder: Path) -> None:
        """Move what the step left out of the stage, which is removed."""
        if any(folder.iterdir()):
            self.left = Path(tempfile.mkdtemp(prefix="tmp-left-", dir=folder.parent.parent)) / "left"
            folder.rename(self.left)
            folder.mkdir()

    def drop(self) -> None:
        """Remove what was kept."""
        if self.left is not None:
            shutil.rmtree(self.left.parent, ignore_errors=True)


def failure_of(step: PlannedStep, ended: Ended, work: Path) -> StepError | None:
    """The failure that the end of a step's process tells; None if it tells success."""
    log = work / LOG
    if ended.why == "stopped":
        # Stopped as it was meant to be: whatever it says then.
        if ended.code in (0, INTERRUPTED, -signal.SIGINT):
            return None
        failure = StepError(
            f"step {step.name!r} was stopped after {step.stop_after:g} s, as its stop_after says, but ended with "
            f"{_code(ended.code)}.",
            _hint(log),
        )
    elif ended.why == "timeout":
        failure = StepError(
            f"step {step.name!r} took longer than its timeout of {step.timeout:g} s, and was stopped.",
            "Give it more time (timeout: 1 h), or find out in its log where it hangs.",
        )
    elif ended.code == 0 and step.stop_after is None:
        return None
    elif ended.code == 0:
        failure = StepError(
            f"step {step.name!r} ended after {ended.seconds:.1f} s, before it was to be stopped "
            f"(stop_after: {step.stop_after:g} s).",
            _hint(log),
        )
    elif ended.code < 0:
        failure = StepError(f"step {step.name!r} was killed by {_code(ended.code)}.", _killed_hint(ended.code))
    else:
        failure = StepError(f"step {step.name!r} failed with {_code(ended.code)}.", _hint(log))
    failure.log = log.read_text("utf-8", "replace") if log.is_file() else ""
    if (work / FILES).is_dir() and shutil.disk_usage(work).free < FULL:
        full = f"The disk of {work.parent} is full; free some space, or set EDGERIG_CACHE to another one."
        failure.hint = "\n".join(filter(None, [full, failure.hint]))
    return failure


def _code(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _killed_hint(code: int) -> str:
    if code == -signal.SIGKILL:
        return "Most often the kernel does that where memory runs out: `dmesg` says so. Run it again to go on."
    return "Run the workflow again: what is done stays, and the step begins anew."


def _hint(log: Path) -> str | None:
    lines = last_lines(log, LINES)
    return "It said:\n" + "\n".join(f"  {line}" for line in lines) if lines else None
