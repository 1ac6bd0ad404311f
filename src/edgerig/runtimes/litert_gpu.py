"""LiteRT on a GPU, by WebGPU on Vulkan; on a GPU that is software alone its numbers are emulated."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np

from edgerig.bounded.stderr import captured_stderr
from edgerig.errors import InferenceError
from edgerig.installed import version
from edgerig.measure.census import Census, Request, grouped
from edgerig.runtimes.base import Array, Calls, Runtime, RuntimeSettings
from edgerig.runtimes.litert import tensor_spec
from edgerig.tensors import TensorSpec

METHOD = "the adapter that LiteRT's WebGPU accelerator says it has selected, and that no other accelerator was allowed"
#: What the accelerator prints of the adapter: its name, and whether it is hardware.
_ADAPTER = re.compile(r"Selected adapter: (.+?)(?:, arch=[^\n]*?)?, backend=(\w+), adapterType=([^\n]+)")
#: Kinds of adapters that are programs of the processor.
_SOFTWARE = re.compile(r"CPU|Software", re.IGNORECASE)
_LONGEST = 300


class LiteRtGpuSettings(RuntimeSettings, frozen=True, kw_only=True):
    """Settings of LiteRT's GPU accelerator."""

    precision: Annotated[
        Literal["float32", "float16"],
        msgspec.Meta(description="type of arithmetic; LiteRT's own default is float16, where the GPU has it"),
    ] = "float32"


class LiteRtGpu(Runtime):
    """Float32 TFLite files on a GPU, the whole network or an error."""

    name = "litert-gpu"
    summary = "LiteRT on a GPU, by WebGPU on Vulkan; emulated where that is software"
    modules = ("ai_edge_litert.compiled_model",)
    packages = ("ai-edge-litert",)
    formats: ClassVar[frozenset[str]] = frozenset({"tflite"})
    one_thread = True
    invoke_method = "CompiledModel.run and reading the outputs, which waits for the GPU; inputs written before"
    Settings = LiteRtGpuSettings
    settings: LiteRtGpuSettings

    @classmethod
    def _refuses(cls, format: str, scheme: str) -> str | None:
        if scheme != "float32":
            return (
                f"runtime {cls.name!r} runs float32 networks, not {scheme}: a GPU would compute with reals all the same"
            )
        return None

    @classmethod
    def version(cls) -> str:
        cls.require()
        return version("ai-edge-litert") or "unknown"

    def _prepare(self, path: Path) -> None:
        import ai_edge_litert.compiled_model
        import ai_edge_litert.interpreter  # noqa: F401 - so that loading them is no part of loading the network

    def _load(self, path: Path) -> None:
        from ai_edge_litert.compiled_model import CompiledModel
        from ai_edge_litert.gpu_options import GpuOptions
        from ai_edge_litert.hardware_accelerator import HardwareAccelerator
        from ai_edge_litert.options import Options

        self._ends = _ends_of(path)
        options = Options(
            hardware_accelerators=HardwareAccelerator.GPU,
            gpu_options=GpuOptions(enforce_f32=self.settings.precision == "float32"),
        )
        failure: Exception | None = None
        with captured_stderr() as words:
            try:
                self._model = CompiledModel.from_file(str(path), options=options)
                whole = self._model.is_fully_accelerated()
            except Exception as error:
                failure = error
        adapter = _ADAPTER.search(words())
        if failure is not None or adapter is None or not whole:
            raise InferenceError(
                f"LiteRT runs {path.name} on no GPU: {_reason(words(), failure, adapter is not None)}",
                "Has the machine a GPU with Vulkan (libvulkan1 and its driver)? Runtime litert runs it on the CPU.",
            )
        self._adapter, kind = f"{adapter[1]} ({adapter[2]})", adapter[3]
        self.emulated = self._adapter if _SOFTWARE.search(kind) else ""

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return self._ends.inputs

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return self._ends.outputs

    def _calls(self) -> Calls:
        model, ends = self._model, self._ends
        given = {name: model.create_input_buffer_by_name(ends.signature, name) for name in ends.input_names}
        results = {name: model.create_output_buffer_by_name(ends.signature, name) for name in ends.output_names}
        sources = [given[name] for name in ends.input_names]
        targets = [
            (results[name], spec.elements, np.dtype(spec.dtype).type, spec.shape)
            for name, spec in zip(ends.output_names, ends.outputs, strict=True)
        ]
        arrays: list[Array] = []

        def set_inputs(sample: Sequence[Array]) -> None:
            for buffer, value in zip(sources, sample, strict=True):
                buffer.write(value)

        def invoke() -> None:
            model.run_by_name(ends.signature, given, results)
            # The GPU works on when the call returns.
            arrays[:] = [buffer.read(count, dtype) for buffer, count, dtype, _ in targets]

        def get_outputs() -> Sequence[Array]:
            return [np.array(array).reshape(shape) for array, (_, _, _, shape) in zip(arrays, targets, strict=True)]

        return set_inputs, invoke, get_outputs

    def _census(self, batches: Sequence[Array]) -> Census:
        placement = f"GPU: {self._adapter}"
        return Census(
            operators=grouped([("all that it was handed", placement, "")]),
            method=METHOD,
            requested=(Request(kind="placement", name=placement),),
        )

    def _close(self) -> None:
        self._model.close()
        del self._model


class _Ends(msgspec.Struct, frozen=True):
    """Inputs and outputs in the order of the file, with their names in its signature."""

    signature: str
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def _ends_of(path: Path) -> _Ends:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    signatures: dict[str, Any] = interpreter._get_full_signature_list()
    if not signatures:
        raise InferenceError(
            f"{path.name} has no signature, by which LiteRT names inputs and outputs on a GPU.",
            "Compile it again: edgerig compile net.tflite --to float32.",
        )
    key, signature = next(iter(signatures.items()))
    names = [{index: name for name, index in signature[kind].items()} for kind in ("inputs", "outputs")]
    if any(
        detail["index"] not in of for of, details in zip(names, (inputs, outputs), strict=True) for detail in details
    ):
        raise InferenceError(f"The signature of {path.name} does not name all of its inputs and outputs.")
    return _Ends(
        key,
        tuple(names[0][detail["index"]] for detail in inputs),
        tuple(names[1][detail["index"]] for detail in outputs),
        tuple(tensor_spec(detail) for detail in inputs),
        tuple(tensor_spec(detail) for detail in outputs),
    )


def _reason(words: str, failure: Exception | None, adapter: bool) -> str:
    if failure is None and adapter:
        return "it takes a part of the network alone"
    if failure is None:
        return "it has selected no adapter"
    errors = [line for line in words.splitlines() if line.startswith(("ERROR", "E0"))]
    return " ".join([*errors[-1:], str(failure).partition("\n")[0]])[-_LONGEST:]
