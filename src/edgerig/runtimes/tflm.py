"""TFLite Micro on the host: the reference kernels that boards run, with the arena size that they would need."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import msgspec

from edgerig import files
from edgerig.artifact import TensorSpec
from edgerig.bounded.stderr import captured_stderr
from edgerig.errors import InferenceError
from edgerig.installed import version
from edgerig.measure.census import Census
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.runtimes import flatbuffer_check, tflm_arena
from edgerig.runtimes.base import Array, Calls, Runtime
from edgerig.runtimes.detections import OPERATOR, detections_among, with_zeros
from edgerig.runtimes.flatbuffer_check import check_file
from edgerig.runtimes.kept_answers import kept_answer
from edgerig.runtimes.litert import tensor_spec
from edgerig.runtimes.tflm_arena import arena_for, reason
from edgerig.runtimes.tflm_census import custom_operators

#: Initial size of the arena, in bytes.
FIRST_ARENA = 1 << 18
#: Largest arena in bytes: no microcontroller has more, and a host could run out of memory.
LARGEST_ARENA = 1 << 31
#: The reader of TFLite files in the wheel.
SCHEMA = "tflite_micro.tensorflow.lite.micro.python.schema_py_generated"
#: Networks that much is known of at once in one process.
MOST_KNOWN = 32
ARENA_LINE = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")

T = TypeVar("T")
_known: dict[tuple[str, str], Any] = {}


class Tflm(Runtime):
    """TFLite files on TFLite Micro, compiled for this machine.

    Outputs and arena are those of a microcontroller with the reference kernels; times are this machine's and say
    nothing about a board.
    """

    name = "tflm"
    summary = "TFLite Micro on this machine: outputs and arena as on a microcontroller"
    extra = "tflm"
    modules = ("tflite_micro",)
    formats: ClassVar[frozenset[str]] = frozenset({"tflite"})
    one_thread = True
    resets_state = True
    invoke_method = "Interpreter.invoke only; set_input before, get_output after"

    @classmethod
    def _refuses(cls, format: str, scheme: str) -> str | None:
        if scheme == "dynamic":
            return "TFLite Micro runs no dynamic-range network (float activations with int8 weights); use int8"
        if scheme == "float16":
            return "TFLite Micro cannot turn float16 weights back into float32; use float32 or int8"
        return None

    @classmethod
    def version(cls) -> str:
        cls.require()
        return version("tflite-micro") or "unknown"

    def _prepare(self, path: Path) -> None:
        from tflite_micro import runtime  # noqa: F401 - so that loading it is no part of loading the network

        content = files.sha256_file(path)
        try:
            self._names = _once("names", (SCHEMA,), content, lambda: check_file(path, SCHEMA))
        except InferenceError as error:
            raise InferenceError(f"{self.name} cannot load {path.name}: {error.message}", error.hint) from error
        try:
            bounds = (FIRST_ARENA, LARGEST_ARENA)
            self._arena = _once("arena", bounds, content, lambda: arena_for(path, *bounds))
        except InferenceError as error:
            raise _refused(path.name, error.message.rstrip(".")) from error

    def _load(self, path: Path) -> None:
        # The interpreter reads the weights in place.
        self._data = path.read_bytes()
        self._interpreter = _interpreter(self._data, path.name, self._arena)
        # An index beyond these crashes the process.
        self._input_specs, self._output_specs = (
            tuple(msgspec.structs.replace(tensor_spec(details(index)), name=name) for index, name in enumerate(names))
            for names, details in zip(
                self._names,
                (self._interpreter.get_input_details, self._interpreter.get_output_details),
                strict=True,
            )
        )

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return self._input_specs

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return self._output_specs

    def _calls(self) -> Calls:
        set_input, get_output = self._interpreter.set_input, self._interpreter.get_output
        count = len(self._output_specs)

        def set_inputs(sample: Sequence[Array]) -> None:
            for index, value in enumerate(sample):
                set_input(value, index)

        def get_outputs() -> Sequence[Array]:
            return [get_output(index) for index in range(count)]

        # Reading a file's tables takes time and memory, which others shall not pay.
        detections = detections_among(*custom_operators(self._data, SCHEMA)) if OPERATOR.encode() in self._data else []
        return set_inputs, self._interpreter.invoke, with_zeros(get_outputs, detections)

    def _begin_sequence(self) -> None:
        # Its own reset fills variables with zeros, whatever the network says that they start with.
        self._interpreter, self._bound = _interpreter(self._data, self.name, self._arena), None

    def _profile(self, batches: Sequence[Array]) -> list[LayerTime] | Unavailable:
        return Unavailable("TFLite Micro's Python interface takes no profiler")

    def _census(self, batches: Sequence[Array]) -> Census:
        from edgerig.runtimes.tflm_census import census_of

        return census_of(self._data, SCHEMA)

    def _memory(self) -> dict[str, Quantity]:
        with captured_stderr() as text:
            self._interpreter.print_allocations()
        sizes = dict(ARENA_LINE.findall(text()))
        method = "TFLite Micro's own recording of its arena on this machine; pointers are 8 bytes, 4 on a Cortex-M"
        quantities: dict[str, Quantity] = {}
        for name, key in (("total", "arena"), ("head", "arena_activations"), ("tail", "arena_persistent")):
            if name in sizes:
                quantities[key] = Measurement(value=float(sizes[name]), unit="B", kind="measured", method=method)
        return quantities or {"arena": Unavailable("this version of TFLite Micro does not print its allocations")}

    def _close(self) -> None:
        del self._interpreter, self._data


def _once(what: str, settings: Sequence[object], content: str, find_out: Callable[[], T]) -> T:
    """What is found out of a network in a process, once for each content of its file."""
    key = (f"{what} {settings}", content)
    if key not in _known:
        if len(_known) >= MOST_KNOWN:
            del _known[next(iter(_known))]
        code = (flatbuffer_check.__file__, tflm_arena.__file__)
        packages = ("tflite-micro", "ai-edge-litert")
        _known[key] = kept_answer([what, *settings], content, find_out, code=code, packages=packages)
    return cast(T, _known[key])


def _interpreter(data: bytes, name: str, arena: int) -> Any:
    """An interpreter in an arena of that size."""
    from tflite_micro import runtime

    with captured_stderr() as text:
        try:
            return runtime.Interpreter.from_bytes(data, arena_size=arena)
        except (RuntimeError, ValueError, MemoryError) as error:
            raised: Exception = error
    raise _refused(name, reason(text()) or str(raised)) from raised


def _refused(name: str, why: str) -> InferenceError:
    return InferenceError(
        f"TFLite Micro cannot load {name}: {why}.",
        "It runs float32, int8 and int16x8 networks of the operators that TFLite Micro has.",
    )
