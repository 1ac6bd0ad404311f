"""Classes of a user's own are found in the working folder, after everything that is installed."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from edgerig.cli import cli
from edgerig.cli.options import find_here
from edgerig.errors import SpecError

PLUGIN = """\
from edgerig.runtimes.litert import LiteRt


class Mine(LiteRt):
    name = "mine"
    summary = "a runtime in the working folder"
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module in the working folder."""
    name = f"here_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return name


def test_a_module_in_the_working_folder_is_found(module: str) -> None:
    result = CliRunner().invoke(cli, ["list", "runtimes", f"{module}:Mine", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)[0]["summary"] == "a runtime in the working folder"


def test_it_comes_after_what_is_installed(module: str) -> None:
    find_here("mnist", f"{module}:Mine", "tcp://pi:7433")
    assert sys.path[-1] == str(Path.cwd())
    assert sys.path.count(str(Path.cwd())) == 1


def test_no_folder_is_searched_where_no_class_is_named_or_no_such_module_lies_there(module: str) -> None:
    before = list(sys.path)
    find_here("mnist", "absent_module:Mine", "serial:///dev/ttyACM0", "sim:stm32f746", "")
    assert sys.path == before


def test_a_module_that_is_loaded_under_that_name_already_is_told(module: str) -> None:
    Path("json.py").write_text(PLUGIN)
    with pytest.raises(SpecError, match="ambiguous"):
        find_here("json:Mine")


def numbers_of(
    command: click.Command, words: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Option, click.Command]]:
    """Every option of every command that takes a real number."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            member = command.get_command(context, name)
            assert member is not None
            yield from numbers_of(member, (*words, name))
    for option in command.params:
        if isinstance(option, click.Option) and isinstance(option.type, click.types.FloatParamType):
            yield " ".join((*words, option.opts[0])), option, command


NUMBERS = list(numbers_of(cli))


def test_there_are_options_that_take_real_numbers() -> None:
    assert {"mlperf-tiny run --window", "agent --idle", "train --learning-rate"} <= {name for name, *_ in NUMBERS}


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(("option", "command"), [entry[1:] for entry in NUMBERS], ids=[name for name, *_ in NUMBERS])
def test_no_option_takes_what_is_no_finite_number(option: click.Option, command: click.Command, text: str) -> None:
    with pytest.raises(click.BadParameter):
        option.type.convert(text, option, click.Context(command))


@pytest.mark.parametrize(("option", "command"), [entry[1:] for entry in NUMBERS], ids=[name for name, *_ in NUMBERS])
def test_help_names_only_ends_that_a_range_has(option: click.Option, command: click.Command) -> None:
    _, text = option.get_help_record(click.Context(command)) or ("", "")
    assert "None]" not in text
