"""Networks as plain C of edgerig's own compiler: on boards a part of the firmware, on this machine a library."""

from __future__ import annotations

import ctypes
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np

from edgerig import __version__
from edgerig.artifact import Artifact, TensorSpec
from edgerig.errors import EdgerigError, InferenceError, NotInstalledError
from edgerig.measure.census import Census, grouped
from edgerig.measure.clocks import inference_clock
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.runtimes.base import Array, Calls, Runtime, RuntimeSettings
from edgerig.runtimes.c_library import VECTORS, build_library, c_compiler, no_compiler

_PREFIX = "model"
#: Ends of the names of portable kernels, and the type of their arithmetic.
_TYPES = {"s8": "int8", "s16": "int16", "f32": "float32", "f16": "float16"}


class MicroSettings(RuntimeSettings, frozen=True, kw_only=True):
    """Settings of edgerig's own C. On boards the target's settings, not these, define how the firmware is built."""

    level: Annotated[
        Literal["0", "1", "2", "3", "s"],
        msgspec.Meta(description="this machine's C compiler's optimization, as in -O2"),
    ] = "2"
    cpu: Annotated[
        Literal["auto", "simd", "portable"],
        msgspec.Meta(description="kernels on this machine: simd, for x86-64 and aarch64 (auto: there), or portable"),
    ] = "auto"


class _Layer(ctypes.Structure):
    """``struct model_layer`` of model.h."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("op", ctypes.c_char_p),
        ("macs", ctypes.c_uint32),
        ("run", ctypes.c_void_p),
    )


class Micro(Runtime):
    """C made by edgerig, with no interpreter.

    On the targets ``sim:``, ``qemu:`` and ``serial:`` it is built into a board's firmware. On this machine kernels
    for the vectors of its processor, or portable ones, are compiled with its C compiler, and called: the outputs of
    int8 networks equal those of every board.
    """

    name = "micro"
    summary = "edgerig's own C: in the firmware of boards, or compiled for this machine"
    formats: ClassVar[frozenset[str]] = frozenset({"tflite", "onnx"})
    one_thread = True
    resets_state = True
    invoke_method = "the network's own call; inputs set before, outputs read after"
    Settings: ClassVar[type[RuntimeSettings]] = MicroSettings

    @classmethod
    def missing(cls) -> NotInstalledError | None:
        return super().missing() or (None if c_compiler() else no_compiler())

    settings: MicroSettings

    @classmethod
    def _refuses(cls, format: str, scheme: str) -> str | None:
        if scheme == "dynamic":
            return f"the C compiler knows float32, float16, int8 and int16x8 networks, not {scheme}"
        return None

    @classmethod
    def refuses_networks(cls, format: str) -> str | None:
        if format != "onnx":
            return None
        return "of ONNX files C is made of trees and other classical models alone: networks become C as TFLite"

    @classmethod
    def refuses_content(cls, artifact: Artifact) -> str | None:
        from edgerig.micro.frontend.onnx import unsupported_file

        return unsupported_file(artifact) if artifact.format == "onnx" else None

    @classmethod
    def version(cls) -> str:
        return __version__

    def _prepare(self, path: Path) -> None:
        """Compile to C, and that to a library: on a board, this happens when its firmware is built."""
        from edgerig.micro import Options, compile_model

        try:
            source = compile_model(path.read_bytes(), _PREFIX, Options(cpu=self._cpu()), path.name)
        except EdgerigError as error:
            raise InferenceError(f"{self.name} cannot load {path.name}: {error.message}", error.hint) from error
        self._folder = tempfile.TemporaryDirectory(prefix="edgerig-")
        work = Path(self._folder.name)
        source.write(work / "c")
        self._manifest = source.manifest
        # A unique name: otherwise a second network in this process would be the first one again.
        self._file = work / "network.so"
        build_library(work / "c", self._file, self.settings.level, self._cpu() == "simd")

    def _cpu(self) -> str:
        if self.settings.cpu != "auto":
            return self.settings.cpu
        return "simd" if platform.machine() in VECTORS else "portable"

    def _load(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(self._file))
        for name in ("model_input", "model_output"):
            getattr(self._library, name).restype = ctypes.c_void_p
        for name in ("model_init", "model_run"):
            getattr(self._library, name).restype = None
        self._library.model_init()

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return self._manifest.inputs

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return self._manifest.outputs

    def _calls(self) -> Calls:
        library, move = self._library, ctypes.memmove
        places = [library.model_input(index) for index in range(len(self._manifest.inputs))]
        sizes = [spec.nbytes for spec in self._manifest.inputs]
        views = [
            np.ctypeslib.as_array((ctypes.c_uint8 * spec.nbytes).from_address(library.model_output(index)))
            .view(spec.dtype)
            .reshape(spec.shape)
            for index, spec in enumerate(self._manifest.outputs)
        ]

        def set_inputs(sample: Sequence[Array]) -> None:
            for address, value, size in zip(places, sample, sizes, strict=True):
                move(address, value.ctypes.data, size)

        def get_outputs() -> Sequence[Array]:
            return [view.copy() for view in views]

        invoke: Callable[[], object] = library.model_run
        return set_inputs, invoke, get_outputs

    def _begin_sequence(self) -> None:
        self._library.model_init()

    def _census(self, batches: Sequence[Array]) -> Census:
        rows = [
            (layer.op, layer.kernel, _TYPES.get(layer.kernel.rpartition("-")[2], "")) for layer in self._manifest.layers
        ]
        return Census(operators=grouped(rows), method="the layers of the generated C, each with its kernel")

    def _profile(self, batches: Sequence[Array]) -> list[LayerTime] | Unavailable:
        layers = self._manifest.layers
        table = (_Layer * len(layers)).in_dll(self._library, "model_layers")
        runs = [ctypes.CFUNCTYPE(None)(layer.run) for layer in table]
        set_inputs, _, _ = self._calls()
        spent, clock = [list[int]() for _ in runs], time.perf_counter_ns
        for sample in zip(*batches, strict=True):
            set_inputs(sample)
            for index, run in enumerate(runs):
                start = clock()
                run()
                spent[index].append(clock() - start)
        count, name = len(batches[0]), str(inference_clock())
        return [
            LayerTime(
                index=layer.index,
                name=layer.name,
                op=layer.op,
                output_shape=next(iter(layer.outputs), None),
                time=Measurement(
                    value=statistics.median(nanoseconds) * 1e-9,
                    unit="s",
                    kind="measured",
                    clock=name,
                    n=count,
                    method="median of the layer's own function, called one by one",
                ),
            )
            for layer, nanoseconds in zip(layers, spent, strict=True)
        ]

    def _memory(self) -> dict[str, Quantity]:
        memory = self._manifest.memory
        values = {"arena": memory.arena, "tensor_sum": memory.plain_sum, "constants": self._manifest.constant_bytes}
        method = f"as the compiler planned it for the CPU {self._manifest.cpu}; boards have their own plan"
        return {
            name: Measurement(value=float(value), unit="B", kind="measured", method=method)
            for name, value in values.items()
        }

    def _close(self) -> None:
        del self._library
        self._folder.cleanup()
