"""A digits server as one program in C for Linux, with a network inside."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Literal

import msgspec

from edgerig import files
from edgerig.artifact import Artifact
from edgerig.boards.board import firmware_folder, load_board
from edgerig.boards.firmware import BuildSettings, Network
from edgerig.boards.network import check_takes_digits, network_of
from edgerig.errors import CompileError, MissingExtraError, MissingProgramError, UsageError
from edgerig.runtimes.c_library import run_c_compiler

#: What every build is made with. Sums and products stay apart, so that outputs equal those of every other machine.
_FLAGS = ("-std=c99", "-O3", "-ffp-contract=off", "-Wall", "-Werror=implicit-function-declaration")


class ProgramSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the program is built.

    Attributes:
        compiler: ``cc`` is the system's; ``auto`` takes ziglang where it is installed.
        machine: What the program is for, as Zig calls it, such as ``aarch64-linux-musl``; this machine by default.
    """

    compiler: Literal["auto", "ziglang", "cc"] = "auto"
    machine: str | None = None


def build_digits_program(artifact: Artifact, out: Path, settings: ProgramSettings | None = None) -> Network:
    """Compile the network of a TFLite file and a server around it into the program ``out``; the network.

    Raises:
        IncompatibleError: It is no TFLite file, or does not take 784 numbers and make 10.
        ModelError, CompileError: It is not sound, or uses what the compiler does not know, or the C compiler fails.
        MissingExtraError, MissingProgramError: There is no such C compiler. StorageError: ``out`` cannot be written.
    """
    settings = settings or ProgramSettings()
    command = _compiler(settings)
    network = network_of(artifact, load_board("stm32f746"), BuildSettings(kernels="portable"))
    check_takes_digits(network)
    sources = [*sorted(Path(network.folder).rglob("*.c")), *_server_sources(firmware_folder())]
    with files.atomic_path(out, 0o755) as temporary:
        words = [*command, *_FLAGS, f"-I{network.folder}", *map(str, sources), "-o", str(temporary)]
        run_c_compiler(words, "the server", CompileError)
    return network


def _server_sources(firmware: Path) -> list[Path]:
    return [
        *sorted((firmware / "digits").glob("*.c")),
        *sorted((firmware / "digits_linux").glob("*.c")),
        firmware / "boards" / "digits" / "digits_tensors.c",
    ]


def _compiler(settings: ProgramSettings) -> list[str]:
    """The compiler's command, with what says which machine the program is for."""
    zig = importlib.util.find_spec("ziglang") is not None
    if settings.compiler == "ziglang" or (settings.compiler == "auto" and zig) or settings.machine is not None:
        if settings.compiler == "cc":
            raise UsageError(
                f"The system's compiler does not build for {settings.machine}.", "Take --compiler ziglang."
            )
        if not zig:
            raise MissingExtraError("A digits server in C", "boards", "ziglang")
        machine = settings.machine
        static = ["-static"] if machine is not None and machine.endswith("musl") else []
        return [sys.executable, "-m", "ziglang", "cc", *(["-target", machine, *static] if machine else [])]
    program = shutil.which("cc")
    if program is None:
        raise MissingProgramError("A digits server in C needs a C compiler.", "apt-get install gcc")
    return [program, "-march=native"]
