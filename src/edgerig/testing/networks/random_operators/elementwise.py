"""Operators on two values, functions of one value, softmax, means, changes of type."""

from __future__ import annotations

import numpy as np

from edgerig.micro.ir import RECORDS, Binary, Unary
from edgerig.micro.ir.operators.functions import CASTS, LOG_SOFTMAX_OUTPUT
from edgerig.testing.networks.random_operators.draw import Draw, Generator


def binary(draw: Draw) -> bytes:
    """Every operator of the family `Binary`; the second operand may be broadcast or constant."""
    shape = draw.image(6)
    other = tuple(int(draw.rng.choice([1, size])) for size in shape) if draw.whole(0, 1) else shape
    if draw.whole(0, 3) == 0:
        other = other[draw.whole(0, 3) :]
    first, second, target = _scales(draw)
    a = draw.input(shape, "a", first)
    inputs = [a]
    if draw.whole(0, 1):
        b = draw.constant("b", draw.content(other), second)
    else:
        b = draw.input(other, "b", second)
        inputs.append(b)
    y = draw.input(shape, "y", target)
    # A slope has the shape of its input, or a smaller one.
    sides = [b, a] if draw.whole(0, 3) == 0 and draw.op != "PRELU" else [a, b]
    draw.operator(sides, [y], **draw.clamping())
    return draw.build(inputs, [y])


def _scales(draw: Draw) -> tuple[tuple[float, int], ...]:
    """Scale and zero point of both operands and of the output."""
    first, node = draw.quantization(), RECORDS[draw.op].node
    assert node is not None
    assert issubclass(node, Binary)
    if node.scaling == "none" or node.scaling == "one":
        return first, first, first
    # LiteRT requires the scales of a sum not to differ too much.
    second = (first[0] * draw.scale(0.2, 5), draw.zero())
    total = first[0] + second[0]
    if node.scaling == "product" or node.scaling == "slope":
        target = 60 * first[0] * second[0] * draw.scale(0.5, 3)
    else:
        target = 60 ** (node.scaling.degree - 1) * total**node.scaling.degree * draw.scale(0.4, 2)
    return first, second, (target, draw.zero())


def function(draw: Draw) -> bytes:
    """Every function of one value, its parameters between 0 and 1."""
    node = RECORDS[draw.op].node
    assert node is not None
    assert issubclass(node, Unary)
    shape = draw.image(5)
    scale = draw.scale(0.005, 0.2)
    source = (scale, -128 if node.positive else draw.zero())
    x = draw.input(shape, like=source)
    target = (scale * draw.scale(0.3, 1.5), draw.zero())
    y = draw.input(shape, "y", fixed_output(draw, node.int8_output) or target)
    draw.operator([_positive(draw, x, shape) if node.positive else x], [y], **_parameters(draw, node))
    return draw.build([x], [y])


def fixed_output(draw: Draw, int8: tuple[float, int] | None) -> tuple[float, int] | None:
    """Scale and zero point that LiteRT asks of an output; of int16 always the same."""
    return (1 / 32768, 0) if int8 and draw.dtype == "int16" else int8


def _positive(draw: Draw, x: int, shape: tuple[int, ...]) -> int:
    """Only values above 0: of floats the absolute value and a little; in int8 the zero point sees to it."""
    if draw.quantized:
        return x
    size, more = draw.input(shape, "size"), draw.input(shape, "more")
    draw.net.operator("ABS", [x], [size], "AbsOptions")
    draw.net.operator("ADD", [size, draw.constant("little", np.full(1, 0.01), (1.0, 0))], [more], "AddOptions")
    return more


def _parameters(draw: Draw, node: type[Unary]) -> dict[str, float | bool]:
    flags = {"approximate"}
    return {
        name: bool(draw.whole(0, 1)) if name in flags else float(draw.rng.uniform(0, 1)) for name in node.parameters
    }


def softmax(draw: Draw) -> bytes:
    """SOFTMAX."""
    shape = (draw.whole(1, 3), draw.whole(1, 20))
    x = draw.input(shape, like=(draw.scale(0.001, 1.0), draw.zero()))
    y = draw.input(shape, "y", fixed_output(draw, (1 / 256, -128)))
    draw.operator([x], [y], beta=float(draw.rng.choice([1.0, 1.0, 0.5, 2.0])))
    return draw.build([x], [y])


def log_softmax(draw: Draw) -> bytes:
    """LOG_SOFTMAX."""
    shape = (draw.whole(1, 3), draw.whole(1, 20))
    x, y = draw.input(shape, like=(draw.scale(0.001, 1.0), draw.zero())), draw.input(shape, "y", LOG_SOFTMAX_OUTPUT)
    draw.operator([x], [y])
    return draw.build([x], [y])


