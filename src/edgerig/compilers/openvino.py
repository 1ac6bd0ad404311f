"""OpenVINO's IR of TFLite and ONNX files, as they are or quantized by NNCF."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.compilers.base import CompilerSettings, ModelCompiler
from edgerig.compilers.calibration import calibration_inputs
from edgerig.datasets.base import Dataset
from edgerig.errors import CompileError, IncompatibleError
from edgerig.models.openvino_core import openvino_core
from edgerig.plugins import Settings
from edgerig.progress import Progress
from edgerig.tensors import TensorSpec
from edgerig.text import cause_of, one_line


class OpenVino(ModelCompiler):
    """OpenVINO's IR of a network in its own types: what `edgerig bench --runtime openvino` reads fastest."""

    name = "openvino"
    summary = "OpenVINO's IR (.xml and .bin), in the types that the network has"
    extra = "openvino"
    engine = "openvino"
    modules = ("openvino",)
    takes = frozenset({"tflite", "onnx"})
    makes = "openvino"
    after = "float32"
    direct = frozenset({"onnx"})

    def _refuses(self, format: str, scheme: str) -> str | None:
        return _unreadable(format, scheme)

    def refuses_integer_ends(self) -> str | None:
        return (
            "its inputs or outputs are integers with a scale, which OpenVINO's IR does not keep: what goes in and "
            "comes out would have no meaning. Give int8 input_type=float32 and output_type=float32"
        )

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> Path:
        _check_ends(artifact)
        return _saved(_read(artifact), work, artifact, own_names(artifact))


class OpenVinoInt8Settings(CompilerSettings, frozen=True, kw_only=True):
    """Settings of NNCF's quantization."""

    calibration_samples: Annotated[
        int, msgspec.Meta(description="samples of the training split to calibrate with, all classes alike", ge=1)
    ] = 100
    preset: Annotated[
        Literal["performance", "mixed"],
        msgspec.Meta(description="performance: symmetric scales everywhere; mixed: asymmetric ones for activations"),
    ] = "performance"
    fast_bias_correction: Annotated[
        bool, msgspec.Meta(description="correct biases layer by layer in one pass; false: the slower, closer way")
    ] = True


class OpenVinoInt8(ModelCompiler):
    """OpenVINO's IR in int8 by NNCF's post-training quantization; inputs and outputs stay float32."""

    name = "openvino-int8"
    summary = "OpenVINO's IR, int8 weights and activations by NNCF, calibrated"
    extra = "openvino"
    engine = "openvino"
    modules = ("openvino", "nncf")
    takes = frozenset({"tflite", "onnx"})
    makes = "openvino"
    after = "float32"
    direct = frozenset({"onnx"})
    scheme = "int8"
    needs_dataset = True
    Settings: ClassVar[type[Settings]] = OpenVinoInt8Settings

    def _refuses(self, format: str, scheme: str) -> str | None:
        if scheme != "float32":
            return f"compiler {self.name!r} starts from a float32 network, not from {scheme}"
        return None

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> Path:
        assert dataset is not None, "the pipeline refuses to calibrate without a dataset"
        settings: Any = self.settings
        model = _read(artifact)
        specs = _inputs(artifact, model)
        arrays = calibration_inputs(dataset, artifact.preprocessing, specs, settings.calibration_samples)
        with progress.task(f"calibrate {artifact.name} on {len(arrays[0])} samples", None) as task:

            def samples() -> Iterator[list[NDArray[Any]]]:
                for sample in zip(*arrays, strict=True):
                    # NNCF goes over them several times: what is told is that it goes on.
                    task.advance()
                    yield list(sample)

            quantized = _quantized(model, _Samples(samples, len(arrays[0])), settings, Path(artifact.path).name)
            return _saved(quantized, work, artifact, own_names(artifact))


class _Samples:
    """Calibration samples that NNCF may go through as often as it likes."""

    def __init__(self, make: Callable[[], Iterator[list[NDArray[Any]]]], count: int) -> None:
        self._make, self._count = make, count

    def __iter__(self) -> Iterator[list[NDArray[Any]]]:
        return self._make()

    def __len__(self) -> int:
        return self._count


