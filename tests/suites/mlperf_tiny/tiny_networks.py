"""Small networks with the inputs and outputs of MLPerf Tiny's, and random weights."""

from __future__ import annotations

import numpy as np

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS, Benchmark
from edgerig.testing.networks.tflite_builder import TfliteBuilder

#: Values in the middle of each network.
_HIDDEN = 8


def tiny_network(
    benchmark: Benchmark, dtype: str = "int8", source: tuple[float, int] | None = None, seed: int = 0
) -> bytes:
    """Two dense layers, softmax behind them where the outputs are classes: int8 or float32.

    Args:
        source: Scale and zero point of an int8 input; the benchmark's by default.
    """
    rng = np.random.default_rng(seed)
    net = TfliteBuilder()
    small = dtype == "int8"
    scale, zero_point = source or (benchmark.scale, benchmark.zero_point)
    size, classes = benchmark.input_elements, benchmark.outputs

    def value(name: str, shape: tuple[int, ...], step: float, zero: int) -> int:
        return net.tensor(name, shape, dtype, None, step if small else None, zero)

    def weights(name: str, shape: tuple[int, int], step: float, gain: float = 1.0) -> list[int]:
        real = rng.normal(0, gain / np.sqrt(shape[1]), shape)
        bias = rng.normal(0, 0.5, shape[0])
        if not small:
            return [net.tensor(name, shape, dtype, real), net.tensor(f"{name} bias", shape[:1], dtype, bias)]
        unit = float(np.abs(real).max() / 127)
        return [
            net.tensor(name, shape, "int8", np.round(real / unit), scale=unit),
            net.tensor(f"{name} bias", shape[:1], "int32", np.round(bias / (step * unit)), scale=step * unit),
        ]

    x = value("x", (1, *benchmark.input_shape), scale, zero_point)
    flat = value("flat", (1, size), scale, zero_point)
    shape = net.tensor("shape", (2,), "int32", np.array([1, size]))
    net.operator("RESHAPE", [x, shape], [flat], "ReshapeOptions", newShape=[1, size])
    # What is hidden is about as wide as what comes in, and what goes into a softmax some units wide.
    spread = 2 * benchmark.scale
    gain = 1.0 if not benchmark.classes else 2 / (100 * benchmark.scale)
    hidden, last = value("hidden", (1, _HIDDEN), spread, 5), value("last", (1, classes), spread * gain, -7)
    net.operator("FULLY_CONNECTED", [flat, *weights("in", (_HIDDEN, size), scale)], [hidden], "FullyConnectedOptions")
    net.operator(
        "FULLY_CONNECTED", [hidden, *weights("out", (classes, _HIDDEN), spread, gain)], [last], "FullyConnectedOptions"
    )
    if not benchmark.classes:
        return net.build([x], [last])
    y = value("y", (1, classes), 1 / 256, -128)
    net.operator("SOFTMAX", [last], [y], "SoftmaxOptions", beta=1.0)
    return net.build([x], [y])


def counting_keywords() -> bytes:
    """A float32 network of kws01's shapes that keeps state: each of its outputs is the sum over the inferences so far,
    from 0, of what a dense layer makes of the input."""
    benchmark = BENCHMARKS["kws01"]
    size, classes = benchmark.input_elements, benchmark.outputs
    net = TfliteBuilder()

    def real(name: str, shape: tuple[int, ...], values: np.ndarray | None = None) -> int:
        return net.tensor(name, shape, "float32", values)

    weights = np.random.default_rng(0).normal(0, 0.01, (classes, size))
    x, flat = real("x", (1, *benchmark.input_shape)), real("flat", (1, size))
    shape = net.tensor("shape", (2,), "int32", np.array([1, size]))
    dense, y, state = real("dense", (1, classes)), real("y", (1, classes)), real("state", (1, classes))
    layer = [flat, real("weights", (classes, size), weights), real("bias", (classes,), np.zeros(classes))]
    handle = net.tensor("handle", (), "resource")
    filling = net.subgraph()
    first, zeros = net.tensor("handle", (), "resource"), real("start", (1, classes), np.zeros((1, classes)))
    net.operator("VAR_HANDLE", [], [first], "VarHandleOptions", container="", sharedName="state")
    net.operator("ASSIGN_VARIABLE", [first, zeros], [], "AssignVariableOptions")
    net.main()
    net.operator("CALL_ONCE", [], [], "CallOnceOptions", initSubgraphIndex=filling)
    net.operator("VAR_HANDLE", [], [handle], "VarHandleOptions", container="", sharedName="state")
    net.operator("READ_VARIABLE", [handle], [state], "ReadVariableOptions")
    net.operator("RESHAPE", [x, shape], [flat], "ReshapeOptions", newShape=[1, size])
    net.operator("FULLY_CONNECTED", layer, [dense], "FullyConnectedOptions")
    net.operator("ADD", [state, dense], [y], "AddOptions")
    net.operator("ASSIGN_VARIABLE", [handle, y], [], "AssignVariableOptions")
    return net.build([x], [y])


def seeded_sample(benchmark: Benchmark, seed: int) -> bytes:
    """Bytes of one inference's input."""
    rng = np.random.default_rng(seed)
    if benchmark.input_type == "float32":
        return rng.normal(0, 60 * benchmark.scale, benchmark.input_elements).astype("<f4").tobytes()
    return rng.integers(0, 256, benchmark.input_bytes, np.uint8).tobytes()
