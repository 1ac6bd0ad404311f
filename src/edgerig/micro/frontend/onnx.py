"""From an ONNX file with a classical model, as skl2onnx and onnxmltools write it, to the typed representation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgerig import formats
from edgerig.artifact import Artifact
from edgerig.errors import CompileError, ModelError
from edgerig.files import sha256
from edgerig.micro.frontend.onnx_linear import check_transform, dense_of
from edgerig.micro.frontend.onnx_trees import LARGEST_FEATURE, Attributes, binary_of, trees_of
from edgerig.micro.ir import Logistic, Mul, Program, Softmax, Sub, Value
from edgerig.micro.ir.operators.labels import ClassLabel

_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC")


def read_onnx_program(data: bytes, name: str) -> Program:
    """The model in the ONNX file with the content ``data``; ``name`` is how messages call it.

    Raises:
        MissingExtraError: The onnx package is not installed.
        ModelError: It is no ONNX file, or its tables contradict one another.
        CompileError: It is a network, or uses what the compiler does not know.
    """
    from edgerig.models.graph.onnx_load import load_onnx

    return _Reader(data, name, load_onnx(data, Path(name)).graph).program()


def unsupported_operators(names: Sequence[str]) -> str | None:
    """What is missing for the operators of an ONNX file, each with its domain where that is not ONNX's own, or None."""
    unknown = [f"operator {position} ({name})" for position, name in enumerate(names) if name not in _KNOWN]
    if not unknown:
        return None
    shown = ", ".join(unknown[:4]) + (f" and {len(unknown) - 4} more" if len(unknown) > 4 else "")
    return f"not supported in C: {shown}"


def unsupported_file(artifact: Artifact) -> str | None:
    """What is missing for the ONNX file of an artifact, with what C is made of, or None.

    Raises:
        MissingExtraError: The onnx package is not installed. ModelError: It is no ONNX file.
    """
    from edgerig.models.graph.read import graph_in

    graph = graph_in(formats.named(artifact.format), Path(artifact.path))
    missing = unsupported_operators([operator.op for operator in graph.operators]) if graph is not None else None
    return None if missing is None else f"{missing}. {HINT.removesuffix('.')}"


class _Reader:
    def __init__(self, data: bytes, name: str, graph: Any) -> None:
        self.data, self.name, self.graph = data, name, graph
        self.values: dict[str, Value] = {}
        #: Outputs that C has no room for: what they are.
        self.left_out: dict[str, str] = {}
        self.program_ = Program(name, sha256(data), [], [], [])
        self.used = {item for node in graph.node for item in node.input} | {item.name for item in graph.output}

    def program(self) -> Program:
        self._check_operators()
        program = self.program_
        for source in self.graph.input:
            value = self.values[source.name] = self._input(source)
            program.inputs.append(value)
        for position, node in enumerate(self.graph.node):
            _OPERATORS[node.op_type](self, node, position)
        for result in self.graph.output:
            if result.name in self.left_out:
                program.notes.append(f"output {result.name} is left out: {self.left_out[result.name]}")
            elif result.name in self.values:
                program.outputs.append(self._named(result.name))
        if not program.outputs:
            raise CompileError(f"{self.name} has no output of numbers.", "Convert it with the option zipmap=False.")
        return program

    def _check_operators(self) -> None:
        names = [f"{node.domain}.{node.op_type}" if node.domain else node.op_type for node in self.graph.node]
        unknown = unsupported_operators(names)
        if unknown:
            raise CompileError(f"{self.name} cannot be compiled: {unknown}.", HINT)

    def _input(self, source: Any) -> Value:
        tensor = source.type.tensor_type
        sizes = [item.dim_value if item.HasField("dim_value") else 0 for item in tensor.shape.dim]
        if tensor.elem_type != 1:
            raise CompileError(
                f"Input {source.name!r} of {self.name} is not float32.", "Convert it for float32 inputs."
            )
        if len(sizes) != 2 or sizes[0] > 1 or not 0 < sizes[1] <= LARGEST_FEATURE:
            raise CompileError(
                f"Input {source.name!r} of {self.name} has the shape {sizes}, with 0 for a free axis.",
                f"[None, n] is needed, with a number n of features, {LARGEST_FEATURE:,} at most.",
            )
        return Value(source.name, (1, sizes[1]), "float32")

    def _named(self, name: str) -> Value:
        """A value under the name of the output that it is."""
        value = self.values[name]
        if sum(known is value for known in self.program_.outputs):
            raise CompileError(f"{self.name} gives one result twice, as {value.name} and {name}.", "Drop one of them.")
        value.name = name
        return value

    def get(self, name: str, where: str) -> Value:
        """What an operator reads."""
        if name not in self.values:
            raise CompileError(f"{where} reads {name!r}, which is no tensor of numbers.", "Convert the model again.")
        return self.values[name]

    def where(self, node: Any, position: int) -> str:
        """The operator as a message names it."""
        return f"Operator {position} ({node.op_type}) of {self.name}"


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {item.name: helper.get_attribute_value(item) for item in node.attribute}


