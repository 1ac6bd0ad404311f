"""Processes that start as copies of one that has imported edgerig already.

The tests start thousands of processes of `sys.executable`, and nearly all of a short one's CPU time is its start:
Python, numpy and edgerig are loaded anew, 150 ms of work for a round of 10 ms. Here each process of pytest has helpers,
one for each module that is started (`MODULES`), which import what the module imports, and wait. Where a test starts the
module, its helper forks instead. "Zygote" is Android's and Chromium's word for it.

The seam is `subprocess._fork_exec`, which starts each process of a `subprocess.Popen` and answers its id. All else is
`Popen`'s own, since the process is a real child of this one: the zygote forks twice and the one in between ends, so
that its child falls to the nearest ancestor that wants orphans (PR_SET_CHILD_SUBREAPER): pytest, for that moment.

What a process inherits, or reads when Python, libc or numpy start, has to be the same as when the zygote was started:
environment, limits, ignored signals, processors, options of Python. Whatever differs gets a real start. Arguments,
folder, files, session and all variables that are read later come with the request.

What stays different: the layout of addresses and the seed of hashes, which all copies share, and pages that they share
until they are written. So forking is for tests of what a process does (`FORKED`), never of how it starts, ends or is
killed, nor of what it costs; of an exception ``pytestmark = pytest.mark.fresh_processes("why")``.
"""

from __future__ import annotations

import ctypes
import dataclasses
import fcntl
import gc
import importlib
import io
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import types
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import pytest

#: What may be forked, by the name after ``-m``, and what its zygote imports.
MODULES = {
    "edgerig.agent.worker": ("edgerig.agent.worker",),
    "edgerig.bounded.child": ("edgerig.bounded.child", "numpy"),
}
#: Tests whose processes are forked.
FORKED = ("tests/engine/",)
#: Tests that have it otherwise, with the reason.
MARKER = "fresh_processes"
#: Beginnings of the names of variables that nothing reads at its start, and which may therefore differ.
_FREE = ("EDGERIG_", "PYTEST_", "TMPDIR", "COLUMNS", "JAX_", "XLA_", "KERAS_", "TF_", "TPU_")
#: Most zygotes of one process of pytest.
_MOST = 4
_PR_SET_CHILD_SUBREAPER = 36
_LONGEST = 128 * 1024


# ---- in the process of pytest


class Zygote:
    """A process that forks for this one.

    Args:
        python: The interpreter with its options.
        module: What its copies run, one of `MODULES`.
        environment: What it, and each copy that gets nothing else, has.
    """

    def __init__(self, python: tuple[str, ...], module: str, environment: dict[str, str]) -> None:
        self.module = module
        self.inherited = _inherited()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        words = [*python, __file__, str(theirs.fileno()), *MODULES[module]]
        with theirs:
            self._process = subprocess.Popen(
                words, env=environment, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
        #: Whether it can fork at all.
        self.ready = self._socket.recv(100) == b"ready"

    def fork(self, request: Request) -> int:
        """The id of a child of this process that is what was asked for."""
        message = json.dumps({**dataclasses.asdict(request), "folder": request.folder or str(Path.cwd())}).encode()
        _subreaper(True)
        try:
            socket.send_fds(self._socket, [message], request.files)
            return int(self._socket.recv(100))
        finally:
            _subreaper(False)

    def close(self) -> None:
        """Let it end."""
        self._socket.close()
        self._process.wait()


@dataclasses.dataclass(frozen=True)
class Request:
    """A process to be started.

    Attributes:
        python: The interpreter with its options. module: What it runs. arguments: Of the module.
        environment: All that it gets. folder: Where it starts; None for that of this process.
        files: Descriptors here. numbers: What they are in the process. session: Whether it gets one of its own.
    """

    python: tuple[str, ...]
    module: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    folder: str | None
    files: tuple[int, ...]
    numbers: tuple[int, ...]
    session: bool

    @classmethod
    def of(cls, call: tuple[Any, ...]) -> Request | None:
        """What `subprocess` asks `_fork_exec` for; None where it can only be started."""
        words, _, close, kept, folder, variables, stdin, _, _, stdout, _, stderr, _, errors, *rest = call
        words = [os.fsdecode(word) for word in words]
        at = words.index("-m", 1) if "-m" in words[1:4] else len(words)
        module = words[at + 1] if at + 1 < len(words) else ""
        restore, session, *others = rest
        plain = close and restore and others[:6] == [-1, None, None, None, -1, None]
        if module not in MODULES or words[0] != sys.executable or words[1:at] != ["-P"] or not plain:
            return None
        pairs = [variable.split(b"=", 1) for variable in variables or [b"%b=%b" % pair for pair in os.environb.items()]]
        environment = {os.fsdecode(name): os.fsdecode(value) for name, value in pairs}
        numbers = [number for number in kept if number != errors]
        files = [n if given == -1 else given for n, given in enumerate((stdin, stdout, stderr))] + numbers
        if any(map(os.isatty, files[:3])) or not (folder is None or Path(os.fsdecode(folder)).is_dir()):
            return None
        where = None if folder is None else os.fsdecode(folder)
        python, arguments = tuple(words[:at]), tuple(words[at + 2 :])
        return cls(python, module, arguments, environment, where, tuple(files), (0, 1, 2, *numbers), bool(session))

    def kind(self) -> Any:
        """What only a zygote of the same kind can fork."""
        read = frozenset(pair for pair in self.environment.items() if not pair[0].startswith(_FREE))
        return self.python, self.module, read


def _inherited() -> tuple[str, ...]:
    """What a process has of the one that starts it, besides what a `Request` tells."""
    kept = ("Umask", "Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp:", "SigBlk", "SigIgn", "Cap", "Cpus_allowed:")
    status = Path("/proc/thread-self/status").read_text().splitlines()
    files = [Path(f"/proc/self/{name}").read_text() for name in ("limits", "oom_score_adj")]
    which = (os.getpgrp(), os.getsid(0), os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0))
    return (*(line for line in status if line.startswith(kept)), *files, str(which))


