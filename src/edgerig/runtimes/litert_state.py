"""Variables of TFLite networks on LiteRT: which subgraphs set them to what they hold at the beginning.

A network keeps state in variables (VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE), which live as long as the interpreter.
CALL_ONCE runs a subgraph that sets them, in the first inference alone; to run it again resets them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgerig.errors import InferenceError


def initial_graphs(path: Path) -> tuple[int, ...]:
    """Positions of the subgraphs that set a network's variables; empty for a network without such.

    Raises:
        InferenceError: A variable is set by none of them: LiteRT begins with what lies in memory.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    graphs: dict[int, None] = {}
    handles: set[str] = set()
    for code, operator in _operators(model, 0):
        if code == schema.BuiltinOperator.CALL_ONCE:
            graphs[_options(operator, schema.CallOnceOptions()).InitSubgraphIndex()] = None
        elif code == schema.BuiltinOperator.VAR_HANDLE:
            handles.add(_name(operator, schema))
    filled = set[str]()
    for graph in graphs:
        names = {
            operator.Outputs(0): _name(operator, schema)
            for code, operator in _operators(model, graph)
            if code == schema.BuiltinOperator.VAR_HANDLE
        }
        filled |= {
            names.get(operator.Inputs(0), "")
            for code, operator in _operators(model, graph)
            if code == schema.BuiltinOperator.ASSIGN_VARIABLE
        }
    unset = sorted(handles - filled)
    if unset:
        raise InferenceError(
            f"The network does not say what its variable {unset[0].strip('/') or 'state'!r} holds at the beginning of "
            "a sequence: LiteRT begins with whatever lies in memory.",
            "Export it with initial values, which CALL_ONCE sets, or run it with runtime micro, which begins with 0.",
        )
    return tuple(graphs)


def _operators(model: Any, graph: int) -> Iterator[tuple[int, Any]]:
    """Builtin code and operator, one after another, of a subgraph."""
    subgraph = model.Subgraphs(graph)
    for index in range(subgraph.OperatorsLength()):
        operator = subgraph.Operators(index)
        yield model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode(), operator


def _name(operator: Any, schema: Any) -> str:
    """The name of a VAR_HANDLE's variable."""
    options = _options(operator, schema.VarHandleOptions())
    return f"{(options.Container() or b'').decode()}/{(options.SharedName() or b'').decode()}"


def _options(operator: Any, options: Any) -> Any:
    table = operator.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return options
