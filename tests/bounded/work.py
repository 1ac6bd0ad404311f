"""Work for children of the tests."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing, TensorSpec
from edgerig.datasets.base import Dataset
from edgerig.errors import DatasetError, ModelError
from edgerig.progress import Progress


def process_id() -> int:
    return os.getpid()


def echo(*values: Any) -> tuple[Any, ...]:
    return values


def where() -> tuple[str, str | None, list[str]]:
    return str(Path.cwd()), os.environ.get("EDGERIG_TEST_WORD"), sys.path


def refuse() -> None:
    raise ModelError("It is no network.", "Take another.")


def convert() -> None:
    try:
        stumble()
    except ZeroDivisionError as error:
        raise ModelError("It cannot be converted: ZeroDivisionError: by nought.") from error


def stumble() -> None:
    raise ZeroDivisionError("by nought")


def die(words: str) -> None:
    os.write(2, words.encode())
    os.kill(os.getpid(), signal.SIGSEGV)


def leave() -> None:
    os._exit(3)


def compute(seconds: float) -> float:
    """Use one processor for so long, without a word."""
    begin = time.process_time()
    while time.process_time() < begin + seconds:
        pass
    return seconds


def hang() -> None:
    while True:
        time.sleep(60)


def log(word: str) -> None:
    """Log from two threads at once, while asking nothing."""
    others = [threading.Thread(target=logging.getLogger("a_library").error, args=("%s", word)) for _ in range(20)]
    for other in others:
        other.start()
    for _ in range(20):
        logging.getLogger("edgerig.work").warning("the work says %s", word)
    for other in others:
        other.join()


def log_for_ever() -> None:
    while True:
        logging.getLogger("edgerig.work").warning("still at it")
        time.sleep(0.05)


def swallow(size: int) -> int:
    """Take memory, piece by piece, and touch it."""
    pieces = [np.ones(size // 16, np.uint8) for _ in range(16)]
    return sum(len(piece) for piece in pieces)


def count(progress: Progress, steps: int, pause: float) -> int:
    progress.log("begins")
    with progress.task("count", steps) as task:
        for step in range(steps):
            time.sleep(pause)
            task.advance(note=f"step {step}")
    return steps


def use(dataset: Dataset, index: int) -> tuple[Any, ...]:
    samples = dataset.split("train")
    some = samples.take(np.array([index, 0]))
    about = (dataset.name, dataset.task, dataset.classes, dataset.preprocessing, dataset.settings)
    return (
        about,
        samples.labels,
        samples.fingerprint,
        some.labels,
        some.raw(0),
        some.inputs(slice(0, 2), Preprocessing()),
    )


def complain(dataset: Dataset) -> str:
    try:
        dataset.split("nothing")  # type: ignore[arg-type]
    except DatasetError as error:
        return str(error)
    return "no error"


class Sneaky:
    """What an engine that was taken over might answer."""

    def __reduce__(self) -> Any:
        return os.system, ("true",)


def sneak() -> Sneaky:
    return Sneaky()


def spec(values: NDArray[Any]) -> TensorSpec:
    return TensorSpec("x", values.shape, values.dtype.name)


def start_another_and_hang(path: Path) -> None:
    """Start a process, whose id goes into the file ``path``, and do nothing more."""
    process = subprocess.Popen(["sleep", "600"])
    path.write_text(str(process.pid))
    time.sleep(600)


def temporary(seconds: float) -> str:
    """Leave a temporary folder behind."""
    folder = tempfile.mkdtemp(prefix="edgerig-compile-")
    Path(folder, "half").write_text("half")
    time.sleep(seconds)
    return folder
