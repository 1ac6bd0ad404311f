"""Whose fault an unexpected error is: that of edgerig, or of a plugin of the user's."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

from edgerig.errors import PluginError
from edgerig.text import one_line

_EDGERIG = Path(__file__).resolve().parents[1]


def error_of_plugin(error: BaseException) -> PluginError | None:
    """The error to show where the code of a plugin raised ``error``, or called what did; None where none took part.

    A plugin's code is whatever is neither edgerig's, nor the standard library's, nor of another installed package.
    """
    last = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if _is_plugins(frame.f_code.co_filename, str(frame.f_globals.get("__name__", ""))):
            last = (frame.f_code.co_filename, line, frame.f_code.co_name)
    if last is None:
        return None
    file, line, function = last
    text = one_line(error)
    return PluginError(
        f"{one_line(file)}, line {line}, in {function}: {type(error).__name__}{f': {text}' if text else ''}.",
        "That is a plugin's code. `edgerig --debug ..` shows the whole traceback; the contract tests of "
        "docs/plugins/index.md find such faults.",
    )


def _is_plugins(file: str, module: str) -> bool:
    path = Path(file)
    if not path.is_file() or path.resolve().is_relative_to(_EDGERIG):
        return False
    installed = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")]
    if not any(path.is_relative_to(folder) for folder in installed) and "site-packages" not in path.parts:
        return True
    return module.partition(".")[0] in _packages_of_plugins()


def _packages_of_plugins() -> set[str]:
    """The packages, beside edgerig, that entry points of plugins are in."""
    from edgerig.plugin_names import NOUNS, group_of, points

    modules = {point.value.partition(":")[0].partition(".")[0] for noun in NOUNS for point in points(group_of(noun))}
    return modules - {"edgerig"}
