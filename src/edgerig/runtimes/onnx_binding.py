"""Functions of ONNX Runtime's hot loop that set the bound inputs and get the bound outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgerig.runtimes.base import Array


def fixed(
    places: Sequence[Array], results: Sequence[Array]
) -> tuple[Callable[[Sequence[Array]], object], Callable[[], Sequence[Array]]]:
    """The functions that set the inputs and get the outputs where all shapes are known."""
    if len(places) == 1 and len(results) == 1:
        (target,), (result,) = places, results

        def set_input(sample: Sequence[Array]) -> None:
            target[...] = sample[0]

        def get_output() -> Sequence[Array]:
            return (result.copy(),)

        return set_input, get_output

    def set_inputs(sample: Sequence[Array]) -> None:
        for target, value in zip(places, sample, strict=True):
            target[...] = value

    def get_outputs() -> Sequence[Array]:
        return [result.copy() for result in results]

    return set_inputs, get_outputs


def general(binding: Any, places: Sequence[Array], free: Sequence[str]) -> Callable[[Sequence[Array]], object]:
    """The function that sets the inputs where ``free`` outputs have shapes that only the engine knows."""

    def set_inputs(sample: Sequence[Array]) -> None:
        for target, value in zip(places, sample, strict=True):
            target[...] = value
        # Otherwise the engine would reuse the output of the last sample, whatever the shape is now.
        for name in free:
            binding.bind_output(name, "cpu")

    return set_inputs


def reader(binding: Any, results: Sequence[Array | None]) -> Callable[[], Sequence[Array]]:
    """The function that gets the outputs, those without a buffer from the engine."""

    def get_outputs() -> Sequence[Array]:
        values = binding.get_outputs()
        return [
            value.numpy() if result is None else result.copy() for value, result in zip(values, results, strict=True)
        ]

    return get_outputs
