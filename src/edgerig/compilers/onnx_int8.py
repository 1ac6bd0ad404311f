"""ONNX in int8: static quantization in QDQ form, which ONNX Runtime fuses into integer kernels.

Dynamic quantization is left out on purpose: ONNX Runtime runs it many times slower on convolutional networks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from numpy.typing import NDArray

from edgerig.artifact import Artifact, TensorSpec
from edgerig.compilers.base import CompilerSettings, ModelCompiler
from edgerig.compilers.calibration import calibration_inputs
from edgerig.compilers.onnx import float_onnx, refuses_quantized
from edgerig.compilers.result import with_layouts
from edgerig.datasets.base import Dataset
from edgerig.errors import ArtifactCheckError, CompileError, IncompatibleError
from edgerig.models.graph.onnx_file import read_onnx
from edgerig.models.graph.read import io_specs
from edgerig.models.graph.scheme import FLOATS
from edgerig.models.graph.types import Graph, Operator
from edgerig.plugins import Settings
from edgerig.progress import Progress
from edgerig.text import cause_of

Described = msgspec.Meta

#: First version of the operator set with scales per channel.
OLDEST_OPSET = 13

#: First version of the file format in which constants need not be inputs.
FIRST_IR_OF_HIDDEN_CONSTANTS = 4

#: Inputs that are parameters and not data, by operator: regions and factors stay float, whatever is resized.
SETTINGS = {"Resize": (1, 2, 3), "Upsample": (1,)}

#: The file in the working folder that is quantized, its operators folded.
PREPARED = "prepared.onnx"

#: Operators that ONNX Runtime fuses into their producer when quantizing.
FOLDED = frozenset({"Relu", "Clip"})


class OnnxInt8Settings(CompilerSettings, frozen=True, kw_only=True):
    """Settings of ONNX quantization."""

    calibration_samples: Annotated[
        int, Described(description="samples of the training split to calibrate with, all classes alike", ge=1)
    ] = 100
    activation_type: Annotated[
        Literal["int8", "uint8"], Described(description="type of activations; uint8 can saturate on x86 without VNNI")
    ] = "int8"
    per_channel: Annotated[bool, Described(description="one scale for each output channel of a weight")] = True


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

    def _refuses(self, format: str, scheme: str) -> str | None:
        return refuses_quantized(self.name, format, scheme)

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes:
        assert dataset is not None, "the pipeline refuses to calibrate without a dataset"
        settings: Any = self.settings
        model = float_onnx(artifact)
        names, specs = _inputs(artifact, model)
        arrays = calibration_inputs(dataset, artifact.preprocessing, specs, settings.calibration_samples)
        samples, count = dict(zip(names, arrays, strict=True)), len(arrays[0])
        with progress.task(f"calibrate {artifact.name} on {count} samples", count) as task:
            return quantize_qdq(model, samples, work, settings, task.advance)

    def _inspect(self, graph: Graph, data: bytes, scheme: str, file: str) -> None:
        left = unquantized(graph)
        if left:
            raise ArtifactCheckError(
                f"{file} should be int8, but {left[0]}" + (f" ({len(left) - 1} more)." if len(left) > 1 else "."),
                "ONNX Runtime does not quantize that operator: replace the layer, or take the float file.",
            )
        super()._inspect(graph, data, scheme, file)


def quantize_qdq(
    model: bytes,
    samples: Mapping[str, NDArray[Any]],
    work: Path,
    settings: OnnxInt8Settings,
    advance: Callable[[], object],
) -> bytes:
    """Quantize float ONNX bytes; ranges are the minimum and maximum over the samples.

    Args:
        model: Float ONNX.
        samples: For each input, by its name, an array (n, *input shape), in its dtype.
        work: An empty folder for ONNX Runtime's files.
        settings: Types and granularity.
        advance: Called after each sample.

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

    activations = {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}[settings.activation_type]
    try:
        with _quiet():
            prepared = _prepare(model, work)
            quantize_static(
                str(prepared),
                str(work / "quantized.onnx"),
                Reader(),
                quant_format=QuantFormat.QDQ,
                per_channel=settings.per_channel,
                activation_type=activations,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                # Otherwise a Transpose or pool right after the input moves float32, four times the bytes.
                extra_options={"ForceQuantizeNoInputCheck": True},
            )
    except (OSError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise CompileError(f"ONNX Runtime cannot quantize the network: {cause_of(error)}.") from error
    return (work / "quantized.onnx").read_bytes()


def unquantized(graph: Graph) -> list[str]:
    """Operators of a QDQ graph that would run in float, one sentence each; empty if all run in integers.

    An operator is computed in integers if its float inputs come from a DequantizeLinear and its float outputs go
    to a QuantizeLinear and nowhere else; a Relu or Clip between does not count.
    """
    makers = {output: operator for operator in graph.operators for output in operator.outputs}
    readers: dict[int, list[Operator]] = {}
    for operator in graph.operators:
        for index in operator.inputs:
            readers.setdefault(index, []).append(operator)
    sentences = []
    for operator in graph.operators:
        if operator.op in ("QuantizeLinear", "DequantizeLinear"):
            continue
        for position, index in enumerate(operator.inputs):
            if position in SETTINGS.get(operator.op, ()):
                continue
            maker = makers.get(index)
            folded = operator.op in FOLDED and maker is not None and maker.op != "DequantizeLinear"
            if _is_float(graph, index) and (maker is None or maker.op != "DequantizeLinear") and not folded:
                sentences.append(_sentence(graph, index, operator))
        for index in operator.outputs:
            if _is_float(graph, index) and not _goes_to_integers(graph, index, readers):
                sentences.append(_sentence(graph, index, operator))
    return sentences


def _is_float(graph: Graph, index: int) -> bool:
    """Whether a tensor carries data in float; scalars such as the limits of a Clip do not count."""
    if index < 0 or graph.tensors[index].dtype not in FLOATS:
        return False
    tensor = graph.tensors[index]
    return not (tensor.constant and tensor.elements <= 1)


def _goes_to_integers(graph: Graph, index: int, readers: dict[int, list[Operator]]) -> bool:
    following = readers.get(index, [])
    if index in graph.outputs or not following:
        return False
    return all(
        reader.op == "QuantizeLinear"
        or (reader.op in FOLDED and _goes_to_integers(graph, reader.outputs[0], readers) and len(following) == 1)
        for reader in following
    )


def _sentence(graph: Graph, index: int, operator: Operator) -> str:
    tensor = graph.tensors[index]
    kind = "weight" if tensor.constant else "activation"
    return f"the {kind} {tensor.name!r} of operator {operator.index} ({operator.op}) is {tensor.dtype}"


def _inputs(artifact: Artifact, model: bytes) -> tuple[list[str], tuple[TensorSpec, ...]]:
    """Names of the inputs in ONNX, and the inputs under the names that the artifact knows them by.

    Raises:
        IncompatibleError: None of them is float32, so that there is no range to calibrate.
    """
    specs, _ = io_specs(read_onnx(model, Path(artifact.path).with_suffix(".onnx")))
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


def _prepare(model: bytes, work: Path) -> Path:
    """Infer shapes, and fold batch normalization into convolutions, which would stay float otherwise."""
    import onnx
    import onnxruntime

    loaded = onnx.load_model_from_string(model)
    _constants_are_no_inputs(loaded)
    opset = next((item.version for item in loaded.opset_import if item.domain in ("", "ai.onnx")), OLDEST_OPSET)
    if opset < OLDEST_OPSET:
        loaded = onnx.version_converter.convert_version(loaded, OLDEST_OPSET)
    folded, prepared = work / "folded.onnx", work / PREPARED
    options = onnxruntime.SessionOptions()
    # Basic level: stay within the standard operators.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(loaded.SerializeToString(), options, providers=["CPUExecutionProvider"])
    onnx.save(onnx.shape_inference.infer_shapes(onnx.load(folded)), prepared)
    return prepared


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop ONNX Runtime's advice, which it gives on the root logger, unless more than warnings is asked for there.

    Records of anybody else pass, as do errors.
    """
    root = logging.getLogger()

    def passes(record: logging.LogRecord) -> bool:
        is_advice = record.levelno < logging.ERROR and "onnxruntime" in Path(record.pathname).parts
        return not is_advice or root.isEnabledFor(logging.INFO)

    root.addFilter(passes)
    try:
        yield
    finally:
        root.removeFilter(passes)


def _constants_are_no_inputs(model: Any) -> None:
    """Remove constants from the inputs, where files of IR version 3 list them as well; later versions need not.

    A constant that is an input could be overridden at run time; so it would be neither folded nor quantized.
    """
    constants = {proto.name for proto in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, FIRST_IR_OF_HIDDEN_CONSTANTS)
