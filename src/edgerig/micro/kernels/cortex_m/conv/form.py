"""How weights of a convolution lie: two in a half-word, or each in its own, which is faster for twice the flash."""

from __future__ import annotations

from edgerig.micro.ir import Conv2D
from edgerig.micro.kernels.base import Context
from edgerig.micro.kernels.cortex_m.conv.pairs import STEP, Pairs, channel_pairs
from edgerig.micro.kernels.cortex_m.depthwise.pointwise_code import WHOLE, Form

#: Bytes more that a layer may take, and instructions of an inference that each of them must save.
_WORTH = ((1024, 0), (2560, 8), (5120, 12))
#: Steps of windows that have code without a loop.
_STEPS = 40


def form_of(node: Conv2D, pairs: Pairs, inputs: int, context: Context) -> Form:
    """The form for windows of so many inputs, padded to whole steps."""
    clamped = pairs.fast is None and (pairs.scale.low, pairs.scale.high) != (-128, 127)
    if clamped or context.options.optimize != "speed":
        return Form.LOOP
    steps, extra = inputs // STEP, inputs * pairs.channels
    saved = _saved(node, pairs, steps)
    # Bands have their weights in common, and must agree on the form: pixels of one say nothing.
    limits = _WORTH if node.output.base is None else _WORTH[:1]
    pays = any(extra <= most and saved >= each * extra for most, each in limits)
    if steps <= _STEPS and pays and context.expands(node.weights, saved):
        return Form.APART
    # Both roundings share one function for all windows: code of 64 bytes a step is for those where it saves most.
    most = WHOLE if pairs.fast else WHOLE // 2
    return Form.WHOLE if steps <= most else Form.LOOP


def _saved(node: Conv2D, pairs: Pairs, steps: int) -> int:
    """Instructions of an inference: one a step, and 6 or 10 for six outputs."""
    outputs = pairs.channels
    tiles = -(-node.output.elements // outputs // 3)
    return tiles * len(channel_pairs(outputs)) * (steps + (6 if pairs.fast else 10))
