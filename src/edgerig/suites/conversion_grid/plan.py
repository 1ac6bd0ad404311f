"""What a grid holds: which networks of which exporters, in which opsets, in which importers."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from edgerig.environments.choice import interpreter_for
from edgerig.environments.interpreter import Interpreter
from edgerig.errors import EdgerigError, UnknownNameError, UsageError
from edgerig.plugin_names import names
from edgerig.plugins import find
from edgerig.suites.conversion_grid.conversion import ONNXConversion


class Framework(msgspec.Struct, frozen=True):
    """A framework that takes part.

    Attributes:
        name: As the user names it. plugin: Its class.
        interpreter: The other interpreter that it runs in; None for this one.
        missing: Why it cannot take part on this machine; empty where it can.
    """

    name: str
    plugin: type[ONNXConversion]
    interpreter: Interpreter | None = None
    missing: str = ""


class Wanted(msgspec.Struct, frozen=True):
    """A network to export."""

    exporter: Framework
    network: str
    opset: int


class Plan(msgspec.Struct, frozen=True):
    """All networks, and all importers that each is run in."""

    networks: tuple[Wanted, ...]
    importers: tuple[Framework, ...]


def plan(exporters: Sequence[str], networks: Sequence[str], importers: Sequence[str], opsets: Sequence[int]) -> Plan:
    """The plan for names; empty sequences stand for all that there are, no opsets for each exporter's usual one.

    Raises:
        UnknownNameError: There is no such framework, or no exporter has such a network.
        UsageError: A framework does not do what it is named for, or nothing is left.
    """
    sources = [_framework(name) for name in exporters or names("conversion")]
    sinks = [_framework(name) for name in importers or names("conversion")]
    if exporters:
        _refuse([each.name for each in sources if not each.plugin.networks], "exports")
    if importers:
        _refuse([each.name for each in sinks if not each.plugin.imports], "imports")
    sources = [each for each in sources if each.plugin.networks]
    sinks = [each for each in sinks if each.plugin.imports]
    known = list(dict.fromkeys(name for each in sources for name in each.plugin.networks))
    for name in networks:
        if name not in known:
            raise UnknownNameError("network of these exporters", name, known)
    wanted = [
        Wanted(source, name, opset)
        for source in sources
        for name in source.plugin.networks
        if not networks or name in networks
        for opset in _opsets(source.plugin, opsets)
    ]
    if not wanted:
        raise UsageError(
            f"No exporter writes opset {', '.join(map(str, opsets))}.",
            "; ".join(f"{each.name} writes {', '.join(map(str, sorted(each.plugin.opsets)))}" for each in sources),
        )
    return Plan(tuple(wanted), tuple(sinks))


def _framework(name: str) -> Framework:
    plugin = find("conversion", name, ONNXConversion)
    try:
        interpreter = interpreter_for(plugin, None)
        if interpreter is None:
            plugin.require()
    except EdgerigError as error:
        return Framework(name, plugin, missing=" ".join(filter(None, (error.message, error.hint))))
    return Framework(name, plugin, interpreter)


def _opsets(plugin: type[ONNXConversion], wanted: Sequence[int]) -> list[int]:
    return [opset for opset in wanted if opset in plugin.opsets] if wanted else [plugin.opsets[0]]


def _refuse(wrong: Sequence[str], what: str) -> None:
    if wrong:
        others = [name for name in names("conversion") if _does(name, what)]
        raise UsageError(f"{wrong[0]} {what} nothing.", f"What {what}: {', '.join(others)}.")


def _does(name: str, what: str) -> bool:
    plugin = find("conversion", name, ONNXConversion)
    return bool(plugin.networks) if what == "exports" else plugin.imports
