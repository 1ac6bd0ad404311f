"""ONNX Runtime's static quantizer with indexes, so that its cost grows with the network and not with the square of it.

ONNX Runtime looks for every tensor and node in all of the network's, several times an operator: 1,250 operators took
16 s of a processor, 5,000 more than five minutes. Here its steps ask dictionaries. What it writes is the same.
A version whose steps have other names or arguments runs as it is.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from inspect import signature
from typing import Any

from edgerig.compilers.indexed_graph import Constants, IndexedGraph

_logger = logging.getLogger(__name__)
#: From the least and the largest value of each tensor to those that its scale is made of.
Check = Callable[[Mapping[str, Any]], dict[str, Any]]


@contextmanager
def indexed(check: Check) -> Iterator[None]:
    """Within it, ``onnxruntime.quantization.quantize_static`` with QDQ and MinMax looks things up in dictionaries.

    Args:
        check: Makes the ranges to quantize with of those that were calibrated, by tensor, or raises.
    """
    from onnxruntime.quantization import base_quantizer, calibrate, qdq_quantizer

    # The package has a function of the name of this module.
    quantize = import_module("onnxruntime.quantization.quantize")
    with ExitStack() as stack:
        for owner, name, make in (
            (calibrate, "MinMaxCalibrater", partial(_checked, check=check)),
            (calibrate, "MinMaxCalibrater", _calibrater),
            (quantize, "QDQQuantizer", _quantizer),
        ):
            try:
                stack.enter_context(_replaced(owner, name, make(getattr(owner, name))))
            except AttributeError as error:
                _logger.warning(
                    "ONNX Runtime has another %s than its versions so far, and runs as it is, which takes long with "
                    "thousands of operators: %s", name, error,
                )  # fmt: skip
        for module in (base_quantizer, qdq_quantizer):
            # Of no use, and no harm, where the quantizer runs as it is.
            if hasattr(module, "find_by_name"):
                stack.enter_context(_replaced(module, "find_by_name", _find_by_name(module.find_by_name)))
        yield


def _known(own: type[Any], base: type[Any]) -> type[Any]:
    """``own``, which overrides methods of ``base``.

    Raises:
        AttributeError: ``base`` has none of that name, or one with another number of arguments: another version's.
    """
    for name, method in vars(own).items():
        if callable(method) and not name.startswith("_"):
            there, here = (len(signature(each).parameters) for each in (getattr(base, name), method))
            if there != here:
                raise AttributeError(f"{base.__name__}.{name} takes {there} arguments, not {here}")
    return own


@contextmanager
def _replaced(module: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def _find_by_name(original: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    def find(name: str, items: Any) -> Any:
        return items.by_name.get(name) if isinstance(items, Constants) else original(name, items)

    return find


def _indexed_model(base: type[Any]) -> type[Any]:
    """``onnxruntime.quantization.onnx_model.ONNXModel``, which asks an `IndexedGraph`: its methods by their names."""

    class IndexedModel(base):  # type: ignore[misc]
        def __init__(self, model: Any) -> None:
            super().__init__(model)
            self._indexed = IndexedGraph(self.model.graph)

        # Constants.
        def initializer(self) -> Any:
            return self._indexed.constants

        def get_initializer(self, name: str) -> Any:
            return self._indexed.constants.by_name.get(name)

        def add_initializer(self, tensor: Any) -> None:
            if tensor.name not in self._indexed.constants.by_name:
                self._indexed.constants.add(tensor)

        def initializer_extend(self, inits: Any) -> None:
            for tensor in inits:
                self._indexed.constants.add(tensor)

        def remove_initializer(self, tensor: Any) -> None:
            self._indexed.constants.remove(tensor)

        # Nodes.
        def add_node(self, node: Any) -> None:
            super().add_node(node)
            self._indexed.enter(self.model.graph.node[-1])

        def remove_nodes(self, nodes_to_remove: Any) -> None:
            self._indexed.remove_nodes(nodes_to_remove)

        # Tensors between nodes.
        def input_name_to_nodes(self) -> dict[str, list[Any]]:
            return self._indexed.takers

        def replace_input_of_all_nodes(self, old_input_name: str, new_input_name: str) -> None:
            self._indexed.rename_inputs(old_input_name, new_input_name)

        def replace_output_of_all_nodes(self, old_output_name: str, new_output_name: str) -> None:
            self._indexed.rename_outputs(old_output_name, new_output_name)

        def replace_input_of_nodes(self, old_input_name: str, new_input_name: str, node_names_set: set[str]) -> None:
            super().replace_input_of_nodes(old_input_name, new_input_name, node_names_set)
            self._indexed.look_again_at_takers(old_input_name, new_input_name)

        def is_graph_input(self, tensor_name: str) -> bool:
            return tensor_name in self._indexed.inputs

        def is_graph_output(self, output_name: str) -> bool:
            return output_name in self._indexed.outputs

    return _known(IndexedModel, base)


def _quantizer(base: type[Any]) -> type[Any]:
    from onnxruntime.quantization import base_quantizer, qdq_quantizer
    from onnxruntime.quantization.onnx_model import ONNXModel

    indexed_model = _indexed_model(ONNXModel)
    if not all(hasattr(module, "find_by_name") for module in (base_quantizer, qdq_quantizer)):
        raise AttributeError("there is no find_by_name")

    class IndexedQuantizer(base):  # type: ignore[misc]
        def calc_graph_quant_params(self) -> Any:
            # The first step that looks for anything, and the last one of the constructor.
            self.model: Any = indexed_model(self.model.model)
            return super().calc_graph_quant_params()

    return _known(IndexedQuantizer, base)


def _checked(base: type[Any], check: Check) -> type[Any]:
    class CheckedCalibrater(base):  # type: ignore[misc]
        def compute_data(self) -> Any:
            with warnings.catch_warnings():
                # Of ranges that are no numbers, which ``check`` tells.
                warnings.simplefilter("ignore", RuntimeWarning)
                ranges = super().compute_data()
            checked = check({name: ranges[name].range_value for name in ranges})
            return type(ranges)(ranges.calibration_method, checked)

    return _known(CheckedCalibrater, base)


def _calibrater(base: type[Any]) -> type[Any]:
    if not hasattr(base, "select_tensors_to_calibrate"):
        raise AttributeError("there is no select_tensors_to_calibrate")

    class IndexedCalibrater(base):  # type: ignore[misc]
        def augment_graph(self) -> None:
            """Have the least and the largest value of each tensor as outputs, computed before its first user runs."""
            _add_ranges(self.model.graph, sorted(self.select_tensors_to_calibrate(self.model)[0]))
            import onnx

            onnx.save(self.model, self.augmented_model_path)

    return _known(IndexedCalibrater, base)


def _add_ranges(graph: Any, tensors: list[str]) -> None:
    import numpy as np
    from onnx import helper, numpy_helper

    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output, *graph.input)}
    flat = "edgerig_calibration_flat"
    if not tensors:
        return
    graph.initializer.append(numpy_helper.from_array(np.array([-1], np.int64), flat))
    first = {name: position for position, node in reversed(list(enumerate(graph.node))) for name in node.input}
    before: dict[int, list[Any]] = {}
    for tensor in tensors:
        nodes = before.setdefault(first.get(tensor, len(graph.node)), [])
        for kind in ("ReduceMin", "ReduceMax"):
            # The names by which the calibrater finds them.
            result, whole = f"{tensor}_{kind}", f"{tensor}_{kind}_Reshape"
            nodes.append(helper.make_node(kind, [tensor], [whole], name=result, keepdims=1))
            nodes.append(helper.make_node("Reshape", [whole, flat], [result], name=whole))
            graph.output.append(helper.make_tensor_value_info(result, types[tensor], [None]))
    own = list(graph.node)
    for position in range(len(own) + 1):
        graph.node.extend((*before.get(position, ()), *own[position : position + 1]))
    # The copies stand behind the nodes that they were made from.
    del graph.node[: len(own)]
