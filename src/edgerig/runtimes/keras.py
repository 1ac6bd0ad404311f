"""Keras on JAX on the CPU: the network as its framework runs it, compiled by XLA."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from edgerig.errors import InferenceError, ModelError, SpecError
from edgerig.measure.census import Census
from edgerig.measure.kinds import Unavailable
from edgerig.models.keras.engine import import_keras
from edgerig.models.keras.files import load_keras, stateless, tensor_specs
from edgerig.plugin_code import files_of
from edgerig.runtimes.base import Array, Calls, Runtime, RuntimeSettings
from edgerig.tensors import TensorSpec


class KerasSettings(RuntimeSettings, frozen=True, kw_only=True):
    """Settings of ``keras``."""

    custom: Annotated[
        str | None,
        msgspec.Meta(description="module, as package.module, that defines layers of the file that Keras does not have"),
    ] = None


class Keras(Runtime):
    """Keras files, compiled by XLA. Its threads are XLA's own and cannot be set once it runs."""

    name = "keras"
    summary = "Keras on JAX: .keras and .h5 files on the CPU"
    extra = "train"
    modules = ("keras", "jax")
    formats: ClassVar[frozenset[str]] = frozenset({"keras"})
    Settings = KerasSettings
    settings: KerasSettings
    resets_state = True
    invoke_method = "the compiled call, waited for, on as many threads as XLA takes; inputs and outputs copied outside"

    def reads(self) -> tuple[Path, ...]:
        """The sources of the module with the layers of the user's own, and the files that these name."""
        return files_of(self.settings.custom) if self.settings.custom is not None else ()

    @classmethod
    def refuses_settings(cls, settings: RuntimeSettings) -> str | None:
        if settings.threads != 1:
            return "runtime 'keras' runs on as many threads as XLA takes, which cannot be set: leave `threads` out"
        return super().refuses_settings(settings)

    @classmethod
    def version(cls) -> str:
        cls.require()
        return f"{version('keras')} on JAX {version('jax')}"

    def _prepare(self, path: Path) -> None:
        import_keras()

    def _load(self, path: Path) -> None:
        try:
            model = load_keras(path, self.settings.custom)
        except (ModelError, SpecError) as error:
            raise InferenceError(error.message, error.hint) from error
        if not getattr(model, "inputs", None):
            raise InferenceError(f"{path.name} does not tell what its inputs are.", "Build it with keras.Input layers.")
        self._input_specs, self._output_specs = tensor_specs(model)
        network: Any = stateless(model)
        # Compiled here, and not within the first inference that is measured.
        self._network = network.lower([np.zeros(spec.shape, spec.dtype) for spec in self._input_specs]).compile()

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return self._input_specs

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return self._output_specs

    def _calls(self) -> Calls:
        import jax

        network = self._network
        wait: Any = jax.block_until_ready
        arrays: list[Any] = []
        results: list[Any] = []

        def set_inputs(sample: Sequence[Array]) -> None:
            arrays[:] = [jax.numpy.array(value) for value in sample]

        def invoke() -> None:
            results[:] = wait(network(arrays))

        def get_outputs() -> Sequence[Array]:
            return [np.array(value) for value in results]

        return set_inputs, invoke, get_outputs

    def _begin_sequence(self) -> None:
        """Nothing: the compiled call starts from the file's own state in each inference."""

    def _census(self, batches: Sequence[Array]) -> Census | Unavailable:
        import jax

        from edgerig.runtimes.xla_census import census_of

        program = self._network.as_text()
        if program is None:
            return Unavailable("this version of XLA does not print what it compiled")
        return census_of(program, str(jax.devices()[0].platform))

    def _close(self) -> None:
        del self._network
