"""What unicorn calls very often, in C: sources of this folder, compiled for this machine the first time."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from edgerig import files
from edgerig.boards.toolchain import zig_compiler
from edgerig.cache import StageCache

_HERE = Path(__file__).parent


@lru_cache
def native_library(name: str) -> ctypes.CDLL | None:
    """``name.c`` compiled for this machine and loaded, or None where that does not work."""
    source = _HERE / f"{name}.c"
    key = files.digest([source.read_text(), sys.platform, sys.version, ctypes.sizeof(ctypes.c_void_p)])[:16]
    file = f"{name}.so"
    try:
        folder, _ = StageCache(files.cache_folder() / "firmware" / "native").get_or_build(
            key, lambda work: _compile(source, work / file)
        )
        return ctypes.CDLL(str(folder / file))
    except Exception:
        # Slower, but nothing else is lost.
        return None


def add_hook(engine: Any, kind: int, function: Any, state: ctypes.Structure) -> int:
    """Let unicorn's ``engine`` call the C ``function`` with ``state``; the hook's handle, for `remove_hook`.

    Raises:
        OSError: unicorn does not take it.
    """
    from unicorn.unicorn_py3.unicorn import uclib

    hook = ctypes.c_size_t()
    failed = uclib.uc_hook_add(
        engine._uch,
        ctypes.byref(hook),
        kind,
        address_of(function),
        ctypes.cast(ctypes.byref(state), ctypes.c_void_p),
        ctypes.c_uint64(1),
        ctypes.c_uint64(0),
    )
    if failed:
        raise OSError(f"unicorn takes no hook: error {failed}")
    return int(hook.value)


def remove_hook(engine: Any, hook: int) -> None:
    """Take back what `add_hook` added.

    Raises:
        OSError: unicorn does not let go of it.
    """
    from unicorn.unicorn_py3.unicorn import uclib

    if failed := uclib.uc_hook_del(engine._uch, ctypes.c_size_t(hook)):
        raise OSError(f"unicorn keeps the hook: error {failed}")


def address_of(function: Any) -> ctypes.c_void_p:
    """Where a C function lies."""
    return ctypes.cast(function, ctypes.c_void_p)


def _compile(source: Path, output: Path) -> None:
    zig = zig_compiler()
    compilers = [] if zig is None else [[*zig]]
    compilers += [[program] for name in ("cc", "gcc", "clang") if (program := shutil.which(name))]
    flags = ["-O2", "-std=c99", "-shared", "-fPIC", "-nostdlib", "-ffreestanding", "-fno-stack-protector"]
    for words in compilers:
        done = subprocess.run(
            [*words, *flags, str(source), "-o", str(output)], capture_output=True, timeout=120, check=False
        )
        if done.returncode == 0:
            return
    raise OSError("no C compiler for this machine")
