"""model.h and model.c."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from edgerig.micro.c_text import c_float, c_string, comment, prefixed, shape_text, wrapped
from edgerig.micro.ir import Node, Program, Value
from edgerig.micro.kernels.base import C_TYPES, Context, Kernel, Lowered
from edgerig.micro.memory.arena import Memory

HEADER = """\
/*
 * @TITLE@: a network as C. Made by edgerig @VERSION@ from @SOURCE@; do not edit.
 *
 * Write a sample to @P@_input(0), call @P@_run(), read @P@_output(0). Call @P@_init() once before, and again to
 * forget what a network with state remembers. One inference at a time: all of it works in one static arena, and an
 * input is used up by the inference.
 */
#ifndef @PU@_MODEL_H
#define @PU@_MODEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* SHA-256 of the file that this was made from. */
#define @PU@_SHA256 "@SHA256@"

enum {
    @PU@_INPUTS = @INPUTS@,
    @PU@_OUTPUTS = @OUTPUTS@,
    @PU@_LAYERS = @LAYERS@,
    @PU@_ARENA_BYTES = @ARENA@
};

/* real value = scale * (stored value - zero_point), where quantized is 1; the shape starts with the batch of 1. */
typedef struct @P@_tensor {
    const char *name;
    const char *dtype;
    uint32_t rank;
    const uint32_t *shape;
    uint32_t bytes;
    uint32_t quantized;
    float scale;
    int32_t zero_point;
} @P@_tensor;

typedef struct @P@_layer {
    const char *name;
    const char *op;
    uint32_t macs;
    void (*run)(void);
} @P@_layer;

extern const @P@_tensor @P@_inputs[@PU@_INPUTS];
extern const @P@_tensor @P@_outputs[@PU@_OUTPUTS];
/* In the order in which they run. */
extern const @P@_layer @P@_layers[@SIZE@];

/* Where to write a sample; NULL if there is no such input. */
void *@P@_input(uint32_t index);
/* Where the result lies; NULL if there is no such output. */
const void *@P@_output(uint32_t index);
/* State variables to their first value. */
void @P@_init(void);
/* One inference: every layer in order. */
void @P@_run(void);

#ifdef __cplusplus
}
#endif

#endif /* @PU@_MODEL_H */
"""


@dataclass(frozen=True)
class LayerCode:
    """A node that became a layer function; ``refusals`` of better kernels, with their reasons."""

    node: Node
    kernel: Kernel
    context: Context
    lowered: Lowered
    refusals: tuple[tuple[Kernel, str], ...] = ()


def share_constants(layers: Iterable[LayerCode]) -> list[LayerCode]:
    """Layers of which those with constants of one content refer to the first one's; so do those of bands."""
    names: dict[tuple[str, int, str, int, bytes], str] = {}
    result = []
    for layer in layers:
        renamed: dict[str, str] = {}
        constants = []
        for constant in layer.context.constants:
            content = hashlib.sha256(constant.data.data).digest()
            key = (constant.ctype, constant.alignment, constant.data.dtype.name, constant.data.size, content)
            known = names.setdefault(key, constant.name)
            if known == constant.name:
                constants.append(constant)
            else:
                renamed[constant.name] = known
        layer.context.constants = constants
        layer.context.structs = [_with_names(text, renamed) for text in layer.context.structs]
        result.append(replace(layer, lowered=replace(layer.lowered, body=_with_names(layer.lowered.body, renamed))))
    return result


def _with_names(text: str, renamed: dict[str, str]) -> str:
    """C with other names of constants."""
    return re.sub(r"@P@_(\w+)", lambda match: "@P@_" + renamed.get(match[1], match[1]), text) if renamed else text


def header(program: Program, name: str, layers: int, memory: Memory, version: str) -> str:
    """model.h."""
    words = {
        "TITLE": comment(name),
        "VERSION": version,
        "SOURCE": comment(program.name),
        "SHA256": program.sha256,
        "INPUTS": len(program.inputs),
        "OUTPUTS": len(program.outputs),
        "LAYERS": layers,
        "ARENA": memory.plan.nbytes,
        "SIZE": f"{name.upper()}_LAYERS" if layers else 1,
    }
    text = HEADER
    for key, word in words.items():
        text = text.replace(f"@{key}@", str(word))
    return prefixed(text, name)


def code(program: Program, name: str, layers: Sequence[LayerCode], memory: Memory, constants: dict[Value, str]) -> str:
    """model.c. ``constants`` are the names of the constants that layers read in their plain form."""
    headers = dict.fromkeys(header for layer in layers for header in layer.lowered.headers)
    declarations = dict.fromkeys(line for layer in layers for line in layer.lowered.declarations)
    uses_copy = any("mem" in layer.lowered.body for layer in layers) or bool(program.variables())
    text = [
        '#include "model.h"',
        "",
        *(["#include <string.h>", ""] if uses_copy else []),
        *(f'#include "kernels/{header}"' for header in headers),
        '#include "weights.h"',
        "",
        *([*declarations, ""] if declarations else []),
        "/* Values of all types lie in it one after the other, each while it is needed. */",
        f"static union {{ uint8_t bytes[{max(memory.plan.nbytes, 1)}]; uint64_t aligned; }} arena;",
        "",
        "#define AT(type, offset) ((type *)(void *)(arena.bytes + (offset)))",
        "",
    ]
    for index, layer in enumerate(layers):
        text += _layer(index, layer, memory, constants)
    text += _tables(program, layers)
    text += _calls(program, len(layers), memory, constants)
    return prefixed("\n".join(text) + "\n", name)


