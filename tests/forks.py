"""Processes that start as copies of one that has imported edgerig already.

The tests start thousands of processes of `sys.executable`, and nearly all of a short one's CPU time is its start:
Python, numpy and edgerig are loaded anew, 150 ms of work for a round of 10 ms. Here each process of pytest has helpers,
one for each module that is started (`MODULES`), which import what the module imports, and wait. Where a test starts the
module, its helper forks instead (`tests/zygote.py`). "Zygote" is Android's and Chromium's word for it.

The seam is `subprocess._fork_exec`, which starts each process of a `subprocess.Popen` and answers its id. All else is
`Popen`'s own, since the process is a real child of this one: the zygote forks twice and the one in between ends, so
that its child falls to the nearest ancestor that wants orphans (PR_SET_CHILD_SUBREAPER): pytest, for that moment.

What a process inherits, or reads when Python, libc or numpy start, has to be the same as when the zygote was started:
environment, limits, ignored signals, processors, options of Python. Whatever differs gets a real start, and so does a
process whose PYTHONPATH has a module by the name of one that the zygote has imported. Arguments, folder, files,
session, PYTHONPATH and all variables that are read later come with the request.

What stays different: the layout of addresses and the seed of hashes, which all copies share, and pages that they share
until they are written. So forking is for tests of what a process does (`FORKED`), never of how it starts, ends or is
killed, nor of what it costs; of an exception ``pytestmark = pytest.mark.fresh_processes("why")``.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

#: What commands import, of what takes long.
_COMMANDS = ("edgerig.cli", "edgerig.api", "edgerig.cli.inspect_command")
#: What may be forked, by the name after ``-m``, and what its zygote imports of that if it is installed.
MODULES = {
    "edgerig.agent.worker": ("edgerig.agent.worker", "edgerig.runtimes.litert"),
    "edgerig.bounded.child": ("edgerig.bounded.child", "numpy"),
    "edgerig": _COMMANDS,
    "edgerig.runtimes.flatbuffer_check": (
        "edgerig.runtimes.flatbuffer_check",
        "tflite_micro.tensorflow.lite.micro.python.schema_py_generated",
        "ai_edge_litert.interpreter",
    ),
    "edgerig.suites.conversion_grid.child": ("edgerig.suites.conversion_grid.child",),
    "edgerig.suites.workflow.child": ("edgerig.suites.workflow.child", *_COMMANDS),
}
#: Tests whose processes are forked.
FORKED = tuple(f"tests/{folder}/" for folder in ("cli", "engine", "report", "results", "runtimes", "suites", "tasks"))
#: Tests that have it otherwise, with the reason.
MARKER = "fresh_processes"
#: Beginnings of the names of variables that nothing reads at its start, and which may therefore differ.
_FREE = ("EDGERIG_", "FAULT", "PYTEST_", "TMPDIR", "COLUMNS", "JAX_", "XLA_", "KERAS_", "TF_", "TPU_")
#: Most zygotes of one process of pytest; the one that forked last so long ago as no other ends.
_MOST = 6
_PR_SET_CHILD_SUBREAPER = 36
_ZYGOTE = Path(__file__).with_name("zygote.py")


class Zygote:
    """A process that forks for this one.

    Args:
        python: The interpreter with its options.
        module: What its copies run, one of `MODULES`.
        environment: What it has; a copy gets its own.
    """

    def __init__(self, python: tuple[str, ...], module: str, environment: dict[str, str]) -> None:
        self.module = module
        self.inherited = _inherited()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        words = [*python, str(_ZYGOTE), str(theirs.fileno()), module, *MODULES[module]]
        with theirs:
            self._process = subprocess.Popen(
                words, env=environment, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
        #: Whether it can fork at all.
        self.ready = self._socket.recv(100) == b"ready"

    def fork(self, request: Request) -> int:
        """The id of a child of this process that is what was asked for; 0 where a start would import other modules."""
        told = {**dataclasses.asdict(request), "folder": request.folder or str(Path.cwd())}
        # As Python does it: links are kept.
        folders = [os.path.abspath(Path(told["folder"], name)) for name in request.module_path()]  # noqa: PTH100
        told["module_path"] = folders
        message = json.dumps(told).encode()
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
        if module not in MODULES or words[0] != sys.executable or words[1:at] not in ([], ["-P"]) or not plain:
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

    def module_path(self) -> list[str]:
        """The folders of its PYTHONPATH."""
        return self.environment["PYTHONPATH"].split(os.pathsep) if self.environment.get("PYTHONPATH") else []

    def read_at_start(self) -> dict[str, str]:
        """The variables that Python or a library may read as soon as it starts."""
        free = (*_FREE, "PYTHONPATH")
        return {name: value for name, value in self.environment.items() if not name.startswith(free)}

    def kind(self) -> Any:
        """What only a zygote of the same kind can fork."""
        return self.python, self.module, frozenset(self.read_at_start().items())


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
                fits = zygote is not None and zygote.ready and zygote.inherited == _inherited()
                if zygote is not None and fits and (pid := zygote.fork(request)):
                    self.forks += 1
                    return pid
                self.starts += 1
        return self._start(*call)

    def _zygote_for(self, request: Request) -> Zygote | None:
        kind = request.kind()
        self._asked[kind] += 1
        zygote = self._zygotes.pop(kind, None)
        if zygote is None and self._asked[kind] > 1:
            zygote = Zygote(request.python, request.module, request.read_at_start())
        if zygote is not None:
            self._zygotes[kind] = zygote
        if len(self._zygotes) > _MOST:
            self._zygotes.pop(next(iter(self._zygotes))).close()
        return zygote

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
