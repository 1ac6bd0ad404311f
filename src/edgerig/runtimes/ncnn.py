"""ncnn, Tencent's engine for CPUs of phones and boards: networks that compiler ncnn made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np

from edgerig.bounded.stderr import captured_stderr
from edgerig.errors import InferenceError
from edgerig.measure.census import Census, Request
from edgerig.measure.kinds import Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.models.graph.ncnn_file import End, read_ncnn
from edgerig.runtimes.base import Array, Calls, Runtime, RuntimeSettings
from edgerig.runtimes.ncnn_report import census_of, layers_of
from edgerig.tensors import TensorSpec

#: What ncnn takes for "no batch axis was left out".
_ALL_AXES = 233
#: Its answer where memory is short.
_NO_MEMORY = -100


class NcnnSettings(RuntimeSettings, frozen=True, kw_only=True):
    """Settings of ncnn."""

    precision: Annotated[
        Literal["float32", "float16", "bfloat16"],
        msgspec.Meta(
            description="type of tensors and arithmetic of what is not quantized, where the processor has it; ncnn's "
            "own default is float16, which on x86 rounds weights to it"
        ),
    ] = "float32"


class Ncnn(Runtime):
    """Networks on ncnn's CPU layers; in float32 unless another type is asked for, as its own default is float16."""

    name = "ncnn"
    summary = "ncnn: networks of compiler ncnn, on CPUs (Arm, x86, RISC-V)"
    extra = "ncnn"
    engine = "ncnn"
    modules = ("ncnn",)
    formats: ClassVar[frozenset[str]] = frozenset({"ncnn"})
    resets_state = True
    Settings = NcnnSettings
    settings: NcnnSettings
    invoke_method = "Extractor.extract of all outputs; inputs become arrays of ncnn before, outputs are copied after"

    @classmethod
    def version(cls) -> str:
        cls.require()
        import ncnn

        return str(ncnn.__version__)

    def _prepare(self, path: Path) -> None:
        import ncnn  # noqa: F401 - so that loading it is no part of loading the network

    def _load(self, path: Path) -> None:
        import ncnn

        file = read_ncnn(path)
        self._layers, self._ends = file.layers, file.ends
        self._net = ncnn.Net()
        self._configure(self._net.opt)
        with captured_stderr() as text:
            # A network that is damaged in its numbers may only fail when it is built.
            failed = self._net.load_param(str(path)) or self._net.load_model(str(path.with_suffix(".bin")))
        if failed:
            words = " ".join(text().split())[-300:] or f"its answer is {failed}"
            raise InferenceError(
                f"ncnn cannot load {path.name}: {words}",
                "It may have a layer that ncnn lacks: try another runtime; `edgerig inspect` lists its layers.",
            )

    def _configure(self, options: Any) -> None:
        """The types and threads that the settings say; ncnn's defaults are float16 on all cores."""
        float16, bfloat16 = self.settings.precision == "float16", self.settings.precision == "bfloat16"
        options.num_threads = self.settings.threads
        options.use_vulkan_compute = False
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = float16
        options.use_bf16_storage = bfloat16
        if hasattr(options, "use_bf16_packed"):
            options.use_bf16_packed = bfloat16

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return tuple(end.spec for end in self._ends.inputs)

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return tuple(end.spec for end in self._ends.outputs)

    def _calls(self) -> Calls:
        new_extractor = self._net.create_extractor
        outputs = self._ends.outputs
        blobs = [end.blob for end in outputs]
        extractor: Any = None
        arrays: list[Any] = []
        results: list[tuple[int, Any]] = []

        def set_inputs(sample: Sequence[Array]) -> None:
            nonlocal extractor, arrays
            # ncnn computes what an extractor has not computed yet: an inference is a new one.
            extractor = new_extractor()
            arrays = self._feed(extractor, sample)

        def invoke() -> None:
            nonlocal results
            extract = extractor.extract
            results = [extract(blob) for blob in blobs]

        def get_outputs() -> Sequence[Array]:
            return [_output(end, *result) for end, result in zip(outputs, results, strict=True)]

        return set_inputs, invoke, get_outputs

    def _feed(self, extractor: Any, sample: Sequence[Array]) -> list[Any]:
        """Give the inputs of a sample to an extractor; the arrays that it reads, which must live as long."""
        arrays = [_array(end, value) for end, value in zip(self._ends.inputs, sample, strict=True)]
        for end, array in zip(self._ends.inputs, arrays, strict=True):
            if extractor.input(end.blob, array):
                raise InferenceError(f"ncnn does not take the input {end.name!r}.")
        return arrays

    def _begin_sequence(self) -> None:
        """Nothing: a network of ncnn keeps nothing between two extractors."""

    def _extractor_of_all(self, sample: Sequence[Array]) -> tuple[Any, list[Any]]:
        """An extractor that keeps what each layer gives, with the sample's inputs."""
        extractor = self._net.create_extractor()
        extractor.set_light_mode(False)
        return extractor, self._feed(extractor, sample)

    def _profile(self, batches: Sequence[Array]) -> list[LayerTime] | Unavailable:
        samples = list(zip(*batches, strict=True))
        # The first run is cold.
        layers = layers_of(self._layers, self._extractor_of_all, [samples[0], *samples])
        return layers or Unavailable("the network has no layer that does work")

    def _census(self, batches: Sequence[Array]) -> Census | Unavailable:
        extractor, arrays = self._extractor_of_all([array[0] for array in batches])
        asked = self.settings.precision
        requested = () if asked == "float32" else (Request(kind="dtype", name=asked),)
        census = census_of(self._layers, extractor, asked, requested)
        del arrays
        return census

    def _close(self) -> None:
        self._net.clear()
        del self._net


def _array(end: End, value: Array) -> Any:
    """An input as an array of ncnn; integers become int32, the only ones that its layers read.

    Raises:
        InferenceError: A number is beyond int32.
    """
    import ncnn

    if value.dtype.kind in "iub" and value.dtype != np.int32:
        narrow = value.astype(np.int32)
        if not np.array_equal(narrow, value):
            raise InferenceError(f"Input {end.name!r} holds a number beyond 32 bits, which ncnn does not read.")
        value = narrow
    batch = _ALL_AXES if end.batch is None else end.batch
    # A copy: ncnn aligns channels, and reads where it is told to as long as it computes. It holds no reference: the
    # array lives until it is copied by its name here.
    array = np.ascontiguousarray(value)
    return ncnn.Mat(array, batch_index=batch).clone()


def _output(end: End, failed: int, array: Any) -> Array:
    """An output as ncnn has computed it, copied.

    Raises:
        InferenceError: It failed, or the output has another number of elements than the network says.
    """
    if failed:
        why = "memory is short" if failed == _NO_MEMORY else f"its answer is {failed}"
        raise InferenceError(f"ncnn could not compute the output {end.name!r}: {why}.")
    values = array.numpy(batch_index=_ALL_AXES if end.batch is None else end.batch)
    if values.shape == end.shape or -1 in end.shape:
        return np.array(values)
    if values.size != np.prod(end.shape):
        raise InferenceError(
            f"ncnn gives the output {end.name!r} with the shape {list(values.shape)}, where the network says "
            f"{list(end.shape)}: it has compiled another network.",
            "Take another engine for it.",
        )
    return np.array(values).reshape(end.shape)
