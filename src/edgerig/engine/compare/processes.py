"""How a pair is measured: a fresh process of each variant on one device, which run short chunks in turns."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.batches import rows
from edgerig.engine.compare.pair import Pair, Run, Variant
from edgerig.engine.cores import cpu_time_ns, hold_on_core
from edgerig.engine.emulated import refuse_emulated
from edgerig.errors import AnswerError, EdgerigError, LeaseError
from edgerig.measure.pauses import SleepWatch
from edgerig.targets.base import Target

#: A chunk is one series of inferences of one network, of about this many seconds.
CHUNK_SECONDS = 0.015
#: Bounds on the inferences of a chunk: enough for its 10th percentile, and few enough for a message of any link.
FEWEST, MOST = 10, 2000
#: Chunks of a pair, in the order A B B A; and the seconds after which there are no more than `LEAST_CHUNKS`.
CHUNKS, LEAST_CHUNKS = 12, 4
PAIR_SECONDS = 1.2
#: Inferences of a chunk where a pair would take longer than this many seconds otherwise.
LEAST, LONGEST_PAIR = 2, 10.0
#: Warm-up inferences; fewer where they would take longer than `WARMUP_SECONDS`.
WARMUP, WARMUP_SECONDS = 20, 1.0


class VariantError(EdgerigError):
    """One variant failed in a pair.

    Attributes:
        second: Whether it was B.
        crashed: Whether its process or engine failed; else its answer is impossible, such as times of a jumping clock.
    """

    def __init__(self, error: EdgerigError, second: bool) -> None:
        super().__init__(error.message, error.hint)
        self.second, self.crashed = second, not isinstance(error, AnswerError)


class SleptError(EdgerigError):
    """This machine slept in the middle of a pair."""


def run_pair(target: Target, first: Variant, second: Variant, number: int) -> Pair:
    """A fresh process of each variant on ``target``, both loaded, running chunks in turns.

    Where the device holds only one network at a time, each is deployed twice, for half of the pair's chunks: A B B A.
    Odd pairs begin with B. On this machine both single-threaded processes are pinned to one core, another one for each
    pair: two cores of a machine with other work are not equally fast.

    Raises:
        VariantError: A process died, its engine failed, or it reported impossible times.
        SleptError: This machine slept meanwhile.
    """
    watch = SleepWatch()
    order = (1, 0) if number % 2 else (0, 1)
    variants = (first, second)
    pair = _side_by_side(target, variants, order, number) if target.side_by_side else _apart(target, variants, order)
    if (slept := watch.slept()) is not None:
        raise SleptError(slept)
    return pair


class _Process:
    """One process of a pair, loaded."""

    def __init__(self, target: Target, variant: Variant, second: bool) -> None:
        self.variant, self.second = variant, second
        self.chunks: list[NDArray[np.int64]] = []
        self.cpu: list[int] = []
        self.message_bytes = 0
        with self._blamed():
            self.session = target.open(variant.artifact, variant.runtime.use, variant.runtime.options)
        try:
            with self._blamed():
                self.check()
                self.first_ns = int(self.session.run(rows(variant.inputs, 0, 1)).times_ns[0])
        except BaseException:
            self.close()
            raise

    def check(self) -> None:
        """Check that the device loaded the file that it was sent."""
        if self.session.load_report.sha256 != self.variant.artifact.sha256:
            raise AnswerError(f"The device loaded another file than {self.variant.label}.")

    def run(self, count: int) -> NDArray[np.int64]:
        with self._blamed():
            inputs = [np.resize(array, (count, *array.shape[1:])) for array in self.variant.inputs]
            run = self.session.run(inputs)
            self.message_bytes = sum(array.nbytes for array in (*inputs, *run.outputs)) // count
            return run.times_ns

    def warm_up(self) -> NDArray[np.int64]:
        return self.run(int(np.clip(WARMUP_SECONDS * 1e9 / max(self.first_ns, 1), 2, WARMUP)))

    def chunk(self, count: int) -> None:
        before = cpu_time_ns(self.session.pid)
        self.chunks.append(self.run(count))
        after = cpu_time_ns(self.session.pid)
        if before is not None and after is not None:
            self.cpu.append(after - before)

    def measured(self) -> Run:
        report = self.session.load_report
        refuse_emulated(report, "a comparison in pairs")
        with self._blamed():
            memory = self.session.memory()
        return Run(
            tuple(self.chunks),
            report.load_seconds,
            self.first_ns,
            memory,
            report.clock,
            report.threads,
            report.runtime_version,
            tuple(self.cpu) if len(self.cpu) == len(self.chunks) else (),
            self.message_bytes,
        )

    def close(self) -> None:
        with contextlib.suppress(EdgerigError, OSError):
            self.session.close()

    @contextlib.contextmanager
    def _blamed(self) -> Iterator[None]:
        try:
            yield
        except LeaseError:
            raise  # another run holds the device: no fault of a variant
        except EdgerigError as error:
            raise VariantError(error, self.second) from error


def _side_by_side(target: Target, variants: tuple[Variant, Variant], order: tuple[int, int], number: int) -> Pair:
    with contextlib.ExitStack() as stack:
        opened: dict[int, _Process] = {}
        for side in order:
            opened[side] = _Process(target, variants[side], bool(side))
            stack.callback(opened[side].close)
        core = hold_on_core((opened[0].session, opened[1].session), number)
        count, chunks = _sizes([opened[side].warm_up() for side in order])
        for process in opened.values():
            process.run(count)
        for turn in range(chunks):
            begin, other = order if turn % 2 == 0 else order[::-1]
            for side in (begin, other, other, begin):
                opened[side].chunk(count)
        return Pair(opened[0].measured(), opened[1].measured(), core)


def _apart(target: Target, variants: tuple[Variant, Variant], order: tuple[int, int]) -> Pair:
    """A B B A, each a separate deployment; a chunk pairs one of A with one of B."""
    runs: dict[int, list[Run]] = {0: [], 1: []}
    count, chunks = 0, 0
    for side in (*order, *order[::-1]):
        process = _Process(target, variants[side], bool(side))
        try:
            times = process.warm_up()
            if not count:
                count, chunks = _sizes([times])
            for _ in range(chunks):
                process.chunk(count)
            runs[side].append(process.measured())
        finally:
            process.close()
    return Pair(_joined(runs[0]), _joined(runs[1]))


def _joined(runs: list[Run]) -> Run:
    """Two deployments merged into one run, alternating chunks so that every part of it contains both."""
    early, late = runs
    chunks = tuple(chunk for both in zip(early.chunks, late.chunks, strict=True) for chunk in both)
    return msgspec.structs.replace(early, chunks=chunks, cpu_ns=())


def _sizes(warm: list[NDArray[np.int64]]) -> tuple[int, int]:
    """Inferences of a chunk, and chunks of a pair, by the times of the warm-up."""
    slowest = max(1e-9, max(float(np.median(times)) for times in warm) * 1e-9)
    count = int(np.clip(CHUNK_SECONDS / slowest, FEWEST, MOST))
    # For a network of one second per inference, ten in each of sixteen chunks would take minutes.
    count = max(LEAST, min(count, int(LONGEST_PAIR / (4 * LEAST_CHUNKS * slowest))))
    return count, int(np.clip(PAIR_SECONDS / (4 * count * slowest), LEAST_CHUNKS, CHUNKS))