def _operator(reader: _Reader, node: Any, position: int, prefix: str) -> tuple[Attributes, str, dict[str, Any]]:
    """The attributes, the post_transform, and what every node of the representation has."""
    where = reader.where(node, position)
    source = reader.get(node.input[0], where)
    attributes = Attributes(where, _attributes(node), prefix, source.shape[1])
    transform = attributes.text("post_transform", "NONE")
    if transform not in _TRANSFORMS:
        attributes.refuse(f"its post_transform is {transform}", f"Known are {', '.join(_TRANSFORMS)}.")
    return attributes, transform, {"name": node.name or node.op_type, "position": position, "inputs": [source]}


def _classifier(reader: _Reader, node: Any, position: int) -> None:
    attributes, transform, parts = _operator(reader, node, position, "class")
    texts = attributes.values.get("classlabels_strings", ())
    numbers = tuple(attributes.values.get("classlabels_int64s", ()))
    classes = len(texts) or len(numbers)
    if classes == 0:
        attributes.corrupt("it has no classes")
    binary = binary_of(attributes, transform, classes)
    label_name, scores_name = [*node.output, ""][:2]
    scores = Value(scores_name or "scores", (1, classes), "float32")
    outputs = [scores]
    if texts:
        _leave_out(reader, label_name, texts)
    elif label_name in reader.used:
        outputs.append(Value(label_name, (1,), "int64"))
        reader.values[label_name] = outputs[1]
    ensemble = trees_of(attributes, 1 if binary != "no" else classes, outputs=outputs, **parts)
    ensemble.binary, ensemble.labels = binary, numbers
    reader.program_.nodes.append(ensemble)
    if scores_name:
        reader.values[scores_name] = _transformed(reader, scores, transform, position)


def _leave_out(reader: _Reader, label_name: str, texts: Sequence[bytes]) -> None:
    names = ", ".join(bytes(text).decode(errors="replace") for text in texts)
    reader.left_out[label_name] = f"texts; the classes are, in the order of the scores, {names}"


def _linear_classifier(reader: _Reader, node: Any, position: int) -> None:
    attributes, transform, parts = _operator(reader, node, position, "class")
    texts = attributes.values.get("classlabels_strings", ())
    numbers = tuple(attributes.values.get("classlabels_ints", ()))
    classes = len(texts) or len(numbers)
    if classes < 2:
        attributes.corrupt(f"it has {classes} classes")
    check_transform(attributes.where, transform, classes)
    scores = Value(node.output[1], (1, classes), "float32")
    (source,) = parts["inputs"]
    reader.program_.nodes.append(dense_of(attributes.where, attributes.values, classes, source, scores, position))
    if texts:
        _leave_out(reader, node.output[0], texts)
    elif node.output[0] in reader.used:
        label = reader.values[node.output[0]] = Value(node.output[0], (1,), "int64")
        reader.program_.nodes.append(ClassLabel(label.name, position, [scores], [label], numbers))
    reader.values[node.output[1]] = _transformed(reader, scores, transform, position)


def _linear_regressor(reader: _Reader, node: Any, position: int) -> None:
    attributes, transform, parts = _operator(reader, node, position, "target")
    if transform != "NONE":
        attributes.refuse(f"a regression's post_transform is {transform}", "Known is NONE.")
    targets = int(attributes.values.get("targets", 1))
    result = reader.values[node.output[0]] = Value(node.output[0], (1, targets), "float32")
    (source,) = parts["inputs"]
    reader.program_.nodes.append(dense_of(attributes.where, attributes.values, targets, source, result, position))


