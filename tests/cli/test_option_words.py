"""One word for one thing: options of several commands are written the same way in each."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator

import click
import pytest

from edgerig.cli import cli

#: Options whose values differ from command to command, because what they name does.
DIFFERENT = {
    "--against", "--batch", "--compiler", "--format", "--listen", "--mode", "--model", "--only", "--optimize", "--out",
    "--to",
}  # fmt: skip


def commands(command: click.Command = cli, path: str = "edgerig") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from commands(child, f"{path} {name}")


def visible() -> Iterator[tuple[str, str, click.Option, str]]:
    """Path, name, option and what its help shows for its value."""
    for path, command in commands():
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                value = "" if option.is_flag else option.make_metavar(click.Context(command))
                for name in option.opts:
                    if name.startswith("--"):
                        yield path, name, option, value


def test_an_option_takes_the_same_in_every_command() -> None:
    values: dict[str, dict[str, str]] = defaultdict(dict)
    for path, name, _, value in visible():
        values[name][path] = value
    unlike = {name: by for name, by in values.items() if len(set(by.values())) > 1}
    assert unlike.keys() == DIFFERENT, {name: by for name, by in unlike.items() if name not in DIFFERENT}


def test_an_option_that_takes_a_number_of_seconds_says_so() -> None:
    for path, name, option, value in visible():
        if isinstance(option.type, click.FloatRange) and "econds" in f"{name} {option.help}".partition("[")[0]:
            assert value == "SECONDS", f"{path} {name}"


@pytest.mark.parametrize("command", ["bench", "test", "compare", "serve", "digits serve"])
def test_whatever_runs_a_network_takes_settings_of_target_and_runtime(command: str) -> None:
    names = {name for path, name, _, _ in visible() if path == f"edgerig {command}"}
    assert names >= {"--target", "--target-option", "--runtime", "--runtime-option", "--threads", "--model-format"}


#: What an option of two commands means, where the value of one would make no sense in the other.
MEANINGS = {
    "--format": {"edgerig layers", "edgerig report"},  # of the document that is written
    "--picture-format": {"edgerig data capture"},
    "--keep-format": {"edgerig serve"},
}


@pytest.mark.parametrize("option", MEANINGS)
def test_an_option_has_one_meaning(option: str) -> None:
    assert {path for path, name, _, _ in visible() if name == option} == MEANINGS[option]


@pytest.mark.parametrize(
    ("words", "today"),
    [
        (("inspect", "nothing.xyz", "--format", "no_module:None"), "--model-format"),
        (("data", "capture", "no.mp4", "--to", "data/x", "--format", "png"), "--picture-format"),
        (("serve", "no.tflite", "--video", "no.mp4", "--keep", "k", "--keep-form", "jpeg"), "--keep-format"),
    ],
)
def test_an_old_spelling_still_counts_and_names_the_one_of_today(words: tuple[str, ...], today: str) -> None:
    done = subprocess.run([sys.executable, "-m", "edgerig", *words], capture_output=True, text=True, check=False)
    assert f"Use {today} instead." in done.stderr
    assert done.returncode in (1, 2), done.stderr
    assert "no such option" not in done.stderr.lower()
