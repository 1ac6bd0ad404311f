"""ONNX in int8: static quantization in QDQ form, which ONNX Runtime fuses into integer kernels.

Dynamic quantization is left out on purpose: ONNX Runtime runs it many times slower on convolutional networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from numpy.typing import NDArray

from edgerig.artifact import Artifact, TensorSpec
from edgerig.compilers.base import CompilerSettings, ModelCompiler
from edgerig.compilers.calibrated_onnx import Ends, checked_ends, with_masks
from edgerig.compilers.calibration import calibration_inputs
from edgerig.compilers.indexed_quantizer import indexed
from edgerig.compilers.onnx import float_onnx, refuses_quantized
from edgerig.compilers.onnx_prepared import prepare, quiet
from edgerig.compilers.qdq import computing, in_float, is_float, steep, unquantized
from edgerig.compilers.result import with_layouts
from edgerig.datasets.base import Dataset
from edgerig.errors import ArtifactCheckError, CompileError, IncompatibleError
from edgerig.measure.census import family
from edgerig.models.graph.memory import constant_tensors
from edgerig.models.graph.onnx_file import read_onnx
from edgerig.models.graph.read import io_specs
from edgerig.models.graph.types import Graph
from edgerig.plugins import Settings
from edgerig.progress import Progress
from edgerig.text import cause_of

Described = msgspec.Meta


class OnnxInt8Settings(CompilerSettings, frozen=True, kw_only=True):
    """Settings of ONNX quantization."""

    calibration_samples: Annotated[
        int, Described(description="samples of the training split to calibrate with, all classes alike", ge=1)
    ] = 100
    activation_type: Annotated[
        Literal["int8", "uint8"], Described(description="type of activations; uint8 can saturate on x86 without VNNI")
    ] = "int8"
    per_channel: Annotated[bool, Described(description="one scale for each output channel of a weight")] = True
    float_operators: Annotated[
        Literal["keep", "refuse"],
        Described(
            description="operators that ONNX Runtime does not quantize, such as square roots in a normalization: keep "
            "them in float, which is told, or refuse the network; those with weights are always refused"
        ),
    ] = "keep"


class OnnxInt8(ModelCompiler):
    """Static int8 ONNX (QDQ) of a float network; its inputs and outputs stay float32."""

    name = "onnx-int8"
    summary = "ONNX, int8 weights and activations (static QDQ), calibrated"
    extra = "onnx"
    modules: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime")
    takes = frozenset({"keras", "tflite", "onnx", "torch", "savedmodel"})
    makes = "onnx"
    after = "onnx"
    scheme = "int8"
    needs_dataset = True
    Settings: ClassVar[type[Settings]] = OnnxInt8Settings

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._in_float: dict[str, int] = {}

    def _refuses(self, format: str, scheme: str) -> str | None:
        return refuses_quantized(self.name, format, scheme)

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes:
        assert dataset is not None, "the pipeline refuses to calibrate without a dataset"
        settings: Any = self.settings
        model = float_onnx(artifact)
        names, specs = _inputs(artifact, model)
        arrays = calibration_inputs(dataset, artifact.preprocessing, specs, settings.calibration_samples)
        samples, count = dict(zip(names, arrays, strict=True)), len(arrays[0])
        file = Path(artifact.path).name
        prepared = prepare(model, work, file)
        before = read_onnx(prepared.read_bytes(), prepared)
        self._check_operators(before, file)
        floors = with_masks(prepared, samples)
        # To be refused, or to be kept in float as a whole.
        excluded = [operator.index for operator in steep(before)] if settings.float_operators == "keep" else []
        with progress.task(f"calibrate {artifact.name} on {count} samples", count) as task:
            check = checked_ends(prepared, floors, excluded, file)
            data = quantize_qdq(prepared, samples, settings, task.advance, excluded, file, check)
        graph = read_onnx(data, prepared)
        self._in_float = in_float(graph)
        if self._in_float and settings.float_operators == "keep":
            kinds = ", ".join(f"{number} {op}" for op, number in self._in_float.items())
            number, total = sum(self._in_float.values()), len(computing(graph))
            progress.log(f"{artifact.name}: {number} of {total} operators stay in float ({kinds})")
        return data

    def _check_operators(self, graph: Graph, file: str) -> None:
        """Refuse what cannot be quantized before anything is calibrated; ``graph`` is the float network.

        Raises:
            CompileError: An operator with weights would stay in float; names it.
        """
        from onnxruntime.quantization.registry import QDQRegistry

        if graph.operators and not any(operator.op in QDQRegistry for operator in graph.operators):
            kinds = list(dict.fromkeys(operator.op for operator in graph.operators))
            raise CompileError(
                f"{file} cannot be quantized: ONNX Runtime quantizes none of its operators "
                f"({', '.join(kinds[:4])}{' ..' if len(kinds) > 4 else ''}).",
                "Take the file as it is: trees and other classical models are small, and --to c makes C of many.",
            )
        constants = constant_tensors(graph)
        for operator in graph.operators:
            weighted = any(index in constants and is_float(graph, index) for index in operator.inputs[1:])
            if family(operator.op) is not None and weighted and operator.op not in QDQRegistry:
                raise CompileError(
                    f"{file} cannot be quantized: ONNX Runtime leaves operator {operator.index} ({operator.op}, "
                    f"{operator.name!r}), which multiplies by weights, in float.",
                    "Replace that layer, or take the float file.",
                )

    def _record(self) -> dict[str, Any]:
        return {"in_float": self._in_float} if self._in_float else {}

    def _inspect(self, graph: Graph, data: bytes, scheme: str, file: str) -> None:
        kept = self.settings.float_operators == "keep"
        left = [each.sentence for each in unquantized(graph) if not kept or family(each.operator.op) is not None]
        if left:
            raise ArtifactCheckError(
                f"{file} should be int8, but {left[0]}" + (f" ({len(left) - 1} more)." if len(left) > 1 else "."),
                "ONNX Runtime does not quantize that operator: replace the layer, or take the float file.",
            )
        super()._inspect(graph, data, scheme, file)


def quantize_qdq(
    prepared: Path,
    samples: Mapping[str, NDArray[Any]],
    settings: OnnxInt8Settings,
    advance: Callable[[], object],
    excluded: Sequence[int] = (),
    file: str = "the network",
    check: Callable[[Mapping[str, Ends]], dict[str, Ends]] = dict,
) -> bytes:
    """Quantize a file that `prepare` made; ranges are the minimum and maximum over the samples.

    Args:
        prepared: The file, in a folder for ONNX Runtime's others.
        samples: For each input, by its name, an array (n, *input shape), in its dtype.
        settings: Types and granularity.
        advance: Called after each sample.
        excluded: The positions of operators that stay in float.
        file: The name of the user's file, for messages.
        check: Makes the ranges to quantize with of those that were calibrated, or raises.

    Raises:
        CompileError: ONNX Runtime failed; its message is included.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rest = zip(*samples.values(), strict=True)

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            sample = next(self.rest, None)
            if sample is None:
                return None
            advance()
            return dict(zip(samples, sample, strict=True))

    quantized = prepared.with_name("quantized.onnx")
    activations = {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}[settings.activation_type]
    try:
        with quiet(), indexed(check):
            quantize_static(
                str(prepared),
                str(quantized),
                Reader(),
                quant_format=QuantFormat.QDQ,
                per_channel=settings.per_channel,
                activation_type=activations,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                nodes_to_exclude=_names(prepared, excluded),
                # Otherwise a Transpose or pool right after the input moves float32, four times the bytes.
                extra_options={"ForceQuantizeNoInputCheck": True},
            )
    except (OSError, KeyboardInterrupt, CompileError):
        raise
    except Exception as error:
        raise CompileError(f"ONNX Runtime cannot quantize {file}: {cause_of(error)}.") from error
    return quantized.read_bytes()


