"""Weights and scales packed for er_pairs: two output channels in one int16.

``h = 256 * wa + wb``. One SMLAD of two inputs with two such numbers adds ``256 * A + B``, where A and B are the sums of
the two channels; one more with the sign-extended low bytes (SXTB16) adds B. The difference is ``256 * A`` exactly,
even if the first sum wrapped around.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.ir import Conv2D
from edgerig.micro.kernels.base import Context
from edgerig.micro.kernels.cortex_m.prescaled import MAX_SHIFT, Prescaled, prescaled, sums
from edgerig.micro.quantized import Requantization, requantization

Ints = NDArray[np.int64]
#: Inputs of one step of the inner loop, and steps of one round.
STEP, ROUND = 4, 16
#: What the scale of `Prescaled` starts with: 256 times the sum.
K = 8


@dataclass(frozen=True)
class Pairs:
    """One convolution for er_pairs.

    Attributes:
        order: Which input of a window stands at each place of the columns, -1 for none.
        fast: One rounding and one shift; None if that is not exact, then both roundings.
    """

    weights: Ints
    order: NDArray[np.intp]
    scale: Requantization
    fast: Prescaled | None

    @property
    def words(self) -> int:
        """32-bit words of the columns of one pixel."""
        return len(self.order) // 2


def window_order(runs: int, run: int) -> NDArray[np.intp]:
    """In which order er_conv_pairs and er_pairs_widen lay out a window of ``runs`` times ``run`` bytes; -1: unused."""
    whole = run // 4 * 4
    places = np.arange(runs * run).reshape(runs, run)
    words = places[:, :whole].reshape(-1, 2, 2).transpose(0, 2, 1).reshape(-1)
    order = np.concatenate([words, places[:, whole:].reshape(-1)])
    return np.concatenate([order, np.full(-len(order) % STEP, -1)]).astype(np.intp)


def pack(node: Conv2D, order: NDArray[np.intp]) -> Pairs | None:
    """The convolution with its inputs in ``order``, or None if it cannot be exact."""
    scale = requantization(node)
    lowest, highest = sums(node)
    weights = node.weights.array.astype(np.int64).reshape(node.weights.shape[0], -1)
    if not _fits(weights):
        return None
    uncut = (scale.low, scale.high) == (-128, 127)
    fast = prescaled(scale, lowest, highest, K, True) if uncut else None
    if fast is None and not _twice_fits(scale, lowest, highest):
        return None
    if fast is not None:
        weights[getattr(fast, "constant", np.zeros(len(weights), np.bool_))] = 0
    return Pairs(weights, order, scale, fast)


def _fits(weights: Ints) -> bool:
    """Pairs of neighbours, and of the last two, fit into int16."""
    channels = len(weights)
    if channels < 2:
        return False
    return all((256 * weights[a] + weights[b] >= -(1 << 15)).all() for a, b in _pairs_of(channels))


def _pairs_of(channels: int) -> list[tuple[int, int]]:
    """The pairs in order; of an odd number the last two are a pair, too."""
    pairs = [(one, one + 1) for one in range(0, channels - 1, 2)]
    return pairs + ([(channels - 2, channels - 1)] if channels % 2 else [])


def _twice_fits(scale: Requantization, lowest: Ints, highest: Ints) -> bool:
    """256 times the accumulator fits into 32 bits, and each scale is below a half."""
    bias = scale.bias.astype(np.int64)
    reach = np.maximum(np.abs(bias + lowest), np.abs(bias + highest)).max()
    return bool(reach < 1 << 23) and bool((scale.exponents <= -1).all()) and bool((scale.exponents >= -MAX_SHIFT).all())


def emit(pairs: Pairs, context: Context, pixel_stride: int, channel_stride: int) -> tuple[str, str]:
    """Puts weights and numbers into weights.c; returns the C names of the jobs of all pairs and of the odd one.

    The strides are those of the output in bytes. Where the number of channels is even the second name is 0.
    """
    channels = len(pairs.weights)
    together = _pairs_of(channels)[: channels // 2]
    first = _job(pairs, context, "pairs", together, (pixel_stride, channel_stride))
    if channels % 2 == 0:
        return f"&{first}", "0"
    odd = _job(pairs, context, "odd", [(channels - 2, channels - 1)], (pixel_stride, channel_stride))
    return f"&{first}", f"&{odd}"


def _job(pairs: Pairs, context: Context, name: str, chosen: list[tuple[int, int]], strides: tuple[int, int]) -> str:
    padded = np.concatenate([pairs.weights, np.zeros((len(pairs.weights), 1), np.int64)], 1)[:, pairs.order]
    both = np.array([256 * padded[a] + padded[b] for a, b in chosen])
    values = [value for value in context.node.inputs if value.constant]
    weights = context.constant(f"{name}_weights", both.astype(np.int16), stands_for=values[:1])
    numbers = np.array([numbers_of(pairs, a, b) for a, b in chosen], np.int64)
    channels = context.constant(f"{name}_channels", numbers.astype(np.int32), stands_for=values[1:])
    steps = len(pairs.order) // STEP
    first = (steps - 1) % ROUND + 1
    rounds = (steps - first) // ROUND + 1
    shift = int(pairs.fast.shift[0]) if pairs.fast else 0
    return context.struct(
        name,
        "er_pairs",
        f"{{ {weights}, {channels}, {strides[0]}, {strides[1]}, {rounds}, {first}, {len(chosen)}, {shift}, "
        f"{pairs.scale.low}, {pairs.scale.high} }}",
    )


def numbers_of(pairs: Pairs, a: int, b: int) -> list[int]:
    """What er_pairs.h says of a pair's numbers."""
    fast, scale = pairs.fast, pairs.scale
    if fast is not None:
        columns = fast.start, fast.multiplier, fast.addend
        (start_a, ma, ca), (start_b, mb, cb) = ([int(column[one]) for column in columns] for one in (a, b))
        return [start_a, start_b, ma, ca, mb, cb]
    shifts = [-int(scale.exponents[one]) for one in (a, b)]
    constants = [(1 << shift - 1) + (scale.zero_point << shift) for shift in shifts]
    ma, mb = int(scale.multipliers[a]), int(scale.multipliers[b])
    bias_a, bias_b = int(scale.bias[a]), int(scale.bias[b])
    return [256 * bias_a, 2 * bias_b, ma, constants[0], mb, constants[1], shifts[0] | shifts[1] << 8]
