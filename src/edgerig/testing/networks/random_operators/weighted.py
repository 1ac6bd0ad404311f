"""Convolutions, dense layers, products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgerig.testing.networks.random_operators.draw import Draw, Generator, window_count, windows


def conv(draw: Draw) -> bytes:
    """CONV_2D, DEPTHWISE_CONV_2D."""
    depthwise = draw.op == "DEPTHWISE_CONV_2D"
    shape = draw.image()
    groups = int(draw.rng.choice([1, 1, 2, 3])) if not depthwise else 1
    shape = (*shape[:3], shape[3] * groups)
    kernel, stride, dilation, padding = windows(draw, shape, True)
    multiplier = int(draw.rng.choice([1, 1, 1, 2, 3])) if depthwise else 1
    channels = shape[3] * multiplier if depthwise else draw.whole(1, 9 // groups) * groups
    source = draw.quantization()
    x = draw.input(shape, like=source)
    w, scales = draw.weights(
        (1, *kernel, channels) if depthwise else (channels, *kernel, shape[3] // groups), 3 * depthwise
    )
    b = draw.bias(channels, [source[0] * scale for scale in scales])
    size = tuple(window_count(shape[1 + i], kernel[i], stride[i], dilation[i], padding) for i in (0, 1))
    target = draw.output_scale(source[0], scales, kernel[0] * kernel[1] * (1 if depthwise else shape[3] // groups))
    y = draw.input((1, *size, channels), "y", (target, draw.zero()))
    more: dict[str, Any] = {"depthMultiplier": multiplier} if depthwise else {}
    draw.operator(
        [x, w, b],
        [y],
        padding=padding,
        strideH=stride[0],
        strideW=stride[1],
        dilationHFactor=dilation[0],
        dilationWFactor=dilation[1],
        fusedActivationFunction=draw.activation(),
        **more,
    )
    return draw.build([x], [y])


def transpose_conv(draw: Draw) -> bytes:
    """TRANSPOSE_CONV."""
    out = 1, draw.whole(2, 9), draw.whole(2, 9), draw.whole(1, 5)
    kernel, stride, _, padding = windows(draw, out, False)
    depth = draw.whole(1, 6)
    size = tuple(window_count(out[1 + i], kernel[i], stride[i], 1, padding) for i in (0, 1))
    source = draw.quantization()
    x = draw.input((1, *size, depth), like=source)
    w, scales = draw.weights((out[3], *kernel, depth), 0)
    inputs = [draw.indices("shape", out), w, x]
    if draw.quantized:
        inputs.append(draw.bias(out[3], [source[0] * scale for scale in scales]))
    target = draw.output_scale(source[0], scales, kernel[0] * kernel[1] * depth)
    y = draw.input(out, "y", (target, draw.zero()))
    draw.operator(inputs, [y], padding=padding, strideH=stride[0], strideW=stride[1])
    return draw.build([x], [y])


def dense(draw: Draw) -> bytes:
    """FULLY_CONNECTED."""
    rows, depth, units = int(draw.rng.choice([1, 1, 1, 3])), draw.whole(1, 40), draw.whole(1, 13)
    source = draw.quantization()
    x = draw.input((rows, depth), like=source)
    w, scales = draw.weights((units, depth), 0)
    b = draw.bias(units, [source[0] * scale for scale in scales])
    y = draw.input((rows, units), "y", (draw.output_scale(source[0], scales, depth), draw.zero()))
    draw.operator([x, w, b], [y], fusedActivationFunction=draw.activation())
    return draw.build([x], [y])


def matmul(draw: Draw) -> bytes:
    """BATCH_MATMUL; one operand may be constant, or a single matrix for a batch."""
    rows, depth, columns = draw.whole(1, 6), draw.whole(1, 12), draw.whole(1, 6)
    transposed = bool(draw.whole(0, 1)), bool(draw.whole(0, 1))
    batch = (draw.whole(1, 3),)
    first, second = draw.quantization(), (draw.scale(0.005, 0.05), draw.zero())
    a = (*batch, depth, rows) if transposed[0] else (*batch, rows, depth)
    matrix = (columns, depth) if transposed[1] else (depth, columns)
    b = matrix if draw.whole(0, 2) == 0 else (*batch, *matrix)
    x = draw.input(a, "a", first)
    inputs = [x]
    if draw.whole(0, 1):
        y = draw.constant("b", draw.content(b), second)
    else:
        y = draw.input(b, "b", second)
        inputs.append(y)
    target = 70 * 70 * np.sqrt(depth) * first[0] * second[0] / 60
    out = draw.input((*batch, rows, columns), "y", (float(target), draw.zero()))
    draw.operator([x, y], [out], adjX=transposed[0], adjY=transposed[1])
    return draw.build(inputs, [out])


GENERATORS: dict[str, Generator] = {
    "CONV_2D": conv,
    "DEPTHWISE_CONV_2D": conv,
    "TRANSPOSE_CONV": transpose_conv,
    "FULLY_CONNECTED": dense,
    "BATCH_MATMUL": matmul,
}
