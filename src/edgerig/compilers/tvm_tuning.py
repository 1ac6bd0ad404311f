"""A bounded search for faster variants of TVM's kernels, each timed on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgerig.compilers.tvm_candidates import alone, replayed
from edgerig.errors import CompileError
from edgerig.progress import Progress, Task

#: Seconds in which a variant has to be built and timed; some are unrolled to what takes the compiler minutes.
PATIENCE = 20.0
#: Seconds in which a process has imported TVM and timed the kernels as they are.
_FIRST = 120.0
#: A variant that is so much faster than the best one takes its place.
_FASTER = 0.98


class Kernel(msgspec.Struct):
    """A kernel of the network, and the best of its variants so far.

    Attributes:
        name: In the module. calls: How often the network calls it.
        seconds: Of one call, as TVM makes it. best: Of the best variant. trace: What made that; None: none is faster.
        tried: Variants that were drawn. faults: What came of those that are none, by what it was.
    """

    name: str
    calls: int
    seconds: float = 0.0
    best: float = 0.0
    trace: list[Any] | None = None
    tried: int = 0
    faults: dict[str, int] = {}

    @property
    def promise(self) -> float:
        """Where the next variant is drawn: where the network spends its time, and few were."""
        return self.best * self.calls / (1 + self.tried)


class Search:
    """Draws variants of kernels in a process of its own, which is begun anew where one ends it or takes too long."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, patience: float, **order: Any) -> dict[str, Any]:
        """What the process answers to an order; a ``fault`` where it does not."""
        process = self._process if self._process is not None and self._process.poll() is None else self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            self.close()
            return {"fault": "ended the process"}
        if not select.select([process.stdout], [], [], patience)[0]:
            self.close()
            return {"fault": "took too long"}
        line = process.stdout.readline()
        if not line.endswith(b"\n"):
            self.close()
            return {"fault": "ended the process"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def words(self) -> str:
        """What the process has said last."""
        lines = (self._folder / "words").read_text(errors="replace").split()
        return " ".join(lines)[-300:]

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _started(self) -> subprocess.Popen[bytes]:
        self.close()
        command = [sys.executable, "-P", "-m", "edgerig.compilers.tvm_candidates", str(self._folder), str(os.getpid())]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with (self._folder / "words").open("wb") as words:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words, env=environment
            )
        return self._process


@contextlib.contextmanager
def searching(folder: Path) -> Iterator[Search]:
    """A search whose process ends with the block."""
    search = Search(folder)
    try:
        yield search
    finally:
        search.close()


def tuned(module: Any, seconds: int, search: Search, task: Task) -> tuple[Any, list[Kernel]]:
    """``module``, fused, with the fastest variants of its kernels that were found within ``seconds``.

    Args:
        search: In a folder with the same network.

    Raises:
        CompileError: TVM's kernels cannot even be timed as they are.
    """
    kernels, end = kernels_of(module), time.monotonic() + seconds
    for kernel in kernels:
        answer = search.ask(_FIRST, do="first", name=kernel.name)
        if "seconds" not in answer:
            words = answer.get("words") or search.words()
            raise CompileError(f"TVM's kernel {kernel.name} {answer['fault']} by itself: {words}", "Leave `tune` out.")
        kernel.seconds = kernel.best = answer["seconds"]
        task.advance(1, f"{kernel.name} takes {kernel.seconds * 1e6:.1f} us")
    _search(kernels, search, end, task)
    traces = {kernel.name: kernel.trace for kernel in kernels if kernel.trace is not None}
    result = module.clone()
    for variable, function in module.functions.items():
        if variable.name_hint in traces:
            faster = replayed(alone(function), traces[variable.name_hint]).mod["main"]
            result.update_func(variable, faster.without_attr("global_symbol").with_attr("tirx.is_scheduled", True))
    return result, kernels


def _search(kernels: Sequence[Kernel], search: Search, end: float, task: Task) -> None:
    """Draw variants until ``end``, each of the kernel that promises most."""
    drawn = 0
    while kernels and time.monotonic() < end:
        kernel = max(kernels, key=lambda each: each.promise)
        kernel.tried, drawn = kernel.tried + 1, drawn + 1
        patience = min(PATIENCE, max(1.0, end - time.monotonic()))
        answer = search.ask(patience, do="variant", name=kernel.name, seed=drawn, near=kernel.trace)
        if "fault" in answer:
            kernel.faults = dict(Counter(kernel.faults) + Counter([answer["fault"]]))
        elif answer["seconds"] < kernel.best * _FASTER:
            kernel.best, kernel.trace = answer["seconds"], answer["trace"]
        task.advance(1, f"{drawn} variants, {_total(kernels) * 1e6:.0f} us")


def _total(kernels: Sequence[Kernel]) -> float:
    return sum(kernel.best * kernel.calls for kernel in kernels)


def kernels_of(module: Any) -> list[Kernel]:
    """The kernels of a module, each with how often its functions call it."""
    from tvm import relax

    functions = module.functions.items()
    names = [str(each.name_hint) for each, function in functions if type(function).__name__ == "PrimFunc"]
    calls: Counter[str] = Counter()

    def visit(expression: Any) -> None:
        if isinstance(expression, relax.Call) and len(expression.args):
            calls[str(getattr(expression.args[0], "name_hint", ""))] += 1

    for function in module.functions.values():
        if isinstance(function, relax.Function):
            relax.analysis.post_order_visit(function, visit)
    return [Kernel(name, max(1, calls[name])) for name in sorted(names)]


def record_of(kernels: Sequence[Kernel], before: float, after: float, used: bool) -> dict[str, Any]:
    """What the artifact's record is to say of a search; seconds of the whole network before and after."""
    faults: Counter[str] = Counter()
    for kernel in kernels:
        faults.update(kernel.faults)
    return {
        "variants": sum(kernel.tried for kernel in kernels),
        "left_out": dict(sorted(faults.items())),
        "network_us": [round(before * 1e6, 2), round(after * 1e6, 2)],
        "used": used,
        "kernels_us": {
            kernel.name: [round(kernel.seconds * 1e6, 2), round(kernel.best * 1e6, 2)]
            for kernel in sorted(kernels, key=lambda each: -each.seconds * each.calls)
        },
    }


def tell(record: dict[str, Any], name: str, progress: Progress) -> None:
    """Say what was tried and what it gained."""
    before, after = record["network_us"]
    left = ", ".join(f"{count} {fault}" for fault, count in record["left_out"].items())
    tried = f"{record['variants']} variants of its kernels were tried" + (f" ({left})" if left else "")
    if record["used"]:
        progress.log(f"{name}: {before:.1f} us untuned, {after:.1f} us tuned; {tried}")
    else:
        progress.log(f"{name}: nothing was faster ({before:.1f} us untuned, {after:.1f} us); {tried}; it stays untuned")
