"""int8 convolutions as sums over columns, two output channels in one int16: what all kernels of that kind share.

``h = 256 * wa + wb``. One SMLAD of two inputs with two such numbers adds ``256 * A + B``, where A and B are the sums of
the two channels; one more with the sign-extended low bytes (SXTB16) adds B. The difference is ``256 * A`` exactly,
even if the first sum wrapped around.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.memo import by_numbers
from edgerig.micro.arithmetic.requantize import Requantization, requantization, scale_twice
from edgerig.micro.ir import Weighted
from edgerig.micro.kernels.cortex_m.depthwise.pointwise_code import USUAL_SHIFT, Form
from edgerig.micro.kernels.cortex_m.patch.patches import Mask, channels_of, few, without
from edgerig.micro.kernels.cortex_m.prescaled import MAX_SHIFT, Prescaled, left_shift, prescaled, sums
from edgerig.micro.kernels.refusals import Answer, Refusal, require

Ints = NDArray[np.int64]
#: Inputs of one step of the inner loop of er_pointwise and er_pairs_full.
STEP = 4
#: The function for channels with two roundings, any window and any limits.
FULL = "er_pairs_full"
#: What the scale of `Prescaled` starts with: 256 times the sum.
K = 8
#: Of sums with their bias: 256 times as many fit into 32 bits.
_MOST = 1 << 23


@dataclass(frozen=True)
class Pairs:
    """One convolution.

    Attributes:
        content: Weights (channels, inputs of a window) as the file has them.
        silent: Channels that are constant or left out, whose weights count as 0.
        scale: Both roundings.
        fast: One rounding and one shift; None if that is not exact, then both roundings.
        left_out: Channels whose outputs are computed after the kernel (`..patch.patches`).
    """

    content: NDArray[np.integer]
    silent: Mask
    scale: Requantization
    fast: Prescaled | None
    left_out: tuple[int, ...] = ()

    @property
    def channels(self) -> int:
        """Of the output."""
        return len(self.content)

    @property
    def weights(self) -> Ints:
        """(channels, inputs of a window), 0 in channels that are constant or left out."""
        return np.where(self.silent[:, None], 0, self.content).astype(np.int64)


@by_numbers
def pairs_of(node: Weighted, usual_shift: bool = False, patches: bool = False) -> Pairs | Refusal:
    """The convolution, or why it cannot be exact.

    Args:
        node: The convolution.
        usual_shift: Try first what other layers have.
        patches: Leave out channels that cannot be exact, where they are few.
    """
    none = np.zeros(node.weights.shape[0], np.bool_)
    pairs = _pairs(node, usual_shift, none)
    if isinstance(pairs, Pairs) or not patches:
        return pairs
    left_out = _unfit(node)
    return _pairs(node, usual_shift, left_out) if few(left_out) else pairs


def _unfit(node: Weighted) -> Mask:
    """Channels that pairs and both roundings cannot do."""
    lowest, highest = sums(node)
    constant, scale = settle(requantization(node), lowest, highest)
    reach = np.maximum(np.abs(scale.bias + lowest), np.abs(scale.bias + highest))
    unfit = ~constant & ((reach >= _MOST) | (scale.exponents > -1) | (scale.exponents < -MAX_SHIFT))
    weights = node.weights.array.astype(np.int64).reshape(len(constant), -1)
    weights[constant] = 0
    for a, b in channel_pairs(len(weights)):
        unfit[a] |= bool((256 * weights[a] + weights[b] < -(1 << 15)).any())
    return np.asarray(unfit, np.bool_)


def _pairs(node: Weighted, usual_shift: bool, left_out: Mask) -> Pairs | Refusal:
    scale = without(requantization(node), left_out)
    lowest, highest = (np.where(left_out, 0, ends) for ends in sums(node))
    content = node.weights.array.reshape(node.weights.shape[0], -1)
    numbers = channels_of(left_out)
    if isinstance(unfit := _packs(content, left_out), Refusal):
        return unfit
    fast = None
    if (scale.low, scale.high) == (-128, 127):
        shifts = (USUAL_SHIFT, None) if usual_shift else (None,)
        tried = (prescaled(scale, lowest, highest, K, True, True, shift) for shift in shifts)
        fast = next((parameters for parameters in tried if isinstance(parameters, Prescaled)), None)
    if fast is not None:
        return Pairs(content, left_out | fast.constant, scale, fast, numbers)
    constant, scale = settle(scale, lowest, highest)
    lowest[constant] = highest[constant] = 0
    refusal = _twice_fits(scale, lowest, highest)
    return refusal if isinstance(refusal, Refusal) else Pairs(content, left_out | constant, scale, None, numbers)


def settle(scale: Requantization, lowest: Ints, highest: Ints) -> tuple[NDArray[np.bool_], Requantization]:
    """Channels whose output never changes, and parameters that give it to them for sums of 0.

    Networks have such channels, with bias and scale beyond what the kernels can do.
    """
    bias, multipliers = scale.bias.astype(np.int64), scale.multipliers.astype(np.int64)
    least, most = (
        np.clip(scale_twice(bias + ends, multipliers, scale.exponents) + scale.zero_point, scale.low, scale.high)
        for ends in (lowest, highest)
    )
    constant = least == most
    # A quarter of four times the output's distance from the zero point.
    return constant, replace(
        scale,
        bias=np.where(constant, 4 * (least - scale.zero_point), bias).astype(np.int32),
        multipliers=np.where(constant, 1 << 30, multipliers).astype(np.int32),
        exponents=np.where(constant, -1, scale.exponents).astype(np.int32),
    )


def channel_pairs(channels: int) -> list[tuple[int, int]]:
    """The pairs in order; of an odd number the last two are a pair, too, and a single one is its own partner."""
    if channels == 1:
        return [(0, 0)]
    pairs = [(channel, channel + 1) for channel in range(0, channels - 1, 2)]
    return pairs + ([(channels - 2, channels - 1)] if channels % 2 else [])


def _packs(content: NDArray[np.integer], left_out: Mask) -> Answer:
    """Pairs of neighbours, and of the last two, fit into int16."""
    weights = np.where(left_out[:, None], 0, content).astype(np.int32)
    pairs = np.array(channel_pairs(len(weights)), np.intp)
    exceeds = (256 * weights[pairs[:, 0]] + weights[pairs[:, 1]] < -(1 << 15)).any(1)
    if exceeds.any():
        a, b = pairs[int(np.argmax(exceeds))]
        return Refusal(f"channels {a} and {b} of {len(weights)}: a weight of -128 beside a negative one exceeds int16")
    return True


def _twice_fits(scale: Requantization, lowest: Ints, highest: Ints) -> Answer:
    """256 times the accumulator fits into 32 bits, and each scale is below a half."""
    bias = scale.bias.astype(np.int64)
    reach = np.maximum(np.abs(bias + lowest), np.abs(bias + highest))
    worst, exponents = int(np.argmax(reach)), scale.exponents
    if (exponents > 0).any():
        return left_shift(scale)
    return require(
        int(reach[worst]) < _MOST, f"channel {worst} of {len(reach)}: sums up to {reach[worst]:,}, 23 bits at most"
    ) and exponents_fit(exponents)


def exponents_fit(exponents: NDArray[np.int32]) -> Answer:
    """Each scale is below a half, and not so small that its shift leaves too little of 32 bits."""
    large, small = exponents > -1, exponents < -MAX_SHIFT
    channel = int(np.argmax(large | small))
    where = f"channel {channel} of {len(exponents)}: the scale"
    if large.any() or small.any():
        return Refusal(f"{where} is {'half or more' if large[channel] else f'below 2**-{MAX_SHIFT + 1}'}")
    return True


def stream(
    pairs: Pairs, order: NDArray[np.intp], chosen: list[tuple[int, int]], form: Form = Form.LOOP
) -> NDArray[np.int32]:
    """Weights and numbers of some pairs of channels, as er_pointwise and er_pairs_full read them.

    ``order``: which input of a window stands at each place of the columns, -1 for none; a multiple of `STEP` long.
    ``form``: which code does.
    """
    padded = np.concatenate([pairs.weights, np.zeros((pairs.channels, 1), np.int64)], 1)[:, order]
    rows = []
    first, second = np.array(chosen, np.intp).reshape(-1, 2).T
    packed = (256 * padded[first] + padded[second]).astype(np.int16, order="C").view(np.int32)
    for (a, b), words in zip(chosen, packed, strict=True):
        start_a, start_b, *scaling = numbers_of(pairs, a, b)
        if form is Form.LOOP:
            rows.append(np.concatenate([[start_a], words, [start_b], scaling]))
            continue
        scaling = [*scaling, addend_of(pairs)] if pairs.fast else [*_twice(pairs.scale, a), *_twice(pairs.scale, b)]
        if form is Form.WHOLE:
            rows.append(np.concatenate([words[:2], [start_a], words[2:], [start_b], scaling]))
            continue
        factor, starts = (256, [start_a, start_b]) if pairs.fast else (2, [start_a >> 7, start_b])
        both = factor * np.stack([padded[a], padded[b]])
        apart = both.astype(np.int16).view(np.int32)
        rows.append(np.concatenate([apart[:, 0], starts, apart[:, 1:].T.reshape(-1), scaling]))
    return np.array(rows, np.int64).astype(np.int32)


def numbers_of(pairs: Pairs, a: int, b: int) -> list[int]:
    """Starts of a and b and multipliers of both; for two roundings these starts are 256 times the bias of a and twice
    that of b, and the shifts less 1 follow in one number."""
    fast, scale = pairs.fast, pairs.scale
    if fast is not None:
        return [int(fast.start[a]), int(fast.start[b]), int(fast.multiplier[a]), int(fast.multiplier[b])]
    shifts = [-int(scale.exponents[channel]) - 1 for channel in (a, b)]
    starts = 256 * int(scale.bias[a]), 2 * int(scale.bias[b])
    return [*starts, int(scale.multipliers[a]), int(scale.multipliers[b]), shifts[0] | shifts[1] << 8]


def _twice(scale: Requantization, channel: int) -> list[int]:
    """Multiplier, constant and shift less 1 of a channel."""
    shift = -int(scale.exponents[channel]) - 1
    return [int(scale.multipliers[channel]), (2 * scale.zero_point + 1) << shift, shift]


def addend_of(pairs: Pairs) -> int:
    """What all channels add: the requantization's own, or 2 * zero point + 1 for two roundings."""
    return int(pairs.fast.addend[0]) if pairs.fast else 2 * pairs.scale.zero_point + 1
