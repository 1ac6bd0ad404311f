"""Generated C as a library of this machine: built by its C compiler once, and taken from the cache afterwards."""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from edgerig import files
from edgerig.errors import EdgerigError, InferenceError, MissingProgramError
from edgerig.install import install_command

#: Time limit of the C compiler, in seconds.
PATIENCE = 300.0
#: Processors with vectors, as `platform.machine` calls them, and what has a C compiler use all of this machine's.
VECTORS = {"x86_64": "-march=native", "AMD64": "-march=native", "aarch64": "-mcpu=native", "arm64": "-mcpu=native"}
#: Lines of /proc/cpuinfo that tell a processor from others.
_CPU_LINES = re.compile(
    r"^(?:vendor_id|cpu family|model|model name|stepping|flags|Features|CPU \w+|cache size)\s*:.*$", re.MULTILINE
)
#: In a source, what may make another object of the same text.
_OPAQUE = re.compile(rb"\.incbin|__(?:FILE|DATE|TIME|TIMESTAMP)__|__has_include|#[ \t]*embed")


def build_library(folder: Path, output: Path, level: str, native: bool = False) -> None:
    """Compile all C files of a folder into a shared library for this machine, or take it from the cache.

    Args:
        folder: C files and their headers.
        output: The library.
        level: Of optimization.
        native: For this very processor, where the compiler knows how to say that; else for any of its kind.

    Raises:
        MissingProgramError: There is no C compiler.
        InferenceError: The compiler fails.
    """
    words = c_compiler()
    if words is None:
        raise no_compiler()
    flags = [f"-O{level}", "-std=c99", "-shared", "-fPIC"]
    own = VECTORS.get(platform.machine()) if native else None
    if own is not None and _knows(tuple(words), own):
        flags.append(own)
    key = library_key(folder, words, flags)
    kept = None if key is None else files.recall(*_place(key))
    if kept is not None:
        output.write_bytes(kept)
        return
    sources = map(str, sorted(folder.rglob("*.c")))
    run_c_compiler([*words, *flags, *sources, "-o", str(output)], "the network", InferenceError)
    if key is not None:
        files.remember(output.read_bytes(), *_place(key))


def library_key(folder: Path, words: Sequence[str], flags: Sequence[str]) -> str | None:
    """The key of the library that a compiler makes of a folder: SHA-256 over all that it depends on.

    That is the text of every file of the folder, preprocessed too, and so of the system's headers, with all macros; the
    flags; compiler, assembler and linker, and what the first says of itself; and for flags that mean this processor,
    which one it is.

    Returns:
        The key; None if the library may depend on something else, or if the compiler keeps a cache of its own, as
        ziglang does.
    """
    if len(words) != 1:
        return None
    texts = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    if any(_OPAQUE.search(text) for text in texts.values()):
        return None
    programs = [_identity(name) for name in (words[0], "as", "ld")]
    surroundings = _preprocessed(folder, [words[0], *flags])
    native = any(flag in VECTORS.values() for flag in flags)
    cpu = _processor() if native else ""
    if surroundings is None or cpu is None:
        return None
    hashes = {name: files.sha256(text) for name, text in texts.items()}
    return files.digest(["library 1", platform.machine(), hashes, list(flags), programs, surroundings, cpu])


def _identity(program: str) -> tuple[str, int, int] | None:
    """Where a program lies, its size and when it was changed; None if there is none."""
    command = shutil.which(program)
    if command is None:
        return None
    path = Path(command).resolve()
    status = path.stat()
    return str(path), status.st_size, status.st_mtime_ns


def _preprocessed(folder: Path, words: Sequence[str]) -> str | None:
    """SHA-256 of a folder's files with all headers that they include, and of what the compiler says of itself.

    Returns:
        None if it cannot preprocess them.
    """
    units = "".join(f'#include "{path}"\n' for path in sorted(folder.absolute().rglob("*.c")))
    # -v tells the version, and what gcc makes of -march=native; -dD keeps macros, and -P leaves out the folder.
    command = [*words, "-E", "-P", "-dD", "-v", "-w", "-x", "c", "-"]
    try:
        done = subprocess.run(command, input=units.encode(), capture_output=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return files.digest([files.sha256(done.stdout), files.sha256(done.stderr)]) if done.returncode == 0 else None


def _processor() -> str | None:
    """What Linux tells of this machine's processors, each kind once; None elsewhere."""
    try:
        lines = _CPU_LINES.findall(Path("/proc/cpuinfo").read_text(errors="replace"))
    except OSError:
        return None
    return "\n".join(sorted(set(lines))) or None


def _place(key: str) -> tuple[str, str, str]:
    return "libraries", key[:2], key


@lru_cache
def _knows(words: tuple[str, ...], flag: str) -> bool:
    """Whether a C compiler takes a flag; clang refuses some on processors that it does not know."""
    command = [*words, flag, "-x", "c", "-fsyntax-only", "-"]
    try:
        done = subprocess.run(command, input=b"", capture_output=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def run_c_compiler(words: Sequence[str], what: str, failed: type[EdgerigError]) -> None:
    """Run a C compiler to build ``what``, with a time limit.

    Raises:
        EdgerigError: It does not work, or refuses the code; of the type ``failed``.
    """
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise failed(f"The C compiler {words[0]} does not work: {error}.") from error
    if done.returncode:
        raise failed(f"{words[0]} cannot compile {what}:\n{done.stderr[:2000].strip()}")


def no_compiler() -> MissingProgramError:
    """The error where this machine has no C compiler."""
    return MissingProgramError(
        "Runtime 'micro' needs a C compiler, and this machine has none.",
        f"apt-get install gcc, or {install_command('boards')}",
    )


def c_compiler() -> list[str] | None:
    """The command of a C compiler for this machine: the system's, else ziglang's; None if there is none."""
    for name in ("cc", "gcc", "clang"):
        program = shutil.which(name)
        if program is not None:
            return [program]
    return [sys.executable, "-m", "ziglang", "cc"] if importlib.util.find_spec("ziglang") is not None else None
