"""Quantization of float TFLite: float16 and int8 weights, and full integer with 8-bit or 16-bit activations."""

from __future__ import annotations

import contextlib
import copy
import io
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np

from edgerig.artifact import Artifact
from edgerig.compilers import flatbuffer
from edgerig.compilers.base import CompilerSettings, ModelCompiler
from edgerig.compilers.calibrated_tflite import Recipe, calibrated, no_memory_warning
from edgerig.compilers.calibration import calibration_inputs
from edgerig.compilers.finite_weights import finite_tflite
from edgerig.compilers.float32 import float_tflite
from edgerig.compilers.io_types import set_io_types
from edgerig.compilers.quantizer_operators import check_operators, import_quantizer
from edgerig.compilers.silent_channels import with_biases
from edgerig.datasets.base import Dataset
from edgerig.models.graph.types import Graph
from edgerig.plugins import Settings
from edgerig.progress import Progress

#: Operators whose weights may have fewer bits than 8, or one scale.
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
Described = msgspec.Meta


class Quantizer(ModelCompiler):
    """Quantizes float TFLite (Keras after conversion to it). Subclasses provide the recipe."""

    extra = "quantize"
    modules: ClassVar[tuple[str, ...]] = ("litert_quantizer", "ai_edge_litert")
    takes = frozenset({"keras", "tflite", "torch", "savedmodel"})
    makes = "tflite"
    after = "float32"

    def _refuses(self, format: str, scheme: str) -> str | None:
        if scheme != "float32":
            return f"compiler {self.name!r} quantizes float32 networks, and this one is {scheme} already"
        return None

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes:
        import_quantizer()
        model = flatbuffer.unpack(finite_tflite(float_tflite(artifact), artifact, self.scheme, self.name))
        # The quantizer identifies tensors by name.
        flatbuffer.rename_tensors(model, lambda name: name)
        inputs = flatbuffer.ensure_signature(model)
        return self._quantize(artifact, flatbuffer.pack(model), inputs, dataset, progress)

    def _quantize(
        self, artifact: Artifact, data: bytes, inputs: list[str], dataset: Dataset | None, progress: Progress
    ) -> bytes:
        return quantize(data, self._recipe(), None)

    def _recipe(self) -> Recipe:
        raise NotImplementedError


class Float16(Quantizer):
    """Weights stored as float16 and converted to float32 when the network runs."""

    name = "float16"
    summary = "TFLite with float16 weights: half the size, float arithmetic"
    scheme = "float16"

    def _recipe(self) -> Recipe:
        from litert_quantizer import algorithm_manager, recipe_manager
        from litert_quantizer.algorithms.nonlinear_quantize.float_casting import SUPPORTED_WEIGHT_QUANT_OPS

        manager = recipe_manager.RecipeManager()
        for operator in sorted(SUPPORTED_WEIGHT_QUANT_OPS):
            manager.add_weight_only_config(
                ".*", operator, 16, algorithm_key=algorithm_manager.AlgorithmName.FLOAT_CASTING
            )
        recipe: Recipe = manager.get_quantization_recipe()
        return recipe


class Dynamic(Quantizer):
    """int8 weights; activations are float32 in memory and quantized when the network runs.

    Constant matrices of BATCH_MATMUL stay float32.
    """

    name = "dynamic"
    summary = "TFLite with int8 weights and float32 activations (dynamic range)"
    scheme = "dynamic"

    def _recipe(self) -> Recipe:
        from litert_quantizer import recipe

        return [*recipe.dynamic_wi8_afp32(), _of_matrices(None)]


class CalibrationSettings(CompilerSettings, frozen=True, kw_only=True):
    """Settings of compilers that calibrate."""

    calibration_samples: Annotated[
        int, Described(description="samples of the training split to calibrate with, all classes alike", ge=1)
    ] = 200


class EndsSettings(CalibrationSettings, frozen=True, kw_only=True):
    """Settings of compilers to int8: the types of what goes in and comes out."""

    input_type: Annotated[Literal["int8", "uint8", "float32"], Described(description="type of the network's input")] = (
        "int8"
    )
    output_type: Annotated[
        Literal["int8", "uint8", "float32"], Described(description="type of the network's output")
    ] = "int8"


class Int8Settings(EndsSettings, frozen=True, kw_only=True):
    """Settings of full-integer quantization."""

    weight_bits: Annotated[
        Literal[8, 4], Described(description="bits of a weight of convolutions and dense layers")
    ] = 8
    per_channel: Annotated[bool, Described(description="one scale for each output channel of a weight")] = True


class Int16x8Settings(CalibrationSettings, frozen=True, kw_only=True):
    """Settings of full-integer quantization with 16-bit activations."""

    input_type: Annotated[Literal["int16", "float32"], Described(description="type of the network's input")] = "int16"
    output_type: Annotated[Literal["int16", "float32"], Described(description="type of the network's output")] = "int16"


