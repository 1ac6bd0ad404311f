"""Rewrites StableHLO text into a form that the converter to TFLite accepts."""

from __future__ import annotations

import math
import re

_PRODUCT = re.compile(
    r"^(?P<indent>\s*)(?P<result>%\w+) = stablehlo\.dot_general (?P<left>%\w+), (?P<right>%cst\w*), "
    r"contracting_dims = \[(?P<axis>\d+)\] x \[0\](?P<rest>[^:]*) : "
    r"\(tensor<(?P<left_type>[^<>]+)>, tensor<(?P<right_type>[^<>]+)>\) -> tensor<(?P<type>[^<>]+)>(?P<where>.*)$"
)
#: Attributes of a pointwise (1x1) convolution, channels last.
_POINTWISE = (
    "dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {} "
    "{batch_group_count = 1 : i64, feature_group_count = 1 : i64}"
)


def dense_as_convolution(module: str) -> str:
    """The module with dense layers on four axes and more rewritten as equivalent 1x1 convolutions.

    A dense layer of an input (1, 1, 1, C), as in squeeze-and-excitation blocks, is a product of a tensor of rank 4
    with a matrix. Where axes of it have the size 1, litert-converter 0.5 converts it to a batched matrix product, and
    then finds that its own result has the wrong rank; also for a matrix product between two RESHAPEs.
    """
    return "\n".join(_rewritten(line) for line in module.split("\n"))


def _rewritten(line: str) -> str:
    match = _PRODUCT.match(line)
    if match is None:
        return line
    *shape, kind = match["left_type"].split("x")
    *matrix, _ = match["right_type"].split("x")
    sizes = [int(size) for size in shape if size.isdecimal()]
    if len(sizes) != len(shape) or len(shape) < 4 or int(match["axis"]) != len(shape) - 1 or len(matrix) != 2:
        return line
    # Flattened points: batch, height, width 1.
    points = f"1x{math.prod(sizes[:-1])}x1"
    result, source, target = match["result"], match["left_type"], match["type"]
    image, kernel = f"tensor<{points}x{shape[-1]}x{kind}>", f"tensor<1x1x{match['right_type']}>"
    product = f"tensor<{points}x{matrix[1]}x{target.split('x')[-1]}>"
    # JAX numbers its values, or names them after constants and arguments: these names cannot collide.
    image_name, kernel_name, made_name = (f"%{what}_{result[1:]}" for what in ("image", "kernel", "made"))
    return "\n".join(
        match["indent"] + text + match["where"]
        for text in (
            f"{image_name} = stablehlo.reshape {match['left']} : (tensor<{source}>) -> {image}",
            f"{kernel_name} = stablehlo.reshape {match['right']} : (tensor<{match['right_type']}>) -> {kernel}",
            f"{made_name} = stablehlo.convolution({image_name}, {kernel_name}) {_POINTWISE} : "
            f"({image}, {kernel}) -> {product}",
            f"{result} = stablehlo.reshape {made_name} : ({product}) -> tensor<{target}>",
        )
    )
