"""``edgerig engines``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from edgerig.cli.console import echo, print_json, say, terminal_width
from edgerig.cli.lazy_group import Commands

if TYPE_CHECKING:
    from edgerig.environments.catalogue import Engine
    from edgerig.environments.interpreter import Interpreter
    from edgerig.runtimes.base import Runtime


@click.group(name="engines", cls=Commands)
def command() -> None:
    """Engines that run networks, and environments of their own for those that cannot stand beside one another.

    An engine is installed either beside edgerig, by its extra, or in an environment that `edgerig engines install`
    makes in the cache. Runtimes and compilers use whichever there is; the setting `python` names any other one.

    \b
    Examples:
      edgerig engines list
      edgerig engines install openvino
      edgerig bench net.tflite --runtime openvino --dataset mnist
      edgerig engines check
      edgerig engines remove openvino
    """


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_(as_json: bool) -> None:
    """List all engines: where each is installed, its version and size, and the formats that it runs.

    \b
    Examples:
      edgerig engines list
      edgerig engines list --json
    """
    from edgerig.cli.tables import Column, render_table
    from edgerig.plugin_names import names
    from edgerig.plugins import find
    from edgerig.runtimes.base import Runtime

    rows = [_row(find("runtime", name, Runtime, keyed=False)) for name in names("runtime")]
    if as_json:
        print_json(rows)
        return
    columns = (
        Column("runtime", right=False),
        Column("version", right=False),
        Column("where", right=False),
        Column("size"),
        Column("runs", right=False, rank=1),
        Column("extra", right=False, rank=2),
    )
    cells = [
        [
            row["runtime"],
            row["version"] or "-",
            _where(row),
            _megabytes(row["bytes"]),
            ", ".join(row["formats"]),
            row["extra"] or "-",
        ]
        for row in rows
    ]
    for line in render_table(columns, cells, terminal_width(sys.stdout)):
        say(line)
    for row in rows:
        if row["problem"]:
            echo(f"{row['runtime']}: {row['problem']}")
    absent = [row for row in rows if row["where"] is None and row["cost"]]
    for row in absent:
        echo(f"edgerig engines install {row['engine']}: {row['cost']}")


def _row(runtime: type[Runtime]) -> dict[str, Any]:
    """What is told of a runtime's engine; ``where`` is None where it is not installed."""
    from edgerig.environments import catalogue
    from edgerig.errors import EdgerigError

    engine = catalogue.ENGINES.get(runtime.engine or "")
    row: dict[str, Any] = {
        "runtime": runtime.name,
        "engine": runtime.engine,
        "extra": runtime.extra,
        "formats": sorted(runtime.formats),
        "version": None,
        "where": None,
        "bytes": None,
        "cost": engine.cost if engine else None,
        "problem": None,
    }
    try:
        if runtime.missing() is None:
            return {**row, "where": "edgerig's own", "version": runtime.version()}
        manifest = catalogue.manifest_of(engine.name) if engine else None
        if engine is not None and manifest is not None:
            row |= {"where": str(catalogue.folder_of(engine.name)), "bytes": manifest.bytes}
            interpreter = catalogue.environment_of(engine.name)
            row["version"] = interpreter.packages.get(engine.package) if interpreter else None
    except EdgerigError as error:
        row["problem"] = " ".join(str(error).split())
    except Exception as error:
        # An engine that fails when it is imported is still listed.
        row["problem"] = f"{type(error).__name__}: {error}"
    return row


def _where(row: dict[str, Any]) -> str:
    if row["where"] is None:
        return "not installed"
    return "beside edgerig" if row["bytes"] is None else "an environment of its own"


def _megabytes(size: int | None) -> str:
    return "-" if size is None else f"{size / 1e6:.0f} MB"


