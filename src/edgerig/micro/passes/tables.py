"""Several functions of one byte in a row are one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from edgerig.micro.ir import Dequantize, Lookup, Node, Program, Quantize, Relu, Unary, Value

_FUNCTIONS = (Unary, Quantize)
_BYTES = ("int8", "uint8")


def merge_tables(program: Program) -> None:
    """Chains of functions of one byte, each the only reader of the one before.

    A DEQUANTIZE may stand in them if a QUANTIZE follows, or a RELU and then a QUANTIZE: in between is nothing that two
    ways of computing with floats could tell apart.
    """
    users, outputs = program.users(), set(program.outputs)
    changes: dict[Node, Node | None] = {}
    for node in program.nodes:
        chain = _chain(node, users, outputs) if node not in changes else []
        if len(chain) > 1:
            last = chain[-1]
            changes.update(dict.fromkeys(chain))
            changes[last] = Lookup(last.name, chain[0].position, [chain[0].input], list(last.outputs), tuple(chain))
    program.replace(changes)


def _chain(node: Node, users: Mapping[Value, Sequence[Node]], outputs: Set[Value]) -> list[Node]:
    """The longest chain from ``node`` on that begins and ends with bytes."""
    chain: list[Node] = []
    longest = 0
    while isinstance(node, (*_FUNCTIONS, Dequantize)) and _extends(chain, node):
        chain.append(node)
        if node.output.dtype in _BYTES:
            longest = len(chain)
        readers = users.get(node.output, [])
        if len(readers) != 1 or node.output in outputs:
            break
        node = readers[0]
    return chain[:longest]


def _extends(chain: list[Node], node: Node) -> bool:
    if node.input.dtype in _BYTES:
        return True
    return bool(chain) and node.input.dtype == "float32" and isinstance(node, Quantize | Relu)
