"""Several functions of one byte in a row are one table."""

from __future__ import annotations

from edgerig.micro.ir import Dequantize, HardSwish, Logistic, Lookup, Node, Program, Quantize, Relu, Tanh

_FUNCTIONS = (Relu, Logistic, Tanh, HardSwish, Quantize)
_BYTES = ("int8", "uint8")


def merge_tables(program: Program) -> None:
    """Chains of functions of one byte, each the only reader of the one before.

    A DEQUANTIZE may stand in them if a QUANTIZE follows, or a cut and then a QUANTIZE: in between is nothing that two
    ways of computing with floats could tell apart.
    """
    place = 0
    while place < len(program.nodes):
        chain = _chain(program, program.nodes[place])
        if len(chain) > 1:
            last = chain[-1]
            merged = Lookup(last.name, chain[0].position, [chain[0].input], list(last.outputs), tuple(chain))
            program.nodes = [merged if one is last else one for one in program.nodes if one is last or one not in chain]
        else:
            place += 1


def _chain(program: Program, node: Node) -> list[Node]:
    """The longest chain from ``node`` on that begins and ends with bytes."""
    users = program.users()
    chain: list[Node] = []
    longest = 0
    while isinstance(node, (*_FUNCTIONS, Dequantize)) and _goes_on(chain, node):
        chain.append(node)
        if node.output.dtype in _BYTES:
            longest = len(chain)
        readers = users.get(node.output, [])
        if len(readers) != 1 or node.output in program.outputs:
            break
        node = readers[0]
    return chain[:longest]


def _goes_on(chain: list[Node], node: Node) -> bool:
    if node.input.dtype in _BYTES:
        return True
    return bool(chain) and node.input.dtype == "float32" and isinstance(node, Quantize | Relu)
