"""ONNX Runtime, with inputs and outputs bound to fixed buffers."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from edgerig.artifact import TensorSpec
from edgerig.errors import InferenceError
from edgerig.measure.census import Census
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.runtimes.base import Array, Calls, Runtime
from edgerig.runtimes.batch import ResizableSettings, fixed_batch
from edgerig.runtimes.onnx_binding import fixed, general, reader
from edgerig.runtimes.onnx_census import ASSIGNMENT, census_of
from edgerig.runtimes.onnx_providers import (
    PROVIDER_TEXT,
    Providers,
    engine_version,
    libraries,
    open_session,
    requested,
)
from edgerig.runtimes.operator_times import operator_time

#: ONNX Runtime's names of tensor types, and numpy's.
DTYPES = {
    "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64", "tensor(bool)": "bool",
    "tensor(int8)": "int8", "tensor(uint8)": "uint8", "tensor(int16)": "int16", "tensor(uint16)": "uint16",
    "tensor(int32)": "int32", "tensor(uint32)": "uint32", "tensor(int64)": "int64", "tensor(uint64)": "uint64",
}  # fmt: skip

#: Share of the sorted samples that is left out at each end of an operator's mean.
TRIM = 0.05
PROFILE_METHOD = (
    "ONNX Runtime's own profiler in a session of its own; mean without the 5 % shortest and longest; about 1.5 us of "
    "each operator are the profiler's own work"
)


class OnnxRuntimeSettings(ResizableSettings, frozen=True, kw_only=True):
    """Settings of ONNX Runtime."""

    provider: Annotated[Providers, msgspec.Meta(description=PROVIDER_TEXT)] = "cpu"


class OnnxRuntime(Runtime):
    """ONNX files on ONNX Runtime: on the CPU, or on a GPU where the installed build has a provider for it."""

    name = "onnxruntime"
    summary = "ONNX Runtime: ONNX files on the CPU, or by CUDA or TensorRT"
    extra = "onnx"
    modules = ("onnxruntime",)
    formats: ClassVar[frozenset[str]] = frozenset({"onnx"})
    resizes_batch = True
    resets_state = True
    Settings = OnnxRuntimeSettings
    invoke_method = "InferenceSession.run_with_iobinding only; inputs copied into bound buffers before, outputs after"

    @classmethod
    def version(cls) -> str:
        cls.require()
        return engine_version()

    def _prepare(self, path: Path) -> None:
        import onnxruntime  # noqa: F401 - so that loading it is no part of loading the network

    def _load(self, path: Path) -> None:
        self._path = path
        self._session = self._open(self._options())
        inputs = self._session.get_inputs()
        # The settings of every runtime do, too: they leave the batch as it is.
        batch = self.settings.batch if isinstance(self.settings, ResizableSettings) else None
        self._input_specs = tuple(_input(node, batch) for node in inputs)
        batches = {node.shape[0] for node in inputs if node.shape and not isinstance(node.shape[0], int)}
        # Sequences, maps and texts are not requested: they cannot be compared.
        numeric = [node for node in self._session.get_outputs() if node.type in DTYPES]
        if not numeric:
            raise InferenceError(
                f"No output is a tensor of numbers: {', '.join(n.type for n in self._session.get_outputs())}.",
                "Cut the network before them: a classifier of scikit-learn is exported with the option zipmap=False.",
            )
        self._output_specs = tuple(_output(node, batches, batch or 1) for node in numeric)
        self._peak: Quantity = Unavailable("ONNX Runtime tells its peak memory only while it profiles: profile first")

    def _options(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.settings.threads
        options.inter_op_num_threads = 1
        # Warnings about optimizations that did not apply would hide those that matter to a user.
        options.log_severity_level = 3
        return options

    def _open(self, options: Any) -> Any:
        return open_session(self._path, options, self._provider, self.settings.fallback == "forbid")

    @property
    def _provider(self) -> Providers:
        return self.settings.provider if isinstance(self.settings, OnnxRuntimeSettings) else "cpu"

    def libraries(self) -> tuple[str, ...]:
        return libraries(self._provider)

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return self._input_specs

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return self._output_specs

    def _calls(self) -> Calls:
        return self._bind(self._session)

    def _bind(self, session: Any) -> Calls:
        """The hot loop's calls; the buffers live as long as the calls do."""
        binding = session.io_binding()
        places = [np.zeros(spec.shape, spec.dtype) for spec in self._input_specs]
        # None for an output whose shape only the engine knows: the engine allocates it.
        results = [None if -1 in spec.shape else np.zeros(spec.shape, spec.dtype) for spec in self._output_specs]
        free = [spec.name for spec, buffer in zip(self._output_specs, results, strict=True) if buffer is None]
        for spec, buffer in zip(self._input_specs, places, strict=True):
            binding.bind_input(spec.name, "cpu", 0, buffer.dtype, buffer.shape, buffer.ctypes.data)
        for spec, bound in zip(self._output_specs, results, strict=True):
            if bound is None:
                binding.bind_output(spec.name, "cpu")
            else:
                binding.bind_output(spec.name, "cpu", 0, bound.dtype, bound.shape, bound.ctypes.data)
        # The engine never writes an output that is an input of the network.
        given = dict(zip((spec.name for spec in self._input_specs), places, strict=True))
        results = [given.get(spec.name, bound) for spec, bound in zip(self._output_specs, results, strict=True)]
        run = session.run_with_iobinding

        def invoke() -> None:
            run(binding)

        if free:
            return general(binding, places, free), invoke, reader(binding, results)
        set_inputs, get_outputs = fixed(places, [buffer for buffer in results if buffer is not None])
        return set_inputs, invoke, get_outputs

    def _begin_sequence(self) -> None:
        """Nothing: operators of ONNX start from their initial state in each inference."""

    def _profile(self, batches: Sequence[Array]) -> list[LayerTime] | Unavailable:
        samples = list(zip(*batches, strict=True))
        _, nodes = self._profiled([samples[0], *samples])
        if not nodes:
            return Unavailable("ONNX Runtime recorded no operator")
        self._peak = _peak(nodes)
        # The first run is cold.
        return _layers(nodes, skip=1)

    def _profiled(self, samples: Sequence[Sequence[Array]]) -> tuple[Any, list[dict[str, Any]]]:
        """A session of its own that has run ``samples``, and the profile's events of the nodes that ran."""
        with tempfile.TemporaryDirectory(prefix="edgerig-profile-") as folder:
            options = self._options()
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(folder) / "profile")
            options.add_session_config_entry(ASSIGNMENT, "1")
            session = self._open(options)
            set_inputs, invoke, _ = self._bind(session)
            for sample in samples:
                set_inputs(sample)
                invoke()
            events = json.loads(Path(session.end_profiling()).read_text())
        return session, [event for event in events if event["cat"] == "Node" and event["name"].endswith("_kernel_time")]

    def _census(self, batches: Sequence[Array]) -> Census | Unavailable:
        session, nodes = self._profiled(list(zip(*batches, strict=True)))
        return census_of(session, nodes, requested(self._provider))

    def _memory(self) -> dict[str, Quantity]:
        return {"engine_peak": self._peak}

    def _close(self) -> None:
        del self._session


