"""``layer_map.json`` of a cell: which layers its operators are of. The engine makes it, reports read it.

It holds what is needed of the network files, so that a comparison of layers can be made of the bundle's results alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgerig import files
from edgerig.errors import StorageError
from edgerig.measure.kinds import Unavailable
from edgerig.measure.layer_key import LayerKey
from edgerig.results.bundle import Bundle
from edgerig.results.layers.types import Mapping
from edgerig.results.reading import read_document
from edgerig.results.types import BUNDLE_VERSION, CellResult

FILE = "layer_map.json"
#: Largest file that is read, in bytes: some 100,000 operators.
MOST_BYTES = 32 << 20
#: Number of the rules by which operators are told to be a layer's: a map of other rules is made again.
RULES = 2
UNKNOWN = "which layers its operators are of is not known: the bundle does not say it (`edgerig layers` works it out)"


class SourceLayer(msgspec.Struct, frozen=True):
    """A layer of the network that a file was made from: its name, the shape of its output and its MACs, where known."""

    name: str
    shape: tuple[int, ...] | None
    macs: int | None


class SourceNetwork(msgspec.Struct, frozen=True):
    """The network that a file was made from: the name of its file, its SHA-256, its layers in order."""

    file: str
    sha256: str
    layers: tuple[SourceLayer, ...]


class FileOperator(msgspec.Struct, frozen=True, kw_only=True):
    """An operator of a deployed file.

    Attributes:
        index: In the file. ``op``: its kind.
        scope: The layers that the names in the file tell of. ``layer``: those of the source network; None without one.
        shape: Of its first output. ``macs``: Multiply-accumulates of an inference. None where they are not known.
        computes: Whether it computes something of the input: not so where it unpacks weights.
    """

    index: int
    op: str
    scope: LayerKey
    layer: LayerKey | None
    shape: tuple[int, ...] | None
    macs: int | None
    computes: bool = True


class MappedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a cell's profile: the index of the file's operator that it is, and how that is known; or why not.

    ``fused``: Further operators of the file that the engine runs in it.
    """

    name: str
    operator: int | None
    mapped: Mapping | None = None
    reason: str = ""
    fused: tuple[int, ...] = ()


class LayerMap(msgspec.Struct, frozen=True, kw_only=True):
    """The layers of the operators of a deployed file, and the operators of a profile.

    ``rules`` are those that it was made by (`RULES`), ``artifact`` is the SHA-256 of the file. ``profile`` has a row
    for each of the cell's profile, or none where it has no profile.
    """

    version: int = BUNDLE_VERSION
    rules: int = 0
    artifact: str
    source: SourceNetwork | None
    operators: tuple[FileOperator, ...]
    profile: tuple[MappedRow, ...]

    def is_of(self, cell: CellResult) -> bool:
        """Whether it was made of the file and the profile that ``cell`` has."""
        names = () if isinstance(cell.layers, Unavailable) else tuple(layer.name for layer in cell.layers)
        indices = {operator.index for operator in self.operators}
        return (
            self.rules == RULES
            and self.artifact == cell.artifact.sha256
            and tuple(row.name for row in self.profile) == names
            and len(indices) == len(self.operators)
            and all(row.operator is None or {row.operator, *row.fused} <= indices for row in self.profile)
        )


class Work(msgspec.Struct, frozen=True):
    """What a layer does in one inference, as far as it is known: sizes of its output's axes, and MACs.

    Axes are sorted, since formats put the channels first or last; those of size 1 are left out.
    """

    sizes: tuple[int, ...] | None
    macs: int | None

    def agrees(self, other: Work) -> bool:
        """Whether both may be the same work: nothing that both know differs."""
        pairs = ((self.sizes, other.sizes), (self.macs, other.macs))
        return all(mine is None or theirs is None or mine == theirs for mine, theirs in pairs)


def work_of(shape: tuple[int, ...] | None, macs: int | None) -> Work:
    """The work of a layer with such an output.

    >>> work_of((1, 13, 13, 4), 0).agrees(work_of((1, 4, 13, 13), None))
    True
    """
    return Work(None if shape is None else tuple(sorted(size for size in shape if size != 1)), macs)


def total_macs(macs: Sequence[int | None]) -> int | None:
    """Their sum; None where one is not known."""
    known = [count for count in macs if count is not None]
    return sum(known) if len(known) == len(macs) else None


def read_layer_map(bundle: Path, cell: CellResult) -> LayerMap | None:
    """The map of a cell; None where there is none, or one of another file or profile."""
    path = Bundle(bundle).cell(cell.id) / FILE
    try:
        layer_map = read_document(path, LayerMap, bundle, MOST_BYTES) if path.is_file() else None
    except (StorageError, OSError):
        return None
    return layer_map if layer_map is not None and layer_map.is_of(cell) else None


def write_layer_map(bundle: Path, cell: CellResult, layer_map: LayerMap) -> None:
    """Keep the map, beside the cell's results.

    Raises:
        StorageError: The bundle cannot be written.
    """
    files.write_json(Bundle(bundle).cell(cell.id) / FILE, layer_map)