def mean(draw: Draw) -> bytes:
    """MEAN."""
    shape = draw.image()
    axes = sorted(draw.rng.choice(4, draw.whole(1, 3), replace=False).tolist())
    if draw.whole(0, 1):
        axes = [1, 2]
    keep_dims = bool(draw.whole(0, 1))
    source = draw.quantization()
    x = draw.input(shape, like=source)
    sizes = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    out = sizes if keep_dims else tuple(size for axis, size in enumerate(shape) if axis not in axes)
    target = source if draw.whole(0, 1) else (source[0] * draw.scale(0.3, 1.0), draw.zero())
    y = draw.input(out, "y", target)
    draw.operator([x, draw.indices("axes", axes)], [y], keepDims=keep_dims)
    return draw.build([x], [y])


def extreme(draw: Draw) -> bytes:
    """REDUCE_MAX, REDUCE_MIN."""
    shape, like = draw.image(), draw.quantization()
    axes = draw.rng.choice(4, draw.whole(1, 3), replace=False).tolist()
    keep_dims = bool(draw.whole(0, 1))
    sizes = ((axis in axes, size) for axis, size in enumerate(shape))
    out = tuple(1 if gone else size for gone, size in sizes if keep_dims or not gone)
    x, y = draw.input(shape, like=like), draw.input(out, "y", like)
    draw.operator([x, draw.indices("axes", axes)], [y], keepDims=keep_dims)
    return draw.build([x], [y])


def arg_extreme(draw: Draw) -> bytes:
    """ARG_MAX, ARG_MIN with indices of 32 and 64 bits."""
    shape, axis, wide = draw.image(5), draw.whole(0, 3), draw.whole(0, 1)
    x = draw.input(shape)
    y = draw.net.tensor("y", (*shape[:axis], *shape[axis + 1 :]), "int64" if wide else "int32")
    draw.operator([x, draw.indices("axis", axis - 4 if draw.whole(0, 1) else axis)], [y], outputType=4 if wide else 2)
    return draw.build([x], [y])


def convert(draw: Draw) -> bytes:
    """QUANTIZE and DEQUANTIZE: float to integer and back, and one integer to another."""
    shape = draw.image(5)
    kinds = ("int8", "uint8") if draw.dtype != "int16" else ("int16", "int8")
    first, second = kinds[draw.whole(0, 1)], kinds[draw.whole(0, 1)]
    scale = draw.scale()

    def integer(name: str, kind: str, size: float) -> int:
        if draw.dtype == "int16":
            zero = draw.whole(-128, 127) if kind == "int8" else 0
        else:
            zero = draw.whole(0, 255) if kind == "uint8" else draw.zero()
        return draw.net.tensor(name, shape, kind, scale=size, zero_point=zero)

    def real(name: str) -> int:
        return draw.net.tensor(name, shape, "float32")

    if draw.op == "DEQUANTIZE" and draw.quantized:
        x, y = integer("x", first, scale), real("y")
        draw.operator([x], [y])
        return draw.build([x], [y])
    if draw.op == "DEQUANTIZE":
        x, q, y = real("x"), integer("q", first, scale), real("y")
        draw.net.operator("QUANTIZE", [x], [q])
        draw.operator([q], [y])
        return draw.build([x], [y])
    x = integer("x", first, scale) if draw.quantized else real("x")
    y = integer("y", second, scale * draw.scale(0.4, 2.5))
    draw.operator([x], [y])
    return draw.build([x], [y])


def cast(draw: Draw) -> bytes:
    """CAST from the type of the draw to one of all that are supported, or the other way round."""
    shape = draw.image(5)
    kinds = [draw.dtype, CASTS[draw.whole(0, len(CASTS) - 1)]]
    x, y = (
        draw.net.tensor(name, shape, kind)
        for name, kind in zip("xy", kinds if draw.whole(0, 1) else kinds[::-1], strict=True)
    )
    draw.operator([x], [y])
    return draw.build([x], [y])


GENERATORS: dict[str, Generator] = {
    **{name: binary for name, record in RECORDS.items() if record.node and issubclass(record.node, Binary)},
    **{name: function for name, record in RECORDS.items() if record.node and issubclass(record.node, Unary)},
    "SOFTMAX": softmax,
    "LOG_SOFTMAX": log_softmax,
    "MEAN": mean,
    "REDUCE_MAX": extreme,
    "REDUCE_MIN": extreme,
    "ARG_MAX": arg_extreme,
    "ARG_MIN": arg_extreme,
    "QUANTIZE": convert,
    "DEQUANTIZE": convert,
    "CAST": cast,
}
