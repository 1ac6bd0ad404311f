"""A group of commands, each imported when it is called: ``edgerig data --help`` imports none of them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from edgerig.cli.log_options import add_log_options
from edgerig.errors import UnknownNameError

#: Longer than any sentence, for click, which shortens texts to a number of characters.
_WHOLE = 1000


class Commands(click.Group):
    """A group whose ``--help`` tells each command in a whole sentence, which click would cut off at the line's end."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        known = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in known:
            noun = "command" if ctx.parent is None else f"command of {ctx.command_path}"
            raise UnknownNameError(noun, args[0], known)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.sentence_of(ctx, name)) for name in self.list_commands(ctx)])

    def sentence_of(self, ctx: click.Context, name: str) -> str:
        """What a command does, in one sentence."""
        command = self.get_command(ctx, name)
        return command.get_short_help_str(_WHOLE) if command is not None else ""


class LazyCommands(Commands):
    """A group out of a table.

    Args:
        table: By name: the module in `edgerig.cli` that has the command, the command's name there, and one line for
            ``--help``.
    """

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str, str]], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._table:
            return None
        module, attribute, _ = self._table[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"edgerig.cli.{module}"), attribute)
        return add_log_options(command)

    def sentence_of(self, ctx: click.Context, name: str) -> str:
        return self._table[name][2]
