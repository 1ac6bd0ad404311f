"""TVM's shared libraries, on the processor that compiler tvm made them for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edgerig.environments.requirements import numbers
from edgerig.errors import InferenceError
from edgerig.measure.census import Census, grouped
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.runtimes.base import Array, Calls
from edgerig.runtimes.machine_code import MachineCodeRuntime, processor

CENSUS_METHOD = "the functions that TVM's virtual machine called in one inference; the type of their first operand"
PROFILE_METHOD = "calls of TVM's virtual machine, by set_instrument; mean; each with a microsecond or two of the call"
#: Functions of the virtual machine itself: allocating, checking shapes.
_OWN = "vm.builtin."


class TvmRuntime(MachineCodeRuntime):
    """Libraries of compiler tvm. One for another processor or version is refused by name."""

    name = "tvm"
    summary = "TVM: libraries of compiler tvm, on the CPU that they were made for"
    extra = "tvm"
    engine = "tvm"
    modules = ("tvm", "tvm_ffi")
    formats: ClassVar[frozenset[str]] = frozenset({"tvm"})
    resets_state = True
    invoke_method = "the virtual machine's function only; inputs copied into its tensors before, outputs after"

    @classmethod
    def version(cls) -> str:
        cls.require()
        import tvm

        return str(tvm.__version__)

    def _prepare(self, path: Path) -> None:
        super()._prepare(path)
        import tvm

        compiled_by, here = self._bound_to.version, str(tvm.__version__)
        # Its virtual machine changes from version to version, and what does not fit ends the process.
        if numbers(compiled_by)[:2] != numbers(here)[:2]:
            raise InferenceError(
                f"{path.name} was made by TVM {compiled_by}; this is {here}.", "Compile it by this version."
            )

    def _load(self, path: Path) -> None:
        import tvm
        from tvm import relax

        tvm.get_global_func("runtime.config_threadpool")(1, self.settings.threads)
        self._machine = relax.VirtualMachine(tvm.runtime.load_module(str(path.absolute())), tvm.cpu())
        self._function = self._machine[self._bound_to.function]

    def _calls(self) -> Calls:
        import tvm

        tensors = [tvm.runtime.empty(spec.shape, spec.dtype) for spec in self._bound_to.inputs]
        function, count = self._function, len(self._bound_to.outputs)
        result: Any = None

        def set_inputs(sample: Sequence[Array]) -> None:
            for tensor, value in zip(tensors, sample, strict=True):
                tensor.copyfrom(value)

        def invoke() -> None:
            nonlocal result
            result = function(*tensors)

        def get_outputs() -> Sequence[Array]:
            outputs = [result] if hasattr(result, "numpy") else list(result)
            if len(outputs) != count:
                raise InferenceError(f"The network has returned {len(outputs)} outputs instead of {count}.")
            return [output.numpy() for output in outputs]

        return set_inputs, invoke, get_outputs

    def _begin_sequence(self) -> None:
        """Nothing: no library of ours keeps a state."""

    def _instrumented(self, batches: Sequence[Array], instrument: Any) -> None:
        """Run all samples, with ``instrument`` called before and after each function of the virtual machine."""
        set_inputs, invoke, _ = self._calls()
        self._machine.set_instrument(instrument)
        try:
            for sample in zip(*batches, strict=True):
                set_inputs(sample)
                invoke()
                instrument(None, "", False, None)
        finally:
            self._machine.set_instrument(_nothing)

    def _profile(self, batches: Sequence[Array]) -> list[LayerTime] | Unavailable:
        runs: list[list[tuple[str, int]]] = [[]]
        begun = 0

        def instrument(_: Any, name: str, before: bool, __: Any, *___: Any) -> None:
            nonlocal begun
            now = time.perf_counter_ns()
            if not name:
                runs.append([])
            elif before:
                begun = time.perf_counter_ns()
            elif not name.startswith(_OWN):
                runs[-1].append((name, now - begun))

        self._instrumented([np.concatenate([array[:1], array]) for array in batches], instrument)
        # The first run is cold, the last list empty.
        return layers_of(runs[1:-1])

    def _census(self, batches: Sequence[Array]) -> Census | Unavailable:
        operators: list[tuple[str, str, str]] = []
        cpu = processor(self._bound_to)

        def instrument(_: Any, name: str, before: bool, __: Any, *arguments: Any) -> None:
            if before and name and not name.startswith(_OWN):
                tensors = [argument for argument in arguments if hasattr(argument, "dtype")]
                operators.append((name, cpu, str(tensors[0].dtype) if tensors else ""))

        self._instrumented(batches, instrument)
        if not operators:
            return Unavailable("TVM has called no function in an inference")
        return Census(operators=grouped(operators), method=CENSUS_METHOD)

    def _close(self) -> None:
        del self._function, self._machine, self._module


def layers_of(runs: Sequence[Sequence[tuple[str, int]]]) -> list[LayerTime] | Unavailable:
    """The functions that were called, in order, with the mean of their ns over the inferences of ``runs``."""
    if not runs or not runs[0]:
        return Unavailable("TVM has called no function in an inference")
    if len({tuple(name for name, _ in run) for run in runs}) > 1:
        return Unavailable("the network does not call the same functions in each inference")
    means = np.asarray([[ns for _, ns in run] for run in runs], np.float64).mean(axis=0) * 1e-9
    return [
        LayerTime(
            index=index,
            name=name,
            op=name,
            time=Measurement(
                value=float(mean),
                unit="s",
                kind="measured",
                method=PROFILE_METHOD,
                clock="time.perf_counter_ns",
                n=len(runs),
            ),
        )
        for index, ((name, _), mean) in enumerate(zip(runs[0], means, strict=True))
    ]


def _nothing(*_: Any) -> None:
    """An instrument that does nothing."""