def _normalizer(reader: _Reader, node: Any, position: int) -> None:
    """Behind a softmax, whose results have the sum 1 already, L1 changes nothing."""
    where = reader.where(node, position)
    value = reader.get(node.input[0], where)
    norm = bytes(_attributes(node).get("norm", b"MAX")).decode(errors="replace")
    if norm != "L1" or not any(isinstance(known, Softmax) and known.output is value for known in reader.program_.nodes):
        raise CompileError(f"{where} is a norm {norm}, not L1 of a softmax.", "Scale by a Scaler in its place.")
    reader.values[node.output[0]] = value


def _softmax(reader: _Reader, node: Any, position: int) -> None:
    """Of sums; of a matrix, the first axis of which is the batch, only along the last."""
    where = reader.where(node, position)
    source = reader.get(node.input[0], where)
    # Before opset 13 the axis that is not named is 1, which is the same of a matrix.
    if _attributes(node).get("axis", -1) not in (-1, 1) or len(source.shape) != 2 or source.dtype != "float32":
        raise CompileError(f"{where} is not along the last axis of scores.", "Write it with axis=-1.")
    result = reader.values[node.output[0]] = Value(node.output[0], source.shape, "float32")
    reader.program_.nodes.append(Softmax(node.name or node.op_type, position, [source], [result]))


def _transformed(reader: _Reader, scores: Value, transform: str, position: int) -> Value:
    if transform == "NONE":
        return scores
    result = Value(scores.name, scores.shape, "float32")
    scores.name += "_raw"
    kind = Softmax if transform == "SOFTMAX" else Logistic
    reader.program_.nodes.append(kind(result.name, position, [scores], [result]))
    return result


def _regressor(reader: _Reader, node: Any, position: int) -> None:
    attributes, transform, parts = _operator(reader, node, position, "target")
    targets = int(attributes.values.get("n_targets", 1))
    if targets < 1:
        attributes.corrupt(f"it has {targets} targets")
    if transform != "NONE":
        attributes.refuse(f"a regression's post_transform is {transform}", "Known is NONE.")
    result = reader.values[node.output[0]] = Value(node.output[0], (1, targets), "float32")
    reader.program_.nodes.append(trees_of(attributes, targets, outputs=[result], **parts))


def _scaler(reader: _Reader, node: Any, position: int) -> None:
    where = reader.where(node, position)
    source, attributes = reader.get(node.input[0], where), _attributes(node)
    features = source.shape[1]
    for name, kind in (("offset", Sub), ("scale", Mul)):
        numbers = np.array(attributes.get(name, ()), np.float32)
        if len(numbers) not in (1, features) or not np.isfinite(numbers).all():
            raise ModelError(f"{where} has no {name} of each of {features} features.", "Convert the model again.")
        constant = Value(name, (1, features), "float32", data=np.full((1, features), numbers, np.float32))
        result = Value(f"{node.output[0]}_{name}", source.shape, "float32")
        reader.program_.nodes.append(kind(node.name or node.op_type, position, [source, constant], [result]))
        source = result
    reader.values[node.output[0]] = source


def _same(reader: _Reader, node: Any, position: int) -> None:
    """Identity; Cast to the type that it has."""
    if node.input[0] in reader.left_out:
        reader.left_out[node.output[0]] = reader.left_out[node.input[0]]
        return
    value = reader.get(node.input[0], reader.where(node, position))
    to = _attributes(node).get("to")
    if to is not None and {1: "float32", 7: "int64"}.get(to) != value.dtype:
        raise CompileError(
            f"{reader.where(node, position)} changes a type.", "Known is a Cast to the type that is there."
        )
    reader.values[node.output[0]] = value


def _zip_map(reader: _Reader, node: Any, position: int) -> None:
    """A list of dictionaries: in C it is the array that it is made of."""
    reader.values[node.output[0]] = reader.get(node.input[0], reader.where(node, position))
    reader.program_.notes.append(f"{node.output[0]} is an array in the order of the classes, not a dictionary")


_OPERATORS: dict[str, Callable[[_Reader, Any, int], None]] = {
    "TreeEnsembleClassifier": _classifier,
    "TreeEnsembleRegressor": _regressor,
    "LinearClassifier": _linear_classifier,
    "LinearRegressor": _linear_regressor,
    "Normalizer": _normalizer,
    "Scaler": _scaler,
    "ZipMap": _zip_map,
    "Softmax": _softmax,
    "Identity": _same,
    "Cast": _same,
}
_KNOWN = {name if name in ("Identity", "Cast", "Softmax") else f"ai.onnx.ml.{name}" for name in _OPERATORS}
HINT = f"Networks become C as TFLite; of ONNX files C is made of classical models: {', '.join(sorted(_OPERATORS))}."
