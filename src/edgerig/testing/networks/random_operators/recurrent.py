"""Operators with a state of their own."""

from __future__ import annotations

from edgerig.testing.networks.random_operators.draw import Draw, Generator


def svdf(draw: Draw) -> bytes:
    """SVDF of any rank, with a bias or without; LiteRT has int8 with a RELU alone."""
    features, units, rank, memory = (draw.whole(1, most) for most in (9, 5, 3, 6))
    filters = units * rank
    scales = {"x": draw.scale(), "features": draw.scale(0.001, 0.05), "time": draw.scale(1e-5, 1e-3)}
    scales["state"] = 40 * scales["x"] * scales["features"] * features**0.5 / 20
    target = 2e7 * scales["state"] * scales["time"] * memory**0.5 * draw.scale(0.3, 3)

    def tensor(name: str, shape: tuple[int, ...], kind: str, most: int = 0) -> int:
        data = None
        if most:
            data = draw.rng.integers(-most, most + 1, shape) if draw.quantized else draw.rng.normal(size=shape)
        dtype = kind if draw.quantized else "float32"
        scale = scales.get(name, 1.0) if draw.quantized else None
        return draw.net.tensor(name, shape, dtype, data, scale, variable=name == "state")

    x = draw.input((1, features), like=(scales["x"], draw.zero()))
    scales["bias"] = scales["state"] * scales["time"]
    inputs = [
        x,
        tensor("features", (filters, features), "int8", 127),
        tensor("time", (filters, memory), "int16", 9000),
        tensor("bias", (units,), "int32", 30000) if draw.whole(0, 1) else -1,
        tensor("state", (1, filters * memory), "int16"),
    ]
    y = draw.input((1, units), "y", (float(target), draw.zero()))
    activation = 1 if draw.quantized else draw.whole(0, 1)
    draw.operator(inputs, [y], rank=rank, fusedActivationFunction=activation)
    return draw.build([x], [y])


GENERATORS: dict[str, Generator] = {"SVDF": svdf}
