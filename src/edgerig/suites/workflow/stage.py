"""One step as a cached stage: attempts, checks of what it made, and its record."""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from edgerig import __version__, files
from edgerig.cache import StageCache
from edgerig.errors import EdgerigError, Interrupted, StoreError
from edgerig.suites.workflow.contents import entries_of
from edgerig.suites.workflow.datasets import dataset_output, is_there
from edgerig.suites.workflow.failures import StepError, failure_of
from edgerig.suites.workflow.keys import StepKeys
from edgerig.suites.workflow.locks import step_lock
from edgerig.suites.workflow.process import Attempt, Ended
from edgerig.suites.workflow.records import FILES, LOG, RECORD, Output, StepRecord, read_record
from edgerig.suites.workflow.types import RESUMING, PlannedStep, StoreOutput
from edgerig.suites.workflow.words import replace

#: The exit code of a command that was called wrongly: calling it again gives the same.
WRONG_CALL = 2
#: Commands to which that code means something else, too.
AMBIGUOUS = frozenset({"gate", "compare"})


class StageRunner:
    """Runs single steps.

    Args:
        cache: Where stages lie.
        folder: The workflow file's folder: classes beside the file are imported from there.
        stopping: Set to stop what runs.
        log: Called with what is worth a line.
        said: Called with the step's name and each line that its command prints.
        retries: Instead of each step's own number.
    """

    def __init__(
        self,
        cache: StageCache,
        folder: Path,
        stopping: threading.Event,
        *,
        log: Callable[[str], None],
        said: Callable[[str, str], None],
        retries: int | None = None,
    ) -> None:
        self.cache, self.folder, self.stopping = cache, folder, stopping
        self.log, self.said, self.retries = log, said, retries

    def run(
        self,
        step: PlannedStep,
        keys: StepKeys,
        inputs: Mapping[str, str],
        targets: Mapping[str, str],
        unchanged: Callable[[], str | None] = lambda: None,
    ) -> tuple[StepRecord, bool]:
        """The step's record, and whether it was there already.

        Args:
            inputs: The path or address of each input.
            targets: The address of each output that is a dataset.
            unchanged: Called after the command: which input has changed meanwhile, in words; None if none has.

        Raises:
            StepError: It failed; its ``folder`` holds what it left.
            Interrupted: It was stopped.
            StorageError: The cache cannot be written, or the disk is full.
        """
        key = StageCache.key("workflow step again", full=keys.full, run=uuid.uuid4().hex) if step.always else keys.full
        resumable = step.words[0] in RESUMING and not step.always

        def damaged(reason: str) -> None:
            self.log(f"{step.name}: {reason}; it is made again")

        with step_lock(self.cache.root, keys.full, step.name, self.stopping, self.log) as lock:
            earlier = read_record(self.cache.folder(key)) if targets else None
            if earlier is not None and not all(is_there(earlier.outputs[name]) for name in targets):
                damaged("the dataset that it made is not in its store any more")
                self.cache.forget(key)
            build = _Build(self, step, keys, key, inputs, targets, unchanged, resumable, lock)
            folder, existed = self.cache.get_or_build(key, build, resumable=resumable, damaged=damaged)
        record = read_record(folder)
        if record is None:
            raise EdgerigError(f"step {step.name!r}: the record in {folder} cannot be read.", "Remove that folder.")
        return record, existed


def python_path(folder: Path) -> str:
    """``PYTHONPATH`` with the workflow's folder before what it holds."""
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])


