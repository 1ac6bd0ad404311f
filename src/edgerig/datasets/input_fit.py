"""Whether samples fit the scale and zero point of a network's input, by counts taken while they are quantized."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.datasets.preprocess import affine, dequantize

Array = NDArray[Any]
#: The counts of each sample, in this order: values below and above the range, those farther from it than one
#: step; sums of the squared error, of the values and of their squares; minimum and maximum; 1 if all are integers.
COLUMNS = ("below", "above", "far", "error", "sum", "squares", "least", "greatest", "whole")
#: Share of values beyond the range from which a warning is given: calibration on percentiles leaves out far fewer.
CLAMPED = 0.01
#: Quantization error, as a share of the samples' standard deviation, from which a warning is given. Rounding to 8 bits
#: over a range of ten standard deviations makes 0.01.
ERROR = 0.1
#: Share of the samples from which a warning is given where each for itself is quantized too coarsely: a few well-scaled
#: ones, or a single outlier, make the error of all of them together small. Blank images and silence are fewer.
COARSE = 0.25
#: Share of the input's range covered by samples below which a warning is given. Calibration takes the minimum and the
#: maximum of similar samples; pixels from 0 to 1 cover half of the range from -1 to 1.
REACH = 0.55
#: Quantization error below which values count as integers already.
EXACT = 1e-3
#: Fewest values for a warning about coverage: a few need not cover the range.
LEAST_VALUES = 500


class InputFit(msgspec.Struct, frozen=True, kw_only=True):
    """How the samples fit the integers of the input.

    Attributes:
        dtype: Of the input tensor. low, high: the real values of its smallest and its largest integer.
        values: Number of values; ``below`` and ``above`` of them were clamped, ``far`` by more than one step.
        error: Root mean square error of quantizing, over the standard deviation of the values; None if all are equal.
        coarse: The share of the samples that are not constant and whose own error, over the standard deviation of
            their own values, is above `ERROR`.
        least, greatest: Minimum and maximum of the values. whole: whether all are integers.
    """

    dtype: str
    low: float
    high: float
    values: int
    below: int
    above: int
    far: int
    error: float | None
    least: float
    greatest: float
    whole: bool
    coarse: float = 0.0

    @property
    def clamped(self) -> float:
        """The share of values beyond the range."""
        return (self.below + self.above) / self.values if self.values else 0.0

    @property
    def reach(self) -> float:
        """The share of the range that the values cover."""
        return (min(self.greatest, self.high) - max(self.least, self.low)) / (self.high - self.low)

    @property
    def calibrated(self) -> bool:
        """Whether the range was calibrated on the samples that the network was made for: it has 8 bits, which are used
        fully, where a range of 16 bits is symmetric about 0; and values are rounded, where plain integers are not.
        """
        return self.dtype in ("int8", "uint8") and self.error is not None and self.error > EXACT


def measure_fit(x: Array, q: Array, spec: TensorSpec) -> NDArray[np.float64]:
    """The counts that `summarize_fit` needs of samples ``x``, (n, ...), and their quantized integers ``q``.

    Returns:
        Shape (n, 9), see `COLUMNS`; (n, 0) for an input that is not integer, which clamps nothing.
    """
    dtype = np.dtype(spec.dtype)
    if dtype.kind not in "iu":
        return np.empty((len(x), 0))
    scale, zero_point = affine(spec, x.ndim, np.float64)
    flat = x.reshape(len(x), -1).astype(np.float64)
    position = (x / scale + zero_point).reshape(len(x), -1)
    limits = np.iinfo(dtype)
    below, above = position < limits.min - 0.5, position >= limits.max + 0.5
    far = (position < limits.min - 1.5) | (position >= limits.max + 1.5)
    error = dequantize(q, spec).reshape(len(x), -1) - flat
    columns = (
        below.sum(1),
        above.sum(1),
        far.sum(1),
        (error**2).sum(1),
        flat.sum(1),
        (flat**2).sum(1),
        flat.min(1),
        flat.max(1),
        (flat == np.rint(flat)).all(1),
    )
    return np.stack([np.asarray(column, np.float64) for column in columns], axis=1)


def summarize_fit(counts: NDArray[np.float64], spec: TensorSpec) -> InputFit | None:
    """The fit of all samples, from the counts of `measure_fit`; None for an input that is not integer."""
    if counts.shape[1] != len(COLUMNS) or not len(counts):
        return None
    named = dict(zip(COLUMNS, counts.T, strict=True))
    total = len(counts) * int(np.prod(spec.shape[1:]))
    scale, zero_point = affine(spec, max(len(spec.shape), 1), np.float64)
    limits = np.iinfo(np.dtype(spec.dtype))
    with np.errstate(invalid="ignore", over="ignore"):
        variance = float(named["squares"].sum() / total - (named["sum"].sum() / total) ** 2)
        error = float(named["error"].sum() / total)
    own = _own_errors(named, int(np.prod(spec.shape[1:])))
    known = np.isfinite(variance) and np.isfinite(error) and variance > 1e-12
    return InputFit(
        dtype=spec.dtype,
        low=float(np.min(scale * (limits.min - zero_point))),
        high=float(np.max(scale * (limits.max - zero_point))),
        values=total,
        below=int(named["below"].sum()),
        above=int(named["above"].sum()),
        far=int(named["far"].sum()),
        error=float(np.sqrt(error / variance)) if known else None,
        least=_finite(named["least"].min()),
        greatest=_finite(named["greatest"].max()),
        whole=bool(named["whole"].all()),
        coarse=int((own > ERROR).sum()) / len(counts),
    )


def _own_errors(named: Mapping[str, NDArray[np.float64]], values: int) -> NDArray[np.float64]:
    """Of each sample that is not constant: the root mean square error of quantizing it, over its standard deviation."""
    with np.errstate(invalid="ignore", over="ignore"):
        mean, squares = named["sum"] / values, named["squares"] / values
        variance = squares - mean**2
        # What rounding leaves of a constant sample is no variance.
        varies = np.isfinite(variance) & np.isfinite(named["error"]) & (variance > 1e-9 * squares)
        return np.asarray(np.sqrt(named["error"][varies] / values / variance[varies]))


def fits_of(counts: NDArray[np.float64], specs: Sequence[TensorSpec]) -> list[InputFit | None]:
    """`summarize_fit` of each input, from the counts of `measure_fit` one input after another, shape (n, counts)."""
    fits, first = [], 0
    for spec in specs:
        width = len(COLUMNS) if np.dtype(spec.dtype).kind in "iu" else 0
        fits.append(summarize_fit(counts[:, first : first + width], spec))
        first += width
    return fits


def judge_fits(fits: Sequence[InputFit | None], names: Sequence[str], *, reach: bool = True) -> list[str]:
    """`judge_fit` of each input, with its name where there are several."""
    if len(fits) == 1:
        return judge_fit(fits[0], reach=reach)
    named = zip(names, fits, strict=True)
    return [f"Input {name!r}: {text}" for name, fit in named for text in judge_fit(fit, reach=reach)]


def judge_fit(fit: InputFit | None, *, reach: bool = True) -> list[str]:
    """Warnings about how samples fit an input, in sentences; none where they fit.

    Args:
        fit: As `summarize_fit` gives it.
        reach: Whether the samples resemble those that the input's range was made for, so that they should cover it.
    """
    if fit is None:
        return []
    takes = f"the network's {fit.dtype} input takes {fit.low:.4g} to {fit.high:.4g}"
    holds = f"the samples hold {fit.least:.4g} to {fit.greatest:.4g}"
    if fit.values and fit.far / fit.values > CLAMPED:
        text = f"{fit.clamped:.1%} of the input's values were clamped: {holds}, {takes}."
    elif fit.error is not None and fit.error > ERROR:
        text = (
            f"Quantizing the input changes its values by {fit.error:.0%} of their standard deviation: {holds}, "
            f"{takes} in steps that are too coarse for them."
        )
    elif fit.coarse > COARSE:
        text = (
            f"Quantizing the input changes {fit.coarse:.0%} of the samples by more than {ERROR:.0%} of their own "
            f"standard deviation: {holds}, but most of them far less; {takes} in steps that are too coarse for these."
        )
    elif reach and fit.values >= LEAST_VALUES and fit.calibrated and 0 < fit.reach < REACH:
        return [
            f"The samples reach over {fit.reach:.0%} of the input's range only: they hold {fit.least:.4g} to "
            f"{fit.greatest:.4g}, {takes}. Was the network made for other preprocessing?"
        ]
    else:
        return []
    if fit.whole and fit.greatest > 1:
        text += " They are whole numbers: the preprocessing is missing, or they are quantized already."
    return [text + " Preprocessing, scale and zero point do not belong together."]


def _finite(value: Any) -> float:
    limit = float(np.finfo(np.float64).max)
    return float(np.clip(np.nan_to_num(value, nan=0.0, posinf=limit, neginf=-limit), -limit, limit))
