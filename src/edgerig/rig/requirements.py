"""What the cells of a plan need installed: engines of datasets, models, compilers and runtimes."""

from __future__ import annotations

from edgerig.compilers.base import ModelCompiler
from edgerig.datasets.base import Dataset
from edgerig.environments.choice import SETTING, missing
from edgerig.errors import MissingExtraError, SpecError
from edgerig.install import install_command
from edgerig.models.base import ModelWrapper
from edgerig.plugin_code import check_loaded
from edgerig.plugins import Plugin, find, make
from edgerig.rig.matrix import Cell
from edgerig.rig.types import Part, Rig
from edgerig.rig.usual_way import format_of_model
from edgerig.runtimes.base import Runtime
from edgerig.targets.resolve import plugin_of
from edgerig.tasks.base import Task


def require_engines(rig: Rig, cells: tuple[Cell, ...]) -> None:
    """Refuse a rig of which a plugin's engine is not installed.

    Raises:
        MissingExtraError, SpecError: Engines that are not installed, all in one error.
    """
    needed = _needed(rig, cells)
    for plugin in dict.fromkeys(plugin for plugin, _ in needed):
        if not plugin.__module__.startswith("edgerig."):
            check_loaded(plugin)
    errors = [error for plugin, python in dict.fromkeys(needed) if (error := missing(plugin, python)) is not None]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        extras = sorted({error.extra for error in errors if isinstance(error, MissingExtraError) and error.extra})
        others = [
            error.hint for error in errors if error.hint and not (isinstance(error, MissingExtraError) and error.extra)
        ]
        raise SpecError(
            "The rig needs what is not installed:\n" + "\n".join(f"  - {error.message}" for error in errors),
            "; ".join([*([install_command(*extras)] if extras else []), *dict.fromkeys(others)]),
        )


def _needed(rig: Rig, cells: tuple[Cell, ...]) -> list[tuple[type[Plugin], str | None]]:
    """The plugins that take part, each with the interpreter that its settings name."""
    plugins: list[tuple[type[Plugin], str | None]] = [(find("dataset", rig.dataset.use, Dataset), None)]
    plugins += [(find("task", rig.task.use, Task), None)] if rig.task is not None else []
    plugins += [(find("model", part.use, ModelWrapper), None) for part in rig.models if part.use]
    plugins += _compilers_of(rig, cells)
    for address, runtime in dict.fromkeys((cell.target.use, _with_interpreter(cell.runtime)) for cell in cells):
        target = plugin_of(address)
        plugins.append((target, None))
        if target.chooses_interpreter:
            plugins.append((find("runtime", runtime[0], Runtime), runtime[1]))
    return plugins


def _compilers_of(rig: Rig, cells: tuple[Cell, ...]) -> list[tuple[type[Plugin], str | None]]:
    """The classes that compile, by the formats that they get, each with the interpreter that its settings name."""
    starts = {part.label: format_of_model(part).name for part in rig.models}
    classes: list[tuple[type[Plugin], str | None]] = []
    for cell in {cell.variant: cell for cell in cells}.values():
        format_ = starts[cell.model]
        for part in cell.compilers:
            compiler = make("compiler", part.use, ModelCompiler, part.options).for_format(format_)
            classes.append((type(compiler), _with_interpreter(part)[1]))
            format_ = compiler.makes
    return classes


def _with_interpreter(part: Part) -> tuple[str, str | None]:
    """A runtime or compiler, and the interpreter that its settings name."""
    named = part.options.get(SETTING)
    return part.use, str(named) if named is not None else None
