"""Leave the change between real and quantized numbers at the network's ends to the caller."""

from __future__ import annotations

from edgerig.micro.ir import Dequantize, Node, Program, Quantize, Value


def integer_borders(program: Program) -> None:
    """Drop a QUANTIZE of a float input that nothing else reads, and a DEQUANTIZE that makes an output.

    Inputs and outputs then are int8 or uint8, and carry the scale and zero point by which they were converted.
    """
    users = program.users()
    for place, value in enumerate(program.inputs):
        readers = users.get(value, [])
        if len(readers) == 1 and isinstance(readers[0], Quantize) and _border(value, program.outputs):
            program.inputs[place] = _drop(program, readers[0]).output
    makers = program.makers()
    for place, value in enumerate(program.outputs):
        maker = makers.get(value)
        if isinstance(maker, Dequantize) and not users.get(value) and not maker.input.constant:
            program.outputs[place] = _drop(program, maker).input


def _border(value: Value, others: list[Value]) -> bool:
    return value.dtype == "float32" and value not in others


def _drop(program: Program, node: Node) -> Node:
    program.nodes = [one for one in program.nodes if one is not node]
    return node