def _input(node: Any, batch: int | None = None) -> TensorSpec:
    """An input as ONNX Runtime describes it; a free first axis becomes ``batch``, or 1.

    Raises:
        InferenceError: It is no dense tensor of numbers, or another axis is free, or the first is not ``batch``.
    """
    dtype = DTYPES.get(node.type)
    if dtype is None:
        raise InferenceError(
            f"Input {node.name!r} is a {node.type}, which edgerig does not feed.",
            "Cut the network so that its inputs are dense tensors of numbers.",
        )
    shape = list(node.shape)
    if shape and not isinstance(shape[0], int):
        shape[0] = batch or 1
    elif batch is not None and shape[:1] != [batch]:
        raise fixed_batch(node.name, shape, batch, " in the file")
    if not all(isinstance(size, int) for size in shape):
        raise InferenceError(
            f"Input {node.name!r} has the shape {node.shape}: only the batch axis may be free.",
            f"Say the shape to run: --shape {node.name}=1,... with a number for each axis.",
        )
    return TensorSpec(name=node.name, shape=tuple(shape), dtype=dtype)


def _output(node: Any, batches: set[str | None], batch: int = 1) -> TensorSpec:
    """An output as ONNX Runtime describes it, -1 for axes that only the engine knows.

    Args:
        node: What ONNX Runtime says of it.
        batches: Names of the free batch axes of the inputs, which are ``batch`` here as there; None for one without
            a name.
        batch: Samples an inference.
    """
    shape = [
        size if isinstance(size, int) else batch if axis == 0 and size in batches else -1
        for axis, size in enumerate(node.shape)
    ]
    # A missing shape looks like that of a scalar.
    return TensorSpec(name=node.name, shape=tuple(shape) or (-1,), dtype=DTYPES[node.type])


def _layers(nodes: list[dict[str, Any]], skip: int) -> list[LayerTime]:
    """Operators in the order of their first execution, with their times except for the first ``skip`` runs."""
    runs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in nodes:
        runs.setdefault((event["args"].get("node_index", ""), event["name"]), []).append(event)
    layers = []
    for index, ((_, name), events) in enumerate(runs.items()):
        seconds = [event["dur"] * 1e-6 for event in events[skip:]]
        layers.append(
            LayerTime(
                index=index,
                name=name.removesuffix("_kernel_time"),
                op=events[0]["args"].get("op_name", ""),
                placement=str(events[0]["args"].get("provider", "")),
                time=_time(seconds),
                output_shape=_shape(events[0]["args"].get("output_type_shape", [])),
            )
        )
    return layers


def _time(seconds: list[float]) -> Quantity:
    if not seconds:
        return Unavailable("it ran only in the first inference")
    ordered = np.sort(seconds)
    cut = int(len(ordered) * TRIM)
    mean = float(ordered[cut : len(ordered) - cut].mean())
    return operator_time(mean, PROFILE_METHOD, "std::chrono::high_resolution_clock", len(seconds))


def _shape(type_shapes: list[dict[str, list[int]]]) -> tuple[int, ...] | None:
    for entry in type_shapes:
        for shape in entry.values():
            return tuple(shape)
    return None


def _peak(nodes: list[dict[str, Any]]) -> Quantity:
    peaks = [int(event["args"]["mem_in_use_peak"]) for event in nodes if "mem_in_use_peak" in event["args"]]
    if not peaks:
        return Unavailable("this version of ONNX Runtime does not record its memory")
    return Measurement(
        value=float(max(peaks)),
        unit="B",
        kind="measured",
        method="ONNX Runtime's own count of bytes in use (mem_in_use_peak): weights and activations, not its code",
        n=len(peaks),
    )