def _inputs(artifact: Artifact, model: bytes) -> tuple[list[str], tuple[TensorSpec, ...]]:
    """Names of the inputs in ONNX, and the inputs under the names that the artifact knows them by.

    Raises:
        IncompatibleError: None of them is float32, so that there is no range to calibrate.
    """
    path = Path(artifact.path)
    specs, _ = io_specs(read_onnx(model, path.with_suffix(".onnx")), path.name)
    if not any(spec.dtype == "float32" for spec in specs):
        kinds = ", ".join(f"{spec.name!r} is {spec.dtype}" for spec in specs)
        raise IncompatibleError(
            f"{artifact.name} takes no real numbers ({kinds}); calibration feeds float32.",
            "Take the float file, or quantize its TFLite form: --to int8.",
        )
    names = [spec.name for spec in specs]
    # The file does not hold the layout that was declared or inferred; converters keep the order of inputs.
    specs = with_layouts(specs, artifact.inputs)
    if [spec.shape for spec in specs] == [spec.shape for spec in artifact.inputs]:
        own = zip(specs, artifact.inputs, strict=True)
        specs = tuple(msgspec.structs.replace(spec, name=before.name) for spec, before in own)
    return names, specs


def _names(prepared: Path, positions: Sequence[int]) -> list[str]:
    """What the operators at some positions are called in the file, in which all have names of their own from now on."""
    import onnx

    model = onnx.load(prepared)
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"operator_{number}"
    if positions:
        onnx.save(model, prepared)
    return [model.graph.node[position].name for position in positions]
