"""What the reference of an operator is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]

#: Takes a node and the content of its inputs, returns the content of its outputs.
Operation = Callable[[Any, list[Array]], list[Array]]
