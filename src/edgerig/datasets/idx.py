"""The IDX format of the original MNIST files."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import DatasetError

_UNSIGNED_BYTES = 8


def read_idx(data: bytes, name: str) -> NDArray[Any]:
    """The array in an IDX file of unsigned bytes.

    Two zero bytes, the type code, the number of axes, each axis as a big-endian 32-bit length, then the values.

    Args:
        data: The file's bytes.
        name: Its name, for errors.

    Raises:
        DatasetError: It is no such file, or its length contradicts its header.
    """
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] != _UNSIGNED_BYTES:
        raise DatasetError(f"{name} is no IDX file of unsigned bytes.")
    start = 4 + 4 * data[3]
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4))
    if len(data) - start != math.prod(shape):
        raise DatasetError(
            f"{name} is truncated or corrupt: {list(shape)} bytes should follow its header, there are "
            f"{max(0, len(data) - start)}.",
            "Fetch it again.",
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
