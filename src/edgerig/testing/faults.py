"""A runtime that fails on request, to test the code around a runtime.

It is named as ``edgerig.testing.faults:Faulty``, takes any file as a network, and doubles its input of shape (1, 4).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact, TensorSpec
from edgerig.files import sha256, write_bytes
from edgerig.runtimes.base import Array, Calls, RunResult, Runtime, RuntimeSettings

NAME = "edgerig.testing.faults:Faulty"
MISCLOCKED = "edgerig.testing.faults:Misclocked"
X = TensorSpec("x", (1, 4), "float32")
Y = TensorSpec("y", (1, 4), "float32")


class FaultySettings(RuntimeSettings, frozen=True, kw_only=True):
    """The fault, and when it occurs."""

    fault: Annotated[
        Literal["none", "abort", "exit", "hang", "raise", "nan", "stop", "vary", "waver"],
        msgspec.Meta(
            description="abort: SIGABRT; exit: end with code 3; hang: sleep; raise: raise; nan: outputs are no "
            "numbers from then on; stop: the process is stopped by SIGSTOP once, for a second; vary: outputs are "
            "others in each process; waver: they are others in each inference"
        ),
    ] = "none"
    at: Annotated[Literal["load", "run"], msgspec.Meta(description="where it goes wrong")] = "run"
    after: Annotated[int, msgspec.Meta(description="inferences that go well before it", ge=0)] = 0
    seconds: Annotated[float, msgspec.Meta(description="seconds that every inference takes", ge=0)] = 0.0
    counter: Annotated[str, msgspec.Meta(description="a file that grows by a byte in each process")] = ""
    first: Annotated[int, msgspec.Meta(description="process by `counter` from which on it goes wrong", ge=1)] = 1
    last: Annotated[int | None, msgspec.Meta(description="process by `counter` up to which it goes wrong")] = None
    slower: Annotated[float, msgspec.Meta(description="seconds more for each inference of these processes", ge=0)] = 0.0


class Faulty(Runtime):
    """Doubles its input, until its fault occurs."""

    name = "faulty"
    summary = "goes wrong on request"
    formats: ClassVar[frozenset[str]] = frozenset({"tflite"})
    Settings = FaultySettings
    settings: FaultySettings

    @classmethod
    def version(cls) -> str:
        return "1"

    def _load(self, path: Path) -> None:
        self._done, self._stopped = 0, False
        self._x: Array = np.zeros((1, 4), np.float32)
        self.path = path
        self._wrong = self._counted()
        if self.settings.at == "load" and self._wrong:
            self._go_wrong()

    def _counted(self) -> bool:
        """Whether this process, the latest of those that are counted, is to fail."""
        if not self.settings.counter:
            return True
        path = Path(self.settings.counter)
        with path.open("ab") as file:
            file.write(b".")
        self.process = path.stat().st_size
        return self.settings.first <= self.process and self.process <= (self.settings.last or self.process)

    def _inputs(self) -> tuple[TensorSpec, ...]:
        return (X,)

    def _outputs(self) -> tuple[TensorSpec, ...]:
        return (Y,)

    def _calls(self) -> Calls:
        return self._set, self._invoke, lambda: (self._x * 2,)

    def _set(self, sample: Sequence[Array]) -> None:
        self._x = sample[0]

    def _invoke(self) -> None:
        if self._wrong and self.settings.at == "run" and self._done >= self.settings.after:
            self._go_wrong()
        self._done += 1
        seconds = self.settings.seconds + (self.settings.slower if self._wrong else 0.0)
        if seconds:
            time.sleep(seconds)

    def _go_wrong(self) -> None:
        fault = self.settings.fault
        if fault == "abort":
            os.write(2, b"assertion failed: the kernel is upside down\n")
            os.abort()
        elif fault == "exit":
            os._exit(3)
        elif fault == "hang":
            time.sleep(3600)
        elif fault == "nan":
            self._x = np.full_like(self._x, np.nan)
        elif fault == "vary":
            self._x = self._x + self.process
        elif fault == "waver":
            self._x = self._x + self._done
        elif fault == "stop" and not self._stopped:
            self._stopped = True
            subprocess.Popen(["sh", "-c", f"sleep 1; kill -CONT {os.getpid()}"])
            os.kill(os.getpid(), signal.SIGSTOP)
        elif fault == "raise":
            raise RuntimeError("the engine says no")


class MisclockedSettings(FaultySettings, frozen=True, kw_only=True):
    """The fault of its clock."""

    factor: Annotated[float, msgspec.Meta(description="times told for each that passed", gt=0)] = 1.0
    processor: Annotated[bool, msgspec.Meta(description="tell the processor's time only")] = False


class Misclocked(Faulty):
    """Doubles its input, with a clock that runs too fast, or too slow, or only while it works."""

    name = "misclocked"
    Settings = MisclockedSettings
    settings: MisclockedSettings

    def run(self, inputs: Sequence[Array]) -> RunResult:
        self._worked: list[int] = []
        result = super().run(inputs)
        return RunResult(result.outputs, np.array([self._told(t) for t in result.times_ns], np.int64))

    def run_one(self, sample: Sequence[Array]) -> tuple[int, Sequence[Array]]:
        self._worked = []
        elapsed, outputs = super().run_one(sample)
        return self._told(elapsed), outputs

    def run_each(self, samples: Sequence[tuple[Sequence[Array], Sequence[Array]]], times: NDArray[np.int64]) -> None:
        self._worked = []
        super().run_each(samples, times)
        times[: len(samples)] = [self._told(elapsed) for elapsed in times[: len(samples)].tolist()]

    def _invoke(self) -> None:
        start = time.process_time_ns()
        super()._invoke()
        self._worked.append(time.process_time_ns() - start)

    def _told(self, elapsed: int) -> int:
        return int((self._worked.pop(0) if self.settings.processor else elapsed) * self.settings.factor)


class Absent(Faulty):
    """A runtime whose engine is not installed."""

    name = "absent"
    extra = "onnx"
    modules = ("no_such_engine",)


def any_artifact(folder: Path, content: bytes = b"no network at all", **changes: Any) -> Artifact:
    """An artifact whose file is ``content``, as `Faulty` runs it."""
    path = folder / "anything.tflite"
    write_bytes(path, content)
    artifact = Artifact("anything", "tflite", sha256(content), len(content), (X,), (Y,), str(path))
    return msgspec.structs.replace(artifact, **changes)
