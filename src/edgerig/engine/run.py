"""Runs a plan through its stages into a bundle."""

from __future__ import annotations

import contextlib
import re
import shlex
from pathlib import Path

import msgspec

from edgerig import __version__, files
from edgerig.artifact import Artifact
from edgerig.bounded import bounded
from edgerig.cache import StageCache
from edgerig.compilers.sizes import about_mixed_size
from edgerig.datasets.base import Dataset
from edgerig.engine import dependencies
from edgerig.engine.artifacts import place_artifact
from edgerig.engine.devices import opened_devices
from edgerig.engine.failures import Failures
from edgerig.engine.info import changes_weights, dataset_info, model_info, size_rows
from edgerig.engine.layers.errors import keep_errors
from edgerig.engine.layers.maps import keep_layer_maps
from edgerig.engine.pinning import pinned
from edgerig.engine.preflight import check_networks, check_sizes, shortages
from edgerig.engine.prepare import check_same_plan, claim_bundle, dataset_of, now, open_bundle, take_back
from edgerig.engine.references.stages import ReferenceStages
from edgerig.engine.references.types import ReferenceRun
from edgerig.engine.rounds.context import CellContext
from edgerig.engine.rounds.offline import check_batch, with_batch
from edgerig.engine.samples.evaluation import EvaluationSamples
from edgerig.engine.samples.sequences import about_state, check_state
from edgerig.engine.stages import Stages
from edgerig.engine.summary import about_machines
from edgerig.engine.turns import Turns, finished_before
from edgerig.errors import EdgerigError, Interrupted, StorageError, UsageError
from edgerig.measure.machine import observe
from edgerig.progress import Progress
from edgerig.results.bundle import Bundle, Header
from edgerig.results.missing_rounds import is_complete
from edgerig.results.reading import OtherVersionError
from edgerig.results.types import (
    BUNDLE_VERSION,
    CellFailure,
    CellResult,
    ModelInfo,
    RunResult,
)
from edgerig.rig.plan import Cell, Plan, chain_key, part_key
from edgerig.rig.types import ModelPart, Part
from edgerig.targets.base import Target


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a plan: the folder to write to, and whether to resume the run there."""

    out: Path
    resume: bool = False
    command: str = ""


def execute(
    plan: Plan, options: Options, progress: Progress | None = None, failed: list[CellFailure] | None = None
) -> RunResult:
    """Run a plan into the bundle ``options.out``.

    A finished bundle that is already there is moved aside once devices, dataset and input files have been checked; an
    unfinished one is resumed if ``resume``, else refused if anything of the same plan is measured there, and moved
    aside if not. A run that fails before its first cell leaves the folder as it was.

    Args:
        failed: Receives the cells that could not be measured, before the error about them is raised.

    Raises:
        TargetError: A device is not there.
        UsageError: The folder holds an unfinished run, or one of another plan, or no bundle at all.
        Interrupted: Ctrl-C; finished cells are kept.
        EdgerigError: A stage failed, or cells failed (the rest is measured and kept).
    """
    progress = progress or Progress()
    bundle = Bundle(options.out)
    plan = pinned(plan, bundle if options.resume else None)
    dataset = dataset_of(plan.rig)
    check_sizes(plan.models, dataset)
    if options.resume and bundle.exists and bundle.finished:
        check_same_plan(bundle, plan)
        finished = _finished_result(bundle, progress)
        if finished is not None:
            return finished
    run = _Run(plan, dataset, bundle, options, progress)
    try:
        claim_bundle(bundle, plan, resume=options.resume)
        with bounded():
            return run.execute()
    except (KeyboardInterrupt, Interrupted) as error:
        raise _stopped(bundle, plan, begun=run.opened) from error
    except EdgerigError:
        if failed is not None:
            failed += run.failures.notes
        take_back(bundle, run.moved, progress, opened=run.opened)
        raise
    finally:
        bundle.unlock()


def _finished_result(bundle: Bundle, progress: Progress) -> RunResult | None:
    """The result of a finished bundle; None where it cannot be read and is to be put together again."""
    try:
        result = bundle.whole()
    except OtherVersionError:
        raise
    except StorageError as error:
        progress.log(f"{error.message} It is put together again from the cells.")
        return None
    progress.log(f"{bundle.path} is finished: nothing is left to measure")
    return result


def _stopped(bundle: Bundle, plan: Plan, *, begun: bool) -> Interrupted:
    """Note in the bundle that the user stopped the run, if it had ``begun``; the error that says what is kept."""
    if not begun:
        take_back(bundle, None, Progress(), opened=False)
        return Interrupted(f"Stopped before anything was measured; {bundle.path} is as it was.")
    cells, _ = bundle.read_cells(cell.id for cell in plan.cells)
    if bundle.locked and bundle.exists:
        with contextlib.suppress(StorageError):
            header = bundle.header()
            interruptions = (*header.interruptions, f"stopped by the user at {now()}")
            bundle.write_header(msgspec.structs.replace(header, interruptions=interruptions))
    complete = [cell for cell in cells if is_complete(cell)]
    rounds = sum(len(cell.rounds) for cell in cells if not is_complete(cell))
    more = (
        f", and {rounds} {'round' if rounds == 1 else 'rounds'} of {len(cells) - len(complete)} more" if rounds else ""
    )
    return Interrupted(
        f"Stopped: {len(complete)} of {len(plan.cells)} cells are finished and kept in {bundle.path}{more}.",
        "Go on with --resume.",
    )


class _Run:
    """One run of a plan.

    Attributes:
        header: The bundle's header, once it is opened.
        opened: Whether the run has begun to write; until then what was in the folder is untouched.
        moved: Where the finished bundle that was in the folder was moved to, if there was one.
    """

    def __init__(self, plan: Plan, dataset: Dataset, bundle: Bundle, options: Options, progress: Progress) -> None:
        self.plan, self.dataset, self.bundle, self.options, self.progress = plan, dataset, bundle, options, progress
        self.header: Header
        self.opened = False
        self.moved: Path | None = None
        self.stages = Stages(StageCache(), dataset, progress)
        self.references = ReferenceStages(self.stages)
        self.failures = Failures(bundle)
        self.done: list[CellResult] = []
        self.shortages: list[str] = []

    def execute(self) -> RunResult:
        with opened_devices(self.plan, self.progress) as targets:
            self.dataset.prepare(self.progress)
            self.shortages = shortages(self.plan, self.dataset)
            for note in self.shortages:
                self.progress.log(note)
            tests = EvaluationSamples(self.dataset, self.plan.rig.measure.samples)
            given = {part.label: self.stages.model(part) for part in self.plan.models if part.file}
            check_batch(self.plan, tests)
            check_networks(given, tests)
            self._open_bundle()
            models = {part.label: given.get(part.label) or self.stages.model(part) for part in self.plan.models}
            beside = {
                part.label: self.stages.model(part)
                for part in self.plan.rig.models
                if part.file and part.label not in models
            }
            artifacts = self._compile(models)
            for cell in self.plan.cells:
                check_state(artifacts[chain_key(cell.model, cell.compilers)], cell.runtime.use)
            self._describe(models, artifacts, tests)
            references = self.references.run(self.plan.models, models | beside, tests)
            self._note_references(references, artifacts)
            self._measure(targets, artifacts, tests, references)
            self._report_failed_references()
        if self.failures.notes:
            # The results.json of an earlier run without failures would hide that.
            (self.bundle.path / "results.json").unlink(missing_ok=True)
            cells = len(self.plan.cells)
            raise self.failures.error(cells, shown=cells > 1 and self.progress.shown)
        result = self._result(models, artifacts)
        self.bundle.write_result(result)
        return result

    def _open_bundle(self) -> None:
        """Move an earlier run's bundle aside and write the header: from here on the folder belongs to this run."""
        self.opened = True
        bundle, whole = self.bundle, self.bundle.finished
        if bundle.exists and (whole or bundle.begun) and not self.options.resume:
            self.moved = bundle.archive()
            what = "bundle" if whole else "unfinished bundle"
            self.progress.log(f"the {what} that was in {bundle.path} is now in {self.moved}")
        self.header = open_bundle(self.bundle, self.plan, command=self.options.command)

    def _compile(self, models: dict[str, Artifact]) -> dict[str, Artifact | Exception]:
        """Artifacts by model and chain, placed in the bundle; the empty chain is the model itself.

        A chain that could not be compiled maps to its error, which its cells then fail with.

        Raises:
            EdgerigError: None of the cells has a network to run.
        """
        built: dict[str, Artifact | Exception] = {chain_key(label, ()): model for label, model in models.items()}
        for label, chain in self.plan.chains:
            parent = built[chain_key(label, chain[:-1])]
            built[chain_key(label, chain)] = parent if isinstance(parent, Exception) else self._link(parent, chain[-1])
        needed = [built[chain_key(cell.model, cell.compilers)] for cell in self.plan.cells]
        if all(isinstance(entry, Exception) for entry in needed):
            raise next(entry for entry in needed if isinstance(entry, Exception))
        placed: dict[str, Artifact] = {}
        return {
            key: entry if isinstance(entry, Exception) else place_artifact(entry, self.bundle.artifacts, placed)
            for key, entry in built.items()
        }

    def _link(self, parent: Artifact, part: Part) -> Artifact | Exception:
        """One step of a chain of compilers."""
        try:
            return self.stages.compile(parent, part)
        except (Interrupted, StorageError):
            raise
        except Exception as error:
            self.progress.log(f"compile {part.label} of {parent.name}: FAILED")  # its cells report the reason
            return error

    def _describe(
        self, models: dict[str, Artifact], artifacts: dict[str, Artifact | Exception], tests: EvaluationSamples
    ) -> None:
        """Write to the header what is known before measuring, so that an unfinished bundle can be displayed."""
        for artifact in artifacts.values():
            if isinstance(artifact, Artifact):
                self.stages.note(about_state(artifact, tests))
                self.stages.note(about_mixed_size(artifact) or None)
        infos = tuple(self._model_info(part, models[part.label], artifacts) for part in self.plan.models)
        about = dataset_info(self.dataset, self.plan.rig.dataset.options)
        self.header = msgspec.structs.replace(self.header, model=infos[0], models=infos, dataset=about)
        data = files.digest(dependencies.of_samples(tests.samples, self.dataset.preprocessing))
        if self.bundle.begun and self.header.data not in (None, data):
            raise UsageError(
                f"{self.bundle.path} holds cells that ran other samples: the dataset has changed since.",
                "Choose another --out, or resume with the data as they were.",
            )
        self.header = msgspec.structs.replace(self.header, host=observe(), data=data)
        self.bundle.write_header(self.header)

    def _note_references(self, references: dict[str, ReferenceRun], artifacts: dict[str, Artifact | Exception]) -> None:
        """Store the references; all cells of one bundle are compared with the same ones."""
        identities = {label: reference.identity for label, reference in references.items()}
        before = self.header.references or identities
        changed = [cell for cell in self.plan.cells if before.get(cell.model) != identities[cell.model]]
        if any(self._finished(cell, artifacts[chain_key(cell.model, cell.compilers)], cell.id) for cell in changed):
            raise UsageError(
                f"{self.bundle.path} holds cells that were compared with another float model: it has changed since.",
                "Choose another --out, or resume with the model as it was.",
            )
        self.header = msgspec.structs.replace(self.header, references=identities)
        self.bundle.write_header(self.header)

    def _measure(
        self,
        targets: dict[str, Target],
        artifacts: dict[str, Artifact | Exception],
        tests: EvaluationSamples,
        references: dict[str, ReferenceRun],
    ) -> None:
        """Measure the missing rounds of each cell."""

        contexts: dict[str, CellContext] = {}

        def context_of(cell: Cell) -> CellContext:
            artifact = artifacts[chain_key(cell.model, cell.compilers)]
            if isinstance(artifact, Exception):
                raise artifact
            if cell.id in contexts:
                return contexts[cell.id]
            samples, reference = _subset(cell, tests, references[cell.model])
            context = CellContext(
                cell=cell,
                artifact=artifact,
                target=targets[part_key(cell.target)],
                samples=samples,
                reference=reference,
                measure=self.plan.rig.measure,
                scratch=self.bundle.scratch(cell.id),
                check_place=self.bundle.check_place,
                commands=self._commands(cell),
                progress=self.progress,
            )
            return contexts.setdefault(cell.id, with_batch(context))

        turns = Turns(self.plan, self.bundle, context_of, self.failures, self.progress)
        for cell in self.plan.cells:
            label = turns.label(cell)
            earlier = self._finished(cell, artifacts[chain_key(cell.model, cell.compilers)], label)
            if earlier is not None:
                turns.take_up(cell, earlier, label)
        turns.measure()
        self.done = [turns.results[cell.id] for cell in self.plan.cells if cell.id in turns.results]
        keep_layer_maps(self.bundle.path, self.done)
        if (seconds := self.plan.rig.measure.layer_errors) > 0:
            open_targets = {cell.id: targets[part_key(cell.target)] for cell in self.plan.cells}
            keep_errors(self.bundle.path, self.done, seconds, self.progress, lambda cell: open_targets.get(cell.id))

    def _report_failed_references(self) -> None:
        """Report why a reference could not be run, unless a cell failed for the same reason and reports it."""
        for name, reason in self.references.failed:
            if not any(reason in note.message for note in self.failures.notes):
                self.progress.log(f"reference {name}: {reason}")

    def _finished(self, cell: Cell, artifact: Artifact | Exception, label: str) -> CellResult | None:
        """The result of an earlier run for a cell, if it is complete and of the same network."""
        try:
            return finished_before(self.bundle, cell, artifact)
        except StorageError as error:
            self.progress.log(f"{label}: {error.message} It is measured again.")
            return None

    def _result(self, models: dict[str, Artifact], artifacts: dict[str, Artifact | Exception]) -> RunResult:
        done, header = self.done, self.header
        assert header.model is not None
        assert header.dataset is not None
        return RunResult(
            name=self.plan.rig.name,
            version=BUNDLE_VERSION,
            edgerig=__version__,
            created=header.created,
            finished=now(),
            model=header.model,
            models=header.models,
            dataset=header.dataset,
            host=observe(),
            cells=tuple(done),
            sizes=size_rows(models, self.plan, artifacts),
            commands=header.commands,
            interruptions=header.interruptions,
            stages=self.stages.log,
            planned=header.cells,
            warnings=(*self.shortages, *self.stages.notes, *about_machines(done)),
        )

    def _model_info(self, part: ModelPart, model: Artifact, artifacts: dict[str, Artifact | Exception]) -> ModelInfo:
        chains = [(), *(chain for label, chain in self.plan.chains if label == part.label)]
        entries = [artifacts[chain_key(part.label, chain)] for chain in chains if not changes_weights(chain)]
        own = [entry for entry in entries if isinstance(entry, Artifact)]
        return model_info(model, part.label, part.file or f"trained: {part.use}", own)

    def _commands(self, cell: Cell) -> tuple[str, ...]:
        base = self.header.commands[0] if self.header.commands else "edgerig run rig.yaml"
        only = shlex.quote(re.sub(r"([*?[])", r"[\1]", cell.id))
        return (base, f"edgerig run {self.bundle.path}/rig.yaml --only {only} --out again")


def _subset(cell: Cell, tests: EvaluationSamples, reference: ReferenceRun) -> tuple[EvaluationSamples, ReferenceRun]:
    """The samples of a cell that runs only some, and the reference's predictions for those."""
    if cell.samples is None or cell.samples >= len(tests):
        return tests, reference
    some, positions = tests.part(cell.samples)
    return some, reference.of_part(positions)
