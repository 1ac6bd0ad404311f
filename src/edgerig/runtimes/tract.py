"""tract, an engine in Rust: ONNX files on the CPU, on one thread."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from edgerig.errors import InferenceError
from edgerig.measure.census import Census
from edgerig.measure.kinds import Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.runtimes.base import Array, Calls, Runtime
from edgerig.runtimes.batch import ResizableSettings, fixed_batch
from edgerig.runtimes.onnx_wire import operator_types, output_names
from edgerig.runtimes.tract_report import census_of, layers_of
from edgerig.tensors import TensorSpec

#: tract's numbers of types (`tract.DatumType`), as numpy calls them. Others, such as complex numbers, are not fed.
_DTYPES = {
    0x01: "bool", 0x11: "uint8", 0x12: "uint16", 0x14: "uint32", 0x18: "uint64", 0x21: "int8", 0x22: "int16",
    0x24: "int32", 0x28: "int64", 0x32: "float16", 0x34: "float32", 0x38: "float64",
}  # fmt: skip
#: Operators of quantized networks. Version 0.23.9 runs a network in int8 (QDQ) and computes something else: for not one
#: of 200 random inputs the class was ONNX Runtime's.
_QUANTIZED = frozenset(
    {
        "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger",
        "MatMulInteger",
    }
)  # fmt: skip
_REFUSAL = "tract computes other outputs of quantized networks than ONNX defines: it is used for float networks alone"


class Tract(Runtime):
    """ONNX files on tract, without the quantized ones: their outputs would be wrong."""

    name = "tract"
    summary = "tract: ONNX files, on the CPU and one thread, in float32"
    extra = "tract"
    engine = "tract"
    modules = ("tract",)
    formats: ClassVar[frozenset[str]] = frozenset({"onnx"})
    one_thread = True
    resizes_batch = True
    resets_state = True
    Settings = ResizableSettings
    settings: ResizableSettings
    invoke_method = "State.run only; inputs become its tensors and a state is made before, outputs are copied after"

    @classmethod
    def _refuses(cls, format: str, scheme: str) -> str | None:
        return _REFUSAL if scheme in ("int8", "int16x8", "dynamic") else None

    @classmethod
    def version(cls) -> str:
        cls.require()
        import tract

        return str(tract.version())

    def _prepare(self, path: Path) -> None:
        import tract  # noqa: F401 - so that loading it is no part of loading the network

    def _load(self, path: Path) -> None:
        import tract

        content = path.read_bytes()
        quantized = sorted(_QUANTIZED & operator_types(content))
        if quantized:
            raise InferenceError(f"{path.name} has {quantized[0]}: {_REFUSAL}.", "Take the float32 network.")
        try:
            network = tract.onnx().load(str(path))
            self._set_batch(network)
            model = network.into_model()
            # Without a batch that is asked for, a free one is 1 (`_set_batch`): all shapes are known by now.
            names = output_names(content)
            count = model.output_count()
            if len(names) != count:
                names = tuple(model.output_name(index) for index in range(count))
            self._input_specs = tuple(
                _spec(model.input_name(index), model.input_fact(index)) for index in range(model.input_count())
            )
            self._output_specs = tuple(_spec(name, model.output_fact(index)) for index, name in enumerate(names))
            self._runnable = model.into_runnable()
        except tract.TractError as error:
            raise InferenceError(
                f"tract cannot load {path.name}: {_without_backtrace(error)}",
                "The file may be corrupt, or use an operator that tract lacks: try another runtime.",
            ) from error

    def _set_batch(self, network: Any) -> None:
        """Give the first axis of each input its size where the file leaves it free."""
        batch = self.settings.batch if isinstance(self.settings, ResizableSettings) else None
        for index in range(network.input_count()):
            # Such as `batch,28,28,1,f32`: an axis is a number, a name, or `?`.
            axes = str(network.input_fact(index).dump()).split(",")
            first = axes[0]
            if len(axes) < 2 or first == "..":
                continue
            if not first.isdecimal():
                network.set_input_fact(index, ",".join([str(batch or 1), *axes[1:]]))
            elif batch is not None and int(first) != batch:
                sizes = [int(axis) if axis.isdecimal() else -1 for axis in axes[:-1]]
                raise fixed_batch(network.input_name(index), sizes, batch, " in the file")

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return self._input_specs

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return self._output_specs

    def _calls(self) -> Calls:
        from tract import Tensor

        new_state, tensor_of = self._runnable.spawn_state, Tensor.from_numpy
        state: Any = None
        tensors: list[Any] = []
        results: list[Any] = []

        def set_inputs(sample: Sequence[Array]) -> None:
            nonlocal state, tensors
            # A new state each time, as tract's own `Runnable.run` has it: operators of ONNX begin anew.
            state, tensors = new_state(), [tensor_of(value) for value in sample]

        def invoke() -> None:
            nonlocal results
            results = state.run(tensors)

        def get_outputs() -> Sequence[Array]:
            return [result.to_numpy() for result in results]

        return set_inputs, invoke, get_outputs

    def _begin_sequence(self) -> None:
        """Nothing: each inference has a state of its own."""

    def _profile(self, batches: Sequence[Array]) -> list[LayerTime] | Unavailable:
        report = json.loads(self._runnable.profile_json([array[0] for array in batches]))
        return layers_of(report) or Unavailable("tract has recorded no operator")

    def _census(self, batches: Sequence[Array]) -> Census | Unavailable:
        # Without inputs nothing is run: it tells the operators and what each computes.
        return census_of(json.loads(self._runnable.profile_json(None)))

    def _close(self) -> None:
        del self._runnable


def _spec(name: str, fact: Any) -> TensorSpec:
    """An end of a model; an axis of an output that only the engine knows is -1.

    Raises:
        InferenceError: It is of a type that numpy lacks, or an axis of it is free behind the first.
    """
    dtype = _DTYPES.get(int(fact.datum_type()))
    if dtype is None:
        raise InferenceError(
            f"{name!r} is a tensor of {fact.dump()}, which edgerig does not feed.",
            "Cut the network so that its inputs and outputs are dense tensors of numbers.",
        )
    axes = [str(axis) for axis in fact.dims()]
    return TensorSpec(name=name, shape=tuple(int(axis) if axis.isdecimal() else -1 for axis in axes), dtype=dtype)


def _without_backtrace(error: Exception) -> str:
    """What tract says, without the addresses of its functions."""
    return " ".join(str(error).partition("Stack backtrace:")[0].split())
