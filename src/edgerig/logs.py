"""Log lines with time and level: on standard error, and in a file.

Every module logs through Python's `logging` under its own name, which is below ``edgerig``. A program that uses edgerig
as a library sets `logging` up as it likes. The command line does it with `configure`; what a child process logs goes to
its parent, and is handled there as if it had been logged there (`edgerig.child_logs`).
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import traceback
from datetime import datetime
from pathlib import Path

import msgspec

from edgerig.errors import StorageError
from edgerig.text import one_line

#: How much is said: errors only, warnings, what is done, every detail, and every detail of the libraries.
QUIET, NORMAL, VERBOSE, DETAILED, EVERYTHING = range(-1, 4)
_OURS = {QUIET: logging.ERROR, NORMAL: logging.WARNING, VERBOSE: logging.INFO}
_LIBRARIES = {QUIET: logging.ERROR, NORMAL: logging.WARNING, VERBOSE: logging.WARNING, DETAILED: logging.INFO}
#: Characters of a message that are kept.
LONGEST_MESSAGE = 8000
_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (DEBUG|INFO|WARNING|ERROR|CRITICAL) +(.*)")


class Levels(msgspec.Struct, frozen=True):
    """From which level on records are wanted: those of edgerig, and those of everybody else."""

    ours: int
    libraries: int


def is_ours(name: str) -> bool:
    """Whether the logger called ``name`` is one of edgerig's."""
    return name == "edgerig" or name.startswith("edgerig.")


def text_of(record: logging.LogRecord) -> str:
    """The message on one line, so that nothing in it passes for a line of its own; a traceback below it, indented."""
    try:
        text = one_line(record.getMessage(), LONGEST_MESSAGE)
    except Exception as error:  # a library's arguments that do not fit its own message
        text = one_line(f"{record.msg!r} ({error})", LONGEST_MESSAGE)
    if record.exc_info and record.exc_info[1] is not None:
        trace = "".join(traceback.format_exception(record.exc_info[1]))
        text += "".join(f"\n    {one_line(line, LONGEST_MESSAGE)}" for line in trace.splitlines())
    return text


class _Console(logging.Handler):
    """Log lines on standard error, as it is at that time: a progress display may stand in for it."""

    def __init__(self, verbosity: int) -> None:
        super().__init__()
        self.verbosity, self.wanted = verbosity, levels_of(verbosity)

    def emit(self, record: logging.LogRecord) -> None:
        wanted = self.wanted.ours if is_ours(record.name) else self.wanted.libraries
        if record.levelno < wanted or getattr(record, "on_console", False):
            return
        origin = f"{record.name}: " if self.verbosity >= DETAILED or not is_ours(record.name) else ""
        when = datetime.fromtimestamp(record.created).strftime("%Y-%m-%d %H:%M:%S")
        # Where standard error is closed or full nobody can be told.
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"{when} {record.levelname:<7} {origin}{text_of(record)}\n")


class _File(logging.Handler):
    """Log lines at the end of a file, each written at once."""

    def __init__(self, path: Path, verbosity: int) -> None:
        super().__init__()
        # Kept also where little is shown, as it is looked at when something was wrong.
        self.wanted = levels_of(max(verbosity, VERBOSE))
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise StorageError(
                f"Cannot write the log file {path}: {error.strerror}.", "Name another one with --log-file."
            ) from error

    def emit(self, record: logging.LogRecord) -> None:
        wanted = self.wanted.ours if is_ours(record.name) else self.wanted.libraries
        if record.levelno < wanted:
            return
        when = datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")
        line = f"{when} {record.levelname:<7} {record.name}[{record.process}]: {text_of(record)}\n"
        try:
            self._file.write(line.encode(errors="replace"))
        except OSError as error:
            logging.getLogger().removeHandler(self)
            logging.getLogger(__name__).warning(
                "The log file %s cannot be written any more: %s", self.path, error.strerror
            )

    def close(self) -> None:
        self._file.close()
        super().close()


_console: _Console | None = None
_file: _File | None = None


def levels_of(verbosity: int) -> Levels:
    """The levels that belong to a verbosity between `QUIET` and `EVERYTHING`."""
    return Levels(_OURS.get(verbosity, logging.DEBUG), _LIBRARIES.get(verbosity, logging.DEBUG))


def configure(verbosity: int = NORMAL, path: Path | None = None) -> None:
    """Show log lines on standard error, and write them to the end of the file ``path``; instead of as before.

    Args:
        verbosity: `QUIET` to `EVERYTHING`.
        path: The log file; its folder is made. It gets what `VERBOSE` shows, or as much as is shown if that is more.

    Raises:
        StorageError: It cannot be written.
    """
    global _console, _file
    file = _File(path, verbosity) if path is not None else None
    shutdown()
    _console, _file = _Console(verbosity), file
    root = logging.getLogger()
    root.addHandler(_console)
    wanted = _console.wanted
    if file is not None:
        root.addHandler(file)
        wanted = Levels(min(wanted.ours, file.wanted.ours), min(wanted.libraries, file.wanted.libraries))
    root.setLevel(wanted.libraries)
    logging.getLogger("edgerig").setLevel(wanted.ours)
    logging.captureWarnings(True)


def shutdown() -> None:
    """Undo `configure`."""
    global _console, _file
    root = logging.getLogger()
    for handler in (_console, _file):
        if handler is not None:
            root.removeHandler(handler)
            handler.close()
    if _console is not None:
        root.setLevel(logging.WARNING)
        logging.getLogger("edgerig").setLevel(logging.NOTSET)
        logging.captureWarnings(False)
    _console = _file = None


def shows(level: int) -> bool:
    """Whether a record of edgerig of that level gets a line on standard error."""
    return _console is not None and level >= _console.wanted.ours


def quiet() -> bool:
    """Whether nothing but errors is to be shown."""
    return _console is not None and _console.verbosity <= QUIET


def parsed(line: str) -> tuple[int, str]:
    """Level and message of a line that a program of edgerig has written on its standard error; INFO for any other."""
    match = _LINE.fullmatch(line.rstrip())
    if match is None:
        return logging.INFO, line.rstrip()
    return logging.getLevelNamesMapping()[match[1]], match[2]
