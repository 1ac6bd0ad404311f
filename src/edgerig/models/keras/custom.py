"""Layers and functions of a user's own in Keras files: which a file needs, and the declared module that has them."""

from __future__ import annotations

import importlib
import inspect
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgerig import files
from edgerig.errors import ModelError, SpecError
from edgerig.models.graph.keras_legacy import is_hdf5, legacy_config
from edgerig.models.graph.keras_preparing import NOT_FOR_DEVICES
from edgerig.models.graph.keras_reader import MODELS
from edgerig.plugin_code import drop_racy_bytecode, sources_of

#: SHA-256 of the sources of each module that this process imported.
_imported: dict[str, dict[Path, str]] = {}


def custom_objects(module: str | None) -> dict[str, Any]:
    """Classes and functions of the declared module, by name; Keras must have been imported before.

    Raises:
        ModelError: The module cannot be imported.
        SpecError: It was edited since this process imported it: the code before the edit would run.
    """
    if module is None:
        return {}
    sources = {path: files.sha256_file(path) for path in sources_of(module)}
    if module not in _imported:
        drop_racy_bytecode(module)
    elif _imported[module] != sources:
        raise SpecError(
            f"The module {module!r} of custom layers was edited since this process imported it.",
            "Start Python (or the notebook's kernel) anew.",
        )
    try:
        values = vars(importlib.import_module(module))
    except Exception as error:  # any error that the user's own code raises on import
        raise ModelError(
            f"The module {module!r} of custom layers cannot be imported: {type(error).__name__}: {error}.",
            f"It lies beside the rig file, or on Python's path. Does `python -c 'import {module}'` work?",
        ) from error
    _imported[module] = sources
    return {
        name: value
        for name, value in values.items()
        if not name.startswith("_") and (inspect.isclass(value) or inspect.isfunction(value))
    }


def check_known(keras: Any, path: Path, custom: dict[str, Any], module: str | None) -> None:
    """Refuse a Keras file with layers or functions that neither Keras nor the declared module has.

    Raises:
        ModelError: Names them, and the setting that declares the module; or names a layer that no device can run.
    """
    uses = list(_uses(_config(path)))
    for name, _, use in uses:
        if name in NOT_FOR_DEVICES and name not in custom:
            raise ModelError(
                f"{path.name}: {use} cannot be deployed: {NOT_FOR_DEVICES[name]}.",
                "Replace it by layers of Keras, or do its work in the dataset, and save the model again.",
            )
    missing = sorted({use for name, registered, use in uses if not _has(keras, name, registered, custom)})
    if not missing:
        return
    has = "are not of Keras" if len(missing) > 1 else "is not of Keras"
    if module is None:
        hint = (
            "Name the module that defines it: custom: MODULE beside 'file' in a rig file, or --custom MODULE. For the "
            "runtime keras it is a setting of its own, too."
        )
        raise ModelError(f"{path.name}: {', '.join(missing)} {has}.", hint)
    raise ModelError(
        f"{path.name}: {', '.join(missing)} {has}, nor of the module {module!r} that 'custom' names.",
        "Define it there under that name, or let 'custom' name the module that does.",
    )


def _config(path: Path) -> Any:
    """The configuration in a file; None where it is damaged, which Keras reports."""
    data = path.read_bytes()
    try:
        if is_hdf5(data):
            return legacy_config(data, path.name)
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))
    except (ModelError, OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def _uses(value: Any) -> Iterator[tuple[str, str, str]]:
    """Name, registered name and a description of each layer's class, and of each function, in a configuration."""
    if isinstance(value, list):
        for item in value:
            yield from _uses(item)
    if not isinstance(value, dict):
        return
    kind, config = value.get("class_name"), value.get("config")
    registered = str(value.get("registered_name") or "")
    if kind == "function" and isinstance(config, str):
        yield config, registered, f"the function {config!r}"
    elif isinstance(kind, str) and isinstance(config, dict) and "trainable" in config:
        yield kind, registered, f"the layer {kind!r}"
    for item in value.values():
        yield from _uses(item)


def _has(keras: Any, name: str, registered: str, custom: dict[str, Any]) -> bool:
    if name in custom or name in MODELS or keras.saving.get_registered_object(registered or name) is not None:
        return True
    return any(hasattr(module, name) for module in (keras.layers, keras.activations, keras.ops))