def _layer(index: int, layer: LayerCode, memory: Memory, constants: dict[Value, str]) -> list[str]:
    context, node = layer.context, layer.node
    shapes = " + ".join(shape_text(value.shape) for value in node.inputs if not value.constant)
    results = " + ".join(shape_text(value.shape) for value in node.outputs)
    lines = [
        f"/* {comment(node.label)}: {shapes} -> {results}; {layer.kernel.name}",
        f" * {_shortened(comment(node.name))} */",
    ]
    lines += [line for definition in context.structs for line in wrapped(definition)]
    lines += [f"static void layer_{index}(void)", "{"]
    for pointer, (value, ctype, writes) in context.pointers.items():
        if value.constant:
            lines.append(f"    const {ctype} *{pointer} = {constants[value]};")
        else:
            kind = ctype if writes else f"const {ctype}"
            lines.append(f"    {kind} *{pointer} = AT({kind}, {memory.offsets[value]});")
    for pointer, ctype, offset in context.scratches:
        lines.append(f"    {ctype} *{pointer} = AT({ctype}, {memory.scratch[index] + offset});")
    body = layer.lowered.body.strip("\n").split("\n")
    lines += [""] if context.pointers or context.scratches else []
    lines += [f"    {line}" if line.strip() else "" for line in body]
    return [*lines, "}", ""]


def _shortened(text: str) -> str:
    return text if len(text) <= 110 else text[:107] + "..."


def _tables(program: Program, layers: Sequence[LayerCode]) -> list[str]:
    lines = []
    for kind, values in (("input", program.inputs), ("output", program.outputs)):
        for index, value in enumerate(values):
            sizes = ", ".join(map(str, value.shape)) or "1"
            lines.append(f"static const uint32_t {kind}_shape_{index}[] = {{ {sizes} }};")
        lines += ["", f"const @P@_tensor @P@_{kind}s[@PU@_{kind.upper()}S] = {{"]
        for index, value in enumerate(values):
            known = value.quantization is not None
            scale, zero = (c_float(value.scale), value.zero_point) if known else ("0.0f", 0)
            lines.append(
                f"    {{ {c_string(value.name)}, {c_string(value.dtype)}, {len(value.shape)}, {kind}_shape_{index}, "
                f"{value.nbytes}, {int(known)}, {scale}, {zero} }},"
            )
        lines += ["};", ""]
    lines.append("const @P@_layer @P@_layers[" + ("@PU@_LAYERS" if layers else "1") + "] = {")
    for index, layer in enumerate(layers):
        node = layer.node
        lines.append(
            f"    {{ {c_string(node.name)}, {c_string(node.label)}, {min(node.macs, 2**32 - 1)}u, layer_{index} }},"
        )
    if not layers:
        lines.append("    { 0, 0, 0, 0 },")
    return [*lines, "};", ""]


def _calls(program: Program, layers: int, memory: Memory, constants: dict[Value, str]) -> list[str]:
    def address(value: Value) -> str:
        return constants[value] if value.constant else f"arena.bytes + {memory.offsets[value]}"

    lines = []
    for kind, values, result in (("input", program.inputs, "void *"), ("output", program.outputs, "const void *")):
        lines += [f"{result}@P@_{kind}(uint32_t index)", "{", "    switch (index) {"]
        for index, value in enumerate(values):
            lines += [f"    case {index}:", f"        return {address(value)};"]
        lines += ["    default:", "        return 0;", "    }", "}", ""]
    lines += ["void @P@_init(void)", "{"]
    for value in program.variables():
        lines.append(f"    {_initial(value, memory, constants)}")
    lines += ["}", "", "void @P@_run(void)", "{"]
    lines += [f"    layer_{index}();" for index in range(layers)]
    return [*lines, "}"]


def _initial(value: Value, memory: Memory, constants: dict[Value, str]) -> str:
    address = f"arena.bytes + {memory.offsets[value]}"
    content = b"" if value.data is None else value.data.tobytes()
    if len(set(content)) <= 1:
        return f"memset({address}, {content[0] if content else 0}, {value.nbytes});"
    return f"memcpy({address}, {constants[value]}, {value.nbytes});"


def plain_constants(program: Program, layers: Sequence[LayerCode]) -> list[Value]:
    """Values whose plain content must be in weights.c: constants that layers read or that are outputs, and state
    that does not start with one byte all over."""
    values: dict[Value, None] = {}
    for layer in layers:
        for value, _, _ in layer.context.pointers.values():
            if value.constant:
                values[value] = None
    for value in program.outputs:
        if value.constant:
            values[value] = None
    for value in program.variables():
        if value.data is not None and len(set(value.data.tobytes())) > 1:
            values[value] = None
    assert all(value.dtype in C_TYPES for value in values)
    return list(values)
