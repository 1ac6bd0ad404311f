"""From a target's address to its plugin: ``local``, ``tcp://pi:7433``, ``sim:stm32f746``, ``package.module:Class``."""

from __future__ import annotations

import re
from typing import Any

from edgerig.agent.address import PORT
from edgerig.artifact import Artifact
from edgerig.errors import IncompatibleError, UnknownNameError, nearest
from edgerig.formats import named
from edgerig.plugin_names import look_again, names
from edgerig.plugins import find
from edgerig.settings import convert_settings
from edgerig.targets.base import Target


def plugin_of(address: str) -> type[Target]:
    """The plugin class for ``address``, which it has checked.

    Raises:
        UnknownNameError: No target has that name or scheme.
        SpecError: The address has the right scheme and is wrong in the rest.
    """
    scheme, separator, _ = address.partition("://")
    known = names("target")
    family = address.partition(":")[0]
    if (separator or ":" not in address) and scheme not in known:
        look_again()
        known = names("target")
    if (separator or ":" not in address) and scheme not in known:
        error = UnknownNameError("target", address, [*known, "tcp://HOST:PORT"])
        if not separator and re.fullmatch(r"[\w.-]+", address) and nearest(address, known) is None:
            error.hint = f"Is it a machine in the network? Write tcp://{address}:{PORT}. {error.hint}"
        raise error
    if family not in known and re.fullmatch(r"[\w.-]+:\d+", address):
        error = UnknownNameError("target", address, [*known, "tcp://HOST:PORT"])
        error.hint = f"Write tcp://{address}. {error.hint}"
        raise error
    plugin = find("target", scheme if separator else family if family in known else address, Target)
    plugin.check_address(address)
    return plugin


def default_runtime(address: str) -> str | None:
    """The runtime of a target that has only one, such as a board."""
    return plugin_of(address).runtime


def usual_runtime(format: str, address: str) -> str | None:
    """The runtime of networks of ``format`` at ``address`` where none is named; None where there is no usual one."""
    return default_runtime(address) or named(format).runtime


def runtime_for(artifact: Artifact, address: str) -> str:
    """The usual runtime of a network's file at ``address``.

    Raises:
        IncompatibleError: There is none.
    """
    usual = usual_runtime(artifact.format, address)
    if usual is None:
        raise IncompatibleError(
            f"{artifact.name} is a {artifact.format} file, of which there is no usual runtime.",
            "Name a runtime that runs it, or compile it first: edgerig compile.",
        )
    return usual


def target_for(address: str, options: dict[str, Any] | None = None) -> Target:
    """The target at ``address``, with settings converted and checked from ``options``. Nothing is connected yet.

    Raises:
        UnknownNameError: No target has that name or scheme, or no setting that key.
        SpecError: The address or a setting is not valid.
    """
    plugin = plugin_of(address)
    target = plugin(convert_settings(plugin.Settings, options or {}, f"target {address!r}"))
    target.address = address
    return target
