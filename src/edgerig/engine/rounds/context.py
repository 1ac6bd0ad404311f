"""All inputs of a cell's measurement, the same in each of its rounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from edgerig.artifact import Artifact
from edgerig.datasets.network_inputs import inputs_of
from edgerig.engine.dependencies import of_code, of_samples
from edgerig.engine.references.types import ReferenceRun
from edgerig.engine.samples.evaluation import EvaluationSamples, check_windows
from edgerig.engine.samples.outputs import check_outputs
from edgerig.engine.samples.sequences import keeps_state
from edgerig.environments.choice import interpreter_for
from edgerig.errors import TargetError
from edgerig.files import digest
from edgerig.plugin_code import own_code
from edgerig.plugins import make
from edgerig.progress import Progress
from edgerig.rig.plan import Cell
from edgerig.rig.types import Measure
from edgerig.runtimes.base import Runtime
from edgerig.targets.base import LoadReport, Session, Target
from edgerig.targets.resolve import plugin_of


class BatchPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How a batch of the scenario *offline* goes through a network.

    Attributes:
        batch: Samples of a batch.
        inferences: Inferences that it takes, one after another. in_turn: Why several, in a sentence.
        file, cell: The network and the cell at the file's own batch, where another one was set.
    """

    batch: int
    inferences: int = 1
    in_turn: str | None = None
    file: Artifact | None = None
    cell: Cell | None = None


class CellContext(msgspec.Struct, frozen=True, kw_only=True):
    """A cell and everything that its measurement needs.

    Attributes:
        cell: The combination. artifact: What is deployed. target: The device.
        samples: The test samples that it runs. reference: What its predictions are compared with.
        measure: How it is measured.
        scratch: Folder with the partial results of an unfinished first round.
        check_place: Refuses to write there if the bundle was moved or removed meanwhile.
        commands: The commands that repeat it.
        progress: Receives progress.
        offline: How a batch goes through the network; None where samples come one by one.
    """

    cell: Cell
    artifact: Artifact
    target: Target
    samples: EvaluationSamples
    reference: ReferenceRun
    measure: Measure
    scratch: Path
    commands: tuple[str, ...]
    progress: Progress
    offline: BatchPlan | None = None
    check_place: Callable[[], None] = lambda: None

    @property
    def file(self) -> Artifact:
        """What is deployed, as it was compiled: ``artifact`` with the batch of its file."""
        return self.artifact if self.offline is None or self.offline.file is None else self.offline.file

    def check_deployed(self, session: Session) -> None:
        """Check that the device runs the requested file and engine, since every number is reported for those.

        Raises:
            TargetError: The device loaded another file, runs another engine, or lacks the output that is scored.
            IncompatibleError: That output does not fit the dataset, or the device cannot reset the network's state.
        """
        report, artifact = session.load_report, self.artifact
        if report.sha256 != artifact.sha256:
            raise TargetError(
                f"The device loaded a file with SHA-256 {report.sha256[:12]}, not {artifact.sha256[:12]}."
            )
        if report.runtime != self.cell.runtime.use:
            raise TargetError(f"The device runs {report.runtime!r}, not {self.cell.runtime.use!r} as asked for.")
        if artifact.judged_output >= len(report.outputs):
            raise TargetError(
                f"The device tells of {len(report.outputs)} outputs; output {artifact.judged_output + 1} is to be "
                "judged."
            )
        if keeps_state(artifact):
            session.begin_sequence()
        batch = inputs_of(artifact).batch
        check_windows(self.samples, artifact)
        check_outputs(self.samples.task, artifact, report.outputs, batch)

    def series(self, device: LoadReport) -> str:
        """Digest of everything that a series of results may depend on. A change of the engine, of the code that made
        the network, or of the user's runtime or task starts another series.

        Args:
            device: What the device reported when it loaded the network, as `Deployment.identity` gives it.
        """
        artifact, cell = self.artifact, self.cell
        ends = [artifact.inputs, artifact.judged_output, artifact.output_named, artifact.state]
        data = [self.samples.fingerprint, of_samples(self.samples.samples, artifact.preprocessing)]
        identity = [artifact.sha256, artifact.preprocessing, ends, cell.runtime, cell.target, data, device]
        task = self.samples.task
        judge = [task.name, task.settings, self.reference.identity]
        runtime = make("runtime", cell.runtime.use, Runtime, cell.runtime.options)
        own = plugin_of(cell.target.use).chooses_interpreter
        there = interpreter_for(type(runtime), runtime.settings.python) if own else None
        versions = there.identity if there is not None else None
        return digest([*identity, judge, of_code(runtime), versions, of_code(task), own_code()])
