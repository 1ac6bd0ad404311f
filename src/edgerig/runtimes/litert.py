"""LiteRT (formerly TensorFlow Lite), through its interpreter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Quantization, TensorSpec
from edgerig.errors import InferenceError
from edgerig.installed import version
from edgerig.measure.census import Census
from edgerig.measure.kinds import Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.runtimes.base import Array, Calls, Runtime
from edgerig.runtimes.batch import ResizableSettings, check_batch, fixed_batch
from edgerig.runtimes.detections import detections_among, with_zeros
from edgerig.runtimes.inferences import Sample
from edgerig.runtimes.litert_delegates import Delegates, LoadedDelegates, entries
from edgerig.runtimes.litert_places import in_place, planned, stays
from edgerig.runtimes.litert_state import initial_graphs

#: Bytes of an output from which a view of it is quicker than the interpreter's own copy of it.
LARGE = 64 << 10


class LiteRtSettings(ResizableSettings, frozen=True, kw_only=True):
    """Settings of LiteRT."""

    kernels: Annotated[
        Literal["xnnpack", "reference"],
        msgspec.Meta(
            description="xnnpack: the fast kernels of daily use; reference: the plain ones that define the result"
        ),
    ] = "xnnpack"
    delegate: Annotated[
        str | None, msgspec.Meta(description="a library whose delegate may take operators, such as libedgetpu.so.1")
    ] = None
    delegates: Annotated[
        Delegates,
        msgspec.Meta(
            description="several of them in the order in which they may take operators, each perhaps with options: "
            "[{libedgetpu.so.1: {device: usb}}, ./other.so]; XNNPACK may take what they leave"
        ),
    ] = msgspec.field(default_factory=list)


class LiteRt(Runtime):
    """TFLite files on LiteRT's interpreter, as a phone or a Raspberry Pi runs them."""

    name = "litert"
    summary = "LiteRT (TensorFlow Lite): TFLite files, XNNPACK or reference kernels"
    modules = ("ai_edge_litert.interpreter",)
    packages = ("ai-edge-litert",)
    formats: ClassVar[frozenset[str]] = frozenset({"tflite"})
    invoke_method = "Interpreter.invoke only; set_tensor before, get_tensor after"
    resizes_batch = True
    resets_state = True
    Settings = LiteRtSettings
    settings: LiteRtSettings
    #: Subgraphs that set variables to their initial values, as soon as they were asked for.
    _initial_graphs: tuple[int, ...] | None
    #: Whether its tensors stay where they are; None until it is looked at.
    _stays: bool | None

    @classmethod
    def version(cls) -> str:
        cls.require()
        return version("ai-edge-litert") or "unknown"

    def _prepare(self, path: Path) -> None:
        import ai_edge_litert.interpreter  # noqa: F401 - so that loading it is no part of loading the network

    def _load(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        resolver = OpResolverType.BUILTIN_REF if self.settings.kernels == "reference" else OpResolverType.AUTO
        interpreter = Interpreter(
            model_path=str(path), num_threads=self.settings.threads, experimental_op_resolver_type=resolver
        )
        self._delegates = LoadedDelegates(entries(self.settings.delegate, self.settings.delegates))
        self._delegates.apply(interpreter)
        if self.settings.batch is not None:
            _resize(interpreter, self.settings.batch)
        _allocate(interpreter)
        self._path, self._initial_graphs = path, None
        # Known before the first inference alone; whether they stay there is looked at where it matters.
        self._stays = None if planned(interpreter) else False
        self._interpreter = interpreter
        self._input_details = interpreter.get_input_details()
        self._output_details = interpreter.get_output_details()
        if self.settings.batch is not None:
            shapes = ((detail["name"], detail["shape"]) for detail in self._output_details)
            check_batch(shapes, self.settings.batch)

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return tuple(tensor_spec(detail) for detail in self._input_details)

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return tuple(tensor_spec(detail) for detail in self._output_details)

    def _calls(self) -> Calls:
        interpreter = self._interpreter
        set_tensor, get_tensor = interpreter.set_tensor, interpreter.get_tensor
        places = [detail["index"] for detail in self._input_details]
        results = [detail["index"] for detail in self._output_details]

        # set_tensor and get_tensor copy, and are still faster than views of the tensors, which would also block invoke.
        set_inputs: Callable[[Sequence[Array]], object]
        get_outputs: Callable[[], Sequence[Array]]
        if len(places) == 1 and len(results) == 1:
            (index,), (result,) = places, results

            def set_inputs(sample: Sequence[Array]) -> None:
                set_tensor(index, sample[0])

            def get_outputs() -> Sequence[Array]:
                return (get_tensor(result),)

        else:

            def set_inputs(sample: Sequence[Array]) -> None:
                for index, value in zip(places, sample, strict=True):
                    set_tensor(index, value)

            def get_outputs() -> Sequence[Array]:
                return [get_tensor(result) for result in results]

            operators = ((operator["op_name"], operator["outputs"]) for operator in interpreter._get_ops_details())
            get_outputs = with_zeros(get_outputs, detections_among(results, operators))

        return set_inputs, interpreter.invoke, get_outputs

    def _copy_outputs(self, into: Sequence[Array]) -> bool:
        if len(into) != 1 or into[0].nbytes < LARGE:
            return False
        # Nothing may refer to the tensor at the next inference.
        output = self._interpreter.tensor(self._output_details[0]["index"])()
        same: bool = output.shape == into[0].shape and output.dtype == into[0].dtype
        if same:
            into[0][...] = output
        return same

    def _placed(self, samples: Sequence[Sample], times: NDArray[np.int64]) -> Callable[[int], None] | None:
        # A delegate of one's own may keep tensors elsewhere, and bring them when they are asked for.
        if self._stays is None:
            # What derives from this class may have calls of its own.
            usual = type(self)._calls is LiteRt._calls and not self.libraries()
            self._stays = usual and stays(self._interpreter)
        return in_place(self._interpreter, samples, times) if self._stays else None

    def _begin_sequence(self) -> None:
        if self._initial_graphs is None:
            self._initial_graphs = initial_graphs(self._path)
        # Variables of operators, such as LSTM, and those that are resources: the one call does not reach the others.
        self._interpreter.reset_all_variables()
        for graph in self._initial_graphs:
            self._interpreter._interpreter.AllocateTensors(graph)
            self._interpreter._interpreter.Invoke(graph)

    def _profile(self, batches: Sequence[Array]) -> list[LayerTime] | Unavailable:
        from edgerig.runtimes.litert_profile import profile

        if self.settings.batch not in (None, 1):
            return Unavailable("LiteRT's profiler runs the file's own batch, not one that was set")
        if self.libraries():
            return Unavailable("LiteRT's profiler is had through its compiled model, which takes no other delegates")
        if self.settings.kernels != "xnnpack":
            return Unavailable("LiteRT's profiler is had through its compiled model, which runs XNNPACK's kernels only")
        return profile(self._path, self.settings.threads, self._inputs(), batches)

    def _census(self, batches: Sequence[Array]) -> Census | Unavailable:
        from edgerig.runtimes.litert_census import BUILTIN, REFERENCE, census_of

        kernels = REFERENCE if self.settings.kernels == "reference" else BUILTIN
        return census_of(self._interpreter, self._delegates.taken, kernels, self._delegates.names)

    def libraries(self) -> tuple[str, ...]:
        return tuple(library for library, _ in entries(self.settings.delegate, self.settings.delegates))

    def _close(self) -> None:
        del self._interpreter, self._input_details, self._output_details
        del self._delegates


def _allocate(interpreter: Any) -> None:
    try:
        interpreter.allocate_tensors()
    except RuntimeError as error:
        if "edgetpu-custom-op" not in str(error):
            raise
        raise InferenceError(
            "The network was compiled for a Coral Edge TPU, and no delegate for it is loaded.",
            "Name it, on the device that has the chip: --runtime-option delegate=libedgetpu.so.1; in a rig file, the "
            "runtime's 'delegate'.",
        ) from error


def _resize(interpreter: Any, batch: int) -> None:
    """Set the first axis of every input, which is 1 in the file, to ``batch``.

    Raises:
        InferenceError: An input has another batch, or the interpreter refuses.
    """
    for detail in interpreter.get_input_details():
        shape = [int(size) for size in detail["shape"]]
        if shape[:1] == [batch]:
            continue
        if shape[:1] != [1]:
            raise fixed_batch(detail["name"], shape, batch, " in the file")
        # Not strict: converters write a batch of 1 into the signature of networks that take any.
        interpreter.resize_tensor_input(detail["index"], [batch, *shape[1:]], strict=False)
    try:
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        first = str(error).strip().partition("\n")[0].rstrip(".")
        detail = interpreter.get_input_details()[0]
        raise fixed_batch(
            detail["name"], [1, *detail["shape"][1:]], batch, f" in the file, and LiteRT says: {first}"
        ) from error


def tensor_spec(detail: dict[str, Any]) -> TensorSpec:
    """A tensor from its description by the interpreters of TensorFlow Lite's family."""
    return TensorSpec(
        name=detail.get("name", ""),
        shape=tuple(int(size) for size in detail["shape"]),
        dtype=np.dtype(detail["dtype"]).name,
        quantization=_quantization(detail["quantization_parameters"]),
    )


def _quantization(parameters: dict[str, Any]) -> Quantization | None:
    scales = tuple(float(scale) for scale in parameters["scales"])
    if not scales:
        return None
    zero_points = tuple(int(zero) for zero in parameters["zero_points"])
    return Quantization(scales, zero_points, int(parameters["quantized_dimension"]) if len(scales) > 1 else None)
