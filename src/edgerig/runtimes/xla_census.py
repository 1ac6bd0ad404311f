"""What XLA made of a network: the operators of the compiled program, with their types."""

from __future__ import annotations

import re

from edgerig.measure.census import Census, grouped

METHOD = "the program that XLA compiled, as it prints it: the operators after its optimizations, fused ones too"
#: An instruction: its type, the name of its operator, and what the line goes on with.
_INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%?[\w.-]+ = \(?(\w+)\[[^\]]*\]\S*.*? ([\w-]+)\((.*)$", re.MULTILINE)
_TARGET = re.compile(r'custom_call_target="([^"]+)"')
#: What moves and names values, and calls other parts of the program, whose operators are listed themselves.
_PLUMBING = frozenset({
    "parameter", "constant", "tuple", "get-tuple-element", "bitcast", "copy", "fusion", "call", "while", "conditional",
    "broadcast", "iota",
})  # fmt: skip
#: XLA's names of types, and numpy's.
_NAMES = {
    "f64": "float64", "f32": "float32", "f16": "float16", "bf16": "bfloat16", "s8": "int8", "u8": "uint8",
    "s16": "int16", "s32": "int32", "s64": "int64", "pred": "bool",
}  # fmt: skip


def census_of(program: str, device: str) -> Census:
    """The census of a compiled program, as XLA prints it, that runs on ``device``."""
    rows = [
        (target[1] if (target := _TARGET.search(rest)) is not None else op, device, _NAMES.get(dtype, dtype))
        for dtype, op, rest in _INSTRUCTION.findall(program)
        if op not in _PLUMBING
    ]
    return Census(operators=grouped(rows), method=METHOD)
