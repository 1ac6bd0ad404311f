"""What the Open Inference Protocol over HTTP and over gRPC have in common: what is asked, and of which network."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import IncompatibleError, UsageError
from edgerig.text import one_line

#: Most bytes of an input, and of a reply: a server must not fill this machine's memory by what it says.
MOST_BYTES = 256 << 20
#: numpy 1 has no arrays of more.
MOST_AXES = 32
#: numpy's dtype of each of the protocol's datatypes.
DTYPES = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "int8",
    "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip


class Input(msgspec.Struct, frozen=True):
    """An input of a network, as the server describes it."""

    name: str
    datatype: str
    shape: list[int]

    def values(self, seed: int) -> NDArray[Any]:
        """Random values, the same for the same seed: reals from 0 to 1, or any integers; axes of any size have 1.

        Raises:
            IncompatibleError: They are no numbers, or more than `MOST_BYTES`.
        """
        if self.datatype not in DTYPES:
            raise IncompatibleError(f"The input {one_line(self.name)} takes {one_line(self.datatype)}, not numbers.")
        dtype, rng = np.dtype(DTYPES[self.datatype]), np.random.default_rng(seed)
        shape = [max(1, size) for size in self.shape]
        if len(shape) > MOST_AXES or math.prod(shape) * dtype.itemsize > MOST_BYTES:
            raise IncompatibleError(
                f"The input {one_line(self.name)} has the shape {one_line(self.shape, 80)}, of more than "
                f"{MOST_BYTES >> 20} MiB or {MOST_AXES} axes."
            )
        if dtype.kind == "f":
            return rng.random(shape).astype(dtype)
        if dtype.kind == "b":
            return rng.integers(0, 2, shape).astype(dtype)
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype.newbyteorder("="), endpoint=True).astype(dtype)


def only_model(who: str, models: list[str] | None) -> str:
    """The only network of the server ``who``, out of those that it names.

    Raises:
        UsageError: It names none, or several.
    """
    if models is not None and len(models) == 1:
        return models[0]
    known = f" It has {', '.join(one_line(name, 60) for name in models[:20])}." if models else ""
    raise UsageError(f"Which network of {who} is to be asked?{known}", "Name it with --model, as the server calls it.")
