"""State that a network hands out and takes again: an output of one inference is an input of the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import InferenceError
from edgerig.tensors import TensorSpec, why_not_carried

Array = NDArray[Any]
#: The hot loop's three calls: set inputs, invoke, get outputs.
Calls = tuple[Callable[[Sequence[Array]], object], Callable[[], object], Callable[[], Sequence[Array]]]


class CarriedState:
    """The tensors that are carried from one inference to the next, outside of the time that is taken.

    At the beginning they are 0; a quantized one holds its zero point.

    Args:
        state: For each input that is one, the name of the output that it comes from.
        inputs, outputs: All of the network's.

    Raises:
        InferenceError: There is no such input or output, or the two are no one tensor.
    """

    def __init__(self, state: Mapping[str, str], inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
        fault = why_not_carried(state, inputs, outputs)
        if fault is not None:
            raise InferenceError(f"The state cannot be carried: {fault}.", "Correct the model's 'state'.")
        ins, outs = [spec.name for spec in inputs], [spec.name for spec in outputs]
        self._sources = {ins.index(name): outs.index(output) for name, output in state.items()}
        self._inputs = inputs
        self._now: dict[int, Array] = {}
        self.begin()

    def begin(self) -> None:
        """Make the state what it is at the beginning of a sequence."""
        self._now = {index: _beginning(self._inputs[index]) for index in self._sources}

    def given(self, specs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
        """Those of all inputs that samples are given to."""
        return tuple(spec for index, spec in enumerate(specs) if index not in self._sources)

    def with_beginning(self, batches: Sequence[Array]) -> list[Array]:
        """Samples, for each input that is given an array (n, ...), with the state of the beginning for each."""
        count, arrays = len(batches[0]), iter(batches)
        return [
            np.stack([_beginning(spec)] * count) if index in self._sources else next(arrays)
            for index, spec in enumerate(self._inputs)
        ]

    def around(self, calls: Calls) -> Calls:
        """The hot loop's calls of a network with all of its inputs, as those of one without the state."""
        set_all, invoke, get_outputs = calls

        def set_inputs(sample: Sequence[Array]) -> None:
            set_all(self.with_state(sample))

        def get_and_carry() -> Sequence[Array]:
            outputs = get_outputs()
            self.carry(outputs)
            return outputs

        return set_inputs, invoke, get_and_carry

    def with_state(self, sample: Sequence[Array]) -> list[Array]:
        """An array for each of all inputs: a sample's, and the state as it is now."""
        arrays, sources = iter(sample), self._sources
        return [self._now[index] if index in sources else next(arrays) for index in range(len(self._inputs))]

    def carry(self, outputs: Sequence[Array]) -> None:
        """Make the state what an inference has put out; it is copied where memory is not contiguous, else kept."""
        for index, source in self._sources.items():
            self._now[index] = np.ascontiguousarray(outputs[source]).reshape(self._inputs[index].shape)


def _beginning(spec: TensorSpec) -> Array:
    zeros: Array = np.zeros((), spec.dtype)
    if spec.quantization:
        zeros = np.array(spec.quantization.zero_points, spec.dtype).reshape(spec.quantization.spread(len(spec.shape)))
    return np.broadcast_to(zeros, spec.shape).copy()
