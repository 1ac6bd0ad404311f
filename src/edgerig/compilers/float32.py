"""Keras on JAX to float TFLite through StableHLO, without TensorFlow and PyTorch."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, ClassVar

from edgerig.artifact import Artifact
from edgerig.compilers import flatbuffer
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.quantizable import negations_as_products, without_shifts
from edgerig.compilers.stablehlo import dense_as_convolution
from edgerig.datasets.base import Dataset
from edgerig.errors import CompileError, EdgerigError, MissingExtraError, NotInstalledError
from edgerig.models.graph.tflite_check import buffers_outside
from edgerig.progress import Progress
from edgerig.text import cause_of

#: Name of the traced function; JAX puts it, as ``jit(net)/``, before the name of every operator.
TRACE_NAME = "net"


class Float32(ModelCompiler):
    """Float TFLite of a Keras network; a float TFLite file is passed through."""

    name = "float32"
    summary = "Keras, PyTorch or a SavedModel to float32 TFLite (a float TFLite file passes through)"
    extra = "convert"
    modules: ClassVar[tuple[str, ...]] = ("keras", "jax", "litert_converter")
    takes = frozenset({"keras", "tflite", "torch", "savedmodel"})
    makes = "tflite"
    scheme = "float32"

    def for_format(self, format: str) -> ModelCompiler:
        return TorchFloat32(self.settings) if format == "torch" and type(self) is Float32 else self

    def _refuses(self, format: str, scheme: str) -> str | None:
        if scheme != "float32":
            return f"compiler {self.name!r} cannot make a float32 network of a quantized one ({scheme})"
        return None

    def _compile(self, artifact: Artifact, work: Path, dataset: Dataset | None, progress: Progress) -> bytes:
        return float_tflite(artifact, progress)


class TorchFloat32(Float32):
    """`Float32` of PyTorch networks: the same by another engine."""

    extra = "litert-torch"
    modules = ("torch", "litert_torch")
    takes = frozenset({"torch"})

    @classmethod
    def missing(cls) -> NotInstalledError | None:
        lacking = super().missing()
        if isinstance(lacking, MissingExtraError):
            what = "PyTorch to TFLite (compiler onnx needs only the extra torch)"
            return MissingExtraError(what, lacking.extra, lacking.package)
        return lacking


def float_tflite(artifact: Artifact, progress: Progress | None = None) -> bytes:
    """Float TFLite bytes of a ``keras``, ``torch``, ``savedmodel`` or ``tflite`` artifact, all buffers inside the
    FlatBuffer.

    Raises:
        MissingExtraError: It is a file of Keras or PyTorch, and the framework or its converter is not installed.
        ModelError: The file is gone, changed, corrupt or contains code.
        CompileError: The network cannot be converted.
    """
    data = artifact.read()
    if artifact.format == "torch":
        from edgerig.compilers.torch_to_tflite import convert_torch

        TorchFloat32.require()
        return convert_torch(Path(artifact.path))
    if artifact.format == "savedmodel":
        from edgerig.compilers.saved_model_to_tflite import convert_saved_model

        return convert_saved_model(Path(artifact.path), progress)
    if artifact.format != Float32.makes:
        del data
        Float32.require()
        return convert_keras(Path(artifact.path), artifact.format_options.get("custom"))
    return flatbuffer.pack(flatbuffer.unpack(data)) if buffers_outside(data) else data


def convert_keras(path: Path, custom: str | None = None) -> bytes:
    """Float TFLite bytes of a ``.keras`` file, which is loaded in safe mode; batch 1; ``custom``: see `load_keras`.

    A single input is called ``input`` and a single output ``output``; several keep the names they have in Keras.

    Raises:
        ModelError: The file is corrupt, or contains code (a Lambda layer).
        CompileError: The network has a free axis besides the batch, or an operation that TFLite lacks.
    """
    from edgerig.models.keras.files import load_keras

    model = load_keras(path, custom)
    try:
        stablehlo, names = _to_stablehlo(model, path.name)
        data = _to_tflite(dense_as_convolution(stablehlo), *names)
        return _finished(data)
    except EdgerigError:
        raise
    except Exception as error:
        raise CompileError(
            f"{path.name} cannot be converted to TFLite: {cause_of(error)}.",
            "Does it use an operation that TFLite does not have?",
        ) from error


Names = tuple[str, ...]


def _to_stablehlo(model: Any, file: str) -> tuple[str, tuple[Names, Names]]:
    """The network as StableHLO text, and the names of its inputs and outputs."""
    import jax
    from jax import export

    from edgerig.models.keras.files import as_taken, flat_outputs

    if not getattr(model, "inputs", None):
        raise CompileError(
            f"{file} does not tell what its inputs are.", "Build the model with keras.Input layers and save it again."
        )
    shapes = [tuple(tensor.shape)[1:] for tensor in model.inputs]
    if any(size is None for shape in shapes for size in shape):
        raise CompileError(
            f"{file} has an input of no fixed shape: {', '.join(map(str, shapes))} (without the batch).",
            "Build the network with a fixed input shape and save it again.",
        )
    _unroll(model)
    trainable = [variable.value for variable in model.trainable_variables]
    fixed = [variable.value for variable in model.non_trainable_variables]

    def net(*inputs: Any) -> tuple[Any, ...]:
        result = model.stateless_call(trainable, fixed, as_taken(model, inputs), training=False)[0]
        return tuple(flat_outputs(result))

    net.__name__ = TRACE_NAME
    spec: Any = jax.ShapeDtypeStruct
    arguments = [spec((1, *shape), tensor.dtype) for shape, tensor in zip(shapes, model.inputs, strict=True)]
    exported = export.export(jax.jit(net), platforms=["cpu"])(*arguments)
    inputs = ("input",) if len(arguments) == 1 else tuple(_plain(tensor.name) for tensor in model.inputs)
    outputs = ("output",) if len(exported.out_avals) == 1 else tuple(map(_plain, model.output_names))
    return exported.mlir_module(), (_unlike(inputs), _unlike(outputs))


def _unroll(model: Any) -> None:
    """Have recurrent layers compute step after step: the converter cannot write loops, and the steps are known."""
    for layer in model._flatten_layers():
        if getattr(layer, "unroll", None) is False:
            layer.unroll = True


def _to_tflite(stablehlo: str, inputs: Names, outputs: Names) -> bytes:
    # Otherwise the converter's library prints on standard error that it uses oneDNN, to fold constants.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    from litert_converter.mlir import ir, passmanager
    from litert_converter.mlir._mlir_libs import converter_api_ext as converter

    context = ir.Context()
    converter.prepare_mlir_context(context)
    with context, ir.Location.unknown():
        module = ir.Module.parse(stablehlo)
        converter.set_signature(
            module.operation,
            signature_name=flatbuffer.SIGNATURE,
            input_names=list(inputs),
            output_names=list(outputs),
        )
        merged = converter.merge_modules([module])
        config = converter.ConvertToTFLConfig()
        config.model_origin_framework = "JAX"
        converter.run_convert_to_tfl_passes(merged, passmanager.PassManager(), config)
        try:
            return bytes(converter.export_flatbuffer_to_bytes(merged.operation))
        except Exception as error:
            raise _not_written(str(merged)) from error


def _not_written(module: str) -> CompileError:
    """The error for a network that the converter could not write; the converter itself gives no reason.

    Args:
        module: The converted network as text, which still contains the operations that TFLite lacks.
    """
    operations = re.findall(r'= "?((?:stablehlo|chlo|mhlo)\.\w+)"?(?: (@[\w.]+))?', module)
    left = sorted({" ".join(filter(None, operation)) for operation in operations})
    if "tfl.while" in module:
        return CompileError(
            "The network has a loop, which the converter cannot write.", "Build recurrent layers with unroll=True."
        )
    if left:
        return CompileError(
            f"TFLite has nothing for {', '.join(left)}.",
            "Replace the layer that needs it, or convert to another format.",
        )
    return CompileError("The converter could not write the network as TFLite.", "Does it use an unusual layer?")


def _finished(data: bytes) -> bytes:
    """The converter's file with readable names and with paddings that LiteRT accepts."""
    model = flatbuffer.unpack(data)
    _name_plainly(model)
    _mend_transposed_convolutions(model)
    without_shifts(model)
    negations_as_products(model)
    return flatbuffer.pack(model)