class _Build:
    """Fills the folder of one stage."""

    def __init__(
        self,
        runner: StageRunner,
        step: PlannedStep,
        keys: StepKeys,
        key: str,
        inputs: Mapping[str, str],
        targets: Mapping[str, str],
        unchanged: Callable[[], str | None],
        resumable: bool,
        lock: int,
    ) -> None:
        self.runner, self.step, self.keys, self.key = runner, step, keys, key
        self.inputs, self.targets, self.unchanged = inputs, targets, unchanged
        self.resumable, self.lock = resumable, lock
        self.datasets: dict[str, Output] = {}

    def __call__(self, work: Path) -> None:
        folder, log = work / FILES, work / LOG
        resume = self.resumable and any(path.is_file() for path in folder.rglob("*"))
        if resume:
            self.runner.log(f"{self.step.name}: goes on where it was stopped")
        retries = self.step.retries if self.runner.retries is None else self.runner.retries
        attempt = 1
        while True:
            if not resume:
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
            for path in (value for value in self.step.outputs.values() if isinstance(value, str)):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
            ended = self._attempt(folder, log, resume)
            failure = failure_of(self.step, ended, work) or self._fault(work)
            if failure is None:
                break
            by_itself = ended.why == "ended" and ended.code >= 0
            if resume and ended.code == WRONG_CALL and self.step.words[0] not in AMBIGUOUS:
                # What was left is no use to it.
                resume = False
                continue
            resume = self.resumable and not by_itself
            if attempt > retries or self._is_wrong_call(ended):
                if by_itself:
                    failure.keep(folder)
                raise failure
            self.runner.log(f"{failure.message} Attempt {attempt + 1} of {retries + 1} follows.")
            attempt += 1
            self._pause()
        self._finish(work, ended, attempt)

    def _is_wrong_call(self, ended: Ended) -> bool:
        return ended.why == "ended" and ended.code == WRONG_CALL and self.step.words[0] not in AMBIGUOUS

    def _attempt(self, folder: Path, log: Path, resume: bool) -> Ended:
        def value(reference: str) -> str:
            group, _, name = reference.partition(".")
            if group == "inputs":
                return self.inputs[name]
            target = self.step.outputs[name]
            return self.targets[name] if isinstance(target, StoreOutput) else target

        words = [replace(word, value) for word in self.step.words]
        attempt = Attempt(
            [*words, *(["--resume"] if resume else [])],
            folder,
            log,
            variables={"PYTHONPATH": python_path(self.runner.folder)},
            timeout=self.step.timeout,
            stop_after=self.step.stop_after,
            hold=[self.lock],
        )
        ended = attempt.run(self.runner.stopping, lambda line: self.runner.said(self.step.name, line))
        if ended.why == "interrupted":
            raise Interrupted(f"Stopped in the step {self.step.name!r}.", "The same command goes on there.")
        return ended

    def _fault(self, work: Path) -> StepError | None:
        """What is wrong with what a command made that ended well."""
        changed = self.unchanged()
        if changed is not None:
            return StepError(
                f"step {self.step.name!r}: {changed} was changed while the step ran, so that its result is of neither.",
                "Run the workflow again, and leave its inputs alone meanwhile.",
            )
        for name, path in self.step.outputs.items():
            if isinstance(path, str) and not (work / FILES / path).exists():
                left = sorted(item.relative_to(work / FILES).as_posix() for item in (work / FILES).rglob("*"))
                return StepError(
                    f"step {self.step.name!r} ended well but did not make its output {name}: {path} is not there.",
                    f"It left: {', '.join(left[:10]) or 'nothing'}. Does the command name it, as ${{outputs.{name}}}?",
                )
        for name, address in self.targets.items():
            try:
                self.datasets[name] = dataset_output(address)
            except StoreError as error:
                return StepError(
                    f"step {self.step.name!r} ended well but did not make its output {name}: {error.message}",
                    error.hint,
                )
        return None

    def _pause(self) -> None:
        if self.runner.stopping.wait(self.step.wait):
            raise Interrupted(f"Stopped in the step {self.step.name!r}.", "The same command goes on there.")

    def _finish(self, work: Path, ended: Ended, attempts: int) -> None:
        """Keep the outputs alone, and write the record."""
        outputs: dict[str, Output] = dict(self.datasets)
        outputs_alone = work / "outputs"
        shutil.rmtree(outputs_alone, ignore_errors=True)
        for name, path in self.step.outputs.items():
            if not isinstance(path, str):
                continue
            source, target = work / FILES / path, outputs_alone / path
            entries = entries_of(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                source.rename(target)
            else:
                for file in entries:
                    (source.parent / file).rename(target.parent / file)
            outputs[name] = Output(path, entries, target.is_dir())
        shutil.rmtree(work / FILES)
        outputs_alone.mkdir(exist_ok=True)
        outputs_alone.rename(work / FILES)
        record = StepRecord(
            step=self.step.name,
            command=self.step.words,
            stage=self.key,
            portable=self.keys.portable,
            date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            seconds=ended.seconds,
            attempts=attempts,
            edgerig=__version__,
            machine=f"{platform.system()} {platform.machine()}",
            outputs=outputs,
        )
        files.write_json(work / RECORD, msgspec.to_builtins(record))