@command.command("install")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--python", metavar="PATH", help="The interpreter to make the environment with.  [default: edgerig's own]"
)
@click.option("--dry-run", is_flag=True, help="Say what would be installed, its size and time, and stop.")
def install(names: tuple[str, ...], python: str | None, dry_run: bool) -> None:
    """Make an environment for each engine NAME, in the cache; one that exists is replaced.

    Nothing is installed into edgerig's own environment. Ctrl-C leaves nothing behind.

    \b
    Examples:
      edgerig engines install openvino
      edgerig engines install openvino --dry-run
      edgerig engines install openvino --python python3.12
    """
    from edgerig.cli.console import ConsoleProgress
    from edgerig.environments import catalogue
    from edgerig.environments.install import install as install_engine
    from edgerig.environments.interpreter import check_interpreter, executable_of

    engines = [_engine(name) for name in names]
    if python is not None:
        check_interpreter(executable_of(python))
    for engine in engines:
        echo(f"{engine.title}: {engine.cost}; {', '.join(engine.requirements)} into {catalogue.folder_of(engine.name)}")
    if dry_run:
        return
    progress = ConsoleProgress()
    for engine in engines:
        interpreter = install_engine(engine.name, progress, python)
        say(_sentence(engine.name, interpreter))


@command.command("check")
@click.argument("names", metavar="[NAME...]", nargs=-1)
def check(names: tuple[str, ...]) -> None:
    """Import each engine NAME in its environment; all that are installed without one.

    Ends with exit code 1 if one does not work.

    \b
    Examples:
      edgerig engines check
      edgerig engines check openvino
    """
    from edgerig.environments import catalogue
    from edgerig.environments.install import check as check_engine
    from edgerig.errors import EngineError

    for name in names:
        _engine(name)
    chosen = names or tuple(name for name in catalogue.ENGINES if catalogue.manifest_of(name))
    if not chosen:
        echo("No engine has an environment of its own: edgerig engines list")
    broken = []
    for name in chosen:
        try:
            say(_sentence(name, check_engine(name)))
        except EngineError as error:
            broken.append(error)
            say(f"{name}: {error.message}")
    if broken:
        raise EngineError(f"{len(broken)} of {len(chosen)} engines do not work.", broken[0].hint)


@command.command("remove")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
def remove(names: tuple[str, ...]) -> None:
    """Remove the environments of the engines NAME.

    \b
    Example:
      edgerig engines remove openvino
    """
    from edgerig.environments.install import remove as remove_engine

    for name in names:
        _engine(name)
    for name in names:
        size = remove_engine(name)
        say(f"{name}: removed, {size / 1e6:.0f} MB" if size else f"{name}: has no environment")


def _engine(name: str) -> Engine:
    """The engine called ``name``; a runtime's name, which `list` shows, is answered by what its engine is.

    Raises:
        UnknownNameError: There is nothing of that name. UsageError: It is a runtime's.
    """
    from edgerig.environments import catalogue
    from edgerig.errors import UsageError
    from edgerig.install import install_command
    from edgerig.plugin_names import names
    from edgerig.plugins import find
    from edgerig.runtimes.base import Runtime

    if name in catalogue.ENGINES or name not in names("runtime"):
        return catalogue.engine_named(name)
    runtime = find("runtime", name, Runtime, keyed=False)
    if runtime.engine in catalogue.ENGINES:
        raise UsageError(f"{name!r} is a runtime; its engine is {runtime.engine!r}.", f"Name that: {runtime.engine}.")
    raise UsageError(
        f"The engine of runtime {name!r} has no environment of its own: it stands beside edgerig.",
        f"Where it is missing: {install_command(runtime.extra)}" if runtime.extra else "It comes with edgerig.",
    )


def _sentence(name: str, interpreter: Interpreter) -> str:
    from edgerig.environments import catalogue

    engine, manifest = catalogue.engine_named(name), catalogue.manifest_of(name)
    size = f", {manifest.bytes / 1e6:.0f} MB" if manifest else ""
    version = interpreter.packages.get(engine.package, "?")
    return f"{name}: {engine.title} {version}, Python {interpreter.version}{size}, {interpreter.prefix}"
