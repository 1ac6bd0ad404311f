"""Generated C on this machine: one network or many, as a shared library, or as a program under sanitizers."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.boards.objects import object_key, store_object, stored_object
from edgerig.errors import CompileError
from edgerig.micro.emit.manifest import Manifest
from edgerig.micro.emit.source import Source
from edgerig.testing.networks.one_unit import one_unit

Array = NDArray[Any]

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
#: Without optimization: the compiler takes two thirds of the time, and leaves out no access before sanitizers see it.
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g1", "-O0")

#: Reads for each network a number of samples and the samples, writes the outputs. One loop for all of them: written out
#: for each network, it took the compiler longer than the networks themselves.
PROGRAM = """\
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
@INCLUDES@
static const struct {
    void (*init)(void);
    void (*run)(void);
    void *(*input)(uint32_t index);
    const void *(*output)(uint32_t index);
} networks[] = {
@NETWORKS@
};

/* Of every network the number of inputs, the bytes of each, and the same of its outputs. */
static const uint32_t sizes[] = {
@SIZES@
};

static void get(void *to, uint32_t bytes)
{
    if (fread(to, 1, bytes, stdin) != bytes)
        exit(3);
}

int main(void)
{
    const uint32_t *size = sizes;
    for (uint32_t k = 0; k < sizeof networks / sizeof *networks; k++) {
        uint32_t count;
        get(&count, sizeof count);
        networks[k].init();
        const uint32_t *outputs = size + 1 + size[0];
        for (uint32_t n = 0; n < count; n++) {
            for (uint32_t i = 0; i < size[0]; i++)
                get(networks[k].input(i), size[1 + i]);
            networks[k].run();
            for (uint32_t i = 0; i < outputs[0]; i++)
                fwrite(networks[k].output(i), 1, outputs[1 + i], stdout);
        }
        size = outputs + 1 + outputs[0];
    }
    return 0;
}
"""


class GeneratedNetwork:
    """A network as C, loaded into this process."""

    def __init__(self, library: ctypes.CDLL, manifest: Manifest) -> None:
        self.manifest, self.loaded = manifest, library
        name = manifest.name
        self._init = getattr(library, f"{name}_init")
        #: One inference on the inputs of the last `run`, unless that overwrote them; for timing.
        self.invoke = getattr(library, f"{name}_run")
        self._input, self._output = getattr(library, f"{name}_input"), getattr(library, f"{name}_output")
        self._input.restype = self._output.restype = ctypes.c_void_p
        self.reset()

    def reset(self) -> None:
        """Reset all state."""
        self._init()

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """One inference; arrays of the inputs' shapes and dtypes."""
        self.set_inputs(inputs)
        self.invoke()
        return self.outputs()

    def set_inputs(self, inputs: Sequence[Array]) -> None:
        """Write a sample to the network's input buffers."""
        for index, (array, spec) in enumerate(zip(inputs, self.manifest.inputs, strict=True)):
            data = np.ascontiguousarray(array, spec.dtype).tobytes()
            ctypes.memmove(self.address(index), data, spec.nbytes)

    def outputs(self) -> list[Array]:
        """The outputs of the last inference."""
        return [
            np.frombuffer(ctypes.string_at(self._output(index), spec.nbytes), spec.dtype).reshape(spec.shape)
            for index, spec in enumerate(self.manifest.outputs)
        ]

    def address(self, index: int) -> int:
        """The address of an input."""
        return int(self._input(index))


def load(source: Source, folder: Path, flags: Sequence[str] = ("-O2",)) -> GeneratedNetwork:
    """One network as a shared library.

    Raises:
        CompileError: The C compiler refuses the code, or warns.
    """
    return load_all([source], folder, flags)[0]


def load_all(
    sources: Sequence[Source], folder: Path, flags: Sequence[str] = ("-O2",), width: str = ""
) -> list[GeneratedNetwork]:
    """Networks of different names in one shared library; kernels that several use are compiled once.

    Args:
        sources: The networks.
        folder: Folder to write and build in.
        flags: Of the C compiler.
        width: As `compile_c` has it.

    Raises:
        CompileError: The C compiler refuses the code, or warns.
    """
    target = folder / "nets.so"
    library = ctypes.CDLL(str(compile_c(write_all(sources, folder), (*flags, "-shared", "-fPIC"), target, width)))
    return [GeneratedNetwork(library, source.manifest) for source in sources]


