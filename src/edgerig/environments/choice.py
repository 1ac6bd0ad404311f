"""In which interpreter a plugin's engine runs: the one that the user names, or the environment that was made for it."""

from __future__ import annotations

from typing import Any

import msgspec

from edgerig.environments.catalogue import environment_of, wrong_version
from edgerig.environments.interpreter import Interpreter, probe
from edgerig.environments.requirements import requirements_for
from edgerig.errors import EdgerigError, EngineError, NotInstalledError
from edgerig.plugins import Plugin

#: The setting of runtimes and compilers that names an interpreter.
SETTING = "python"
DESCRIPTION = (
    "interpreter that the engine is installed in, or the folder of its virtual environment: the work is done there; "
    "null for edgerig's own, or the environment that `edgerig engines install` made where that lacks the engine"
)


def interpreter_for(plugin: type[Plugin], python: str | None) -> Interpreter | None:
    """The other interpreter that the engine of ``plugin`` is to run in; None for edgerig's own.

    Args:
        plugin: A runtime or compiler.
        python: What the user's settings name, if anything.

    Raises:
        UsageError: It is no interpreter.
        EngineError: It cannot run edgerig's part, or its engine is of a wrong version.
        NotInstalledError: The engine is not installed for it; says what to install.
    """
    # Of packages the outer one: looking for what is within imports that, which may crash.
    modules = tuple(dict.fromkeys(module.partition(".")[0] for module in plugin.modules))
    if python is None:
        if plugin.engine is None or plugin.missing() is None:
            return None
        return environment_of(plugin.engine, modules)
    interpreter = probe(python, modules)
    if interpreter.missing:
        raise NotInstalledError(
            f"{plugin.name} needs {interpreter.missing[0]}, which is not installed for {interpreter.executable}.",
            interpreter.pip(*requirements_for(plugin.extra, interpreter.missing)),
        )
    requirements = requirements_for(plugin.extra, modules)
    wrong = wrong_version(interpreter, requirements)
    if wrong is not None:
        raise EngineError(f"{interpreter.executable} has {wrong}.", interpreter.pip(*requirements))
    return interpreter


def python_of(settings: Any) -> str | None:
    """The interpreter that the settings of a runtime or compiler name."""
    named = getattr(settings, SETTING, None) if isinstance(settings, msgspec.Struct) else None
    return named if isinstance(named, str) else None


def missing(plugin: type[Plugin], python: str | None) -> EdgerigError | None:
    """The error that using ``plugin`` on this machine would raise, in the interpreter that runs it; None if there is
    nothing in the way."""
    try:
        return plugin.missing() if interpreter_for(plugin, python) is None else None
    except EdgerigError as error:
        return error
