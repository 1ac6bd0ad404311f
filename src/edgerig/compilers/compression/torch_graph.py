"""The graph of a program of torch.export: what its operators are called, and which weights they read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

#: The position of the weights among the arguments of operators that multiply their input with them.
WEIGHT_AT = {
    "conv1d": 1, "conv2d": 1, "conv3d": 1, "conv_transpose1d": 1, "conv_transpose2d": 1, "conv_transpose3d": 1,
    "linear": 1, "matmul": 1, "mm": 1, "bmm": 1, "addmm": 2, "lstm": 2, "gru": 2, "rnn_tanh": 2, "rnn_relu": 2,
}  # fmt: skip
#: Operators with a literal shape.
SHAPED = frozenset({"_unsafe_view", "expand", "reshape", "view"})
#: Axes of a matrix: of the lists of parameters of recurrent layers, these are weights and the others biases.
MATRIX = 2


def operator_of(node: Any) -> str:
    """The name of the operator that a node calls, of ``aten.relu_.default`` ``relu``; empty where it calls none.

    What an operator computes does not depend on whether it writes into its input.
    """
    if node.op != "call_function":
        return ""
    namespace, _, name = str(node.target).partition(".")
    return name.partition(".")[0].rstrip("_") if namespace == "aten" else ""


def unlifted(program: Any) -> Any:
    """The program as a module whose graph reads weights as its attributes, and refuses no shape of its inputs."""
    module = program.module()
    for node in list(module.graph.nodes):
        # It compares the shape of the inputs with those that the program was exported with.
        if node.op == "call_module" and not node.users:
            module.graph.erase_node(node)
    module.recompile()
    return module


def kernel_names(module: Any) -> Iterator[str]:
    """The names of the parameters that inputs are multiplied with, in the order of the graph."""
    parameters = dict(module.named_parameters())
    seen = set[str]()
    for node in module.graph.nodes:
        position = WEIGHT_AT.get(operator_of(node))
        if position is None or position >= len(node.args):
            continue
        argument = node.args[position]
        for weight in argument if isinstance(argument, list | tuple) else [argument]:
            name = str(getattr(weight, "target", ""))
            if name in parameters and name not in seen and parameters[name].ndim >= MATRIX:
                seen.add(name)
                yield name


def shape_of(node: Any) -> tuple[int, ...] | None:
    """The shape of what a node gives, None where that is no single tensor of known shape."""
    value = node.meta.get("val")
    shape = getattr(value, "shape", None)
    return None if shape is None else tuple(int(size) for size in shape)
