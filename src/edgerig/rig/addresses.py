"""Addresses of datasets in rig files: a version in a store, or in a folder beside the file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgerig.plugin_names import ADDRESSED, by_address


def resolve_address(
    noun: str, use: str, options: dict[str, Any], resolve: Callable[[str], str]
) -> tuple[str, dict[str, Any]]:
    """The plugin that an address stands for and its settings; a relative folder lies where ``resolve`` says.

    What is named in another way stays as it is.
    """
    use, options = by_address(noun, use, options)
    plugin, setting = ADDRESSED.get(noun, (None, ""))
    address = options.get(setting)
    if use == plugin and isinstance(address, str) and "://" not in address:
        options = {**options, setting: resolve(address)}
    return use, options
