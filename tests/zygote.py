"""A process that imports what others will need, and forks for each that is asked for: `tests/forks.py`.

``python tests/zygote.py FD MODULE IMPORTED...``: requests come over the socket FD, each copy runs ``python -m MODULE``.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import io
import json
import os
import runpy
import signal
import socket
import sys
import types
from pathlib import Path
from typing import Any, NoReturn

#: Bytes of the longest request, and most files that can come with it.
_LONGEST, _MOST_FILES = 128 * 1024, 253


def _serve(connected: socket.socket, module: str, imported: list[str]) -> tuple[dict[str, Any], list[int]]:
    """Fork for each request; returns in a forked process alone, with what it was asked to be."""
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in imported:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    _forget(module)
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise SystemExit("a module starts threads when it is imported: a copy of this process would lack them")
    gc.collect()
    gc.freeze()
    connected.send(b"ready")
    while True:
        message, files, _, _ = socket.recv_fds(connected, _LONGEST, _MOST_FILES)
        if not message:
            os._exit(0)
        request = json.loads(message)
        fits = not _shadowed(request["module_path"])
        pid = _fork_twice() if fits else 0
        if fits and not pid:
            connected.close()
            signal.signal(signal.SIGINT, interrupted)
            return request, files
        for number in files:
            os.close(number)
        connected.send(str(pid).encode())


def _shadowed(folders: list[str]) -> bool:
    """Whether a start with these folders in PYTHONPATH would find there what is imported here from elsewhere."""
    names = {name.partition(".")[0] for name in sys.modules} | {"sitecustomize", "usercustomize"}
    others = [Path(folder) for folder in folders if folder not in sys.path]
    return any(entry.name.partition(".")[0] in names for other in others if other.is_dir() for entry in other.iterdir())


def _forget(module: str) -> None:
    """Have a module that was imported be none, since it is to be the main one; a package runs another of its own."""
    if module in sys.modules and not hasattr(sys.modules[module], "__path__"):
        package, _, name = module.rpartition(".")
        del sys.modules[module]
        if package:
            delattr(sys.modules[package], name)


def _fork_twice() -> int:
    """The id of a grandchild, which has lost its parent; 0 in itself."""
    reader, writer = os.pipe()
    go, gone = os.pipe()
    between = os.fork()
    if between:
        os.close(writer)
        pid = int(os.read(reader, 20))
        os.waitpid(between, 0)
        for number in (reader, go, gone):
            os.close(number)
        return pid
    if pid := os.fork():
        os.write(writer, str(pid).encode())
        os._exit(0)
    for number in (reader, writer, gone):
        os.close(number)
    os.read(go, 1)  # It has its new parent as soon as the others have closed their ends.
    os.close(go)
    return 0


def _become(request: dict[str, Any], files: list[int]) -> None:
    """Have what a process that was started with these words would have."""
    if request["session"]:
        os.setsid()
    numbers = request["numbers"]
    # First all of them out of the way of each other.
    above = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, max(numbers) + 1) for number in files]
    for number in files:
        os.close(number)
    for source, number in zip(above, numbers, strict=True):
        os.dup2(source, number)
        os.close(source)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        _open_stream(number, name)
    sys.orig_argv[:] = [*request["python"], "-m", request["module"], *request["arguments"]]
    sys.argv[:] = ["-m", *request["arguments"]]
    # As Python puts it together: none twice, the first of each counts; in front of all where it starts.
    first = [] if sys.flags.safe_path else [str(Path.cwd())]
    sys.path[:] = [*first, *dict.fromkeys([*request["module_path"], *sys.path])]
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()
    gc.enable()


def _open_stream(number: int, name: str) -> None:
    """``sys.stdout`` and its like, as Python opens them; unbuffered where the zygote's are."""
    before = getattr(sys, name)
    mode, newline, size = ("r", None, -1) if name == "stdin" else ("w", "\n", -1)
    if isinstance(before.buffer, io.RawIOBase):
        size = 0
    binary = open(number, f"{mode}b", size, closefd=False)  # noqa: SIM115 - lives as long
    stream = io.TextIOWrapper(
        binary,
        before.encoding,
        before.errors,
        newline,
        line_buffering=before.line_buffering,
        write_through=before.write_through,
    )
    getattr(binary, "raw", binary).name = f"<{name}>"
    stream.mode = mode  # type: ignore[misc]
    setattr(sys, name, stream)
    setattr(sys, f"__{name}__", stream)


def _run(module: str) -> NoReturn:
    """Run a module as ``python -m`` does."""
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__annotations__ = {}
    runpy._run_module_as_main(module)  # type: ignore[attr-defined]
    raise SystemExit(0)


if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # This folder, instead of the one where a copy starts.
    _request, _files = _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], sys.argv[3:])
    _become(_request, _files)
    _run(_request["module"])
