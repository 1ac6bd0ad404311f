"""TensorFlow itself: SavedModels, and Keras files by Keras' TensorFlow backend."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edgerig.artifact import TensorSpec
from edgerig.errors import InferenceError, ModelError
from edgerig.installed import version
from edgerig.measure.census import Census, grouped
from edgerig.measure.kinds import Unavailable
from edgerig.models.graph.saved_model import is_saved_model
from edgerig.models.saved_model import signature_of, tensors_of
from edgerig.runtimes.base import Array, Calls, Runtime

METHOD = "the graphs that TensorFlow ran in one inference, after its optimizations, as its run metadata tells them"
#: What names, holds and passes values in a graph, and computes nothing.
_PLUMBING = frozenset({"_Arg", "_Retval", "Const", "NoOp", "ReadVariableOp", "Identity", "VarHandleOp", "Placeholder"})


class SavedModel(Runtime):
    """SavedModels by one of their signatures, and Keras files, on TensorFlow's CPU kernels, or its GPU's."""

    name = "savedmodel"
    summary = "TensorFlow: SavedModels and .keras files (a heavy install, 1.5 GB)"
    extra = "tensorflow"
    engine = "tensorflow"
    modules = ("tensorflow",)
    formats: ClassVar[frozenset[str]] = frozenset({"savedmodel", "keras"})
    resets_state = True
    invoke_method = "the concrete function alone, waited for; inputs made tensors before, outputs copied after"

    @classmethod
    def version(cls) -> str:
        cls.require()
        names = ("tensorflow", "tensorflow-cpu")
        return next((text for name in names if (text := version(name)) is not None), "unknown")

    def _prepare(self, path: Path) -> None:
        # Lines about processors and plugins, which would hide what matters.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        # Before TensorFlow, which imports Keras; who trains with edgerig has set it to JAX.
        os.environ["KERAS_BACKEND"] = "tensorflow"
        import tensorflow

        threads = self.settings.threads
        try:
            tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
            tensorflow.config.threading.set_inter_op_parallelism_threads(1)
        except RuntimeError as error:
            if tensorflow.config.threading.get_intra_op_parallelism_threads() != threads:
                raise InferenceError(
                    f"TensorFlow runs in this process already, with another number of threads than {threads}.",
                    "Run it in a fresh process, as every target does.",
                ) from error

    def _load(self, path: Path) -> None:
        try:
            self._path = path
            self._function, self._input_specs, self._output_specs = _opened(path)
        except ModelError as error:
            raise InferenceError(error.message, error.hint) from error

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return self._input_specs

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return self._output_specs

    def _calls(self) -> Calls:
        return self._bound_to(self._function)

    def _bound_to(self, function: Callable[..., dict[str, Any]]) -> Calls:
        import tensorflow

        names = [spec.name for spec in self._output_specs]
        keys = [spec.name for spec in self._input_specs]
        feeds: dict[str, Any] = {}
        results: dict[str, Any] = {}
        # Functions on a CPU return when they are done; those on a GPU when they are begun.
        wait: Callable[[], object] = (
            tensorflow.test.experimental.sync_devices
            if tensorflow.config.list_physical_devices("GPU")
            else lambda: None
        )

        def set_inputs(sample: Sequence[Array]) -> None:
            for key, value in zip(keys, sample, strict=True):
                feeds[key] = tensorflow.constant(value)

        def invoke() -> None:
            results.update(function(**feeds))
            wait()

        def get_outputs() -> Sequence[Array]:
            return [np.array(results[name]) for name in names]

        return set_inputs, invoke, get_outputs

    def _begin_sequence(self) -> None:
        """Nothing: a signature starts from the file's own state in each inference."""

    def _census(self, batches: Sequence[Array]) -> Census | Unavailable:
        from tensorflow.python.eager import context

        # TensorFlow tells of a function's graphs in its first call alone.
        set_inputs, invoke, _ = self._bound_to(_opened(self._path)[0])
        set_inputs([batch[0] for batch in batches])
        context.enable_run_metadata()
        try:
            invoke()
            metadata = context.export_run_metadata()
        finally:
            context.disable_run_metadata()
        if not metadata.partition_graphs:
            return Unavailable("this version of TensorFlow does not tell what it ran")
        return census_of(metadata.partition_graphs)

    def _close(self) -> None:
        del self._function


def census_of(graphs: Any) -> Census:
    """The census of the graphs that ran, one for each device."""
    import tensorflow

    rows = [
        (
            node.op,
            node.device.rpartition("/device:")[2] or "CPU:0",
            tensorflow.dtypes.as_dtype(node.attr["T"].type).name if node.attr["T"].type else "",
        )
        for graph in graphs
        for node in graph.node
        if node.op not in _PLUMBING
    ]
    return Census(operators=grouped(rows), method=METHOD)


#: A function that takes inputs and gives outputs by name, and the tensors of both.
_Network = tuple[Callable[..., dict[str, Any]], tuple[TensorSpec, ...], tuple[TensorSpec, ...]]


def _opened(path: Path) -> _Network:
    return _of_signature(path) if is_saved_model(path) else _of_keras(path)


def _of_signature(path: Path) -> _Network:
    import tensorflow

    signature = signature_of(path)
    inputs, outputs = tensors_of(signature, path.name)
    loaded = tensorflow.saved_model.load(str(path))
    function = loaded.signatures[signature.name]
    # The variables belong to what was loaded, and end with it.
    function._edgerig_owner = loaded
    return function, inputs, outputs


def _of_keras(path: Path) -> _Network:
    if "keras" in sys.modules and sys.modules["keras"].backend.backend() != "tensorflow":
        raise InferenceError(
            f"Keras runs in this process already, on {sys.modules['keras'].backend.backend()}.",
            "Run it in a fresh process, as every target does.",
        )
    import keras
    import tensorflow

    model = keras.models.load_model(path, compile=False)
    inputs = [tensorflow.TensorSpec([1, *tensor.shape[1:]], tensor.dtype, tensor.name) for tensor in model.inputs]
    names = [str(name) for name in getattr(model, "output_names", None) or range(len(model.outputs))]

    def call(*values: Any) -> dict[str, Any]:
        outputs = model(values[0] if len(values) == 1 else list(values), training=False)
        return dict(zip(names, tensorflow.nest.flatten(outputs), strict=True))

    concrete = tensorflow.function(call).get_concrete_function(*inputs)
    keys = [spec.name for spec in inputs]

    def function(**feeds: Any) -> dict[str, Any]:
        outputs: dict[str, Any] = concrete(*(feeds[key] for key in keys))
        return outputs

    def spec(name: str, tensor: Any) -> TensorSpec:
        shape = [1, *(-1 if size is None else int(size) for size in tensor.shape[1:])]
        return TensorSpec(name=name, shape=tuple(shape), dtype=tensorflow.as_dtype(tensor.dtype).name)

    return (
        function,
        tuple(spec(key, tensor) for key, tensor in zip(keys, model.inputs, strict=True)),
        tuple(spec(name, tensor) for name, tensor in zip(names, model.outputs, strict=True)),
    )
