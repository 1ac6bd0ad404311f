"""MNN, Alibaba's engine for CPUs of phones and boards: networks that compiler mnn made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np

from edgerig.bounded.stderr import captured_stderr
from edgerig.errors import InferenceError
from edgerig.measure.census import Census, Request
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.models.graph.mnn_file import ends_of, wide_ends
from edgerig.runtimes.base import Array, Calls, Runtime
from edgerig.runtimes.batch import ResizableSettings, check_batch, fixed_batch
from edgerig.runtimes.mnn_report import Recorder, census_of
from edgerig.tensors import TensorSpec

#: MNN's names of the types that may be asked for. Its own default, "normal", may be float16 on Arm.
_PRECISIONS = {"float32": "high", "float16": "low", "bfloat16": "low_bf16"}
#: What `getSessionInfo` tells, by number.
_MEMORY, _BACKENDS = 0, 2
#: Its answers of a run that failed (`MNN::ErrorCode`).
_FAULTS = {
    1: "memory is short",
    2: "it does not support the network",
    3: "it cannot tell the shapes of an operator, as of loops and branches on values, which take another interface",
    4: "it has no kernel for an operator",
    5: "a value is not valid",
}


class MnnSettings(ResizableSettings, frozen=True, kw_only=True):
    """Settings of MNN."""

    precision: Annotated[
        Literal["float32", "float16", "bfloat16"],
        msgspec.Meta(description="type of the arithmetic of what is not quantized, where the processor has it"),
    ] = "float32"


class Mnn(Runtime):
    """Networks on MNN's CPU backend; in float32 unless another type is asked for."""

    name = "mnn"
    summary = "MNN: networks of compiler mnn, on CPUs (Arm, x86)"
    extra = "mnn"
    engine = "mnn"
    modules = ("MNN",)
    formats: ClassVar[frozenset[str]] = frozenset({"mnn"})
    resizes_batch = True
    resets_state = True
    Settings = MnnSettings
    settings: MnnSettings
    invoke_method = "Interpreter.runSession only; inputs copied into its tensors before, outputs out of them after"

    @classmethod
    def version(cls) -> str:
        cls.require()
        import MNN

        return str(MNN.version())

    def _prepare(self, path: Path) -> None:
        import MNN  # noqa: F401 - so that loading it is no part of loading the network

    def _load(self, path: Path) -> None:
        import MNN

        content = path.read_bytes()
        self._names, wide = ends_of(content, path.name), wide_ends(content)
        with captured_stderr() as text:
            try:
                self._interpreter = MNN.Interpreter(str(path))
                self._session = self._new_session(self.settings.precision)
            except Exception as error:
                words = " ".join(f"{text()} {error}".split())
                raise InferenceError(
                    f"MNN cannot load {path.name}: {words[-300:]}",
                    "The file may be corrupt, or of a later version of MNN.",
                ) from error
        inputs, outputs = self._interpreter.getSessionInputAll(self._session), self._all_outputs()
        lacking = [name for name in self._names[0] if name not in inputs]
        lacking += [name for name in self._names[1] if name not in outputs]
        if lacking:
            raise InferenceError(f"MNN knows no {lacking[0]!r}, which {path.name} names as one of its ends.")
        self._in = [inputs[name] for name in self._names[0]]
        self._out = [outputs[name] for name in self._names[1]]
        self._input_specs = _specs_of(self._names[0], self._in, wide[0])
        self._output_specs = _specs_of(self._names[1], self._out, wide[1])
        if self.settings.batch is not None:
            check_batch(((spec.name, spec.shape) for spec in self._output_specs), self.settings.batch)

    def _new_session(self, precision: str) -> Any:
        """A session in that type, its batch set; memory of the one before stays its own."""
        configuration = {
            "backend": "CPU",
            "numThread": self.settings.threads,
            "precision": _PRECISIONS[precision],
        }
        session = self._interpreter.createSession(configuration)
        if session is None:
            raise InferenceError("MNN makes no session of it, without saying why.")
        batch = self.settings.batch if isinstance(self.settings, ResizableSettings) else None
        resized = False
        for name, tensor in self._interpreter.getSessionInputAll(session).items():
            shape = [int(size) for size in tensor.getShape()]
            if not shape or batch is None or shape[0] == batch:
                continue
            if shape[0] > 1:
                raise fixed_batch(name, shape, batch, " in the file")
            self._interpreter.resizeTensor(tensor, (batch, *shape[1:]))
            resized = True
        if resized:
            self._interpreter.resizeSession(session)
        return session

    def _all_outputs(self) -> dict[str, Any]:
        return dict(self._interpreter.getSessionOutputAll(self._session))

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return self._input_specs

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return self._output_specs

    def _calls(self) -> Calls:
        return self._bind(self._session, self._in, self._out)

    def _bind(self, session: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> Calls:
        """The hot loop's calls. MNN's tensors have a layout of their own: they are filled and read by its copies."""
        run = self._interpreter.runSession
        failed = 0

        def set_inputs(sample: Sequence[Array]) -> None:
            for tensor, spec, value in zip(inputs, self._input_specs, sample, strict=True):
                array = narrowed(value, spec.name) if spec.dtype == "int64" else np.ascontiguousarray(value)
                tensor.copyFrom(host_tensor(tensor, array))

        def invoke() -> None:
            nonlocal failed
            failed = run(session)

        def get_outputs() -> Sequence[Array]:
            if failed:
                raise InferenceError(f"MNN failed while running: {fault_of(failed)}.")
            return [
                copied(tensor).astype(spec.dtype, copy=False)
                for tensor, spec in zip(outputs, self._output_specs, strict=True)
            ]

        return set_inputs, invoke, get_outputs

    def _begin_sequence(self) -> None:
        """Nothing: operators of ONNX begin anew with each inference."""

    def _profile(self, batches: Sequence[Array]) -> list[LayerTime] | Unavailable:
        recorder = Recorder()
        set_inputs, _, _ = self._bind(self._session, self._in, self._out)
        samples = list(zip(*batches, strict=True))
        for sample in [samples[0], *samples]:
            set_inputs(sample)
            recorder.begin()
            self._interpreter.runSessionWithCallBackInfo(self._session, recorder.before, recorder.after)
        return recorder.layers() or Unavailable("MNN has told of no operator")

    def _census(self, batches: Sequence[Array]) -> Census | Unavailable:
        """The operators of a run. MNN tells no type: that it was another one than float32, its outputs tell."""
        sample = [array[0] for array in batches]
        recorder = Recorder()
        set_inputs, _, _ = self._bind(self._session, self._in, self._out)
        set_inputs(sample)
        recorder.begin()
        self._interpreter.runSessionWithCallBackInfo(self._session, recorder.before, recorder.after)
        asked, dtype = self.settings.precision, "float32"
        if asked != "float32":
            other = self._new_session("float32")
            inputs, outputs = (
                self._interpreter.getSessionInputAll(other),
                self._interpreter.getSessionOutputAll(other),
            )
            in_float32 = self._results(
                other, [inputs[name] for name in self._names[0]], [outputs[name] for name in self._names[1]], sample
            )
            pairs = zip(self._results(self._session, self._in, self._out, sample), in_float32, strict=True)
            dtype = "float32" if all(np.array_equal(*pair, equal_nan=True) for pair in pairs) else asked
        requested = () if asked == "float32" else (Request(kind="dtype", name=asked),)
        return census_of(recorder.operators, self._backends(), dtype, requested)

    def _results(self, session: Any, inputs: Sequence[Any], outputs: Sequence[Any], sample: Sequence[Array]) -> Any:
        """The outputs of a sample. Its inputs are set for each run: MNN may use their memory for what comes later."""
        set_inputs, invoke, get_outputs = self._bind(session, inputs, outputs)
        set_inputs(sample)
        invoke()
        return get_outputs()

    def _backends(self) -> int:
        return int(self._interpreter.getSessionInfo(self._session, _BACKENDS))

    def _memory(self) -> dict[str, Quantity]:
        mebibytes = float(self._interpreter.getSessionInfo(self._session, _MEMORY))
        method = "MNN's own account of its session: tensors and prepared weights"
        return {"engine_peak": Measurement(value=mebibytes * 2**20, unit="B", kind="measured", method=method)}

    def _close(self) -> None:
        # The session must not outlive its interpreter.
        del self._in, self._out, self._session, self._interpreter


def fault_of(answer: int) -> str:
    """MNN's answer of a run that failed, in words."""
    return _FAULTS.get(answer, f"its answer is {answer}")


def narrowed(value: Array, name: str) -> Array:
    """Whole numbers as int32.

    Raises:
        InferenceError: One is beyond that.
    """
    narrow = np.ascontiguousarray(value, np.int32)
    if not np.array_equal(narrow, value):
        raise InferenceError(f"Input {name!r} holds a number beyond 32 bits, which MNN does not read.")
    return narrow


def _specs_of(names: Sequence[str], tensors: Sequence[Any], wide: frozenset[int]) -> tuple[TensorSpec, ...]:
    """Ends in order; those at the positions ``wide`` were int64 before MNN made int32 of them."""
    return tuple(
        TensorSpec(
            name=name,
            shape=tuple(int(size) for size in tensor.getShape()),
            dtype="int64" if index in wide else numpy_type(name, tensor),
        )
        for index, (name, tensor) in enumerate(zip(names, tensors, strict=True))
    )


def numpy_type(name: str, tensor: Any) -> str:
    """The type of a tensor as numpy calls it.

    Raises:
        InferenceError: It is one that numpy lacks.
    """
    import MNN

    kinds = {
        "float32": MNN.Halide_Type_Float, "int32": MNN.Halide_Type_Int, "int64": MNN.Halide_Type_Int64,
        "uint8": MNN.Halide_Type_Uint8, "float64": MNN.Halide_Type_Double,
    }  # fmt: skip
    kind = tensor.getDataType()
    for dtype, value in kinds.items():
        if kind == value:
            return dtype
    raise InferenceError(
        f"{name!r} is a tensor of a type that edgerig does not feed to MNN.",
        "Cut the network so that its inputs and outputs are float32 or int32.",
    )


def host_tensor(tensor: Any, array: Array) -> Any:
    """A tensor of MNN's that holds a copy of ``array``, in the order of axes that the network has."""
    import MNN

    return MNN.Tensor(array.shape, tensor.getDataType(), array, MNN.Tensor_DimensionType_Caffe)


def copied(tensor: Any) -> Array:
    """What an output holds, in an array of its own."""
    shape = tuple(int(size) for size in tensor.getShape())
    host = host_tensor(tensor, np.zeros(shape, numpy_type("an output", tensor)))
    tensor.copyToHostTensor(host)
    return np.array(host.getNumpyData()).reshape(shape)
