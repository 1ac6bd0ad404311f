"""Workflows whose steps are real commands that take half a second each."""

import shutil
from pathlib import Path

import pytest

from edgerig.cache import StageCache
from edgerig.progress import Progress
from edgerig.suites.workflow.load import load_workflow
from edgerig.suites.workflow.records import Result
from edgerig.suites.workflow.run import RunOptions, run_workflow

#: Two steps in a row: a network as a C array, and a look at the network, which needs that array.
TWO_STEPS = """
name: two
parameters: {symbol: digits}
steps:
  first:
    run: compile ${inputs.net} --to c-array --name ${symbol} --out build
    inputs: {net: net.tflite}
    outputs: {header: build/net.h}
  second:
    run: inspect ${inputs.net}
    inputs: {net: net.tflite, header: first.header}
"""


class Bench:
    """A folder with a workflow file, a cache of its own, and how to run it there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "out"
        self.cache = StageCache(folder / "cache")

    def write(self, text: str) -> Path:
        path = self.folder / "w.yaml"
        path.write_text(text)
        return path

    def run(
        self, text: str | None = None, *parameters: str, only: tuple[str, ...] = (), jobs: int = 1
    ) -> dict[str, Result]:
        if text is not None:
            self.write(text)
        workflow = load_workflow(self.folder / "w.yaml", (), parameters)
        options = RunOptions(out=self.out, only=only, jobs=jobs)
        return {result.step: result for result in run_workflow(workflow, options, Progress(), self.cache)}


@pytest.fixture
def bench(tmp_path: Path, digit_net: Path) -> Bench:
    shutil.copy(digit_net, tmp_path / "net.tflite")
    return Bench(tmp_path)
