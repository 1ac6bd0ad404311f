"""Which operators of a float TFLite network litert-quantizer would leave in float."""

from __future__ import annotations

from typing import Any

from edgerig.collector import paused_collector
from edgerig.compilers import flatbuffer
from edgerig.errors import CompileError
from edgerig.late_imports import imported_later

#: Operators whose own contents decide, as of loops; what becomes of them is looked at in the quantized file.
_OPAQUE = frozenset({"CALL", "CUSTOM", "IF", "STABLEHLO_COMPOSITE", "WHILE"})


def import_quantizer() -> None:
    """Import litert-quantizer, without SciPy, which takes a third of the time and is for algorithms not used here."""
    with paused_collector(), imported_later("scipy", "scipy.linalg"):
        import litert_quantizer.quantizer  # noqa: F401


def check_operators(data: bytes, recipe: list[dict[str, Any]], scheme: str, file: str) -> None:
    """Refuse a network with an operator on floats that ``recipe`` does not quantize, before anything is calibrated.

    Args:
        data: Float TFLite. recipe: Of litert-quantizer, one that quantizes activations.

    Raises:
        CompileError: Names the operator and its tensor.
    """
    from ai_edge_litert import schema_py_generated as schema
    from litert_quantizer import algorithm_manager, recipe_manager
    from litert_quantizer.utils.tfl_flatbuffer_utils import TFL_OP_CODE_TO_NAME

    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(recipe)
    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    model = flatbuffer.unpack(data)
    graph = model.subgraphs[0]
    constant = {i for i, tensor in enumerate(graph.tensors) if model.buffers[tensor.buffer].data is not None}

    def real(index: int) -> bool:
        return index >= 0 and index not in constant and graph.tensors[index].type == schema.TensorType.FLOAT32

    for number, operator in enumerate(graph.operators):
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        ends = [int(index) for index in (*(operator.inputs if operator.inputs is not None else ()), *operator.outputs)]
        if names.get(code) in _OPAQUE or not any(map(real, ends)):
            continue
        known = TFL_OP_CODE_TO_NAME.get(code)
        key = algorithm_manager.AlgorithmName.NO_QUANTIZE
        if known is not None:
            key, _ = manager.get_quantization_configs(known, _text(graph.tensors[int(operator.outputs[0])].name))
        if key == algorithm_manager.AlgorithmName.NO_QUANTIZE:
            name = _text(graph.tensors[int(operator.outputs[0])].name)
            raise CompileError(
                f"{file} cannot be {scheme}: the quantizer would leave operator {number} ({names.get(code, code)}), "
                f"which gives {name!r}, in float.",
                "Replace that layer, or take another scheme; compiler mixed keeps layers in float32.",
            )


def _text(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)
