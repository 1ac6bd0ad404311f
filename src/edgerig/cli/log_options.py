"""``--verbose``, ``--quiet`` and ``--log-file``, which every command has."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click
import msgspec

from edgerig import logs
from edgerig.errors import UsageError, foreign_trace

_KEY = "edgerig.log_options"
_logger = logging.getLogger(__name__)


class _Given(msgspec.Struct):
    """The log options seen so far, before and after the command's name."""

    verbose: int = 0
    quiet: bool = False
    path: Path | None = None
    #: Verbosity without any option.
    base: int = logs.NORMAL
    #: Whether logging is undone with the outermost context.
    closing: bool = False


def add_log_options(command: click.Command) -> click.Command:
    """Give ``command``, and the commands of a group, the options that every command has."""
    if not any(parameter.name == "log_file" for parameter in command.params):
        command.params += [_verbose(), _quiet(), _log_file()]
    if isinstance(command, click.Group):
        for member in command.commands.values():
            add_log_options(member)
    return command


def _verbose() -> click.Option:
    return click.Option(
        ["-v", "--verbose"],
        count=True,
        expose_value=False,
        callback=_note,
        help="Say more, each line with time and level: -v what is done, -vv every detail and what libraries say.",
    )


def _quiet() -> click.Option:
    return click.Option(
        ["-q", "--quiet"],
        is_flag=True,
        expose_value=False,
        callback=_note,
        help="Say nothing but errors; results still go to standard output.",
    )


def _log_file() -> click.Option:
    return click.Option(
        ["--log-file"],
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="PATH",
        expose_value=False,
        callback=_note,
        help="Write log lines to the end of this file, too: what -v shows, with -vv what that shows.",
    )


def _note(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if not value or ctx.resilient_parsing:
        return
    chosen = _given(ctx)
    if parameter.name == "verbose":
        chosen.verbose += value
    elif parameter.name == "quiet":
        chosen.quiet = True
    else:
        chosen.path = value
    apply_log_options(ctx)


def _given(ctx: click.Context) -> _Given:
    chosen: _Given = ctx.meta.setdefault(_KEY, _Given())
    return chosen


def apply_log_options(ctx: click.Context, base: int | None = None) -> None:
    """Set up logging by the options parsed so far, until the outermost context is closed.

    Args:
        base: Verbosity without any option, of `edgerig.logs`; unchanged if None.

    Raises:
        UsageError: More and less were asked for at once. StorageError: The log file cannot be written.
    """
    chosen = _given(ctx)
    chosen.base = chosen.base if base is None else base
    if chosen.verbose and chosen.quiet:
        raise UsageError("--verbose and --quiet exclude each other.", "Leave one of them out.")
    level = logs.QUIET if chosen.quiet else min(chosen.base + chosen.verbose, logs.EVERYTHING)
    logs.configure(level, chosen.path)
    if not chosen.closing:
        ctx.find_root().call_on_close(logs.shutdown)
        chosen.closing = True


def log_failure(error: BaseException) -> None:
    """Log how a command failed, to the log file only: the entry point prints the error."""
    shown = {"on_console": True}
    # Before logging is set up, as for an unknown command, Python itself would print what is logged.
    if isinstance(error, click.exceptions.Exit) or not logging.root.hasHandlers():
        return
    if isinstance(error, KeyboardInterrupt | click.Abort):
        _logger.error("Stopped.", extra=shown)
    elif isinstance(error, click.ClickException):
        _logger.error("%s", error.format_message(), extra=shown)
    else:
        text = " ".join(part for part in (getattr(error, "message", str(error)), getattr(error, "hint", "")) if part)
        trace = error if foreign_trace(error) else None
        _logger.error("%s", text or type(error).__name__, exc_info=trace, extra=shown)
