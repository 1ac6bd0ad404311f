"""The pointwise convolution behind a depthwise one: its code and constants, with one rounding or with both."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgerig.micro.ir import Conv2D, Value, Weighted
from edgerig.micro.kernels.base import Context
from edgerig.micro.kernels.cortex_m.assembly import source
from edgerig.micro.kernels.cortex_m.conv.form import form_of
from edgerig.micro.kernels.cortex_m.conv.pairs import FULL, STEP, Pairs, addend_of, channel_pairs, pairs_of, stream
from edgerig.micro.kernels.cortex_m.depthwise import pointwise_code
from edgerig.micro.kernels.cortex_m.depthwise.pointwise_code import Form
from edgerig.micro.kernels.cortex_m.depthwise.pointwise_single import pointwise_single
from edgerig.micro.kernels.cortex_m.sources import sources
from edgerig.micro.kernels.refusals import Answer, Refusal, counted, require

#: Steps in a round of er_pairs_full.
_FULL_ROUND = 4


@dataclass(frozen=True)
class PointwisePart:
    """What makes outputs of columns.

    Attributes:
        run: The C function, an er_pointwise_run.
        single: Another for the first pixel of a tile, where the last tile of the image has no more; or 0.
        stream: C expressions of begin and end of its constants.
        rounds: As er_pointwise has them; ``first`` likewise.
        low: Where er_pairs_full clamps; ``high`` likewise.
        generated, files: For `Lowered`.
    """

    run: str
    single: str = "0"
    stream: tuple[str, str] = ("0", "0")
    rounds: int = 0
    first: int = 0
    addend: int = 0
    low: int = -128
    high: int = 127
    generated: dict[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()

    def job(self, strides: tuple[int, int], tile: int) -> str:
        """An er_pairs."""
        numbers = (*self.stream, *strides, self.rounds, self.first, tile, self.addend)
        return f"{{ {{ {', '.join(map(str, numbers))} }}, {self.low}, {self.high} }}"


def pointwise_fits(node: Conv2D) -> Answer:
    """Whether the code is exact for it."""
    pointwise = node.kernel == (1, 1) and node.stride == (1, 1) and node.padding.none and node.input.dtype == "int8"
    outputs = node.weights.shape[0]
    return (
        require(pointwise and node.weights.shape[3] == node.input.shape[3], "no 1x1 convolution of stride 1 follows")
        and require(outputs % 2 == 0, f"{counted(outputs, 'output channel')} behind it, an even number is needed")
        and _exact(node)
    )


def _exact(node: Conv2D) -> Answer:
    """The reason says which of the two operators it is about."""
    pairs = pairs_of(node, usual_shift=True)
    return Refusal(f"the 1x1 convolution behind it, {pairs.reason}") if isinstance(pairs, Refusal) else True


def pointwise_part(node: Conv2D, context: Context) -> PointwisePart:
    """The part for a convolution that fits; adds its constants and the declaration of generated code to the context."""
    pairs = pairs_of(node, usual_shift=True)
    assert isinstance(pairs, Pairs)
    inputs = node.weights.shape[3]
    order = np.arange(-(-inputs // STEP) * STEP).reshape(-1, 2, 2).transpose(0, 2, 1).reshape(-1)
    form = form_of(node, pairs, len(order), context)
    name = context.constant(
        "pointwise",
        lambda: stream(pairs, np.where(order < inputs, order, -1), channel_pairs(pairs.channels), form),
        stands_for=stands_for(node),
    )
    steps = pointwise_code.STEPS[context.options.optimize] if pairs.fast else _FULL_ROUND
    rounds, first = divmod(len(order) // STEP - 1, steps)
    ends = (name, context.end(name))
    if pairs.fast is None and form is Form.LOOP:
        files, (low, high) = sources("er_pairs.S"), (pairs.scale.low, pairs.scale.high)
        return PointwisePart(FULL, "0", ends, rounds + 1, first, addend_of(pairs), low, high, {}, files)
    shift = int(pairs.fast.shift[0]) if pairs.fast else None
    code = pointwise_code.code_of(form, shift, len(order) // STEP, context.options.optimize)
    run = code.name
    context.structs.append(f"extern er_pointwise_run {run};")
    generated = {f"{run}.S": source([code])}
    single = "0"
    pixels = node.output.elements // node.output.shape[3]
    if form is not Form.LOOP and pixels % 3 == 1:
        alone = pointwise_single(form, shift, len(order) // STEP)
        single = alone.name
        context.structs.append(f"extern er_pointwise_run {single};")
        generated[f"{single}.S"] = source([alone])
    return PointwisePart(run, single, ends, rounds + 1, first, addend_of(pairs), generated=generated)


def stands_for(node: Weighted) -> tuple[Value, ...]:
    """Weights and bias."""
    return (node.weights, *((node.bias,) if node.bias is not None else ()))
