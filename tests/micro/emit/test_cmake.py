"""CMakeLists.txt: another project builds the network with it, on this machine and for a Cortex-M."""

from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.needs import need

from edgerig.boards.board import firmware_folder
from edgerig.micro import Options, Source, compile_model
from edgerig.runtimes.c_library import VECTORS
from edgerig.testing.networks.known_networks import digits
from edgerig.testing.networks.random_operators import random_operator
from edgerig.testing.networks.reference_runs import Oracle

PROJECT = """\
cmake_minimum_required(VERSION 3.16)
project(app LANGUAGES C)
add_subdirectory(first)
add_subdirectory(second)
add_executable(app main.c)
target_link_libraries(app PRIVATE first second)
"""

MAIN = """\
#include <stdio.h>
#include "first/model.h"
#include "second/model.h"
int main(void)
{
    first_init();
    second_init();
    if (fread(first_input(0), 1, first_inputs[0].bytes, stdin) != first_inputs[0].bytes)
        return 1;
    first_run();
    second_run();
    fwrite(first_output(0), 1, first_outputs[0].bytes, stdout);
    return 0;
}
"""

BOARD = """\
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_C_COMPILER arm-none-eabi-gcc)
set(CMAKE_ASM_COMPILER arm-none-eabi-gcc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_C_FLAGS_INIT "-mcpu=cortex-m7 -mthumb -mfloat-abi=hard -mfpu=fpv5-sp-d16 @HEADERS@")
set(CMAKE_ASM_FLAGS_INIT "${CMAKE_C_FLAGS_INIT}")
"""


def build(source: Path, *options: str) -> Path:
    need("cmake", "make", "gcc")
    folder = source / "out"
    for command in (["cmake", "-S", str(source), "-B", str(folder), *options], ["cmake", "--build", str(folder)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def compiled(name: str, cpu: str) -> Source:
    return compile_model(digits(), name, Options(cpu=cpu))


@pytest.mark.slow
def test_a_project_takes_two_networks_as_libraries(tmp_path: Path) -> None:
    """Both have kernels of the same names."""
    compiled("first", "portable").write(tmp_path / "first")
    compile_model(random_operator("CONV_2D", 3, "int8"), "second", Options()).write(tmp_path / "second")
    (tmp_path / "CMakeLists.txt").write_text(PROJECT)
    (tmp_path / "main.c").write_text(MAIN)
    folder = build(tmp_path)
    manifest = compiled("first", "portable").manifest
    (spec,) = manifest.inputs
    sample = np.random.default_rng(0).integers(-128, 128, spec.shape).astype(spec.dtype)
    done = subprocess.run([folder / "app"], input=sample.tobytes(), capture_output=True, check=True)
    (expected,) = Oracle(digits()).run([sample])
    assert done.stdout == expected.tobytes()


@pytest.mark.slow
def test_kernels_in_assembly_are_built_by_a_toolchain_file(tmp_path: Path) -> None:
    need("arm-none-eabi-gcc")
    source = compiled("net", "cortex-m7")
    assembly = [path for path in source.files if path.endswith(".S")]
    assert assembly
    source.write(tmp_path / "net")
    toolchain = tmp_path / "board.cmake"
    # The compiler comes without a C library; a project has the headers of one.
    headers = firmware_folder() / "boards" / "common" / "freestanding"
    toolchain.write_text(BOARD.replace("@HEADERS@", f"-ffreestanding -isystem {headers}"))
    folder = build(tmp_path / "net", f"-DCMAKE_TOOLCHAIN_FILE={toolchain}")
    listed = subprocess.run(["arm-none-eabi-ar", "t", folder / "libnet.a"], capture_output=True, text=True, check=True)
    assert sorted(listed.stdout.split()) == sorted(
        f"{path.rpartition('/')[2]}.obj" for path in source.files if path.endswith((".c", ".S"))
    )


@pytest.mark.slow
def test_kernels_for_vectors_are_built_for_the_processor_that_the_runtime_builds_them_for(tmp_path: Path) -> None:
    """As by `edgerig.runtimes.c_library`; a project may name another, or leave it to its own flags."""
    compiled("net", "simd").write(tmp_path)
    own = VECTORS.get(platform.machine())
    if own is None:
        pytest.skip(f"no vectors of {platform.machine()} are known")
    name = own.partition("=")[0]
    for chosen, flag in ((None, own), ("", None)):
        options = () if chosen is None else (f"-Dnet_processor={chosen}",)
        folder = build(tmp_path, "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", *options)
        commands = [entry["command"].split() for entry in json.loads((folder / "compile_commands.json").read_text())]
        assert commands
        for words in commands:
            assert [word for word in words if word.startswith(name)] == ([flag] if flag else [])
    assert b"march" not in compiled("net", "portable").files["CMakeLists.txt"]


def test_languages_are_those_of_the_files() -> None:
    assert b"project(net LANGUAGES C)" in compiled("net", "portable").files["CMakeLists.txt"]
    assert b"project(net LANGUAGES C ASM)" in compiled("net", "cortex-m7").files["CMakeLists.txt"]
