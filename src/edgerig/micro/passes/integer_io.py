"""Remove QUANTIZE and DEQUANTIZE at the inputs and outputs: the caller converts."""

from __future__ import annotations

from edgerig.micro.ir import Dequantize, Node, Program, Quantize


def integer_io(program: Program) -> None:
    """Drop a QUANTIZE of a float input that nothing else reads, and a DEQUANTIZE that makes an output.

    Inputs and outputs then are int8 or uint8, and carry the scale and zero point by which they were converted.
    """
    users, outputs = program.users(), set(program.outputs)
    gone: dict[Node, Node | None] = {}
    for index, value in enumerate(program.inputs):
        readers = users.get(value, [])
        if len(readers) == 1 and isinstance(readers[0], Quantize) and value.dtype == "float32" and value not in outputs:
            program.inputs[index] = readers[0].output
            gone[readers[0]] = None
    makers = program.makers()
    for index, value in enumerate(program.outputs):
        maker = makers.get(value)
        if isinstance(maker, Dequantize) and not users.get(value) and not maker.input.constant:
            program.outputs[index] = maker.input
            gone[maker] = None
    program.replace(gone)
