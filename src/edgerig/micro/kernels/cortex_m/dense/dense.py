"""Dense layers, and convolutions whose window is the whole image (int8): four outputs at a time.

The input is widened to int16 once; pairs of outputs share half-words of weights, ``256 * wa + wb``
(`..depthwise.pointwise_code` says how). Instructions counted on the simulated STM32F746: 0.84 per
multiplication, 12 per output and 1.1 per input; the last one or two outputs, one by one, 1.5 per multiplication.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import Requantization, requantization
from edgerig.micro.c_text import initializer
from edgerig.micro.ir import Conv2D, FullyConnected, Node, Weighted
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.cortex_m.assembly import source
from edgerig.micro.kernels.cortex_m.checks import full_range
from edgerig.micro.kernels.cortex_m.dense.dense_code import STEPS, dense_blocks
from edgerig.micro.kernels.cortex_m.depthwise.pointwise_code import packs
from edgerig.micro.kernels.cortex_m.elementwise.sums import clamped, clamping
from edgerig.micro.kernels.cortex_m.patch.patches import Mask, channels_of, few, patched, without
from edgerig.micro.kernels.cortex_m.prescaled import Prescaled, floors, hindering, prescaled, sums
from edgerig.micro.kernels.refusals import Answer, Refusal, exact, require
from edgerig.micro.options import Options

_STEP = 8
_MOST = 1 << 16
#: Tried before the one that loses the fewest bits, so that layers share code.
_SHARED_SHIFTS = (12, 9)
#: How often further channels are left out before none is.
_TURNS = 4
_Number = TypeVar("_Number", np.int8, np.int32)


class Dense(Kernel):
    """Matrix times vector."""

    name = "dense-4x1"
    needs = frozenset({"thumb2", "dsp"})
    node = Weighted

    def accepts(self, node: Node, options: Options) -> Answer:
        if not isinstance(node, FullyConnected | Conv2D) or node.input.dtype != "int8" or node.output.dtype != "int8":
            return False
        inputs = node.weights.elements // _outputs(node)
        return (
            is_dense(node)
            and node.weights.dtype == "int8"
            and require(inputs <= _MOST, f"{inputs:,} inputs, at most {_MOST:,}")
            and exact(_exact(node))
        )

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, Weighted)
        result = _exact(node)
        assert not isinstance(result, Refusal)
        parameters, left_out = result
        matrix = np.where((parameters.constant | left_out)[:, None], 0, _matrix(node)).astype(np.int8)
        outputs, inputs = matrix.shape
        steps = -(-inputs // _STEP)
        matrix = np.pad(matrix, ((0, 0), (0, steps * _STEP - inputs)))
        singles = outputs % 4 if outputs % 4 < 3 else 0
        blocked = outputs - singles
        same = len(set(parameters.multiplier.tolist())) == 1
        stands_for = (node.weights, *((node.bias,) if node.bias is not None else ()))
        start = _padded(parameters.start[:blocked])
        multipliers = np.resize(parameters.multiplier, 4) if same else _padded(parameters.multiplier[:blocked])
        fields = ["0", "0", "0", "0"]
        if blocked:
            stream = _stream(_padded(matrix[:blocked]), start)
            blocks = context.constant("blocks", stream, stands_for=stands_for)
            of_blocks = context.constant("multipliers", multipliers)
            fields = [blocks, f"{blocks} + {stream.size}", of_blocks, "0" if same else "16"]
        shift = int(parameters.shift[0])
        code = dense_blocks(shift, same, STEPS[context.options.optimize])
        if blocked:
            context.structs.append(f"extern er_dense_run {code.name};")
        generated = {f"{code.name}.S": source([code])} if blocked else {}
        fields += [str(parameters.addend[0]), str(steps), str(shift), code.name if blocked else "0"]
        if singles:
            rest = slice(blocked, outputs)
            single = context.constant("single", matrix[rest], stands_for=() if blocked else stands_for)
            numbers = np.concatenate([parameters.start[rest], parameters.multiplier[rest]])
            scales = context.constant("single_scales", numbers)
            fields += [single, scales, f"{scales} + {singles}"]
        else:
            fields += ["0", "0", "0"]
        fields += [str(singles), str(-blocked % 4)]
        layer = context.struct("layer", "er_dense", initializer(fields))
        wide = context.scratch(2 * _STEP * steps, "int16_t")
        call = f"er_dense_layer(&{layer}, {context.read(node.input)}, {context.write(node.output)}, {wide});"
        clamp = clamping(node, context.write(node.output))
        lowered = clamped(call, clamp, "er_dense.h", "er_dense.c", "er_dense.S", generated=generated)
        return patched(lowered, node, channels_of(left_out), context)


def is_dense(node: FullyConnected | Conv2D) -> Answer:
    """A convolution or dense layer of one vector: every output sums over all inputs, in their order."""
    if isinstance(node, FullyConnected):
        return require(node.rows == 1, f"{node.rows} rows, one is needed")
    whole = node.weights.shape[1:] == node.input.shape[1:] and node.padding.none
    return node.output.shape[1:3] == (1, 1) and require(whole, "the window is not the whole image")


def _outputs(node: Weighted) -> int:
    return node.weights.shape[0]


def _matrix(node: Weighted) -> NDArray[np.int8]:
    return np.asarray(node.weights.array.reshape(_outputs(node), -1), np.int8)


def _exact(node: Weighted) -> tuple[Prescaled, Mask] | Refusal:
    """Parameters, and the channels that are computed after the kernel: those that hinder the others, if few."""
    matrix = _padded(_matrix(node), 2).copy()
    left_out = np.zeros(_outputs(node), np.bool_)
    parameters = _parameters(node, matrix, left_out)
    if isinstance(parameters, Prescaled):
        return parameters, left_out
    refusal = parameters
    for _ in range(_TURNS if floors(_scales(node, left_out)) else 0):
        left_out |= _hindering(node, matrix, left_out)
        if not few(left_out):
            break
        parameters = _parameters(node, matrix, left_out)
        if isinstance(parameters, Prescaled):
            return parameters, left_out
    return refusal


def _parameters(node: Weighted, matrix: NDArray[np.int8], left_out: Mask) -> Prescaled | Refusal:
    scales = _scales(node, left_out)
    if isinstance(clamps := full_range(scales.low, scales.high), Refusal):
        return clamps
    matrix[: len(left_out)][left_out] = 0
    if not packs(matrix):
        return Refusal("a weight of -128 beside a negative one, or sums of more than 23 bits")
    lowest, highest = (np.where(left_out, 0, ends) for ends in sums(node))
    for shift in _SHARED_SHIFTS:
        shared = prescaled(scales, lowest, highest, 8, one_shift=True, one_addend=True, shift=shift)
        if isinstance(shared, Prescaled):
            return shared
    return prescaled(scales, lowest, highest, 8, one_shift=True, one_addend=True)


def _scales(node: Weighted, left_out: Mask) -> Requantization:
    """Of one rounding, outputs of the whole range of int8 are made first, and clamped after."""
    scales = without(requantization(node), left_out)
    return replace(scales, low=-128, high=127) if scales.once else scales


def _hindering(node: Weighted, matrix: NDArray[np.int8], left_out: Mask) -> Mask:
    """Further channels to leave out."""
    scales = _scales(node, left_out)
    if scales.shifts_left:
        return np.asarray(scales.exponents > 0)
    if not packs(matrix):
        return ~np.array([packs(matrix[i // 2 * 2 : i // 2 * 2 + 2]) or i % 2 for i in range(len(left_out))], np.bool_)
    lowest, highest = (np.where(left_out, 0, ends) for ends in sums(node))
    return hindering(scales, lowest, highest, 8)


def _padded(array: NDArray[_Number], to: int = 4) -> NDArray[_Number]:
    """Rows of zeros up to a whole number of blocks."""
    return np.pad(array, [(0, -len(array) % to), *([(0, 0)] * (array.ndim - 1))])


def _stream(matrix: NDArray[np.int8], start: NDArray[np.int32]) -> NDArray[np.int32]:
    """Weights (O, K) and start values as er_dense.h says."""
    outputs, inputs = matrix.shape
    wide = matrix.astype(np.int32)
    halves = (256 * wide[0::2] + wide[1::2]).astype(np.int16)
    # Block, pair, half a step, inputs 0 2 1 3 of it.
    ordered = halves.reshape(outputs // 4, 2, inputs // 4, 4)[..., [0, 2, 1, 3]].transpose(0, 2, 1, 3)
    words = np.ascontiguousarray(ordered).reshape(outputs // 4, -1).view(np.int32)
    starts = start.astype(np.int32).reshape(-1, 4)
    return np.concatenate([starts[:, 0::2], words, starts[:, 1::2]], 1)
