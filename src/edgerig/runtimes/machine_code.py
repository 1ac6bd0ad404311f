"""What runtimes of machine code have in common: the file, what it is bound to, and whether it is for this processor."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from edgerig.errors import InferenceError, ModelError
from edgerig.measure import cpu_features
from edgerig.measure.census import Census, OperatorGroup, grouped
from edgerig.measure.kinds import Unavailable
from edgerig.models.cpu_module import Bound, other_settings, unpacked, why_not_here
from edgerig.runtimes.base import Runtime
from edgerig.tensors import TensorSpec


class MachineCodeRuntime(Runtime):
    """A runtime whose networks are machine code for one processor; its name is that of the compiler and the format."""

    runs_machine_code = True
    formats: ClassVar[frozenset[str]]
    _bound_to: Bound

    def _prepare(self, path: Path) -> None:
        """Read what the file is bound to, and refuse it by name where this processor cannot run it."""
        try:
            self._bound_to, self._module = unpacked(path.read_bytes(), path.name, self.name)
        except ModelError as error:
            raise InferenceError(error.message, error.hint) from error
        reason = why_not_here(self._bound_to)
        if reason is not None:
            raise InferenceError(f"{path.name} {reason}.", other_settings(self.name))

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return self._bound_to.inputs

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return self._bound_to.outputs

    def _kernels(self, method: str) -> Census | Unavailable:
        """The functions of the module as its compiler told them, on the processor that they are code for."""
        bound = self._bound_to
        if not bound.kernels:
            return Unavailable(f"{self.name} does not tell what it has compiled")
        groups: tuple[OperatorGroup, ...] = grouped(
            (kernel.op, processor(bound), kernel.dtype) for kernel in bound.kernels
        )
        return Census(operators=groups, method=method)


def processor(bound: Bound) -> str:
    """What a module is code for, with the widest instruction set that it uses: ``CPU znver4, avx512f``."""
    used = cpu_features.widest(bound.machine, bound.features)
    return f"CPU {bound.cpu}" + (f", {used}" if used else "")
