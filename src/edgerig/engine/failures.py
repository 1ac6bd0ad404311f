"""What becomes of an error of one cell: a note in the bundle, a line in the summary, and the run's own error."""

from __future__ import annotations

import traceback

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
)
from edgerig.results.bundle import Bundle
from edgerig.results.types import CellFailure

#: What a run may fail with, if all that failed did so for that reason; else it is an `InferenceError`.
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
        """Note why ``cell`` could not be measured; returns that in one line.

        Args:
            cell: Its id. error: What went wrong.
            round: The round that failed; earlier ones are kept.

        Raises:
            StorageError: Not even that can be written.
        """
        expected = isinstance(error, EdgerigError)
        message = str(error) if expected else f"Unexpected {type(error).__name__}: {error}"
        where = f"Round {round} failed: " if round > 1 else ""
        message = where + message
        note = CellFailure(id=cell, error=type(error).__name__, message=message, time=now(), round=round)
        if not expected:
            text = "".join(traceback.format_exception(error))
            files.write_text(self.bundle.cell(cell) / "traceback.txt", text)
        self.bundle.write_failure(note)
        self.notes.append(note)
        self._errors.append(error)
        self._briefs.append(where + _brief(error) if isinstance(error, EdgerigError) else " ".join(message.split()))
        return where + error.message if isinstance(error, EdgerigError) else message

    def error(self, cells: int) -> EdgerigError:
        """The error that a run of so many cells ends with."""
        kind = next((kind for kind in KINDS if all(isinstance(e, kind) for e in self._errors)), InferenceError)
        lines = [f"  - {note.id}: {brief}" for note, brief in zip(self.notes, self._briefs, strict=True)]
        if len(lines) > MOST_LINES:
            lines = [*lines[:MOST_LINES], f"  - and {len(lines) - MOST_LINES:,} more"]
        begun = self.bundle.begun
        hints = [f"What is measured is kept in {self.bundle.path}; go on with --resume."] if begun else []
        pairs = zip(self.notes, self._briefs, strict=True)
        if any(brief != " ".join(note.message.split()) for note, brief in pairs):
            hints.append(f"All that was said stands in {self.bundle.path}/cells/*/failure.json.")
        message = f"{len(self.notes)} of {cells} cells could not be measured:\n" + "\n".join(lines)
        error = kind(message, " ".join(hints) or None)
        error.bundle = str(self.bundle.path)
        return error


def _brief(error: EdgerigError) -> str:
    """An error on one line: of a message with a table, its first line. The hint stays."""
    first, _, rest = error.message.strip().partition("\n")
    text = f"{first.rstrip(' :.')}." if rest else first
    return " ".join(f"{text} {error.hint or ''}".split())
