"""A network's outputs as a task gets them: by position or by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.errors import IncompatibleError

Array = NDArray[Any]


class NamedArrays(Sequence[Array]):
    """Arrays of n samples, each of shape (n, ...), in a network's order; by position, or by the name of the tensor.

    Args:
        arrays: One for each tensor.
        names: The tensors' names, in the same order.

    >>> import numpy as np
    >>> outputs = NamedArrays([np.zeros((2, 4)), np.ones((2, 1))], ["boxes", "scores"])
    >>> outputs["scores"].tolist(), outputs[0].shape, outputs.names
    ([[1.0], [1.0]], (2, 4), ('boxes', 'scores'))
    """

    def __init__(self, arrays: Sequence[Array], names: Sequence[str]) -> None:
        self._arrays, self.names = arrays, tuple(names)

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, key: int | str) -> Array: ...
    @overload
    def __getitem__(self, key: slice) -> list[Array]: ...
    def __getitem__(self, key: int | str | slice) -> Array | list[Array]:
        """One array, or several for a slice.

        Raises:
            IncompatibleError: There is none of that name.
        """
        if isinstance(key, slice):
            return [self[number] for number in range(len(self))[key]]
        return self._array(position_of(self.names, key) if isinstance(key, str) else range(len(self))[key])

    def _array(self, position: int) -> Array:
        return self._arrays[position]


def position_of(names: Sequence[str], name: str, what: str = "output") -> int:
    """The position of a tensor by its name.

    Raises:
        IncompatibleError: There is none of that name; the message names those that there are.
    """
    if name not in names:
        raise IncompatibleError(
            f"The network has no {what} {name!r}; it has {', '.join(map(repr, names))}.",
            f"Name one of them, or export the network with an {what} of that name.",
        )
    return list(names).index(name)


def spec_named(specs: Sequence[TensorSpec], name: str, what: str = "output") -> TensorSpec:
    """The tensor of a name, for a task's `check`.

    Raises:
        IncompatibleError: There is none of that name; the message names those that there are.
    """
    return specs[position_of([spec.name for spec in specs], name, what)]
