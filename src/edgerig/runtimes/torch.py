"""PyTorch on the CPU: programs of torch.export, as the framework itself runs them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from edgerig.errors import InferenceError, ModelError
from edgerig.measure.census import Census
from edgerig.models.torch.archive import Archive
from edgerig.models.torch.engine import import_torch
from edgerig.models.torch.files import load_program
from edgerig.runtimes.base import Array, Calls, Runtime
from edgerig.tensors import TensorSpec


class Torch(Runtime):
    """Programs of torch.export in PyTorch's eager mode."""

    name = "torch"
    summary = "PyTorch: programs of torch.export (.pt2), in eager mode on the CPU"
    extra = "torch"
    modules = ("torch",)
    formats: ClassVar[frozenset[str]] = frozenset({"torch"})
    invoke_method = "the program's module alone, without gradients; inputs made tensors before, outputs copied after"

    @classmethod
    def version(cls) -> str:
        cls.require()
        return str(import_torch().__version__)

    def _prepare(self, path: Path) -> None:
        torch = import_torch()
        self._threads_before = torch.get_num_threads()
        torch.set_num_threads(self.settings.threads)

    def _load(self, path: Path) -> None:
        try:
            specification = Archive(path.read_bytes(), path.name).specification()
            self._network = load_program(path).module()
        except ModelError as error:
            raise InferenceError(error.message, error.hint) from error
        self._input_specs, self._output_specs = specification.inputs, specification.outputs

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return self._input_specs

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return self._output_specs

    def _calls(self) -> Calls:
        torch = import_torch()
        network = self._network
        tensors: list[Any] = []
        results: list[Any] = []

        def set_inputs(sample: Sequence[Array]) -> None:
            tensors[:] = [torch.tensor(value) for value in sample]

        def invoke() -> None:
            with torch.no_grad():
                results[:] = [network(*tensors)]

        def get_outputs() -> Sequence[Array]:
            (output,) = results
            values = output if isinstance(output, list | tuple) else [output]
            return [value.numpy().copy() for value in values]

        return set_inputs, invoke, get_outputs

    def _census(self, batches: Sequence[Array]) -> Census:
        from edgerig.runtimes.torch_census import census_of

        set_inputs, invoke, _ = self._calls()
        set_inputs([batch[0] for batch in batches])
        return census_of(invoke)

    def _close(self) -> None:
        del self._network
        # Of the whole process: a training with another number of threads adds in another order.
        import_torch().set_num_threads(self._threads_before)