def run_sanitized(
    sources: Sequence[Source],
    samples: Sequence[Sequence[Sequence[Array]]],
    folder: Path,
    width: str = "",
) -> list[Any]:
    """Outputs of each network for each of its samples, by a program under address and undefined-behaviour sanitizers.

    Args:
        sources: Networks of different names.
        samples: For each network its samples, each a list of inputs.
        folder: Folder to write and build in.
        width: As `compile_c` has it.

    Raises:
        CompileError: The C compiler refuses the code or warns, or a sanitizer reports a fault.
    """
    units = write_all(sources, folder)
    main = folder / "main.c"
    main.write_text(_program(sources))
    program = compile_c([*units, main], SANITIZERS, folder / "program", width)
    stdin = b"".join(
        np.uint32(len(each)).tobytes() + b"".join(array.tobytes() for sample in each for array in sample)
        for each in samples
    )
    done = subprocess.run([str(program)], input=stdin, capture_output=True, check=False)
    if done.returncode:
        raise CompileError(f"The generated C fails under sanitizers:\n{done.stderr.decode(errors='replace')[:4000]}")
    return _split(done.stdout, sources, samples)


def _program(sources: Sequence[Source]) -> str:
    """C that runs the networks one after another."""
    manifests = [source.manifest for source in sources]
    networks = [", ".join(f"{each.name}_{what}" for what in ("init", "run", "input", "output")) for each in manifests]
    sizes = [[len(ends), *(end.nbytes for end in ends)] for each in manifests for ends in (each.inputs, each.outputs)]
    lines = {
        "INCLUDES": "\n".join(f'#include "{each.name}/model.h"' for each in manifests),
        "NETWORKS": "\n".join(f"    {{{functions}}}," for functions in networks),
        "SIZES": "\n".join(f"    {', '.join(map(str, each))}," for each in sizes),
    }
    text = PROGRAM
    for word, value in lines.items():
        text = text.replace(f"@{word}@", value)
    return text


def write_all(sources: Sequence[Source], folder: Path) -> list[Path]:
    """Write the networks to folders named after them; returns the files to compile: each kernel once, and one file each
    with what all networks do and with their constants, since starting a compiler takes longer than reading them."""
    units: dict[str, Path] = {}
    constants, networks = folder / "constants.c", folder / "networks.c"
    folder.mkdir(parents=True, exist_ok=True)
    constants.write_text("".join(f'#include "{source.manifest.name}/weights.c"\n' for source in sources))
    networks.write_text(one_unit(sources))
    for source in sources:
        home = folder / source.manifest.name
        source.write(home)
        for path in sorted(source.files):
            if path.endswith((".c", ".S")) and path not in ("weights.c", "model.c"):
                units.setdefault(path, home / path)
    return [*units.values(), networks, constants]


def compile_c(units: Sequence[Path], flags: Sequence[str], target: Path, width: str = "") -> Path:
    """Compile and link with the C compiler of this machine; warnings are errors.

    Kernels that were compiled before with the same flags are taken from the cache; with a ``width`` all files are.

    Args:
        units: C files.
        flags: Of the compiler.
        target: The program or library.
        width: One more flag, of the kernels alone: the processor whose vectors they have. What calls them knows no
            vectors, and is compiled once for all widths.

    Raises:
        CompileError: The compiler refuses it.
    """
    flags = (*WARNINGS, *flags)
    objects = []
    for unit in units:
        kernel = unit.parent.name == "kernels"
        more = (width,) if kernel and width else ()
        stored = kernel or width
        objects.append(_object(unit, (*flags, *more), target.parent / f"{unit.stem}.o") if stored else unit)
    _compile([*flags, *map(str, objects), "-o", str(target)], target.parent)
    return target


def _object(unit: Path, flags: Sequence[str], output: Path) -> Path:
    # Where the file lay says only the debugging information, which nothing but a sanitizer's message shows.
    key = object_key(unit, [flag for flag in flags if not flag.startswith("-g")], f"{_compiler_version()} {flags}")
    if key is None or not stored_object(key, output):
        _compile([*(flag for flag in flags if flag != "-shared"), "-c", str(unit), "-o", str(output)], output.parent)
        if key is not None:
            store_object(key, output)
    return output


def _compile(words: Sequence[str], folder: Path) -> None:
    command = [c_compiler() or "cc", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        raise CompileError(f"The generated C does not compile:\n{done.stderr[:4000]}")


@lru_cache
def _compiler_version() -> str:
    return subprocess.run([c_compiler() or "cc", "--version"], capture_output=True, text=True, check=True).stdout


def c_compiler() -> str | None:
    """A C compiler of this machine, or None."""
    return shutil.which("gcc") or shutil.which("cc")


def _split(data: bytes, sources: Sequence[Source], samples: Sequence[Sequence[Any]]) -> list[Any]:
    offset = 0
    results = []
    for source, each in zip(sources, samples, strict=True):
        samples_outputs = []
        for _ in each:
            outputs = []
            for spec in source.manifest.outputs:
                part = np.frombuffer(data, spec.dtype, spec.elements, offset)
                outputs.append(part.reshape(spec.shape))
                offset += spec.nbytes
            samples_outputs.append(outputs)
        results.append(samples_outputs)
    return results
