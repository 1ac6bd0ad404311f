"""Prints what a process finds around it, as JSON, and then runs its first argument: `tests/test_forks.py`."""

import gc
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGHUP)
STREAMS = (sys.stdin, sys.stdout, sys.stderr)


def open_files() -> list[int]:
    return [number for number in range(100) if os.path.lexists(f"/proc/self/fd/{number}")]


def told_of(stream):
    told = (stream.name, stream.mode, stream.encoding, stream.errors, stream.line_buffering, stream.isatty())
    return (
        *told,
        stream.newlines,
        stream.fileno(),
        type(stream.buffer).__name__,
        getattr(stream.buffer, "raw", stream.buffer).closefd,
    )


answer = {
    "argv": sys.argv,
    "orig_argv": sys.orig_argv,
    "path": sys.path,
    "flags": list(sys.flags),
    "environment": dict(os.environ),
    "environment of children": sorted(subprocess.check_output(["/usr/bin/env"], text=True).splitlines()),
    "folder": str(Path.cwd()),
    "files": open_files(),
    "inherited": [number for number in open_files() if os.get_inheritable(number)],
    "leader": os.getsid(0) == os.getpid(),
    "group": os.getpgrp() == os.getpid(),
    "parent": os.getppid(),
    "handlers": [str(signal.getsignal(number)) for number in HANDLED],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "limits": [resource.getrlimit(number) for number in range(10)],
    "umask": os.umask(0o22),
    "streams": [told_of(stream) for stream in STREAMS],
    "the first streams": (sys.stdin, sys.stdout, sys.stderr) == (sys.__stdin__, sys.__stdout__, sys.__stderr__),
    "main": (__name__, __spec__.name, __package__, __file__, "surroundings" in sys.modules),
    "is main": sys.modules["__main__"].__dict__ is globals(),
    "names": sorted(name for name in globals() if name.startswith("__")),
    "collector": gc.isenabled(),
    "threads": threading.active_count(),
    "first thread": threading.current_thread() is threading.main_thread(),
    "heard": sys.stdin.read(),
}
print(json.dumps(answer))
print("and this", file=sys.stderr)
if len(sys.argv) > 1:
    exec(sys.argv[1])
