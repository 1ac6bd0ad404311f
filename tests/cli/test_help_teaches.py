"""`--help` of every command has an example that its own parser takes, and tells its commands in whole sentences."""

from __future__ import annotations

import re
import shlex

import click
import pytest
from tests.cli.test_option_words import commands

ALL = dict(commands())


def _text(path: str) -> str:
    return ALL[path].get_help(click.Context(ALL[path], info_name=path))


def _examples(command: click.Command) -> list[str]:
    text = re.sub(r"\\\n *", "", f"{command.help}\n{command.epilog or ''}")
    return [line.strip() for line in text.splitlines() if line.startswith(("  edgerig ", "      edgerig "))]


@pytest.mark.parametrize("path", ALL)
def test_every_command_has_an_example(path: str) -> None:
    assert _examples(ALL[path]), f"{path} --help has no example"


@pytest.mark.parametrize("path", [path for path, command in ALL.items() if isinstance(command, click.Group)])
def test_what_a_command_of_a_group_does_is_told_in_whole(path: str) -> None:
    listed = _text(path).partition("Commands:")[2].partition("Examples:")[0]
    assert listed.strip()
    assert "..." not in listed


@pytest.mark.parametrize("path", ALL)
def test_examples_are_calls_that_the_command_takes(path: str) -> None:
    """Names of commands and options: a renamed option makes an example wrong."""
    for line in _examples(ALL[path]):
        words = shlex.split(line.partition(" | ")[0].partition(" > ")[0], comments=True)
        command, at = ALL["edgerig"], "edgerig"
        for word in words[1:]:
            if f"{at} {word}" not in ALL:
                break
            at = f"{at} {word}"
            command = ALL[at]
        # `edgerig data import photos` stands for `edgerig data import folder photos`.
        command = ALL.get(f"{at} folder", command) if isinstance(command, click.Group) else command
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        known |= {"-h", "--help", "--json"} if isinstance(command, click.Group) else set()
        unknown = {word.partition("=")[0] for word in words if word.startswith("--")} - known
        assert not unknown, f"{path}: {line}"
