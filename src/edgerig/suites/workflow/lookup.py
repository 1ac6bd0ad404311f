"""Where a step's inputs are: files, datasets in a store, and results of the steps before it."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from edgerig.cache import StageCache
from edgerig.errors import EdgerigError
from edgerig.suites.workflow.datasets import full_address, is_there, pinned
from edgerig.suites.workflow.keys import StepKeys, content_of, keys_of
from edgerig.suites.workflow.records import StepRecord, input_of, stored_record
from edgerig.suites.workflow.share import Share
from edgerig.suites.workflow.types import Made, PlannedStep, StoreInput, StoreOutput, Workflow
from edgerig.suites.workflow.workspace import Workspace


class NotDoneError(EdgerigError):
    """A step that another one needs has no result yet."""


class Inputs(msgspec.Struct, frozen=True):
    """The inputs of a step, found.

    Attributes:
        paths: Path or address by the input's name.
        targets: Full address of each output that is a dataset, by the output's name.
        keys: The step's keys with these inputs.
        changed: Says which input, a file of the user's, is not what it was when the keys were made; None if all are.
    """

    paths: dict[str, str]
    targets: dict[str, str]
    keys: StepKeys
    changed: Callable[[], str | None]


class Lookup:
    """Finds results by what they depend on: in the cache, in the output folder, and in the store that is shared."""

    def __init__(
        self,
        workflow: Workflow,
        cache: StageCache,
        workspace: Workspace,
        share: Share | None = None,
        log: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.workflow, self.cache, self.workspace = workflow, cache, workspace
        self.share, self.log = share, log
        self._done: dict[str, StepRecord] = {}
        self._lock = threading.RLock()

    def done(self, step: PlannedStep, record: StepRecord) -> None:
        """Note a result of this run."""
        with self._lock:
            self._done[step.name] = record

    def inputs(self, step: PlannedStep) -> Inputs:
        """The inputs of a step, and its keys.

        Raises:
            NotDoneError: A step that makes one of them has no result.
            StorageError: One cannot be read.
        """
        paths: dict[str, str] = {}
        identities: dict[str, str] = {}
        for name in step.inputs:
            paths[name], identities[name] = self._input(step, name)
        own = {name: source for name, source in step.inputs.items() if isinstance(source, Path)}
        changed = functools.partial(_changed, own, identities)
        targets = {
            name: full_address(target.store, self.workspace.root)
            for name, target in step.outputs.items()
            if isinstance(target, StoreOutput)
        }
        return Inputs(paths, targets, keys_of(step, identities, self.workflow.folder, targets), changed)

    def last(self, step: PlannedStep) -> StepRecord | None:
        """The last result of a step that is skipped now: what others take of it."""
        record = self.workspace.last(step.name)
        if record is not None:
            return stored_record(self.cache, record.stage)
        return self.share.find(self.inputs(step).keys) if self.share is not None else None

    def result(self, name: str) -> StepRecord:
        """The result of a step for its inputs as they are now.

        Raises:
            NotDoneError: There is none.
        """
        with self._lock:
            if name in self._done:
                return self._done[name]
            step = self.workflow.steps[name]
            record = self._find(step) if step.holds else self.last(step)
            if record is None:
                raise NotDoneError(
                    f"{name} has no result yet"
                    + (" for its inputs as they are now" if step.holds else f", and is skipped ({step.when})"),
                    f"Run it first: edgerig workflow run {self.workflow.file.name} --only {name}, or all steps.",
                )
            self._done[name] = record
            return record

    def _find(self, step: PlannedStep) -> StepRecord | None:
        keys = self.inputs(step).keys
        record = stored_record(self.cache, keys.full) if not step.always else None
        if record is None:
            shown = self.workspace.last(step.name)
            if shown is not None and shown.portable == keys.portable:
                record = stored_record(self.cache, shown.stage)
        if record is None and self.share is not None:
            record = self.share.find(keys)
        return record if record is not None and are_datasets_there(record) else None

    def _input(self, step: PlannedStep, name: str) -> tuple[str, str]:
        source = step.inputs[name]
        if isinstance(source, Path):
            return str(source), content_of(source)
        if isinstance(source, StoreInput):
            return pinned(full_address(source.store, self.workspace.root))
        assert isinstance(source, Made)
        record = self.result(source.step)
        return input_of(record, source.output, source.within, self.cache)

    def fetch(self, step: PlannedStep) -> None:
        """See that the results which a step reads lie in the cache."""
        for source in step.inputs.values():
            if isinstance(source, Made) and self.share is not None:
                record = self.result(source.step)
                if record.outputs[source.output].version is None and not self.cache.folder(record.stage).is_dir():
                    self.share.fetch(record.portable, record.stage, self.cache, self.log)


def are_datasets_there(record: StepRecord) -> bool:
    """Whether the versions of datasets that a step made are in their stores as they were."""
    return all(is_there(output) for output in record.outputs.values() if output.version is not None)


def _changed(own: dict[str, Path], identities: dict[str, str]) -> str | None:
    """The first of the user's own files that differs from what it was."""
    for name, path in own.items():
        try:
            if content_of(path) != identities[name]:
                return f"the input {name} ({path})"
        except EdgerigError:
            return f"the input {name} ({path})"
    return None
