"""What layers take by the times of the network cut off after each of them."""

from __future__ import annotations

from typing import Literal

import msgspec

from edgerig.measure.kinds import Quantity

LAYER_CUTS_VERSION = 1
#: The only method so far: the difference of two cuts, in the same round.
Method = Literal["difference of neighbouring cuts"]


class CutLayer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer.

    Attributes:
        name: The layer, as in `edgerig.measure.layer_key.LayerKey`.
        operators: Indices of its operators in the file, those that tell it from the cut before.
        time: Seconds an inference that the network takes longer with this layer; unavailable where a cut did not run.
            Its interval is that between rounds, and may reach below 0.
        seconds: The difference in each round; empty where ``time`` is unavailable.
    """

    name: str
    operators: tuple[int, ...]
    time: Quantity
    seconds: tuple[float, ...] = ()


class LayerCuts(msgspec.Struct, frozen=True, kw_only=True):
    """Times of all layers of a deployed file, by cutting it.

    In each round the ``seconds`` of all layers add up to those of the ``whole`` network: the first layer's hold what an
    inference costs apart from any layer.

    Attributes:
        artifact: SHA-256 of the file. ``rounds``: Fresh processes of each cut, in turns: A B C, C B A.
        inferences: Fewest timed inferences of a process. ``clock``: Of the device.
        whole: Of the network itself, measured in the same rounds. ``seconds``: in each of them.
        notes: What the reader has to know of them.
    """

    version: int = LAYER_CUTS_VERSION
    method: Method = "difference of neighbouring cuts"
    artifact: str
    rounds: int
    inferences: int
    clock: str
    layers: tuple[CutLayer, ...]
    whole: Quantity
    seconds: tuple[float, ...]
    notes: tuple[str, ...] = ()
