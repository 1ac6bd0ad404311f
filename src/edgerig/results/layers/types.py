"""What a comparison of layers holds."""

from __future__ import annotations

from typing import Literal

import msgspec

from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.measure.layer_cut import LayerCuts
from edgerig.measure.layer_error import LayerError, LayerErrors
from edgerig.measure.layer_key import NameSource

LAYERS_VERSION = 1
#: How an operator of a profile was told to be an operator of the file: by a name that both have, by the index that the
#: profiler gives, or by order, where operators between two known ones match one by one in number and kind.
Mapping = Literal["name", "index", "order"]


class LayerCell(msgspec.Struct, frozen=True, kw_only=True):
    """What a layer takes in one cell.

    Attributes:
        time: Seconds an inference, the sum of its operators; unavailable where one of them has no time.
        instructions: An inference's, where an emulator counted them.
        operators: The operators of the profile that make it up, in their order of execution.
        placement: What of the engine ran them, where it tells.
        mapped: How they were told to be this layer's; empty where there are none.
        error: How far it is from the float network, where that was asked for.
        cut: Seconds an inference by the times of the network cut off behind and before it, where that was asked for.
    """

    time: Quantity
    instructions: Quantity | msgspec.UnsetType = msgspec.UNSET
    operators: tuple[str, ...] = ()
    placement: tuple[str, ...] = ()
    mapped: tuple[Mapping, ...] = ()
    error: LayerError | Unavailable | msgspec.UnsetType = msgspec.UNSET
    cut: Quantity | msgspec.UnsetType = msgspec.UNSET


class LayerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One layer, or several that the file has as one.

    Attributes:
        name: As it is shown; ``layers`` are the source network's, several where their operators were fused.
        named_by: Where the names are from.
        shape: Of its output, of one inference; None where it is not known. ``macs``: Multiply-accumulates, None where
            they are not known.
        cells: What it takes in each of the comparison's cells.
    """

    name: str
    layers: tuple[str, ...]
    named_by: NameSource
    shape: tuple[int, ...] | None
    macs: int | None
    cells: tuple[LayerCell, ...]


class ProfiledCell(msgspec.Struct, frozen=True, kw_only=True):
    """A cell of a bundle. ``reason`` says why it has no profile, or why its network's names are not known;
    ``errors`` are those of its layers, ``cuts`` their times by cutting the network, where they were asked for.
    """

    bundle: str
    id: str
    variant: str
    runtime: str
    target: str
    reason: str | None = None
    errors: LayerErrors | Unavailable | msgspec.UnsetType = msgspec.UNSET
    cuts: LayerCuts | Unavailable | msgspec.UnsetType = msgspec.UNSET


class UnmappedOperator(msgspec.Struct, frozen=True, kw_only=True):
    """An operator of a profile whose layer is not known. ``cell`` is the index of its cell."""

    cell: int
    index: int
    op: str
    name: str
    time: Quantity
    reason: str
    placement: str = ""


class LayerComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Layers of several cells side by side. ``notes`` say where names, shapes and MACs are from."""

    version: int = LAYERS_VERSION
    cells: tuple[ProfiledCell, ...]
    rows: tuple[LayerRow, ...]
    unmapped: tuple[UnmappedOperator, ...]
    notes: tuple[str, ...]

    def placements(self, index: int) -> tuple[str, ...]:
        """What of the engine ran the operators of the cell at ``index``, where it tells: delegates, providers."""
        ran_by = [name for row in self.rows for name in row.cells[index].placement]
        ran_by += [each.placement for each in self.unmapped if each.cell == index and each.placement]
        return tuple(sorted(set(ran_by)))
