"""C compilers for Cortex-M and RISC-V: ``ziglang`` from pip, or Debian's GCC for each."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec

from edgerig.boards.objects import object_key, store_object, stored_object
from edgerig.boards.programs import call
from edgerig.errors import CompileError, UsageError
from edgerig.install import install_command

Choice = Literal["auto", "ziglang", "gcc"]
#: GCC for Arm and for RISC-V, and Debian's package.
GCC = "arm-none-eabi-gcc"
_RISCV_GCC = "riscv64-unknown-elf-gcc"
_PACKAGES = {GCC: "gcc-arm-none-eabi", _RISCV_GCC: "gcc-riscv64-unknown-elf"}
#: Seconds that one file may take.
PATIENCE = 180.0
#: Any target but this machine, whose C library zig would look for before it tells its version.
_ZIG_TARGET = ("-target", "thumb-freestanding-eabi")
#: Names of the cores in zig, without and with FPU.
_ZIG_CPUS = {
    "cortex-m0": ("cortex_m0", "cortex_m0"),
    "cortex-m0plus": ("cortex_m0plus", "cortex_m0plus"),
    "cortex-m23": ("cortex_m23", "cortex_m23"),
    "cortex-m3": ("cortex_m3", "cortex_m3"),
    "cortex-m4": ("cortex_m4", "cortex_m4+vfp4d16sp"),
    "cortex-m7": ("cortex_m7", "cortex_m7+fp_armv8d16sp"),
    "cortex-m33": ("cortex_m33+dsp", "cortex_m33+dsp+fp_armv8d16sp"),
    "cortex-m55": ("cortex_m55", "cortex_m55+fp_armv8d16+mve_fp"),
}


class Toolchain(msgspec.Struct, frozen=True):
    """A C compiler.

    Attributes:
        name: ``ziglang`` or ``gcc``.
        words: Its command.
        version: Its name and version, as it prints them.
    """

    name: str
    words: tuple[str, ...]
    version: str

    def machine(self, cpu: str, fpu: str) -> tuple[str, ...]:
        """Flags for a core as GCC calls it, with the FPU ``fpu`` or, if that is empty, without."""
        if is_riscv(cpu):
            if self.name == "gcc":
                return (f"-march={cpu}", "-mabi=ilp32", "-mcmodel=medany")
            return ("-target", "riscv32-freestanding", "-mcpu=generic_rv32+m+c", "-fno-sanitize=all")
        if self.name == "gcc":
            flags = ("-mthumb", f"-mcpu={cpu}")
            if not fpu:
                soft = f"-mcpu={cpu}+nomve+nofp" if cpu == "cortex-m55" else f"-mcpu={cpu}"
                return ("-mthumb", soft, "-mfloat-abi=soft")
            unit = "auto" if cpu == "cortex-m55" else fpu
            return (*flags, f"-mfpu={unit}", "-mfloat-abi=hard")
        core = _ZIG_CPUS[cpu][1 if fpu else 0]
        # Without -fno-sanitize zig's debug builds call a runtime that boards do not have.
        return ("-target", f"thumb-freestanding-eabi{'hf' if fpu else ''}", f"-mcpu={core}", "-fno-sanitize=all")

    def optimize(self, level: str) -> tuple[str, ...]:
        """Flags for ``-O<level>``: 0, 1, 2, 3, s or g."""
        flag = f"-O{level}"
        if self.name == "gcc" or level in ("0", "s"):
            return (flag,)
        # zig replaces -O1 and -O3 by -O2, and -Og by -O0. A level that is passed on to clang by -Xclang wins.
        return flag, "-Xclang", "-O1" if level == "g" else flag

    def compile(self, source: Path, output: Path, flags: tuple[str, ...], where: Path) -> None:
        """Make the object file ``output`` of one C or assembly file, or take it from the cache.

        Raises:
            CompileError: The compiler refused it; its own words are in the message.
            StorageError: The cache cannot be written.
        """
        if not any(flag.startswith("-g") for flag in flags):
            # zig adds debug information unasked, and with it the paths of this machine.
            flags = (*flags, "-g0")
        key = object_key(source, flags, f"{self.version} {shlex.join(self.words)}")
        if key is not None and stored_object(key, output):
            return
        done = self.run((*flags, "-c", str(source), "-o", str(output)), where)
        if done.returncode != 0:
            raise CompileError(
                f"{self.version} cannot compile {source.name}:\n{_words(done.stderr)}", "This is a fault of edgerig."
            )
        if key is not None:
            store_object(key, output)

    def link(self, objects: list[Path], output: Path, flags: tuple[str, ...], where: Path) -> str:
        """Link; the linker's error messages, empty if there are none. ``where`` holds the linker script."""
        words = (*flags, "-nostartfiles", "-Wl,--gc-sections", "-Wl,-T,sections.ld")
        files = tuple(str(path) for path in objects)
        done = self.run((*words, "-nostdlib", *files, "-o", str(output)), where)
        if done.returncode != 0 and "undefined" in done.stderr:
            # Link the compiler's arithmetic library, only if needed: zig rebuilds its library for each core.
            library = ("-nostdlib", *files, "-lgcc") if self.name == "gcc" else files
            done = self.run((*words, *library, "-o", str(output)), where)
        return _words(done.stderr) if done.returncode != 0 else ""

    def run(self, words: tuple[str, ...], where: Path) -> subprocess.CompletedProcess[str]:
        """Run the compiler in the folder ``where``.

        Raises:
            CompileError: It does not start, or does not end.
        """
        try:
            return call([*self.words, *words], PATIENCE, where)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CompileError(f"{self.version} does not work: {error}.") from error