def _unreadable(format: str, scheme: str) -> str | None:
    if (format, scheme) == ("tflite", "float16"):
        return "OpenVINO's reader of TFLite does not know weights in float16: start from the float32 file"
    return None


def _check_ends(artifact: Artifact) -> None:
    """Refuse inputs and outputs that are integers with a scale: the IR keeps the integers alone.

    Raises:
        IncompatibleError: Names the first one.
    """
    scaled = next((spec for spec in (*artifact.inputs, *artifact.outputs) if spec.quantization is not None), None)
    if scaled is not None:
        raise IncompatibleError(
            f"{scaled.name!r} of {artifact.name} is {scaled.dtype} with a scale, which OpenVINO's IR does not keep: "
            "what goes in and comes out would have no meaning.",
            "Quantize it with float ends: input_type=float32 and output_type=float32 of compiler int8.",
        )


def _read(artifact: Artifact) -> Any:
    """The network as OpenVINO reads it, a free batch set to 1.

    Raises:
        ModelError: The file is gone or was changed. CompileError: OpenVINO refuses it, in its own words.
    """
    import openvino

    artifact.read()
    try:
        model = openvino_core().read_model(str(artifact.path))
        free = {
            port: openvino.PartialShape([1, *list(port.partial_shape)[1:]])
            for port in model.inputs
            if port.partial_shape.rank.is_static and len(port.partial_shape) and port.partial_shape[0].is_dynamic
        }
        if free:
            model.reshape(free)
    except Exception as error:
        raise CompileError(
            f"OpenVINO cannot read {Path(artifact.path).name}: {_told(error)}",
            "Does the network use an operator that OpenVINO's reader does not know?",
        ) from error
    return model


def _inputs(artifact: Artifact, model: Any) -> tuple[TensorSpec, ...]:
    """The artifact's inputs in the model's order."""
    by_name = {spec.name: spec for spec in artifact.inputs}
    names = [port.get_node().get_friendly_name() for port in model.inputs]
    if set(names) == by_name.keys():
        return tuple(by_name[name] for name in names)
    if len(names) != len(artifact.inputs):
        raise CompileError(f"OpenVINO reads {len(names)} inputs in {artifact.name}, which has {len(artifact.inputs)}.")
    return artifact.inputs


def _quantized(model: Any, samples: _Samples, settings: OpenVinoInt8Settings, name: str) -> Any:
    import nncf

    presets = {"performance": nncf.QuantizationPreset.PERFORMANCE, "mixed": nncf.QuantizationPreset.MIXED}
    try:
        return nncf.quantize(
            model,
            nncf.Dataset(samples),
            preset=presets[settings.preset],
            subset_size=len(samples),
            fast_bias_correction=settings.fast_bias_correction,
        )
    except Exception as error:
        raise CompileError(f"NNCF cannot quantize {name}: {_told(error)}") from error


def _told(error: Exception) -> str:
    """What OpenVINO says of an error: the summary of its reader, which names the operators, where there is one."""
    summary = str(error).partition("Summary:")[2]
    return one_line(" ".join(line.strip("- ") for line in summary.splitlines()), 300) if summary else cause_of(error)


def own_names(artifact: Artifact) -> frozenset[str]:
    """The names of operators that come from the file: those that OpenVINO makes up differ from reading to reading."""
    first, second = ({node.get_friendly_name() for node in _read(artifact).get_ops()} for _ in range(2))
    return frozenset(first & second)


def _saved(model: Any, work: Path, artifact: Artifact, own: frozenset[str]) -> Path:
    """The model's files. Names that OpenVINO has made up are numbered anew, so that equal networks give equal files."""
    import openvino

    known = set(own)
    for index, node in enumerate(model.get_ordered_ops()):
        if node.get_friendly_name() not in own:
            name = f"{node.get_type_name()}_{index}"
            node.set_friendly_name(name if name not in known else f"{name}_")
    path = work / f"{Path(artifact.path).stem}.xml"
    # By default weights would become float16.
    openvino.save_model(model, str(path), compress_to_fp16=False)
    return path