class FullInteger(Quantizer):
    """Weights and activations as integers; calibrated."""

    needs_dataset = True

    def integer_ends(self) -> bool | None:
        return {self.settings.input_type, self.settings.output_type} != {"float32"}

    def _quantize(
        self, artifact: Artifact, data: bytes, inputs: list[str], dataset: Dataset | None, progress: Progress
    ) -> bytes:
        assert dataset is not None, "the pipeline refuses to calibrate without a dataset"
        settings: Any = self.settings
        arrays = calibration_inputs(dataset, artifact.preprocessing, artifact.inputs, settings.calibration_samples)
        # The network in TFLite has the inputs in the order of its source.
        samples, count = dict(zip(inputs, arrays, strict=True)), len(arrays[0])
        recipe, file = self._recipe(), Path(artifact.path).name
        check_operators(data, recipe, self.scheme or "int8", file)
        with progress.task(f"calibrate {artifact.name} on {count} samples", count) as task:
            data, ranges = calibrated(data, recipe, samples, self.scheme or "int8", file, task.advance)
        integers = self._trained(quantize(data, recipe, ranges), data, artifact, dataset, progress)
        return set_io_types(integers, settings.input_type, settings.output_type)

    def _trained(
        self, quantized: bytes, original: bytes, artifact: Artifact, dataset: Dataset, progress: Progress
    ) -> bytes:
        """The file to write, with quantized inputs and outputs, of the calibrated one."""
        return quantized

    def _inspect(self, graph: Graph, data: bytes, scheme: str, file: str) -> None:
        from edgerig.compilers.checks import check_artifact

        settings: Any = self.settings
        check_artifact(graph, scheme, file, input_type=settings.input_type, output_type=settings.output_type)


class Int8(FullInteger):
    """Weights and activations of 8 bits, weights per channel."""

    name = "int8"
    summary = "TFLite, full integer: int8 weights and activations, calibrated"
    scheme = "int8"
    Settings: ClassVar[type[Settings]] = Int8Settings

    def _recipe(self) -> Recipe:
        return int8_recipe(self.settings)


class Int16x8(FullInteger):
    """Weights of 8 bits, activations of 16; constant matrices of BATCH_MATMUL have 16, too."""

    name = "int16x8"
    summary = "TFLite, full integer: int8 weights and int16 activations, calibrated"
    scheme = "int16x8"
    Settings: ClassVar[type[Settings]] = Int16x8Settings

    def _recipe(self) -> Recipe:
        from litert_quantizer import recipe

        rules: Recipe = recipe.static_wi8_ai16()
        return [*rules, _of_matrices(rules[0], bits=16)]


def int8_recipe(settings: Any) -> Recipe:
    """The recipe of int8 activations, and weights as the `Int8Settings` say."""
    from litert_quantizer import qtyping, recipe

    rules: Recipe = recipe.static_wi8_ai8()
    own = []
    if (settings.weight_bits, settings.per_channel) != (8, True):
        for operation in WEIGHTED:
            rule = copy.deepcopy({**rules[0], "operation": qtyping.TFLOperationName[operation]})
            weights = rule["op_config"]["weight_tensor_config"]
            weights["num_bits"] = settings.weight_bits
            # The library lists depthwise kernels of 8 bits only; LiteRT computes with those of 4.
            rule["op_config"]["skip_checks"] = True
            if not settings.per_channel:
                weights["granularity"] = qtyping.QuantGranularity.TENSORWISE
            own.append(rule)
    return [*rules, *own, _of_matrices(rules[0], bits=8)]


def _of_matrices(rule: dict[str, Any] | None, bits: int = 8) -> dict[str, Any]:
    """The rule for constants of BATCH_MATMUL, which bilinear upsampling is made of: ``rule``, adapted to them.

    LiteRT computes zeros where such a constant has a scale per channel, and accepts it only in the type of the other
    operand; int8 beside float32 only as the right operand. Without ``rule`` they stay as they are.
    """
    from litert_quantizer import algorithm_manager, qtyping

    operation = qtyping.TFLOperationName.BATCH_MATMUL
    if rule is None:
        key = algorithm_manager.AlgorithmName.NO_QUANTIZE
        return {"regex": ".*", "operation": operation, "algorithm_key": key}
    changed = copy.deepcopy({**rule, "operation": operation})
    weights = changed["op_config"]["weight_tensor_config"]
    weights |= {"granularity": qtyping.QuantGranularity.TENSORWISE, "num_bits": bits}
    # The library accepts the usual pairs of types only; 16 and 16 bits is not one of them.
    changed["op_config"]["skip_checks"] = True
    return changed


def quantize(data: bytes, recipe: Recipe, ranges: dict[str, Any] | None) -> bytes:
    """Float TFLite bytes quantized by ``recipe``, all buffers inside the FlatBuffer and aligned to 16 bytes.

    Args:
        data: Float TFLite with one signature.
        recipe: A recipe of litert_quantizer.
        ranges: Result of `calibrate`, for recipes that quantize activations.
    """
    from litert_quantizer import quantizer

    # The library's own progress bars for large networks would interleave with ours.
    # Where all weights of a channel are 0, it divides by 0: `with_biases` puts that right.
    divided = np.errstate(divide="ignore", invalid="ignore")
    with no_memory_warning(), divided, contextlib.redirect_stderr(io.StringIO()):
        result = quantizer.Quantizer(data, recipe).quantize(
            ranges, enable_progress_bar=False, enable_progress_report=False
        )
    # From 256 KiB on the library writes the buffers outside the FlatBuffer.
    quantized = flatbuffer.pack(flatbuffer.unpack(bytes(result.quantized_model)))
    return quantized if ranges is None else with_biases(quantized, data, "the quantized network")
