"""The outcome of a grid: what was exported, and each cell."""

from __future__ import annotations

from typing import Literal

import msgspec

#: How far a cell came. ``equal``: it ran, and says what the exporting framework says. ``different``: it ran, and says
#: something else. ``vacuous``: it is no evidence, since the network's own outputs do not depend on its inputs.
#: ``not-run``, ``not-imported``: it failed on the way. ``crashed``, ``hung``, ``memory``: its process did. ``missing``:
#: an engine that is not installed. ``not-exported``: there was no file to import.
Status = Literal[
    "equal", "different", "vacuous", "not-run", "not-imported", "crashed", "hung", "memory", "missing", "not-exported"
]
GOOD: tuple[Status, ...] = ("equal",)
#: What tells nothing about a conversion.
SILENT: tuple[Status, ...] = ("vacuous", "missing", "not-exported")


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A network that was to be exported.

    Attributes:
        exporter, name, opset: Which.
        about: What is special about it.
        status: ``exported``, ``vacuous`` or what went wrong.
        message: Why, where something did.
        sha256, bytes: Of the file.
        operators: Its operators by name, with how often each is in it.
        noise: The network's own rounding noise: the largest change of an output, in shares of its spread, when inputs
            change by less than float32 tells apart.
        seconds: That the export took. versions: Of the exporter's packages.
    """

    exporter: str
    name: str
    opset: int
    about: str = ""
    status: Literal["exported", "vacuous", "failed", "crashed", "hung", "memory", "missing"]
    message: str = ""
    sha256: str = ""
    bytes: int = 0
    operators: dict[str, int] = {}
    noise: float = 0.0
    seconds: float = 0.0
    versions: dict[str, str] = {}

    @property
    def key(self) -> str:
        """``torch/lstm@17``."""
        return f"{self.exporter}/{self.name}@{self.opset}"


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A network in an importer.

    Attributes:
        network: Key of the network. importer: The framework that was to run it.
        status: How far it came.
        error: The largest difference of an output, in shares of its spread; None where it did not run.
        allowed: The difference up to which it counts as equal.
        message: Why it is not equal.
        seconds: That loading and running took. versions: Of the importer's packages.
    """

    network: str
    importer: str
    status: Status
    error: float | None = None
    allowed: float | None = None
    message: str = ""
    seconds: float = 0.0
    versions: dict[str, str] = {}


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """A grid: ``cells`` has one for each network and importer, in their order."""

    version: int = 1
    created: str
    networks: tuple[Network, ...]
    importers: tuple[str, ...]
    cells: tuple[Cell, ...]

    def cell(self, network: str, importer: str) -> Cell | None:
        """The cell of a network and an importer."""
        return next((cell for cell in self.cells if (cell.network, cell.importer) == (network, importer)), None)
