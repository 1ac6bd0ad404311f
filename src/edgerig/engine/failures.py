"""What happens to an error of one cell: a note in the bundle, a line in the summary, and the run's own error."""

from __future__ import annotations

from edgerig import files
from edgerig.engine.prepare import now
from edgerig.errors import (
    CompileError,
    DatasetError,
    EdgerigError,
    IncompatibleError,
    InferenceError,
    ModelError,
    StorageError,
    TargetError,
    foreign_trace,
)
from edgerig.results.bundle import Bundle
from edgerig.results.types import CellFailure
from edgerig.text import LONGEST_TEXT, cause_of

#: Errors that a run raises as such if every failed cell failed with one; otherwise it raises `InferenceError`.
KINDS = (TargetError, InferenceError, IncompatibleError, DatasetError, ModelError, CompileError, StorageError)
#: Cells that the summary names.
MOST_LINES = 50


class Failures:
    """The cells of a run that could not be measured, each noted in the bundle as it happens."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.notes: list[CellFailure] = []
        self._errors: list[BaseException] = []
        self._briefs: list[str] = []

    def add(self, cell: str, error: BaseException, round: int = 1) -> str:
        """Note why ``cell`` failed; returns the reason in one line, or the cell that reported the same one before.

        Args:
            cell: Its id. error: What went wrong.
            round: The round that failed; earlier rounds are kept.

        Raises:
            StorageError: The note cannot be written.
        """
        message = str(error) if isinstance(error, EdgerigError) else f"Unexpected {cause_of(error, LONGEST_TEXT)}"
        where = f"Round {round} failed: " if round > 1 else ""
        message = where + message
        note = CellFailure(id=cell, error=type(error).__name__, message=message, time=now(), round=round)
        self.bundle.check_place()
        trace = foreign_trace(error)
        if trace is not None:
            files.write_text(self.bundle.cell(cell) / "traceback.txt", trace)
        self.bundle.write_failure(note)
        self.notes.append(note)
        self._errors.append(error)
        brief = where + _brief(error) if isinstance(error, EdgerigError) else " ".join(message.split())
        first = next((other for other, text in zip(self.notes, self._briefs, strict=False) if text == brief), note)
        self._briefs.append(brief)
        return brief if first is note else f"as {first.id}"

    def error(self, cells: int, *, shown: bool = False) -> EdgerigError:
        """The error that ends a run with failed cells.

        Args:
            cells: The number of cells in the run.
            shown: Whether the user saw each reason when it occurred: then the message only names the cells.
        """
        kind = next((kind for kind in KINDS if all(isinstance(e, kind) for e in self._errors)), InferenceError)
        reasons = [""] * len(self._briefs) if shown else [f": {brief}" for brief in self._briefs]
        lines = [f"  - {note.id}{reason}" for note, reason in zip(self.notes, reasons, strict=True)]
        if len(lines) > MOST_LINES:
            lines = [*lines[:MOST_LINES], f"  - and {len(lines) - MOST_LINES:,} more"]
        begun = self.bundle.begun
        hints = [f"What is measured is kept in {self.bundle.path}; go on with --resume."] if begun else []
        pairs = zip(self.notes, self._briefs, strict=True)
        if any(brief != " ".join(note.message.split()) for note, brief in pairs):
            hints.append(f"All that was said stands in {self.bundle.path}/cells/*/failure.json.")
        why = ", for the reasons above" if shown else ""
        message = f"{len(self.notes)} of {cells} cells could not be measured{why}:\n" + "\n".join(lines)
        error = kind(message, " ".join(hints) or None)
        error.bundle = str(self.bundle.path)
        # For --debug and the log file: each reason once.
        causes = list(dict(zip(self._briefs, self._errors, strict=True)).values())
        error.__cause__ = causes[0] if len(causes) == 1 else BaseExceptionGroup("cells that failed", causes)
        return error


def _brief(error: EdgerigError) -> str:
    """An error on one line: only the first line of a message with a table. The hint is kept."""
    first, _, rest = error.message.strip().partition("\n")
    text = f"{first.rstrip(' :.')}." if rest else first
    return " ".join(f"{text} {error.hint or ''}".split())