def is_riscv(cpu: str) -> bool:
    """Whether a core is one of RISC-V, else of Arm."""
    return cpu.startswith("rv")


def find_toolchain(choice: Choice = "auto", cpu: str = "cortex-m7") -> Toolchain:
    """The chosen compiler for a core; `auto` is ziglang, whose version pip pins, then gcc.

    Raises:
        UsageError: It is not installed; says how to install it.
    """
    zig = zig_compiler()
    name = _RISCV_GCC if is_riscv(cpu) else GCC
    gcc = shutil.which(name)
    if choice != "gcc" and zig is not None:
        return Toolchain("ziglang", zig, _version((*zig, *_ZIG_TARGET), "ziglang"))
    if choice != "ziglang" and gcc:
        return Toolchain("gcc", (gcc,), _version((gcc,), name))
    what = {"auto": f"a C compiler for {cpu}", "ziglang": "ziglang", "gcc": name}[choice]
    raise UsageError(
        f"Building firmware needs {what}, which is not installed.",
        f"apt-get install {_PACKAGES[name]}" if choice == "gcc" else install_command("boards"),
    )


def zig_compiler() -> tuple[str, ...] | None:
    """The command of ziglang's C compiler; None if it is not installed.

    The program itself: ``python -m ziglang`` would start a Python for each file, which takes longer than compiling it.
    """
    spec = importlib.util.find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        return None
    program = Path(spec.submodule_search_locations[0], "zig.exe" if sys.platform == "win32" else "zig")
    return (str(program), "cc") if program.exists() else (sys.executable, "-m", "ziglang", "cc")


def toolchain_installed() -> bool:
    """Whether a compiler for any board is installed; does not start one."""
    return zig_compiler() is not None or any(shutil.which(name) is not None for name in _PACKAGES)


_VERSION_SECONDS = 60.0


@lru_cache
def _version(words: tuple[str, ...], name: str) -> str:
    try:
        done = call([*words, "--version"], _VERSION_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise UsageError(
            f"{name} does not even tell its version in {_VERSION_SECONDS:g} s.",
            "Can it write its cache? See XDG_CACHE_HOME and ZIG_GLOBAL_CACHE_DIR.",
        ) from error
    line = (done.stdout.splitlines() or ["unknown"])[0]
    if name == "ziglang":
        from importlib.metadata import version

        return f"ziglang {version('ziglang')} ({line})"
    return line


def _words(text: str) -> str:
    """The lines that say what is wrong, at most a dozen."""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line or "undefined" in line or "overflow" in line]
    return "\n".join((errors or lines)[:12])
