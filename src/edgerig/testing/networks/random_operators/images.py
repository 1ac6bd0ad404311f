"""Pooling and resizing of images."""

from __future__ import annotations

from edgerig.testing.networks.random_operators.draw import Draw, Generator, window_count, windows


def pool(draw: Draw) -> bytes:
    """MAX_POOL_2D, AVERAGE_POOL_2D."""
    shape = draw.image()
    window, stride, _, padding = windows(draw, shape, False)
    like = draw.quantization()
    x = draw.input(shape, like=like)
    size = tuple(window_count(shape[1 + i], window[i], stride[i], 1, padding) for i in (0, 1))
    y = draw.input((1, *size, shape[3]), "y", like)
    draw.operator(
        [x],
        [y],
        padding=padding,
        strideH=stride[0],
        strideW=stride[1],
        filterHeight=window[0],
        filterWidth=window[1],
        fusedActivationFunction=draw.activation(),
    )
    return draw.build([x], [y])


def resize(draw: Draw) -> bytes:
    """RESIZE_NEAREST_NEIGHBOR, RESIZE_BILINEAR."""
    shape, like = draw.image(6, 4), draw.quantization()
    size = draw.whole(1, 11), draw.whole(1, 11)
    x = draw.input(shape, like=like)
    y = draw.input((1, *size, shape[3]), "y", like)
    corners, centers = ((False, False), (True, False), (False, True))[draw.whole(0, 2)]
    draw.operator([x, draw.indices("size", size)], [y], alignCorners=corners, halfPixelCenters=centers)
    return draw.build([x], [y])


GENERATORS: dict[str, Generator] = {
    "MAX_POOL_2D": pool,
    "AVERAGE_POOL_2D": pool,
    "RESIZE_NEAREST_NEIGHBOR": resize,
    "RESIZE_BILINEAR": resize,
}
