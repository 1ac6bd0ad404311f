"""Generated C on this machine: compiled to a shared library and run on many samples at once."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import CompileError
from edgerig.micro.source import Source

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")

#: Runs a batch without crossing into Python for each sample. Only networks with one input and one output.
BATCH = """\
#include <string.h>
#include "model.h"
void run_batch(const uint8_t *x, uint8_t *y, uint32_t count);
void run_batch(const uint8_t *x, uint8_t *y, uint32_t count)
{
    for (; count--; x += @P@_inputs[0].bytes, y += @P@_outputs[0].bytes) {
        memcpy(@P@_input(0), x, @P@_inputs[0].bytes);
        @P@_run();
        memcpy(y, @P@_output(0), @P@_outputs[0].bytes);
    }
}
"""


class GeneratedNetwork:
    """A network as C, loaded into this process.

    Args:
        source: What the compiler made.
        folder: Where to write and build it.
        flags: For the C compiler.

    Raises:
        CompileError: The C compiler refuses the code, also where it only warns.
    """

    def __init__(self, source: Source, folder: Path, flags: Sequence[str] = ("-O2",)) -> None:
        self.manifest = source.manifest
        name = self.manifest.name
        library = build(source, folder, (*flags, "-shared", "-fPIC"), BATCH.replace("@P@", name), "network.so")
        self._library = ctypes.CDLL(str(library))
        self._input = getattr(self._library, f"{name}_input")
        self._output = getattr(self._library, f"{name}_output")
        self._run = getattr(self._library, f"{name}_run")
        self._input.restype = self._output.restype = ctypes.c_void_p
        self.reset()

    def reset(self) -> None:
        """Forget all state."""
        getattr(self._library, f"{self.manifest.name}_init")()

    def run(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """One inference."""
        for index, (array, spec) in enumerate(zip(inputs, self.manifest.inputs, strict=True)):
            data = np.ascontiguousarray(array, spec.dtype).tobytes()
            ctypes.memmove(self._input(index), data, spec.nbytes)
        self._run()
        return [
            np.frombuffer(ctypes.string_at(self._output(index), spec.nbytes), spec.dtype).reshape(spec.shape)
            for index, spec in enumerate(self.manifest.outputs)
        ]

    def run_batch(self, samples: NDArray[Any]) -> NDArray[Any]:
        """Many inferences, one after the other; (N, *input shape without batch) to (N, *output shape without batch)."""
        (source,), (target,) = self.manifest.inputs, self.manifest.outputs
        samples = np.ascontiguousarray(samples, source.dtype)
        out = np.empty((len(samples), *target.shape[1:]), target.dtype)
        self._library.run_batch(
            samples.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p), len(samples)
        )
        return out


def c_compiler() -> str | None:
    """A C compiler of this machine, or None."""
    return shutil.which("gcc") or shutil.which("cc")


def build(source: Source, folder: Path, flags: Sequence[str], main: str, target: str) -> Path:
    """Compile the network with the C text ``main`` to ``folder/target``; warnings are errors.

    Raises:
        CompileError: The C compiler refuses it.
    """
    source.write(folder / "net")
    (folder / "main.c").write_text(main)
    units = [str(folder / "main.c"), *(str(path) for path in sorted((folder / "net").rglob("*.c")))]
    command = [c_compiler() or "cc", *WARNINGS, *flags, f"-I{folder / 'net'}", *units, "-o", str(folder / target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompileError(f"The generated C does not compile:\n{done.stderr[:4000]}")
    return folder / target
