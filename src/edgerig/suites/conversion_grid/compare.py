"""Whether an importer computes what the exporting framework computes, and whether that says anything at all.

Errors are shares of an output's spread (its largest value less its smallest, over all samples). A network is allowed a
ten-thousandth of it and ten times its own rounding noise: what the outputs change by when inputs change by a few units
in float32's last place. An output that does not depend on the inputs beyond that noise can be met by a constant, and is
no evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import EngineError

Array = NDArray[Any]
#: Share of the spread that any network is allowed.
SHARE = 1e-4
#: So many times its rounding noise besides.
NOISES = 10.0
#: Samples on which networks are compared, and the relative change of inputs that shows the noise.
SAMPLES, CHANGE = 4, 2.0**-22


class Reference(msgspec.Struct, frozen=True):
    """What the exporting framework says.

    Attributes:
        outputs: For each sample the outputs. spreads, noises: Of each output, noises in shares of the spread.
        vacuous: Why the outputs are no evidence; empty where they are.
    """

    outputs: tuple[tuple[Array, ...], ...]
    spreads: tuple[float, ...]
    noises: tuple[float, ...]
    vacuous: str = ""


def draw_inputs(inputs: Mapping[str, tuple[tuple[int, ...], str]]) -> list[dict[str, Array]]:
    """Samples by name, the same for the same shapes."""
    rng = np.random.default_rng(7)
    return [{name: _drawn(rng, *spec) for name, spec in inputs.items()} for _ in range(SAMPLES)]


def _drawn(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return rng.standard_normal(shape).astype(kind)
    return rng.integers(0, 2 if kind.kind == "b" else 10, shape).astype(kind)


def reference_of(
    run: Callable[[Mapping[str, Array]], Sequence[Any]],
    samples: Sequence[Mapping[str, Array]],
    classes: Collection[int] = (),
) -> Reference:
    """What ``run`` says of each sample, with spread and noise of each output."""
    outputs = tuple(tuple(np.asarray(output) for output in run(sample)) for sample in samples)
    changed = tuple(
        tuple(np.asarray(output) for output in run({name: _changed(value) for name, value in sample.items()}))
        for sample in samples
    )
    if not outputs[0]:
        raise EngineError("The network has no outputs.", "Export it with the outputs that are to be compared.")
    spreads, noises, empty = [], [], []
    for position in range(len(outputs[0])):
        values = [sample[position] for sample in outputs]
        spread = _spread(values)
        moved = max(_largest(value, other[position]) for value, other in zip(values, changed, strict=True))
        between = max(_largest(value, values[0]) for value in values[1:])
        spreads.append(spread)
        # What changes its shape, or where it is not finite, by rounding has no noise that could be measured.
        measurable = spread > 0 and np.isfinite(moved) and position not in classes
        noises.append(moved / spread if measurable else 0.0)
        if not all(np.isfinite(value).all() for value in values):
            empty.append(f"output {position} is not finite")
        elif between <= NOISES * moved or spread == 0:
            empty.append(f"output {position} does not depend on the inputs")
    # One output that says something is enough: others may be states or shapes.
    vacuous = "; ".join(empty) if len({word.split()[1] for word in empty}) == len(outputs[0]) else ""
    return Reference(outputs, tuple(spreads), tuple(noises), vacuous)


def _spread(values: Sequence[Array]) -> float:
    """Largest less smallest of the finite values; 0 where there are none."""
    flat = np.concatenate([value.reshape(-1).astype(np.float64) for value in values])
    finite = flat[np.isfinite(flat)]
    return float(finite.max() - finite.min()) if finite.size else 0.0


def _changed(value: Array) -> Array:
    return (value * value.dtype.type(1 + CHANGE)).astype(value.dtype) if value.dtype.kind == "f" else value


def _largest(first: Array, second: Array) -> float:
    """The largest difference; infinite for other shapes, or where not both are finite and they are not the same."""
    if first.shape != second.shape:
        return float("inf")
    left, right = (value.astype(np.float64) for value in (first, second))
    finite = np.isfinite(left) & np.isfinite(right)
    if not np.array_equal(left[~finite], right[~finite], equal_nan=True):
        return float("inf")
    return float(np.max(np.abs(left[finite] - right[finite]), initial=0.0))


def largest_error(reference: Reference, answers: Sequence[Sequence[Array]]) -> tuple[float, float, str]:
    """The largest difference in shares of an output's spread, what is allowed there, and what is wrong in words.

    Values that are not finite in the exporting framework have to be the same ones.

    Args:
        reference: What the exporting framework says. answers: For each sample the importer's outputs.
    """
    worst = (0.0, allowed(reference, 0), "")
    for expected, outputs in zip(reference.outputs, answers, strict=True):
        if len(expected) != len(outputs):
            return float("inf"), worst[1], f"{len(outputs)} outputs instead of {len(expected)}"
        for position, (value, output) in enumerate(zip(expected, outputs, strict=True)):
            limit = allowed(reference, position)
            if value.shape != output.shape:
                text = f"output {position} has the shape {list(output.shape)} instead of {list(value.shape)}"
                return float("inf"), limit, text
            if not np.array_equal(np.isfinite(value), np.isfinite(output)):
                where = "is finite" if np.isfinite(output).all() else "is not finite"
                return float("inf"), limit, f"output {position} {where} where the framework's is otherwise"
            spread = reference.spreads[position] or 1.0
            error = _largest(value, output) / spread
            if error - limit > worst[0] - worst[1]:
                worst = (error, limit, f"output {position} differs by {error:.2g} of its spread, {limit:.2g} allowed")
    return worst if worst[0] > worst[1] else (worst[0], worst[1], "")


def allowed(reference: Reference, position: int) -> float:
    """The error up to which an output counts as equal, in shares of its spread."""
    return SHARE + NOISES * reference.noises[position]
