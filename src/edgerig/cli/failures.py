"""What ends a command other than success: one message on standard error and an exit code, never a traceback."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from edgerig import __version__
from edgerig.errors import EdgerigError, Interrupted, StorageError, UsageError
from edgerig.text import harmless, one_line

#: What the system says of a path that is not edgerig's fault: too long, or not for this user.
_REFUSED_PATHS = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ELOOP, errno.EROFS)
#: Exit codes as shells and sysexits.h have them: ended by SIGPIPE, and a fault of the program.
_BROKEN_PIPE, _FAULT = 141, 70


class ReaderGoneError(Exception):
    """The reader of standard output has ended, as in `edgerig list datasets | head -1`."""


@contextlib.contextmanager
def told_by_us() -> Iterator[None]:
    """Keep click from ending the process with code 1 where the reader of standard output has gone."""
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGoneError from error


def colour() -> bool | None:
    """Whether to colour: False where the user wants none (https://no-color.org), else None, as the terminal can."""
    return False if os.environ.get("NO_COLOR") else None


def exit_code(error: BaseException, arguments: list[str]) -> int:
    """The exit code for ``error``, which is being handled, after it was told to the user."""
    if isinstance(error, click.ClickException):
        message = io.StringIO()
        error.show(message)
        click.echo(harmless(message.getvalue()), err=True, nl=False)
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return _fail(Interrupted("Stopped."), arguments)
    if isinstance(error, EdgerigError):
        return _fail(error, arguments)
    if isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason:
        return _fail(_no_text(error), arguments)
    if isinstance(error, BrokenPipeError | ReaderGoneError):
        _drop_output()
        return _BROKEN_PIPE
    refused = _refused_by_system(error) if isinstance(error, OSError) else None
    return _fail(refused, arguments) if refused is not None else _fault(error, arguments)


def _refused_by_system(error: OSError) -> EdgerigError | None:
    """What the system refuses for a reason that the user can mend; None where the fault is edgerig's."""
    if error.errno in _REFUSED_PATHS and error.filename is not None:
        return StorageError(
            f"Cannot use {one_line(os.fsdecode(error.filename))}: {error.strerror}.",
            "Give another path, or make this one accessible.",
        )
    if error.errno == errno.ENOENT and _no_folder():
        return UsageError(
            "The current folder does not exist any more.",
            'Change to another one, or to the one of its name: cd "$PWD".',
        )
    # Errors of files carry a file name or are a StorageError: this one comes from standard output.
    if error.errno == errno.ENOSPC and error.filename is None:
        _drop_output()
        return StorageError("Could not write to standard output: the disk is full.")
    return None


def _no_folder() -> bool:
    """Whether the current folder was removed."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _no_text(error: UnicodeEncodeError) -> UsageError:
    """The error for a name of a file that Python can open, and nobody can write down."""
    name = one_line(error.object[max(0, error.start - 60) : error.end + 60])
    return UsageError(
        f"The name of a file holds bytes that are no text in this system's encoding: {name}.",
        "Rename it; or set an encoding that it is in: LC_ALL=C.UTF-8.",
    )


def _drop_output() -> None:
    """Discard further output, including what the interpreter flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(error: EdgerigError, arguments: list[str]) -> int:
    if "--debug" in arguments:
        import traceback

        traceback.print_exc()
    label = click.style("error:", fg="red", bold=True)
    click.echo(f"{label} {harmless(error.message)}", err=True, color=colour())
    if error.hint:
        click.echo(f"       {harmless(error.hint)}", err=True)
    return error.exit_code


def _fault(error: BaseException, arguments: list[str]) -> int:
    import tempfile
    import traceback

    from edgerig.cli.plugin_faults import error_of_plugin

    of_plugin = error_of_plugin(error)
    if of_plugin is not None:
        return _fail(of_plugin, arguments)
    if "--debug" in arguments:
        traceback.print_exc()
        return _FAULT
    with tempfile.NamedTemporaryFile("w", prefix="edgerig-", suffix=".log", delete=False) as file:
        file.write(harmless(f"edgerig {__version__}\n{arguments}\n{traceback.format_exc()}"))
    click.echo(f"error: this is a fault of edgerig: {type(error).__name__}: {one_line(error)}", err=True)
    click.echo(f"       The details are in {file.name}; please report them.", err=True)
    return _FAULT
