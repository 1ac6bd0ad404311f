"""Formats by name and by suffix. Only the requested format is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgerig import plugin_names, plugins
from edgerig.errors import ModelError, SpecError, UnknownNameError
from edgerig.files import hint_for_missing
from edgerig.formats.base import LOADED, Format
from edgerig.formats.others import BY_SUFFIX, Other, other_file
from edgerig.settings import convert_settings

#: The group of suffixes, without the dot, that differ from their format's name.
SUFFIX_GROUP = "edgerig.suffixes"
_ANOTHER = (
    "A format of your own is a plugin (docs/plugins/format.md): name it by --model-format, or by the key 'format' of "
    "the model in a rig file."
)
_OWN = "Use a .keras, .h5, .tflite, .onnx or .pt2 file."
#: The file that makes a folder a SavedModel of TensorFlow.
SAVED_MODEL = "saved_model.pb"


def named(name: str, options: Mapping[str, Any] | None = None) -> Format:
    """The format called ``name``, with the settings ``options``: registered by an installed package, or defined by a
    module that is loaded.

    A name from a file or a message is only looked up: no module is imported because of it.

    Raises:
        UnknownNameError: There is no format of that name, or no such setting. SpecError: There are two, or a setting
            has a wrong value.
    """
    classes = _called(name)
    if not classes:
        plugin_names.look_again()
        classes = _called(name)
    if not classes:
        known = {*plugin_names.names("format"), *(cls.name for cls in LOADED.values())}
        raise UnknownNameError("format", name, known)
    format = _only(classes, f"called {name!r}")
    if not options:
        return format
    return type(format)(convert_settings(format.Settings, dict(options), f"format {name!r}"))


def _called(name: str) -> list[type[Format]]:
    if ":" not in name and name in plugin_names.names("format"):
        plugins.find("format", name, Format)
    return [cls for cls in LOADED.values() if cls.name == name]


def load(reference: str, folder: Path | None = None) -> Format:
    """The format that a user names: a registered name, or ``package.module:Class``, also from a module in ``folder``.

    Raises:
        UnknownNameError, SpecError: It does not exist, or cannot be imported.
    """
    if ":" not in reference:
        return named(reference)
    if folder is not None:
        plugin_names.import_beside(reference, folder)
    return named(plugins.find("format", reference, Format).name)


def format_of(path: Path) -> Format:
    """The format of a file's or a folder's suffix.

    Raises:
        ModelError: The suffix is of no format; says what it usually is, and how to get a file that edgerig accepts.
        SpecError: It is of two formats.
    """
    # A SavedModel is a folder of any name.
    if (path / SAVED_MODEL).is_file() and "savedmodel" in plugin_names.names("format"):
        return named("savedmodel")
    _refuse_description(path)
    format = with_suffix(path.suffix)
    if format is not None and (format.storage == "folder" or not path.is_dir()):
        return format
    if path.is_dir() and path.suffix.lower() not in BY_SUFFIX:
        raise _folder(path)
    raise _unknown(path, other_file(path))


def with_suffix(suffix: str) -> Format | None:
    """The format of networks whose files or folders end in ``suffix``; None if there is none.

    Raises:
        SpecError: There are two.
    """
    suffix = suffix.lower()
    name = suffix.removeprefix(".")
    if not name:
        return None
    if name in plugin_names.names("format"):
        plugins.find("format", name, Format)
    for point in plugin_names.points(SUFFIX_GROUP):
        if point.name == name:
            point.load()
    classes = [cls for cls in LOADED.values() if suffix in cls.suffixes and cls.is_model]
    return _only(classes, f"of {suffix} files") if classes else None


def _only(classes: list[type[Format]], what: str) -> Format:
    if len(classes) > 1:
        both = " and ".join(f"{cls.__module__}:{cls.__qualname__}" for cls in classes)
        raise SpecError(f"Two formats are {what}: {both}.", "Take out one of both plugins, or give it another name.")
    return classes[0]()


def _known() -> str:
    installed = {point.name: point.value for point in plugin_names.points("edgerig.formats")}
    loaded = {cls.name: cls.__module__ for cls in LOADED.values() if cls.is_model}
    others = sorted(name for name, module in (installed | loaded).items() if not module.startswith("edgerig."))
    return f"{_OWN} " + (f"Formats of plugins: {', '.join(others)}. " if others else "") + _ANOTHER


def _unknown(path: Path, other: Other | None) -> ModelError:
    near = hint_for_missing(path, "")
    if near:
        return ModelError(f"There is no file {path}.", near)
    if other is None:
        there = os.path.exists(path)  # noqa: PTH110 - Path.exists raises where a folder is closed
        absent = "" if there else "there is no such file, and by its name it is "
        return ModelError(f"{path.name}: {absent}not a model file that edgerig knows.", _known())
    return ModelError(f"{path.name}: {other.what}.", other.hint)


def _refuse_description(path: Path) -> None:
    """Refuse the description of a network in the network's place: completion offers both.

    Raises:
        ModelError: It is one.
    """
    network = path.with_suffix("")
    if path.suffix.lower() == ".json" and network.is_file() and with_suffix(network.suffix) is not None:
        raise ModelError(f"{path.name} describes a network and is none.", f"Give the network: {network}")


def _folder(path: Path) -> ModelError:
    return ModelError(f"{path} is a folder, not a model file.", _known())
