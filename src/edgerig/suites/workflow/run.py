"""Running a workflow: its steps in their order, as many at once as is allowed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

import msgspec

from edgerig.cache import StageCache
from edgerig.errors import EdgerigError, Interrupted, UnknownNameError
from edgerig.progress import Progress, Task
from edgerig.suites.workflow.failures import StepError
from edgerig.suites.workflow.lookup import Lookup
from edgerig.suites.workflow.records import Result, StepRecord
from edgerig.suites.workflow.share import open_share
from edgerig.suites.workflow.stage import StageRunner
from edgerig.suites.workflow.types import PlannedStep, Workflow
from edgerig.suites.workflow.workspace import Workspace


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a workflow is run.

    Attributes:
        out: The folder of its results.
        only: The steps to run; those that they need must have been run. All if empty.
        jobs: Steps that may run at once; those that measure run alone.
        retries: Further attempts of every step, instead of the file's numbers.
        store: Address of the store in which results are shared with other machines.
    """

    out: Path
    only: tuple[str, ...] = ()
    jobs: int = 1
    retries: int | None = None
    store: str | None = None


def run_workflow(workflow: Workflow, options: RunOptions, progress: Progress, cache: StageCache) -> list[Result]:
    """What became of each step; those after a failed one do not begin.

    Raises:
        UnknownNameError: ``only`` names a step that there is not.
        Interrupted: Stopped by Ctrl-C, after what ran was stopped.
        StorageError: The cache or the output folder cannot be written.
    """
    for name in options.only:
        if name not in workflow.steps:
            raise UnknownNameError("step", name, workflow.steps)
    return _Run(workflow, options, progress, cache).run()


class _Run:
    def __init__(self, workflow: Workflow, options: RunOptions, progress: Progress, cache: StageCache) -> None:
        self.workflow, self.options, self.progress = workflow, options, progress
        self.stopping = threading.Event()
        self.workspace = Workspace(options.out)
        self.share = open_share(options.store)
        self.lookup = Lookup(workflow, cache, self.workspace, self.share, progress.log)
        self.runner = StageRunner(
            cache, workflow.folder, self.stopping, log=progress.log, said=self._said, retries=options.retries
        )
        chosen = set(options.only) or set(workflow.steps)
        self.waiting = [step for name, step in workflow.steps.items() if name in chosen]
        self.results: dict[str, Result] = {}
        self.running: dict[Future[Result], PlannedStep] = {}
        self.task: Task | None = None

    def run(self) -> list[Result]:
        with self.progress.task(self.workflow.name, len(self.waiting)) as self.task:
            pool = ThreadPoolExecutor(self.options.jobs, thread_name_prefix="step")
            try:
                self._lead(pool)
            except BaseException:
                self.stopping.set()
                raise
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        return [self.results[name] for name in self.workflow.steps if name in self.results]

    def _lead(self, pool: ThreadPoolExecutor) -> None:
        while self.waiting or self.running:
            failed = any(result.state == "failed" for result in self.results.values())
            if failed and not self.running:
                break
            while not failed and (step := self._next()) is not None:
                self.waiting.remove(step)
                self.running[pool.submit(self._step, step)] = step
            done, _ = wait(self.running, return_when=FIRST_COMPLETED)
            for future in done:
                step = self.running.pop(future)
                self._ended(future.result())
        for step in self.waiting:
            blocking = next((name for name in step.needs if self._missing(name)), None)
            reason = f"{blocking} is not done" if blocking else "a step failed before"
            self.results[step.name] = Result(step=step.name, state="not run", reason=reason)

    def _missing(self, name: str) -> bool:
        return name in self.results and self.results[name].state in ("failed", "not run")

    def _next(self) -> PlannedStep | None:
        """A step that can begin now; None where there is none, or too many run."""
        if len(self.running) >= self.options.jobs or any(step.measures for step in self.running.values()):
            return None
        pending = {step.name for step in (*self.waiting, *self.running.values())}
        for step in self.waiting:
            if not pending & set(step.needs) and not (step.measures and self.running):
                return step
        return None

    def _step(self, step: PlannedStep) -> Result:
        """Run one step; in a thread of the pool."""
        try:
            return self._made(step)
        except StepError as failure:
            folder = self.workspace.publish_failure(step.name, failure)
            hint = "\n".join(filter(None, [failure.hint, f"Log: {folder / 'log.txt'}"]))
            return Result(step=step.name, state="failed", reason=f"{failure.message}\n{hint}")
        except Interrupted:
            raise
        except EdgerigError as error:
            return Result(step=step.name, state="failed", reason=f"step {step.name!r}: {error}")

    def _made(self, step: PlannedStep) -> Result:
        if not step.holds:
            record = self.lookup.last(step)
            return Result(step=step.name, state="skipped", record=record, reason=f"not so: {step.when}")
        inputs = self.lookup.inputs(step)
        there = not step.always and self.lookup.cache.folder(inputs.keys.full).is_dir()
        if self.share is not None and not there:
            if not step.always and self.share.has(inputs.keys):
                self.share.fetch(inputs.keys.portable, inputs.keys.full, self.lookup.cache, self.progress.log)
            else:
                self.lookup.fetch(step)
        record, existed = self.runner.run(step, inputs.keys, inputs.paths, inputs.targets, inputs.changed)
        self._remember(step, record)
        return Result(
            step=step.name,
            state="unchanged" if existed else "run",
            record=record,
            seconds=0 if existed else record.seconds,
        )

    def _remember(self, step: PlannedStep, record: StepRecord) -> None:
        stage = self.lookup.cache.folder(record.stage)
        if self.share is not None:
            self.share.push(record, stage)
        self.lookup.done(step, record)
        self.workspace.publish(record, stage)

    def _ended(self, result: Result) -> None:
        self.results[result.step] = result
        assert self.task is not None
        self.task.advance(1, result.step)
        if result.state == "run":
            self.progress.log(f"{result.step}: done in {result.seconds:.1f} s")
        elif result.state == "skipped":
            self.progress.log(f"{result.step}: skipped, {result.reason}")
        elif result.state == "failed":
            self.progress.log(f"{result.step}: FAILED")

    def _said(self, step: str, line: str) -> None:
        if self.task is not None:
            self.task.advance(0, f"{step}: {line[:100]}")


def check_results(results: Sequence[Result]) -> None:
    """See that no step failed.

    Raises:
        EdgerigError: One did; with what it said.
    """
    failed = [result for result in results if result.state == "failed"]
    if failed:
        message, _, hint = failed[0].reason.partition("\n")
        raise EdgerigError(message[:1].upper() + message[1:], hint or None)
