"""What is deprecated warns and works; and nothing is still there whose end has come."""

import importlib
import logging
import pkgutil
import warnings
from typing import Annotated

import click
import msgspec
import pytest
from click.testing import CliRunner

import edgerig
from edgerig import deprecation
from edgerig.cli.options import old_option
from edgerig.deprecation import (
    Deprecation,
    EdgerigDeprecationWarning,
    declare,
    deprecated,
    overdue,
    release,
)
from edgerig.errors import SpecError, UnknownNameError
from edgerig.plugins import OldName, Settings, renamed
from edgerig.settings import convert_settings


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> list[Deprecation]:
    """What a test declares stays its own, and is said anew."""
    entries: list[Deprecation] = []
    monkeypatch.setattr(deprecation, "DEPRECATIONS", entries)
    monkeypatch.setattr(deprecation, "_said", set())
    return entries


def test_nothing_is_left_whose_end_has_come() -> None:
    """Every module is imported, so that whatever is deprecated in it is declared."""
    for module in pkgutil.walk_packages(edgerig.__path__, "edgerig."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
    late = overdue(edgerig.__version__, deprecation.DEPRECATIONS)
    assert not late, f"remove what ends with {edgerig.__version__} or before: {'; '.join(entry.what for entry in late)}"


def test_the_version_of_the_project_is_that_of_its_code() -> None:
    from importlib.metadata import version

    assert version("edgerig") == edgerig.__version__


@pytest.mark.parametrize(
    ("version", "late"),
    [
        ("0.1.0", []),
        ("0.1.9", []),
        ("0.2", ["a"]),
        ("0.2.0rc1", ["a"]),
        ("0.9.9", ["a"]),
        ("0.10", ["a", "b"]),
        ("1.0", ["a", "b"]),
    ],
)
def test_overdue_is_what_ends_with_a_version_or_before(version: str, late: list[str]) -> None:
    entries = [Deprecation("a", "0.1", "0.2"), Deprecation("b", "0.1", "0.10.0")]
    assert [entry.what for entry in overdue(version, entries)] == late


@pytest.mark.usefixtures("registry")
def test_versions_that_are_none_and_ends_before_beginnings_are_refused() -> None:
    with pytest.raises(ValueError, match="is no version"):
        release("next")
    for ends in ("0.2", "0.2.0", "0.1"):
        with pytest.raises(ValueError, match="deprecated since"):
            declare("x", since="0.2", ends=ends)


def test_a_function_warns_at_the_line_that_calls_it_and_works(registry: list[Deprecation]) -> None:
    @deprecated(since="0.1", ends="0.3", instead="new()")
    def old(x: int, *, y: int = 0) -> int:
        """Adds."""
        return x + y

    with pytest.warns(
        EdgerigDeprecationWarning, match=r"old is deprecated since 0.1 and ends with 0.3. Use new"
    ) as seen:
        assert old(1, y=2) == 3
    assert seen[0].filename == __file__
    assert old.__doc__ == "Adds."
    assert [entry.ends for entry in registry] == ["0.3"]


@pytest.mark.usefixtures("registry")
def test_a_class_warns_when_it_is_made_and_so_does_what_derives_from_it() -> None:
    @deprecated(since="0.1", ends="0.3")
    class Old:
        def __init__(self, x: int) -> None:
            self.x = x

    class Derived(Old):
        pass

    for cls in (Old, Derived):
        with pytest.warns(EdgerigDeprecationWarning, match=r"ends with 0.3\.$"):
            assert cls(3).x == 3
        assert isinstance(Derived.__name__, str)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert issubclass(Derived, Old)


def test_the_warning_is_shown_without_being_asked_for() -> None:
    assert issubclass(EdgerigDeprecationWarning, FutureWarning)


class RateSettings(Settings, frozen=True, kw_only=True):
    hz: Annotated[int, msgspec.Meta(description="a rate", ge=1)] = 10

    old_names = {  # noqa: RUF012 - as a plugin writes it
        "rate": OldName("hz", Deprecation("The setting 'rate'", "0.1", "0.3", "'hz'")),
        "colour": OldName(None, Deprecation("The setting 'colour'", "0.1", "0.3")),
    }


@pytest.mark.usefixtures("registry")
def test_an_old_key_sets_the_new_field_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            settings = convert_settings(RateSettings, {"rate": "20", "colour": "red"}, "target 'x'")
            assert settings == RateSettings(hz=20)
    assert [record.getMessage() for record in caplog.records] == [
        "The setting 'rate' is deprecated since 0.1 and ends with 0.3. Use 'hz' instead.",
        "The setting 'colour' is deprecated since 0.1 and ends with 0.3.",
    ]


@pytest.mark.usefixtures("registry")
def test_both_names_and_values_that_are_wrong_are_refused() -> None:
    with pytest.raises(SpecError, match="'rate' is the old name of 'hz'"):
        convert_settings(RateSettings, {"rate": 20, "hz": 10}, "target 'x'")
    with pytest.raises(SpecError, match="hz: expected `int` >= 1"):
        convert_settings(RateSettings, {"rate": 0}, "target 'x'")
    with pytest.raises(UnknownNameError, match="rates"):
        convert_settings(RateSettings, {"rates": 1}, "target 'x'")


def test_a_renamed_setting_is_declared(registry: list[Deprecation]) -> None:
    assert renamed("rate", "hz", since="0.1", ends="0.3") == OldName("hz", registry[0])
    assert registry[0].instead == "'hz'"


@pytest.fixture
def command(registry: list[Deprecation]) -> click.Command:
    """A command with options that were called otherwise."""

    @click.command()
    @click.option("--size", "bytes_", type=int, default=1)
    @click.option("--name", multiple=True)
    @click.option("--loud", is_flag=True)
    @old_option("--packet-size", "--size", since="0.1", ends="0.3", parameter="bytes_", type=int)
    @old_option("--title", "--name", since="0.1", ends="0.3", multiple=True)
    @old_option("--shout", "--loud", since="0.1", ends="0.3", is_flag=True)
    def run(bytes_: int, name: tuple[str, ...], loud: bool) -> None:
        click.echo(f"{bytes_} {name} {loud}")

    return run


@pytest.mark.parametrize(
    ("words", "shown", "said"),
    [
        ([], "1 () False", []),
        (["--size", "3"], "3 () False", []),
        (["--packet-size", "5"], "5 () False", ["--packet-size"]),
        (["--packet-size", "5", "--size", "3"], "3 () False", ["--packet-size"]),
        (["--title", "a", "--title", "b"], "1 ('a', 'b') False", ["--title"]),
        (["--shout"], "1 () True", ["--shout"]),
    ],
)
def test_an_old_option_sets_the_new_one_and_is_told(
    command: click.Command, words: list[str], shown: str, said: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        result = CliRunner().invoke(command, words)
    assert result.output == shown + "\n", result.output
    assert [record.getMessage().split()[2] for record in caplog.records] == said


def test_an_old_option_is_not_in_the_help_and_is_checked(command: click.Command) -> None:
    assert "--packet-size" not in CliRunner().invoke(command, ["--help"]).output
    assert CliRunner().invoke(command, ["--packet-size", "many"]).exit_code == 2
