"""OpenVINO: its own IR, ONNX and TFLite files, on the CPU or another device that it has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from edgerig.errors import InferenceError
from edgerig.measure.census import Census, Request
from edgerig.measure.kinds import Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.models.openvino_core import openvino_core
from edgerig.runtimes.base import Array, Calls, Runtime
from edgerig.runtimes.batch import ResizableSettings, fixed_batch
from edgerig.runtimes.openvino_ends import input_spec, output_spec
from edgerig.runtimes.openvino_report import census_of, layers_of
from edgerig.tensors import TensorSpec

#: OpenVINO's names of the types that may be asked for.
PRECISIONS = {"float32": "f32", "float16": "f16", "bfloat16": "bf16"}


class OpenVinoSettings(ResizableSettings, frozen=True, kw_only=True):
    """Settings of OpenVINO."""

    precision: Annotated[
        Literal["float32", "float16", "bfloat16", "default"],
        msgspec.Meta(
            description="type of the arithmetic of what is not quantized; default: the device's choice, on many "
            "processors bfloat16"
        ),
    ] = "float32"
    device: Annotated[
        str, msgspec.Meta(description="what runs it, as OpenVINO calls it: CPU, GPU, GPU.1, NPU, or AUTO", min_length=1)
    ] = "CPU"


class OpenVino(Runtime):
    """Networks on OpenVINO; in float32 unless another type is asked for, as its own default may be bfloat16."""

    name = "openvino"
    summary = "OpenVINO: its IR, ONNX and TFLite files, on CPUs, GPUs and NPUs of Intel's and on other CPUs"
    extra = "openvino"
    engine = "openvino"
    modules = ("openvino",)
    formats: ClassVar[frozenset[str]] = frozenset({"openvino", "onnx", "tflite"})
    resizes_batch = True
    resets_state = True
    Settings = OpenVinoSettings
    settings: OpenVinoSettings
    invoke_method = "InferRequest.infer only; inputs copied into its tensors before, outputs out of them after"

    @classmethod
    def _refuses(cls, format: str, scheme: str) -> str | None:
        if (format, scheme) == ("tflite", "float16"):
            return "OpenVINO's reader of TFLite does not know weights in float16; compile to openvino, or take float32"
        return None

    @classmethod
    def version(cls) -> str:
        cls.require()
        import openvino

        return str(openvino.__version__).partition("-")[0]

    def _prepare(self, path: Path) -> None:
        self._core = openvino_core()
        device = self.settings.device
        known = self._core.available_devices
        # AUTO:GPU,CPU is a way to choose, and GPU.1 one of several.
        if ":" not in device and device not in ("AUTO", *known, *(name.partition(".")[0] for name in known)):
            raise InferenceError(
                f"OpenVINO has no device {device!r} here.", f"It has {', '.join(known)}; a driver may be missing."
            )

    def _load(self, path: Path) -> None:
        self._model = self._core.read_model(str(path))
        self._set_batch()
        self._compiled = self._core.compile_model(self._model, self.settings.device, self._properties())
        self._request = self._compiled.create_infer_request()
        self._input_specs = tuple(input_spec(port) for port in self._model.inputs)
        self._output_specs = tuple(output_spec(port) for port in self._model.outputs)

    def _properties(self, **more: Any) -> dict[str, Any]:
        """One request at a time on as many threads as the settings say, in the type that they say."""
        properties: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", **more}
        if self.settings.device == "CPU":
            properties |= {"INFERENCE_NUM_THREADS": self.settings.threads, "NUM_STREAMS": 1}
        if self.settings.precision != "default":
            properties["INFERENCE_PRECISION_HINT"] = PRECISIONS[self.settings.precision]
        return properties

    def _set_batch(self) -> None:
        """Give the first axis of each input that leaves it free its size; another free axis is refused later."""
        import openvino

        # The settings of every runtime do, too: they leave the batch as it is.
        batch = self.settings.batch if isinstance(self.settings, ResizableSettings) else None
        shapes = {}
        for port in self._model.inputs:
            shape = port.partial_shape
            if shape.rank.is_static and len(shape) and shape[0].is_dynamic:
                shapes[port] = openvino.PartialShape([batch or 1, *list(shape)[1:]])
            elif batch is not None and list(shape)[:1] != [batch]:
                sizes = [size.get_length() if size.is_static else -1 for size in shape]
                raise fixed_batch(port.get_node().get_friendly_name(), sizes, batch, " in the file")
        if shapes:
            self._model.reshape(shapes)

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return self._input_specs

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return self._output_specs

    def _calls(self) -> Calls:
        return self._bind(self._request)

    def _bind(self, request: Any) -> Calls:
        """The hot loop's calls. The engine's own tensors are filled and read; outputs of free shapes are new each
        time, and so asked for."""
        targets = [request.get_input_tensor(index).data for index in range(len(self._input_specs))]
        count = len(self._output_specs)
        infer, output = request.infer, request.get_output_tensor

        def set_inputs(sample: Sequence[Array]) -> None:
            for target, value in zip(targets, sample, strict=True):
                target[...] = value

        def invoke() -> None:
            infer(share_outputs=True)

        def get_outputs() -> Sequence[Array]:
            return [output(index).data.copy() for index in range(count)]

        return set_inputs, invoke, get_outputs

    def _begin_sequence(self) -> None:
        self._request.reset_state()

    def _profile(self, batches: Sequence[Array]) -> list[LayerTime] | Unavailable:
        compiled = self._core.compile_model(self._model, self.settings.device, self._properties(PERF_COUNT=True))
        request = compiled.create_infer_request()
        set_inputs, invoke, _ = self._bind(request)
        samples = list(zip(*batches, strict=True))
        runs = []
        for sample in [samples[0], *samples]:
            set_inputs(sample)
            invoke()
            runs.append(request.get_profiling_info())
        # The first run is cold.
        return layers_of(compiled, runs[1:]) or Unavailable("OpenVINO has recorded no operator")

    def _census(self, batches: Sequence[Array]) -> Census | Unavailable:
        requested = []
        if self.settings.precision not in ("default", "float32"):
            requested.append(Request(kind="dtype", name=self.settings.precision))
        if self.settings.device not in ("CPU", "AUTO"):
            requested.append(Request(kind="placement", name=self.settings.device))
        return census_of(self._compiled, tuple(requested))

    def _close(self) -> None:
        del self._request, self._compiled, self._model
