"""Starting and ending a worker process, and the reason of its death."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgerig import child_logs
from edgerig.environments.interpreter import Interpreter
from edgerig.environments.source import module_path
from edgerig.errors import TargetError
from edgerig.files import TEMPORARY, held_folder
from edgerig.wire.ownership import TOKEN_VARIABLE

_logger = logging.getLogger(__name__)

#: Environment variables that would override the settings' number of threads.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "GOMP_CPU_AFFINITY", "KMP_AFFINITY", "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "TVM_NUM_THREADS", "XLA_FLAGS",
)  # fmt: skip
#: Environment variables that a worker does not get.
SECRETS = (TOKEN_VARIABLE, "CREDENTIALS_DIRECTORY")
#: Name of the file in its folder that receives its output.
ERRORS = "stderr"
#: Seconds that a worker gets to end by itself after its socket was closed.
GRACE = 2.0
#: Last lines of its output that an error quotes, and the bytes at the end that are searched for them.
_LAST_WORDS, _LAST_BYTES = 3, 16 * 1024


class WorkerLimits(msgspec.Struct, frozen=True):
    """What a session may use.

    Attributes:
        model: Bytes of the largest network.
        message: Bytes of the largest payload of any other message.
        memory: Bytes of address space of its process (``RLIMIT_AS``), or None for all that there is.
        libraries: Files that settings of a runtime may have code loaded from, such as delegates; None for any.
        machine_code: Runtimes that may run networks of machine code, by name; where ``libraries`` is None all may.
        engines: Interpreters of runtimes, as ``NAME=PYTHON``.
    """

    model: int = 1024**3
    message: int = 256 * 1024**2
    memory: int | None = None
    libraries: tuple[str, ...] | None = ()
    machine_code: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()


class WorkerProcess:
    """A worker process with a folder of its own.

    Args:
        connected: The socket to hand over; the caller keeps its own duplicate and closes it.
        runtimes: Runtimes that may be asked for; empty for any.
        idle: Seconds without a request after which the session ends; None for never.
        parent_folder: Where the worker's folder is made; the system's temporary folder if None.
        limits: What it may use.
        interpreter: Python that runs it, where that is not this process's own.
    """

    def __init__(
        self,
        connected: socket.socket,
        *,
        runtimes: Sequence[str] = (),
        idle: float | None = None,
        parent_folder: Path | None = None,
        limits: WorkerLimits | None = None,
        interpreter: Interpreter | None = None,
    ) -> None:
        self.folder, self._held = held_folder(parent_folder)
        # What engines and compilers leave when the process is ended goes with its folder.
        self._environment = {**own_environment(interpreter), TEMPORARY: str(self.folder)}
        words = [interpreter.executable if interpreter else sys.executable, "-P", "-m", "edgerig.agent.worker"]
        words += ["--fd", str(connected.fileno()), "--folder", str(self.folder)]
        words += ["--idle", str(idle)] if idle is not None else []
        for name in runtimes:
            words += ["--runtime", name]
        if limits is not None:
            words += ["--max-model", str(limits.model), "--max-message", str(limits.message)]
            words += ["--max-memory", str(limits.memory)] if limits.memory is not None else []
            allowed = limits.libraries
            words += ["--any-library"] if allowed is None else [f"--library={name}" for name in allowed]
            words += [f"--machine-code={name}" for name in limits.machine_code]
            words += [f"--engine={text}" for text in limits.engines]
        self._errors = self.folder / ERRORS
        try:
            self.process, self._logs = self._start(words, connected.fileno())
        except OSError as error:
            self._remove_folder()
            raise TargetError(f"Could not start the process that runs the network: {error.strerror}.") from error

    def _start(self, words: list[str], connected: int) -> tuple[subprocess.Popen[bytes], child_logs.PipeReader]:
        """The process, and the thread that logs here what it logs."""
        reader, writer = os.pipe()
        logs = child_logs.PipeReader(os.fdopen(reader, "rb"))
        wanted = child_logs.levels()
        words += ["--log-fd", str(writer), "--log-levels", str(wanted.ours), str(wanted.libraries)]
        # In append mode, so that it can be truncated while it is written.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(self._errors, flags, 0o600), "wb") as errors:
                process = subprocess.Popen(
                    words,
                    stdin=subprocess.PIPE,
                    stdout=errors,
                    stderr=errors,
                    env=self._environment,
                    pass_fds=(connected, writer),
                    start_new_session=True,
                )
        finally:
            os.close(writer)
        logs.process = process.pid
        _logger.debug("process %d runs networks in %s", process.pid, self.folder)
        return process, logs

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def why_dead(self) -> str | None:
        """How it ended, if it has ended on its own within a moment, and its last words; else None."""
        try:
            code = self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            return None
        what = "the process that ran the network "
        what += f"died of {signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        words = self._last_words()
        return what + (f"; its last words: {words}" if words else ".")

    def end(self) -> None:
        """Let it end, or end it, and remove its folder. To be called after the socket was closed."""
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.kill()
        self._clean()

    def kill(self) -> None:
        """End it now."""
        self.process.kill()
        self.process.wait()
        self._clean()

    def _end_started(self) -> None:
        """End what it has started, which is of its group: that keeps its number while it has members."""
        try:
            os.getpgid(self.process.pid)
        except ProcessLookupError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def _clean(self) -> None:
        self._end_started()
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        # Its own records are logged before the session's end.
        self._logs.join(GRACE)
        self._remove_folder()

    def _remove_folder(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        held, self._held = self._held, -1
        if held >= 0:
            os.close(held)

    def _last_words(self) -> str:
        try:
            with self._errors.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST_BYTES))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        return " | ".join(line.strip() for line in lines[-_LAST_WORDS:] if line.strip())[:500]


def own_environment(interpreter: Interpreter | None = None) -> dict[str, str]:
    """The worker's environment, without secrets."""
    return {key: value for key, value in environment(interpreter).items() if key not in SECRETS}


def environment(interpreter: Interpreter | None = None) -> dict[str, str]:
    """The environment for a child process: our module path, and no variables that set threads.

    Another interpreter gets of our module path edgerig and the user's modules alone.

    But for numpy's own BLAS, which would start threads for each core: in a worker numpy copies and scales, and an
    engine written in numpy runs on one thread, as the others do by default.
    """
    result = {key: value for key, value in os.environ.items() if key not in THREAD_VARIABLES}
    result["OPENBLAS_NUM_THREADS"] = "1"
    if interpreter is not None:
        result.pop("PYTHONHOME", None)
        result["PYTHONPATH"] = module_path()
    else:
        result["PYTHONPATH"] = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
    return result


def signal_name(number: int) -> str:
    """``SIGABRT`` for 6."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
