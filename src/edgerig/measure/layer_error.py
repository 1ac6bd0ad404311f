"""The numeric error of a deployed network's layers against the float network that it was made from."""

from __future__ import annotations

from typing import Literal

import msgspec

from edgerig.measure.kinds import Quantity

LAYER_ERRORS_VERSION = 1
#: Where the tensors of layers were read: on the device under test, or on this machine, of the same file.
Where = Literal["device", "host"]


class LayerError(msgspec.Struct, frozen=True, kw_only=True):
    """The error of one layer.

    ``sqnr`` and ``largest`` hold everything that has gone wrong up to and including the layer. The ``own_`` ones are of
    the layer alone: its input is the float network's, in the types of the file.

    Attributes:
        name: The layer, as in `edgerig.measure.layer_key.LayerKey`.
        operators: Indices of its operators in the file, conversions left out.
        tensor: The tensor that was compared; empty where none was.
        sqnr: Signal to quantization noise, ``10 log10(sum(x**2) / sum((y - x)**2))`` over all values and samples, in
            dB; ``x`` is the float network's value and ``y`` the deployed network's. Unavailable where nothing differs.
        largest: The largest ``|y - x|``, in the unit of the values themselves.
    """

    name: str
    operators: tuple[int, ...]
    tensor: str
    sqnr: Quantity
    largest: Quantity
    own_sqnr: Quantity
    own_largest: Quantity


class LayerErrors(msgspec.Struct, frozen=True, kw_only=True):
    """Errors of all layers of a deployed file.

    Attributes:
        where: Where its tensors were read, of ``sqnr`` and ``largest``. own_where: where its layers were run alone.
        engine: by what, in a few words.
        samples: Number of test samples. reference: the float network's file.
        artifact: SHA-256 of the deployed file. data: digest of the samples.
        notes: What the reader has to know of them: whether the outputs are those that the cell gave.
    """

    version: int = LAYER_ERRORS_VERSION
    where: Where
    engine: str
    samples: int
    reference: str
    artifact: str
    data: str
    layers: tuple[LayerError, ...]
    notes: tuple[str, ...] = ()
    own_where: Where = "host"
