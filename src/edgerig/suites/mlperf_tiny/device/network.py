"""A network of edgerig's behind the console: bytes of the host become its input, its outputs the results."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Quantization, TensorSpec
from edgerig.datasets.mlperf_tiny.benchmarks import Benchmark
from edgerig.datasets.preprocess import dequantize, quantize_input
from edgerig.errors import InferenceError
from edgerig.runtimes.base import Array, Runtime
from edgerig.suites.mlperf_tiny import grammar
from edgerig.suites.mlperf_tiny.device.fit import axes_order, check_fit, takes_samples_as_they_are

#: Seconds between two looks for the host while inferences run.
PART_SECONDS = 0.25
#: What an image's bytes are above the int8 numbers of the reference networks.
IMAGE_OFFSET = 128


class DeployedNetwork:
    """A network with its runtime, which is open, as `edgerig.suites.mlperf_tiny.device.console.Network`.

    Args:
        benchmark: What the samples are.
        runtime: With the network loaded.
        file: Its name, for errors.

    Attributes:
        abandoned: Whether the host that asked has gone; may be set.
        as_they_are: Whether samples of integers go in unchanged; else they are converted by way of real numbers.

    Raises:
        IncompatibleError: The network is not one of the benchmark.
    """

    def __init__(self, benchmark: Benchmark, runtime: Runtime, file: str) -> None:
        check_fit(benchmark, runtime.inputs, runtime.outputs, file)
        self.benchmark, self.runtime = benchmark, runtime
        self.abandoned: Callable[[], bool] = lambda: False
        (self.input,), (self.output,) = runtime.inputs, runtime.outputs
        self.as_they_are = takes_samples_as_they_are(benchmark, self.input)
        self._order = axes_order(benchmark, self.input) or ()
        self._tensor: Array = np.zeros(self.input.shape, self.input.dtype)
        self._real: NDArray[np.float32] = np.zeros(0, np.float32)
        self._result: Array | None = None

    def load(self, sample: bytes) -> None:
        """Set the input of the next inferences; a network that keeps state begins anew, so that each sample is alone.

        Args:
            sample: As it goes over the line: int8, uint8 or float32 (little endian) of the benchmark's shape.

        Raises:
            InferenceError: The length is wrong. DatasetError: A number is not finite.
        """
        if len(sample) != self.benchmark.input_bytes:
            raise InferenceError(grammar.wrong_size(len(sample), self.benchmark.input_bytes))
        values = self._values(sample).reshape(self.benchmark.input_shape).transpose(self._order)
        if self.benchmark.input_type == "float32":
            self._real = values.astype(np.float32)
        converted = values if self.as_they_are else self._converted(values)
        self._tensor = np.ascontiguousarray(converted.reshape(self.input.shape), self.input.dtype)
        if self.runtime.resets_state:
            self.runtime.begin_sequence()

    def load_real(self, values: NDArray[np.float32]) -> None:
        """Set the input of the next inferences to real numbers, in the order of a sample's; they are quantized, and
        clamped to the input's range, where it is integer."""
        ordered = values.reshape(self.benchmark.input_shape).transpose(self._order)
        converted = quantize_input(ordered.astype(np.float32), self.input)
        self._tensor = np.ascontiguousarray(converted.reshape(self.input.shape), self.input.dtype)
        if self.runtime.resets_state:
            self.runtime.begin_sequence()

    def infer(self, count: int) -> None:
        """Run ``count`` inferences: each sets the input anew, since engines may use its memory for something else.

        Between parts of them it is looked whether the host is still there: about 30 times in all at first, then every
        `PART_SECONDS`.

        Raises:
            InferenceError: The engine failed, or the host has gone.
        """
        run, sample = self.runtime.run_one, (self._tensor,)
        done, part = 0, 1
        while done < count:
            part = min(part, count - done)
            begin = time.monotonic()
            for _ in range(part):
                self._result = run(sample)[1][0]
            done += part
            if time.monotonic() - begin < PART_SECONDS / 2:
                part *= 2
            if done < count and self.abandoned():
                raise InferenceError(f"The host has gone after {done} of {count} inferences.")

    def results(self) -> Sequence[float]:
        """Dequantized outputs; of an autoencoder the mean of squared differences to its input, one number.

        As the reference devices answer: they compare with the input as it came, before its quantization.

        Raises:
            InferenceError: The engine gave another number of outputs than the benchmark has.
        """
        if self._result is None:
            return ()
        outputs = dequantize(self._result, self.output).reshape(-1)
        if len(outputs) != self.benchmark.outputs:
            raise InferenceError(f"The network gave {len(outputs)} values, not {self.benchmark.outputs}.")
        if self.benchmark.result_values == 1:
            differences = outputs.astype(np.float64) - self._real.reshape(-1)
            return [float(np.mean(differences**2))]
        return [float(value) for value in outputs]

    def close(self) -> None:
        """Release the network."""
        self.runtime.close()

    def _values(self, sample: bytes) -> NDArray[Any]:
        """int8 as the reference networks take it, or finite float32."""
        if self.benchmark.input_type == "int8":
            return np.frombuffer(sample, np.int8)
        if self.benchmark.input_type == "uint8":
            return (np.frombuffer(sample, np.uint8).astype(np.int16) - IMAGE_OFFSET).astype(np.int8)
        values = np.frombuffer(sample, "<f4")
        if not np.isfinite(values).all():
            raise InferenceError("Input db holds NaN or infinity")
        return values

    def _converted(self, values: NDArray[Any]) -> Array:
        """The input of a network of another type or quantization than the reference's, by way of real numbers."""
        real = values
        if self.benchmark.input_type != "float32":
            if self.input.quantization is None and self.input.dtype == "uint8":
                return values.astype(np.int16) + IMAGE_OFFSET
            quantization = Quantization((self.benchmark.scale,), (self.benchmark.zero_point,))
            real = dequantize(values, TensorSpec("sample", values.shape, "int8", quantization))
        return quantize_input(real.astype(np.float32), self.input)


def open_network(
    benchmark: Benchmark, path: Path, runtime: str | None = None, options: dict[str, Any] | None = None
) -> DeployedNetwork:
    """A network file on a runtime of edgerig's, ready for samples of ``benchmark``.

    Args:
        benchmark: What the samples are.
        path: The network, of any format that a runtime takes.
        runtime: The usual one of the format if None.
        options: Settings of the runtime.

    Raises:
        ModelError: The file is missing, corrupt, or of no known format.
        UnknownNameError: There is no such runtime. MissingExtraError: Its engine is not installed.
        IncompatibleError: The runtime does not take the format, or the network is none of the benchmark.
        InferenceError: The engine refuses it.
    """
    from edgerig.errors import IncompatibleError
    from edgerig.formats import named
    from edgerig.models.files import open_artifact
    from edgerig.plugins import find, make

    artifact = open_artifact(path)
    name = runtime or named(artifact.format).runtime
    if name is None:
        raise IncompatibleError(
            f"{path.name} is a {artifact.format} file, of which there is no usual runtime.",
            "Name one that runs it (--runtime), or compile the network first: `edgerig compile --help`.",
        )
    engine_class = find("runtime", name, Runtime)
    reason = engine_class.refuses(artifact.format, artifact.scheme)
    if reason is not None:
        raise IncompatibleError(f"{path.name}: {reason}.", "`edgerig list runtimes` tells what each of them runs.")
    engine = make("runtime", name, Runtime, options)
    engine.load(path)
    try:
        return DeployedNetwork(benchmark, engine, path.name)
    except BaseException:
        engine.close()
        raise
