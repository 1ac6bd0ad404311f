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


def lstm(draw: Draw) -> bytes:
    """UNIDIRECTIONAL_SEQUENCE_LSTM with and without input gate and limits; of floats peepholes and projections."""
    units, features, steps = draw.whole(1, 6), draw.whole(1, 7), draw.whole(1, 5)
    time_major, coupled = bool(draw.whole(0, 1)), draw.whole(0, 2) == 0
    first = (steps, 1) if time_major else (1, steps)
    source, target = (draw.scale(0.01, 0.1), draw.zero()), (1 / 128, draw.zero())
    cell_scale = 2.0 ** -draw.whole(9, 13)
    looking, projected = (not draw.quantized and draw.whole(0, 2) == 0 for _ in range(2))
    outputs = draw.whole(1, 6) if projected else units

    def weights(name: str, shape: tuple[int, ...]) -> tuple[int, float]:
        scale = draw.scale(0.004, 0.03)
        if not draw.quantized:
            return draw.net.tensor(name, shape, "float32", draw.rng.normal(size=shape)), scale
        return draw.net.tensor(name, shape, "int8", draw.rng.integers(-127, 128, shape), scale), scale

    def bias(name: str, scale: float) -> int:
        if not draw.quantized:
            return draw.net.tensor(name, (units,), "float32", draw.rng.normal(size=units))
        return draw.net.tensor(name, (units,), "int32", draw.rng.integers(-3000, 3000, units), source[0] * scale)

    inputs = [-1] * 24
    inputs[0] = x = draw.input((*first, features), like=source)
    for gate in range(int(coupled), 4):
        inputs[1 + gate], scale = weights(f"w{gate}", (units, features))
        inputs[5 + gate], _ = weights(f"r{gate}", (units, outputs))
        inputs[12 + gate] = bias(f"b{gate}", scale)
    if looking:
        for position in range(9 + int(coupled), 12):
            inputs[position], _ = weights(f"p{position}", (units,))
    if projected:
        inputs[16], _ = weights("projection", (outputs, units))
        if draw.whole(0, 1):
            inputs[17] = draw.net.tensor("shift", (outputs,), "float32", draw.rng.normal(size=outputs))
    kinds = (("int8", *target), ("int16", cell_scale, 0)) if draw.quantized else (("float32", None, 0),) * 2
    for position, (kind, scale_, zero) in zip((18, 19), kinds, strict=True):
        size = outputs if position == 18 else units
        inputs[position] = draw.net.tensor(f"s{position}", (1, size), kind, None, scale_, zero, variable=True)
    y = draw.input((*first, outputs), "y", target)
    within = [draw.net.tensor(f"i{n}", (), "int16", scale=2.0**-12) for n in range(4)] if draw.quantized else []
    within += [draw.net.tensor("hidden", (), "int8", scale=target[0], zero_point=target[1])] if draw.quantized else []
    clip = float(draw.rng.choice([0.0, 0.0, 0.4]))
    limits = {"cellClip": clip, "projClip": float(draw.rng.choice([0.0, 0.4])) if projected else 0.0}
    draw.operator(inputs, [y], fusedActivationFunction=4, timeMajor=time_major, **limits)
    draw.net.intermediates(within)
    return draw.build([x], [y])


GENERATORS: dict[str, Generator] = {"SVDF": svdf, "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm}
