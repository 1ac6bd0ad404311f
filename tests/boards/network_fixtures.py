"""A network that an engineer might write by hand, as C and as firmware, for tests of boards and simulators."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from edgerig.boards.board import load_board
from edgerig.boards.build import build_firmware
from edgerig.boards.firmware import Firmware, Network

#: A network that an engineer might write by hand, with the interface of those that the compiler makes.
HEADER = """
#ifndef MODEL_H
#define MODEL_H
#include <stdint.h>
typedef struct model_tensor {
    const char *name; const char *dtype; uint32_t rank; const uint32_t *shape; uint32_t bytes; uint32_t quantized;
    float scale; int32_t zero_point;
} model_tensor;
typedef struct model_layer { const char *name; const char *op; uint32_t macs; void (*run)(void); } model_layer;
enum { MODEL_INPUTS = 1, MODEL_OUTPUTS = 1, MODEL_LAYERS = 2, MODEL_ARENA_BYTES = 26 };
#define MODEL_SHA256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
extern const model_tensor model_inputs[MODEL_INPUTS], model_outputs[MODEL_OUTPUTS];
extern const model_layer model_layers[MODEL_LAYERS];
void *model_input(uint32_t index);
const void *model_output(uint32_t index);
void model_init(void);
void model_run(void);
#endif
"""
CODE = """
#include <string.h>
#include "model.h"
#include "weights.h"
static int8_t in[16], out[10];
static const uint32_t shape_in[] = {1, 16}, shape_out[] = {1, 10};
const model_tensor model_inputs[1] = {{"x", "int8", 2, shape_in, 16, 1, 0.5f, -3}};
const model_tensor model_outputs[1] = {{"y", "int8", 2, shape_out, 10, 1, 0.25f, 4}};
static void layer_0(void)
{
    int i, j;
    for (i = 0; i < 10; i++) {
        int32_t sum = 0;
        for (j = 0; j < 16; j++) { sum += in[j] * weights[i][j]; }
        out[i] = (int8_t)(sum >> 8);
    }
}
static void layer_1(void) { int i; for (i = 0; i < 10; i++) { out[i] = (int8_t)-out[i]; } }
const model_layer model_layers[2] = {{"sums", "FULLY_CONNECTED", 160, layer_0}, {"signs", "NEG", 0, layer_1}};
void *model_input(uint32_t i) { (void)i; return in; }
const void *model_output(uint32_t i) { (void)i; return out; }
static void *(*volatile move)(void *, const void *, size_t) = memmove;
void model_init(void) { move(out, in, 1); }
void model_run(void) { layer_0(); layer_1(); }
"""

LAYER = "int i; for (i = 0; i < 10; i++) { out[i] = (int8_t)-out[i]; }"
assert LAYER in CODE


def hand_written(folder: Path, **changes: str) -> Network:
    """A network in C in ``folder``; ``changes`` replaces its sizes, such as ``weights="[10][100000]"``, the second
    layer's body, ``layer``, or the dtype of its ``input``."""
    folder.mkdir(parents=True, exist_ok=True)
    size = changes.get("weights", "[10][16]")
    (folder / "model.h").write_text(HEADER)
    code = re.sub(r"static int8_t in\[16\]", changes.get("arena", r"\g<0>"), CODE)
    code = code.replace('"x", "int8"', f'"x", "{changes.get("input", "int8")}"')
    (folder / "model.c").write_text(code.replace(LAYER, changes.get("layer", LAYER)))
    (folder / "weights.h").write_text(f"#include <stdint.h>\nextern const int8_t weights{size};\n")
    (folder / "weights.c").write_text(
        f'#include "weights.h"\nconst int8_t weights{size} = {{{{1, 2, 3}}, {{4, 5}}}};\n'
    )
    return Network(
        folder=str(folder),
        sha256="0123456789abcdef" * 4,
        kernels="portable",
        shape_words=4,
        tensors=2,
        sample_bytes=26,
        tensor_sum=26,
        sample=bytes(range(16)),
        sample_name="sixteen numbers",
    )


@pytest.fixture
def write_network(tmp_path: Path) -> Any:
    """`hand_written` in a folder of this test's own."""
    return lambda **changes: hand_written(tmp_path / "net", **changes)


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return hand_written(tmp_path_factory.mktemp("net"))


@pytest.fixture(scope="session")
def firmware(network: Network) -> Firmware:
    return build_firmware(load_board("stm32f746"), network, None)
