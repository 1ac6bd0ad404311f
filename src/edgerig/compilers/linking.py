"""Object files to a shared library, for this machine or another."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from edgerig.errors import CompileError, MissingProgramError

#: Seconds that linking may take: Zig builds the C library of another machine before it first links for that.
_PATIENCE = 600.0
#: Version of the C library that another machine has at least: Debian 10's, and JetPack 5's is newer.
_GLIBC = "2.28"


def linker_for(triple: str | None) -> tuple[str, ...]:
    """The command that links for ``triple``, or for this machine: a C compiler, or Zig's.

    Raises:
        MissingProgramError: There is none.
    """
    names = ("cc", "gcc", "clang") if triple is None else (f"{triple}-gcc",)
    path = next(filter(None, map(shutil.which, names)), None)
    if path is not None:
        return (path,)
    if find_spec("ziglang") is not None:
        zig = (sys.executable, "-m", "ziglang", "cc")
        if triple is None:
            return zig
        return (*zig, "-target", f"{triple}.{_GLIBC}" if triple.endswith("-gnu") else triple)
    if triple is None:
        raise MissingProgramError("TVM's code is linked by a C compiler, and there is none.", "apt-get install gcc")
    raise MissingProgramError(
        f"TVM's code for {triple} is linked by a C compiler for it, and {names[0]} is not on the PATH.",
        f"apt-get install gcc-{triple}, or for any architecture: {sys.executable} -m pip install ziglang",
    )


def linked(linker: Sequence[str], output: str, objects: Sequence[str]) -> None:
    """Link ``objects`` to the shared library ``output``, without anything in it that differs from time to time.

    Raises:
        CompileError: The linker fails, in its own words.
    """
    command = [*linker, "-shared", "-fPIC", "-s", "-Wl,--build-id=none", "-o", output, *objects, "-lm"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise CompileError(f"{linker[0]} did not link within {_PATIENCE:g} s.") from None
    if done.returncode:
        raise CompileError(f"{' '.join(linker)} cannot link TVM's code: {' '.join(done.stderr.split())[:500]}")
