"""Whether a network is one of a benchmark, by its input and output; if not, which benchmark it is for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS, Benchmark
from edgerig.errors import IncompatibleError
from edgerig.tensors import TensorSpec

#: Relative difference of two scales that are the same number, written with more or fewer digits.
SCALE_TOLERANCE = 1e-3
#: Integers whose values a sample can have without a quantization that says what they stand for.
_PLAIN_INTEGERS = {"int8": ("int8",), "uint8": ("int8", "uint8"), "float32": ()}


def check_fit(benchmark: Benchmark, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], file: str) -> None:
    """Refuse a network that is not of ``benchmark``.

    Raises:
        IncompatibleError: Names what differs, and the benchmark that the network fits.
    """
    reason = misfit(benchmark, inputs, outputs)
    if reason is None:
        return
    others = [name for name, other in BENCHMARKS.items() if misfit(other, inputs, outputs) is None]
    sizes = "; ".join(
        f"{other.name} {_axes(other.input_shape)} to {_values(other.outputs)}" for other in BENCHMARKS.values()
    )
    raise IncompatibleError(
        f"{file} is no network of {benchmark.name} ({benchmark.title}): {reason}.",
        f"It fits {' and '.join(others)}: --benchmark {others[0]}." if others else f"The benchmarks take: {sizes}.",
    )


def misfit(benchmark: Benchmark, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> str | None:
    """Why a network with these inputs and outputs is not of ``benchmark``; None if it can be."""
    if len(inputs) != 1 or len(outputs) != 1:
        return f"it has {len(inputs)} inputs and {len(outputs)} outputs, not one of each"
    (source,), (result,) = inputs, outputs
    if axes_order(benchmark, source) is None:
        return f"its input is {_axes(source.call_shape)}, not {_axes(benchmark.input_shape)}"
    if min(result.shape, default=1) >= 0 and result.elements != benchmark.outputs:
        return f"it gives {_values(result.elements)}, not {benchmark.outputs}"
    plain = _PLAIN_INTEGERS[benchmark.input_type]
    if not source.dtype.startswith("float") and source.quantization is None and source.dtype not in plain:
        return f"its input is {source.dtype} without a quantization, so that what its integers mean is unknown"
    if source.quantization is not None and source.quantization.per_channel:
        return "its input has one scale for each channel, not one for the whole"
    return None


def axes_order(benchmark: Benchmark, source: TensorSpec) -> tuple[int, ...] | None:
    """The order in which the axes of a sample, as the benchmark has them, go into the input; None if it does not fit.

    The input may be flat, have other axes of 1, or have the channels first.
    """
    shape, target = benchmark.input_shape, _without_ones(source.call_shape)
    if target == _without_ones(shape) or target == (math.prod(shape),):
        return tuple(range(len(shape)))
    channels_first = (len(shape) - 1, *range(len(shape) - 1))
    return channels_first if target == _without_ones([shape[axis] for axis in channels_first]) else None


def takes_samples_as_they_are(benchmark: Benchmark, source: TensorSpec) -> bool:
    """Whether the int8 numbers of the samples are those of the input: int8 of the benchmark's own quantization.

    An image's bytes are such numbers once 128 is subtracted.
    """
    if benchmark.input_type == "float32" or source.dtype != "int8":
        return False
    if source.quantization is None:
        return True
    scale, zero_point = source.quantization.scale, source.quantization.zero_point
    return zero_point == benchmark.zero_point and math.isclose(scale, benchmark.scale, rel_tol=SCALE_TOLERANCE)


def _without_ones(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _axes(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _values(count: int) -> str:
    return f"{count} values" if count != 1 else "1 value"