def _subreaper(wanted: bool) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, int(wanted)):
        raise OSError(ctypes.get_errno(), "prctl")


class Nursery:
    """The zygotes of this process, each started when its kind is asked for the second time."""

    def __init__(self) -> None:
        self.forks = self.starts = 0
        self.active = False
        self._owner, self._lock = os.getpid(), threading.Lock()
        self._zygotes: dict[Any, Zygote] = {}
        self._asked: Counter[Any] = Counter()
        self._start = subprocess._fork_exec

    def fork_exec(self, *call: Any) -> int:
        """In the place of `subprocess._fork_exec`."""
        request = Request.of(call) if self.active and os.getpid() == self._owner else None
        if request is not None:
            with self._lock:
                zygote = self._zygote_for(request)
                if zygote is not None and zygote.ready and zygote.inherited == _inherited():
                    self.forks += 1
                    return zygote.fork(request)
                self.starts += 1
        return self._start(*call)

    def _zygote_for(self, request: Request) -> Zygote | None:
        kind = request.kind()
        self._asked[kind] += 1
        if kind not in self._zygotes and self._asked[kind] > 1 and len(self._zygotes) < _MOST:
            self._zygotes[kind] = Zygote(request.python, request.module, request.environment)
        return self._zygotes.get(kind)

    def serve(self, item: pytest.Item) -> None:
        """Be active for a test, if that is one of `FORKED`."""
        self.active = item.nodeid.startswith(FORKED) and item.get_closest_marker(MARKER) is None

    def install(self) -> None:
        """Have `subprocess` ask here."""
        subprocess._fork_exec = self.fork_exec

    def close(self) -> None:
        """Have it start processes itself again, and end the zygotes."""
        subprocess._fork_exec = self._start
        for zygote in self._zygotes.values():
            zygote.close()


# ---- in the zygote


def _serve(connected: socket.socket, modules: tuple[str, ...]) -> tuple[dict[str, Any], list[int]]:
    """Fork for each request; returns in a forked process alone, with what it was asked to be."""
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in modules:
        importlib.import_module(name)
    for name in MODULES.keys() & sys.modules.keys():  # It is to be the main one.
        del sys.modules[name]
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise SystemExit("a module starts threads when it is imported: a copy of this process would lack them")
    gc.collect()
    gc.freeze()
    connected.send(b"ready")
    while True:
        message, files, _, _ = socket.recv_fds(connected, _LONGEST, 253)
        if not message:
            os._exit(0)
        pid = _fork_twice()
        if not pid:
            connected.close()
            signal.signal(signal.SIGINT, interrupted)
            return json.loads(message), files
        for number in files:
            os.close(number)
        connected.send(str(pid).encode())


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
    _request, _files = _serve(socket.socket(fileno=int(sys.argv[1])), tuple(sys.argv[2:]))
    _become(_request, _files)
    _run(_request["module"])
