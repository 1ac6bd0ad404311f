"""The folder in which people find what a workflow made: a copy of each step's last outputs, and its log."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edgerig.errors import storing
from edgerig.suites.workflow.contents import entries_of, identity_of, with_description
from edgerig.suites.workflow.failures import StepError
from edgerig.suites.workflow.records import FILES, LOG, RECORD, StepRecord, read_record

#: What follows a step's name in the folder of what a failed attempt left.
FAILED = ".failed"


class Workspace:
    """The output folder of a workflow: a folder for each step.

    Steps read one another's outputs from the cache, where they are checked, and never from here.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def last(self, step: str) -> StepRecord | None:
        """The last result of a step in this folder."""
        return read_record(self.root / step)

    def publish(self, record: StepRecord, stage: Path) -> None:
        """Let the folder of a step show this result, if it does not yet."""
        folder = self.root / record.step
        with storing(folder):
            self.root.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self.root / f"{record.step}{FAILED}", ignore_errors=True)
            if self._shows(record):
                return
            fresh = self.root / f".{record.step}.{os.getpid()}"
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            if (stage / FILES).is_dir():
                shutil.copytree(stage / FILES, fresh, dirs_exist_ok=True)
            for name in (LOG, RECORD):
                if (stage / name).is_file():
                    shutil.copy2(stage / name, fresh / name)
            _swap(fresh, folder)

    def publish_failure(self, step: str, failure: StepError) -> Path:
        """Put what a failed step left, and its log, into a folder; returns it."""
        folder = self.root / f"{step}{FAILED}"
        with storing(folder):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            if failure.left is not None:
                shutil.copytree(failure.left, folder, dirs_exist_ok=True, symlinks=True)
            (folder / LOG).write_text(failure.log, "utf-8")
        failure.drop()
        return folder

    def _shows(self, record: StepRecord) -> bool:
        """Whether the step's folder holds this result, unchanged."""
        shown = self.last(record.step)
        if shown is None or shown.stage != record.stage:
            return False
        folder = self.root / record.step
        for output in record.outputs.values():
            path = folder / output.path
            if output.version is not None:
                continue
            if not path.exists() or path.is_dir() != output.folder:
                return False
            entries = entries_of(path)
            # A description that was added beside a file does not make it another one.
            if not output.folder and len(with_description(path)) > len(output.files):
                entries = {name: entry for name, entry in entries.items() if name in output.files}
            if identity_of(entries) != output.identity:
                return False
        return True


def _swap(fresh: Path, folder: Path) -> None:
    """Put a folder in the place of another one, which is removed."""
    if folder.exists():
        old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    else:
        fresh.rename(folder)
