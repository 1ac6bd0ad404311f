"""ExecuTorch, PyTorch's engine for devices: programs of compiler executorch, or of others, on CPUs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edgerig.bounded.stderr import captured_stderr
from edgerig.errors import InferenceError, ModelError
from edgerig.measure.census import Census, Request, grouped
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.models.graph.pte_file import Program, read_pte
from edgerig.runtimes.base import Array, Calls, Runtime
from edgerig.tensors import TensorSpec
from edgerig.text import cause_of

CENSUS_METHOD = "the operators in the program, and in what XNNPACK was handed, with the type of their first input"
MEMORY_METHOD = "buffers that the program plans for its tensors; what a delegate takes for its own is not in them"
#: Characters of the engine's words that an error quotes.
_LONGEST = 400
_starting = threading.Lock()


class ExecuTorch(Runtime):
    """Programs on XNNPACK, where they were compiled for it, and on ExecuTorch's own kernels."""

    name = "executorch"
    summary = "ExecuTorch: programs (.pte) on XNNPACK and its own kernels, on the CPU"
    extra = "executorch"
    engine = "executorch"
    modules = ("executorch", "torch")
    formats: ClassVar[frozenset[str]] = frozenset({"executorch"})
    invoke_method = "ExecuTorchMethod.execute only; set_inputs before, get_outputs and a copy after"

    @classmethod
    def version(cls) -> str:
        cls.require()
        from importlib.metadata import version

        return version("executorch")

    def _prepare(self, path: Path) -> None:
        try:
            self._program = read_pte(path.read_bytes(), path.name)
        except ModelError as error:
            raise InferenceError(error.message, error.hint) from error
        self._engine = engine()
        self._path = path
        _check_parts(self._engine, self._program, path.name)
        with _starting:
            # Its threads are those of the process.
            self._engine._unsafe_reset_threadpool(self.settings.threads)

    def _load(self, path: Path) -> None:
        self._loaded_program, self._method = self._opened()

    def _opened(self, record: bool = False) -> tuple[Any, Any]:
        """The program and its method, which lives as long; with a record of events if asked for."""
        with captured_stderr() as words:
            try:
                verified = self._engine.Verification.InternalConsistency
                program = self._engine._load_program(str(self._path), record, 0, verified)
                return program, program.load_method(self._program.method)
            except RuntimeError as error:
                failure: RuntimeError | None = error
        raise InferenceError(
            f"ExecuTorch {self.version()} cannot load {self._path.name}: {_words(words(), failure)}",
            "It may be made by a newer version: compile it again by this one.",
        ) from failure

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return self._program.inputs

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return self._program.outputs

    def _calls(self) -> Calls:
        return self._calls_of(self._method)

    def _calls_of(self, method: Any) -> Calls:
        tensors = [_tensor(spec, order) for spec, order in zip(self._program.inputs, self._program.orders, strict=True)]
        # They share the tensors' memory, so that a sample lies in it as the program expects.
        arrays = [tensor.numpy() for tensor in tensors]
        set_all, execute, get_all = method.set_inputs, method.execute, method.get_outputs

        def set_inputs(sample: Sequence[Array]) -> None:
            for array, value in zip(arrays, sample, strict=True):
                np.copyto(array, value)
            set_all(tensors)

        def get_outputs() -> Sequence[Array]:
            return [output.numpy().copy() for output in get_all(False)]

        return set_inputs, execute, get_outputs

    def _profile(self, batches: Sequence[Array]) -> list[LayerTime] | Unavailable:
        from edgerig.runtimes.executorch_profile import layers_of

        program, method = self._opened(record=True)
        set_inputs, invoke, _ = self._calls_of(method)
        samples = list(zip(*batches, strict=True))
        # The first run is cold.
        for sample in [samples[0], *samples]:
            set_inputs(sample)
            invoke()
        return layers_of(program, self._program, len(samples))

    def _census(self, batches: Sequence[Array]) -> Census | Unavailable:
        rows = [(operator.op, operator.placement, operator.dtype) for operator in self._program.operators]
        if not rows:
            return Unavailable("the program has no operator")
        # A program names a delegate where somebody has asked for it when it was compiled.
        first, *others = self._program.delegates or ("",)
        requested = [Request(kind="placement", name=first)] if first else []
        requested += [Request(kind="preference", name=name) for name in others]
        return Census(operators=grouped(rows), method=CENSUS_METHOD, requested=tuple(requested))

    def _memory(self) -> dict[str, Quantity]:
        value = float(self._program.arena)
        return {"arena": Measurement(value=value, unit="B", kind="measured", method=MEMORY_METHOD)}

    def _close(self) -> None:
        # A method must not outlive its program.
        del self._method
        del self._loaded_program


def engine() -> Any:
    """ExecuTorch's binding. Its public module imports the compiler, too, which takes four times as long."""
    import torch  # noqa: F401 - the binding needs its libraries
    from executorch.extension.pybindings import _C

    return _C


def _check_parts(engine: Any, program: Program, file: str) -> None:
    """Refuse a program by the names of what this build of ExecuTorch lacks, which would tell a number alone.

    Raises:
        InferenceError: It needs a delegate or a kernel that is not there.
    """
    for name in program.delegates:
        if not engine._is_available(name):
            there = ", ".join(sorted(engine._get_registered_backend_names()))
            raise InferenceError(
                f"{file} was compiled for {name}, which this ExecuTorch lacks (it has {there}).",
                "Compile it for XNNPACK: edgerig compile net.pt2 --to executorch.",
            )
    lacking = sorted(set(program.kernels) - set(engine._get_operator_names()))
    if lacking:
        raise InferenceError(
            f"This ExecuTorch has no kernel for {', '.join(lacking[:3])}, which {file} needs.",
            "Export the network without that operator, or build an ExecuTorch with a kernel for it.",
        )


def _tensor(spec: TensorSpec, order: tuple[int, ...]) -> Any:
    """An input in the order of axes that the program expects; else ExecuTorch refuses it."""
    import torch

    whole = order if sorted(order) == list(range(len(spec.shape))) else tuple(range(len(spec.shape)))
    return torch.empty_permuted(spec.shape, whole, dtype=getattr(torch, spec.dtype))


def _words(text: str, error: RuntimeError | None) -> str:
    """What the engine has said, without what it says of every processor."""
    lines = [line.partition("] ")[2] for line in text.splitlines() if line.startswith("[") and "cpuinfo" not in line]
    return " ".join([*lines[-2:], cause_of(error) if error else ""])[-_LONGEST:]
