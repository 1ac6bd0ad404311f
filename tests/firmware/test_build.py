"""The core compiles cleanly, needs nothing, and is small."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from tests.needs import need, need_module

ROOT = Path(__file__).parents[2]
CORE = ROOT / "firmware" / "core"
#: Bytes of code and constants that the core may have on a Cortex-M.
LIMIT = 4096
#: What a compiler may call by itself: copying, and single precision where there is no FPU.
ALLOWED = ("memcpy", "memset", "memmove", "__aeabi_", "__gnu_thumb1_case_")
ZIG = [sys.executable, "-m", "ziglang", "cc"]
ZIG_CORES = {
    "m0+": ["-target", "thumb-freestanding-eabi", "-mcpu=cortex_m0plus"],
    "m4": ["-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4"],
    "m7": ["-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m7+fp_armv8d16sp"],
}
ARM_GCC = ["arm-none-eabi-gcc", "-mthumb"]
GCC_CORES = {
    "m0+": ["-mcpu=cortex-m0plus"],
    "m4": ["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
    "m7": ["-mcpu=cortex-m7", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"],
}
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-pedantic", "-Werror"]


def words_of(compiler: str) -> list[str]:
    if compiler == "ziglang":
        need_module("ziglang", "ziglang")
        return ZIG
    need(ARM_GCC[0])
    return ARM_GCC


@pytest.mark.slow
@pytest.mark.parametrize("core", ["m0+", "m4", "m7"])
@pytest.mark.parametrize("compiler", ["ziglang", "arm-none-eabi-gcc"])
def test_core_is_small_and_calls_no_library(
    compiler: str, core: str, make: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    words = [*words_of(compiler), *(ZIG_CORES if compiler == "ziglang" else GCC_CORES)[core]]
    done = make("-s", f"BUILD={tmp_path}", f"SIZE_CC={' '.join(words)}", "size")
    assert done.returncode == 0, done.stderr
    total = json.loads(done.stdout)["total"]
    print(f"{compiler}, {core}: {total}")
    assert 1000 < total["code"] + total["constants"] < LIMIT
    assert total["data"] == 0
    objects = sorted((tmp_path / "size").glob("*.o"))
    assert len(objects) == len(list(CORE.glob("*.c")))
    listed = subprocess.run(["nm", "-u", *map(str, objects)], capture_output=True, text=True, check=True).stdout
    needed = {line.split()[-1] for line in listed.splitlines() if line.strip().startswith("U ")}
    assert needed
    assert {name for name in needed if not name.startswith(("er_", *ALLOWED))} == set()


def test_core_uses_no_allocation_and_no_header_but_freestanding_ones() -> None:
    text = "".join(path.read_text() for path in CORE.glob("*.[ch]"))
    headers = {line.split("<")[1].split(">")[0] for line in text.splitlines() if line.startswith("#include <")}
    assert headers == {"stdint.h", "stddef.h"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("compiler", "options"),
    [
        ("gcc", ["-O0"]),
        ("gcc", ["-O3"]),
        ("gcc", ["-O2", "-DER_CRC_FAST"]),
        ("ziglang", ["-O0", "-target", "x86_64-linux-musl"]),
        ("ziglang", ["-O3", "-target", "x86-linux-musl"]),
        ("ziglang", ["-O2", "-target", "riscv32-freestanding"]),
        ("ziglang", ["-O2", "-target", "thumb-freestanding-eabi", "-mcpu=cortex_m0plus"]),
    ],
)
def test_core_compiles_without_a_warning(compiler: str, options: list[str], make: object, tmp_path: Path) -> None:
    words = ["gcc"] if compiler == "gcc" else words_of(compiler)
    for source in sorted(CORE.glob("*.c")):
        command = [*words, *STRICT, *options, "-c", str(source), "-o", str(tmp_path / "x.o")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_weights_in_c_are_those_that_the_script_makes(host_network: ModuleType) -> None:
    assert host_network.PLACE.read_text() == host_network.text()


@pytest.mark.slow
def test_device_program_explains_itself_and_refuses_nonsense(built: Path) -> None:
    for words, code in ([], 2), (["--what"], 2), (["--unix"], 2), (["--tcp", "nowhere"], 1), (["--unix", "/no/s"], 1):
        done = subprocess.run(
            [built / "er_device.san", *words], capture_output=True, text=True, timeout=20, check=False
        )
        assert done.returncode == code
        assert "er_device" in done.stderr


def test_device_program_stops_by_itself_when_idle(built: Path) -> None:
    command = [built / "er_device.san", "--tcp", "127.0.0.1:0", "--idle", "0.3"]
    assert subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0
