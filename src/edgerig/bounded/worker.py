"""A child process that is monitored while it works."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import pickle
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgerig import child_logs
from edgerig.bounded.answers import Answers
from edgerig.bounded.channel import Channel, careful_loads
from edgerig.bounded.child import DONE, ERROR, FAULT, LOG, flattened, revived
from edgerig.bounded.limits import MEMORY_VARIABLE, TIMEOUT_VARIABLE, Limits
from edgerig.bounded.remote import RequestPickler
from edgerig.bounded.run_queue import QueueTime
from edgerig.environments.interpreter import Interpreter
from edgerig.environments.source import module_path
from edgerig.errors import EdgerigError, ForeignTraceback
from edgerig.files import TEMPORARY, held_folder

#: Seconds between two checks of a working child.
TICK = 0.1
#: By how many limits of silence the wait for processors that others use may lengthen it.
PATIENCE = 9
#: Seconds that it gets to exit by itself.
GRACE = 2.0
_logger = logging.getLogger(__name__)
#: Bytes that are kept of the engines' output.
MOST_WORDS = 1 << 20
_LAST_LINES = 3


class Worker:
    """A child process that serves one call after another. Any fault of it ends it.

    Args:
        interpreter: Python that runs it, where that is not this process's own.
    """

    def __init__(self, interpreter: Interpreter | None = None) -> None:
        ours, theirs = socket.socketpair()
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        # What it leaves there when it is killed goes with it.
        self._scratch, self._held = held_folder()
        self._interpreter = interpreter
        command = [
            interpreter.executable if interpreter else sys.executable,
            "-P",
            "-m",
            "edgerig.bounded.child",
            str(theirs.fileno()),
            str(os.getpid()),
        ]
        # Warnings of libraries in the child and the output of engines are of no use to the user.
        environment = self._environment()
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._words,
                stderr=self._words,
                env=environment,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except BaseException:
            self._clear()
            raise
        finally:
            theirs.close()
        self.owner = os.getpid()
        _logger.debug("process %d does work on networks from elsewhere", self.process.pid)
        self._channel = Channel(ours, self._watch)
        self._queued = QueueTime(self.process.pid)
        self._deadline = self._memory = float("inf")
        self._limits, self._looked = Limits(), 0.0

    def _environment(self) -> dict[str, str]:
        """The child's environment: with our module path, or of another interpreter edgerig and the user's modules."""
        own = {**os.environ, TEMPORARY: str(self._scratch)}
        if self._interpreter is None:
            return {**own, "PYTHONPATH": os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)}
        return {**{key: value for key, value in own.items() if key != "PYTHONHOME"}, "PYTHONPATH": module_path()}

    @property
    def alive(self) -> bool:
        """Whether it can serve a call."""
        return self.owner == os.getpid() and self.process.poll() is None

    def call(
        self,
        function: Callable[..., Any],
        arguments: Sequence[Any],
        limits: Limits,
        what: str,
        failed: type[EdgerigError],
    ) -> Any:
        """The result of ``function(*arguments)`` in the child.

        Args:
            function: A function that can be imported.
            arguments: Picklable values; progress, datasets and samples stay here and are replaced by proxies.
            limits: The limits of the call.
            what: The work, for messages: ``"Compiling net to int8"``.
            failed: The error if the call has to be killed.
        """
        _logger.debug("%s: process %d", what, self.process.pid)
        file = io.BytesIO()
        pickler = RequestPickler(file)
        pickler.dump((function, tuple(arguments)))
        self._limits, self._memory = limits, limits.memory_bytes()
        answers = Answers(pickler.kept)
        try:
            kind, content = self._asked(file.getvalue(), answers, what, failed)
        except BaseException:
            self.kill()
            raise
        finally:
            answers.close()
        if kind == ERROR:
            raise revived(*content)
        if kind == FAULT:
            name, text, trace = content
            raise RuntimeError(f"{name}: {text}") from ForeignTraceback(trace)
        return content[0]

    def _surroundings(self) -> dict[str, Any]:
        """What the child takes over from this process for a call."""
        here = {"folder": str(Path.cwd()), "levels": child_logs.levels()}
        if self._interpreter is not None:
            # Another interpreter keeps the path that it was started with.
            return {**here, "environment": self._environment(), "path": None}
        return {**here, "environment": {**os.environ, TEMPORARY: str(self._scratch)}, "path": sys.path}

    def _asked(
        self, call: bytes, answers: Answers, what: str, failed: type[EdgerigError]
    ) -> tuple[int, tuple[Any, ...]]:
        """The child's answer to a pickled call; ``failed`` where there will be none: it is of no more use then."""
        try:
            self._channel.send(pickle.dumps((self._surroundings(), call), protocol=5))
            return self._converse(answers)
        except _GivenUpError as error:
            raise failed(f"{what} {error}", error.hint) from None
        except pickle.UnpicklingError as error:
            raise failed(f"{what} failed: its process answered nonsense ({error}).") from None
        except (EOFError, ConnectionError):
            raise failed(
                f"{what} {self._why_dead()}.", "The file may be corrupt: try `edgerig inspect` on it."
            ) from None

    def close(self) -> None:
        """Let it exit, or kill it."""
        self._channel.socket.close()
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._clear()

    def kill(self) -> None:
        """Kill it, and what it has started, which is of its session."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._channel.socket.close()
        self._clear()

    def _clear(self) -> None:
        self._words.close()
        shutil.rmtree(self._scratch, ignore_errors=True)
        if self._held >= 0:
            os.close(self._held)
        self._held = -1

    # ---- during a call

    def _converse(self, answers: Answers) -> tuple[int, tuple[Any, ...]]:
        """Answer requests until the call ends."""
        while True:
            self._deadline = time.monotonic() + self._limits.silence
            self._queued.restart()
            kind, *content = self._receive()
            if kind in (DONE, ERROR, FAULT):
                return kind, tuple(content)
            question, arguments = content
            try:
                answer: tuple[Any, ...] = (DONE, answers(question, *arguments))
            except EdgerigError as error:
                answer = (ERROR, *flattened(error))
            self._channel.send(pickle.dumps(answer, protocol=5))

    def _receive(self) -> Any:
        """The next message except for log records, which are no progress: a child that only logs is killed, too."""
        while True:
            kind, *content = careful_loads(self._channel.receive())
            if kind != LOG:
                return (kind, *content)
            level, name, text, created = content
            child_logs.replay(int(level), str(name), str(text), float(created), self.process.pid)
            # `_watch` sees a child that never stops logging as ready each time.
            self._check_silence()

    def _watch(self) -> None:
        """Wait for something to read, and check the child's limits meanwhile."""
        readable = select.poll()
        readable.register(self._channel.socket, select.POLLIN)
        while True:
            ready = readable.poll(int(TICK * 1000))
            now = time.monotonic()
            if now - self._looked >= TICK:
                self._looked = now
                self._queued.look()
                self._check_memory()
                self._cut_words()
            if ready:
                return
            self._check_silence()

    def _check_silence(self) -> None:
        late, silence = time.monotonic() - self._deadline, self._limits.silence
        if late > 0 and late > min(self._queued.seconds(), PATIENCE * silence):
            raise _GivenUpError(
                f"was given up: it told no progress for {silence:g} s.",
                f"Does the network have a loop without an end? If it is only slow: {TIMEOUT_VARIABLE}=SECONDS.",
            )

    def _check_memory(self) -> None:
        used = resident_bytes(self.process.pid)
        if used > self._memory:
            raise _GivenUpError(
                f"was given up: it took {used / 1e9:.1f} GB of memory, the limit is {self._memory / 1e9:.1f} GB.",
                f"Take fewer calibration samples or a smaller network, or raise the limit: {MEMORY_VARIABLE}=BYTES.",
            )

    def _cut_words(self) -> None:
        if os.fstat(self._words.fileno()).st_size > MOST_WORDS:
            os.ftruncate(self._words.fileno(), 0)
            self._words.seek(0)

    def _why_dead(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE)
        code = self.process.returncode
        if code is None:
            return "failed: its process answered nonsense"
        ending = f"died of {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        self._words.seek(0, os.SEEK_END)
        self._words.seek(max(0, self._words.tell() - 2000))
        lines = [line.strip() for line in self._words.read().decode(errors="replace").splitlines()]
        words = " | ".join([line for line in lines if line][-_LAST_LINES:])[:500]
        return f"failed: its process {ending}" + (f"; its last words: {words.rstrip('.')}" if words else "")


class _GivenUpError(Exception):
    """The child exceeded a limit; holds what to do about it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 if it is gone."""
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