def _mend_transposed_convolutions(model: Any) -> None:
    """litert-converter 0.5 writes VALID for SAME padding where a kernel is one longer than its stride: correct it."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    for operator in graph.operators:
        options = operator.builtinOptions
        if not isinstance(options, schema.TransposeConvOptionsT) or options.padding != schema.Padding.VALID:
            continue
        kernel, image, result = (
            graph.tensors[i].shape for i in (operator.inputs[1], operator.inputs[2], operator.outputs[0])
        )
        strides = (options.strideH, options.strideW)
        valid = [(image[i] - 1) * strides[i - 1] + max(kernel[i], strides[i - 1]) for i in (1, 2)]
        same = [image[i] * strides[i - 1] for i in (1, 2)]
        if list(result[1:3]) == same != valid:
            options.padding = schema.Padding.SAME


def _name_plainly(model: Any) -> None:
    """``jit(net)/conv2d/conv_general_dilated`` becomes ``conv2d/conv_general_dilated``, and so on."""
    flatbuffer.rename_tensors(model, lambda name: name.replace(f"jit({TRACE_NAME})/", ""))
    flatbuffer.name_ends(model)


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name) or "tensor"


def _unlike(names: Names) -> Names:
    """The same names, with a number appended to repeated ones."""
    seen: list[str] = []
    for name in names:
        seen.append(name if name not in seen else f"{name}_{len(seen)}")
    return tuple(seen)
