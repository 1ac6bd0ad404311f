"""Lead a plan through its stages into a bundle."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import msgspec

from edgerig import __version__, files
from edgerig.artifact import Artifact
from edgerig.bounded import bounded
from edgerig.cache import StageCache
from edgerig.datasets.base import Dataset
from edgerig.engine import dependencies
from edgerig.engine.beforehand import check_networks, check_sizes
from edgerig.engine.cell import measure_cell
from edgerig.engine.failures import Failures
from edgerig.engine.info import model_info, size_rows
from edgerig.engine.prepare import check_same_plan, claim_bundle, now, open_bundle, take_back
from edgerig.engine.samples import EvaluationSamples, Reference
from edgerig.engine.stages import Stages, place_artifact
from edgerig.errors import EdgerigError, Interrupted, StorageError, TargetError, UsageError
from edgerig.measure.judge import judge_kind
from edgerig.measure.kinds import Measurement, Unavailable, microseconds
from edgerig.measure.machine import MachineState, cores_text, observe
from edgerig.plugins import make
from edgerig.progress import Progress
from edgerig.results.bundle import Bundle, Header
from edgerig.results.reading import OtherVersionError
from edgerig.results.types import (
    BUNDLE_VERSION,
    CellResult,
    DatasetInfo,
    ModelInfo,
    RunResult,
)
from edgerig.rig.plan import Cell, Plan, chain_key, part_key
from edgerig.rig.types import Measure, ModelPart, Part
from edgerig.targets.base import Target
from edgerig.targets.resolve import target_for


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a plan: where to, and whether to go on with what is there."""

    out: Path
    resume: bool = False
    command: str = ""


def execute(plan: Plan, options: Options, progress: Progress | None = None) -> RunResult:
    """Run a plan into the bundle ``options.out``.

    A finished bundle that is already there is moved aside, once devices, dataset and given files were looked at and
    found to fit; an unfinished one is gone on with if ``resume``, else refused if something is measured there. A run
    that fails before its first cell leaves the folder as it was.

    Raises:
        TargetError: A device is not there.
        UsageError: The folder holds an unfinished run, or one of another plan, or no bundle at all.
        Interrupted: Ctrl-C; finished cells are kept.
        EdgerigError: A stage failed, or cells failed (the rest is measured and kept).
    """
    progress = progress or Progress()
    bundle = Bundle(options.out)
    dataset = make("dataset", plan.rig.dataset.use, Dataset, plan.rig.dataset.options)
    check_sizes(plan.models, dataset)
    if options.resume and bundle.exists and bundle.finished:
        check_same_plan(bundle, plan)
        try:
            result = bundle.whole()
        except OtherVersionError:
            raise
        except StorageError as error:
            progress.log(f"{error.message} It is put together again from the cells.")
        else:
            progress.log(f"{options.out} is finished: nothing is left to measure")
            return result
    run = _Run(plan, dataset, bundle, options, progress)
    try:
        claim_bundle(bundle, plan, resume=options.resume)
        with bounded():
            return run.execute()
    except (KeyboardInterrupt, Interrupted) as error:
        raise _stopped(bundle, plan, begun=run.opened) from error
    except EdgerigError:
        take_back(bundle, run.moved, progress, opened=run.opened)
        raise
    finally:
        bundle.unlock()


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
    return Interrupted(
        f"Stopped: {len(cells)} of {len(plan.cells)} cells are finished and kept in {bundle.path}.",
        "Go on with --resume.",
    )


class _Run:
    """One run of a plan.

    Attributes:
        header: The bundle's header, once it is opened.
        opened: Whether the run has begun to write; until then what was in the folder is untouched.
        moved: Where the finished bundle went that was in the folder, if there was one.
    """

    def __init__(self, plan: Plan, dataset: Dataset, bundle: Bundle, options: Options, progress: Progress) -> None:
        self.plan, self.dataset, self.bundle, self.options, self.progress = plan, dataset, bundle, options, progress
        self.header: Header
        self.opened = False
        self.moved: Path | None = None
        self.stages = Stages(StageCache(), dataset, progress)
        self.failures = Failures(bundle)
        self.done: list[CellResult] = []
        self.shortages: list[str] = []

    def execute(self) -> RunResult:
        with self._targets() as targets:
            self.dataset.prepare(self.progress)
            self.shortages = self._shortages()
            tests = EvaluationSamples(self.dataset, self.plan.rig.measure.samples)
            given = {part.label: self.stages.model(part) for part in self.plan.models if part.file}
            check_networks(given, tests)
            self._open_bundle()
            models = {part.label: given.get(part.label) or self.stages.model(part) for part in self.plan.models}
            beside = {
                part.label: self.stages.model(part)
                for part in self.plan.rig.models
                if part.file and part.label not in models
            }
            artifacts = self._compile(models)
            self._describe(models, artifacts, tests)
            references = self.stages.references(self.plan.models, models | beside, tests)
            self._note_references(references, artifacts)
            self._cells(targets, artifacts, tests, references)
            self._tell_failed_references()
        if self.failures.notes:
            # What an earlier run wrote when all was well would hide that.
            (self.bundle.path / "results.json").unlink(missing_ok=True)
            raise self.failures.error(len(self.plan.cells))
        result = self._result(models, artifacts)
        self.bundle.write_result(result)
        return result

    def _open_bundle(self) -> None:
        """Move aside what is finished there, and write the header: from here on the folder is this run's."""
        self.opened = True
        if self.bundle.exists and self.bundle.finished and not self.options.resume:
            self.moved = self.bundle.archive()
            self.progress.log(f"the bundle that was in {self.bundle.path} is now in {self.moved}")
        self.header = open_bundle(self.bundle, self.plan, command=self.options.command)

    def _shortages(self) -> list[str]:
        """Which cells ask for more samples than there are; said before anything is trained or measured."""
        total, asked = len(self.dataset.split("test")), self.plan.rig.measure.samples
        most = total if asked is None else min(asked, total)
        name, found = self.dataset.name, []
        # Nobody need have asked for the default.
        if asked is not None and asked > total and asked != Measure().samples:
            found.append(f"{name} has {total:,} test samples, and {asked:,} were asked for: all {total:,} are run.")
            self.progress.log(found[-1])
        for count in sorted({cell.samples for cell in self.plan.cells if cell.samples and cell.samples > most}):
            cells = ", ".join(cell.id for cell in self.plan.cells if cell.samples == count)
            found.append(f"{cells}: {count:,} samples were asked for, and there are {most:,}: those are run.")
            self.progress.log(found[-1])
        return found

    @contextlib.contextmanager
    def _targets(self) -> Iterator[dict[str, Target]]:
        """All devices of the plan, checked; closed at the end."""
        targets: dict[str, Target] = {}
        with contextlib.ExitStack() as stack:
            for cell in self.plan.cells:
                key = part_key(cell.target)
                if key not in targets:
                    target = target_for(cell.target.use, cell.target.options)
                    target.log = self.progress.log
                    stack.callback(self._close, target)
                    state = self._check(target, cell.target.use)
                    self.progress.log(f"target {cell.target.use}: {state.cpu}, {cores_text(state)}, {state.system}")
                    targets[key] = target
            yield targets

    def _check(self, target: Target, address: str) -> MachineState:
        """The state of a device; one that answers what cannot be understood is named, too."""
        try:
            return target.check()
        except (EdgerigError, KeyboardInterrupt):
            raise
        except Exception as error:
            raise TargetError(
                f"{address} cannot be asked for its state: unexpected {type(error).__name__}: {error}.",
                "Is it an agent of this version of edgerig?",
            ) from error

    def _close(self, target: Target) -> None:
        """Let go of a device. What goes wrong there costs nothing that was measured."""
        try:
            target.close()
        except Exception as error:
            self.progress.log(f"target {target.address}: closing it failed: {error}")

    def _compile(self, models: dict[str, Artifact]) -> dict[str, Artifact | Exception]:
        """Key of model and chain to artifact, placed in the bundle; the empty chain is the model itself.

        Where a chain could not be compiled, its error, which is then its cells'.

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
            self.progress.log(f"compile {part.label} of {parent.name}: FAILED: {getattr(error, 'message', error)}")
            return error

    def _describe(
        self, models: dict[str, Artifact], artifacts: dict[str, Artifact | Exception], tests: EvaluationSamples
    ) -> None:
        """Put what is known before measuring into the header, so that an unfinished bundle can be shown."""
        infos = tuple(self._model_info(part, models[part.label], artifacts) for part in self.plan.models)
        self.header = msgspec.structs.replace(self.header, model=infos[0], models=infos, dataset=self._dataset_info())
        data = files.digest(dependencies.of_samples(tests.samples, self.dataset.preprocessing))
        if self.bundle.begun and self.header.data not in (None, data):
            raise UsageError(
                f"{self.bundle.path} holds cells that ran other samples: the dataset has changed since.",
                "Choose another --out, or resume with the data as they were.",
            )
        self.header = msgspec.structs.replace(self.header, host=observe(), data=data)
        self.bundle.write_header(self.header)

    def _note_references(self, references: dict[str, Reference], artifacts: dict[str, Artifact | Exception]) -> None:
        """Keep what cells are compared with; those of one bundle are all compared with the same."""
        told = {label: reference.identity for label, reference in references.items()}
        before = self.header.references or told
        changed = [cell for cell in self.plan.cells if before.get(cell.model) != told[cell.model]]
        if any(self._finished(cell, artifacts[chain_key(cell.model, cell.compilers)], cell.id) for cell in changed):
            raise UsageError(
                f"{self.bundle.path} holds cells that were compared with another float model: it has changed since.",
                "Choose another --out, or resume with the model as it was.",
            )
        self.header = msgspec.structs.replace(self.header, references=told)
        self.bundle.write_header(self.header)

    def _cells(
        self, targets: dict[str, Target], artifacts: dict[str, Artifact | Exception], tests: EvaluationSamples,
        references: dict[str, Reference],
    ) -> None:  # fmt: skip
        """Measure each cell that is not finished. Whatever goes wrong with one ends that one alone."""
        for number, cell in enumerate(self.plan.cells, 1):
            artifact = artifacts[chain_key(cell.model, cell.compilers)]
            label = f"[{number}/{len(self.plan.cells)}] {cell.id}"
            finished = self._finished(cell, artifact, label)
            if finished is not None:
                self.progress.log(f"{label}: finished before")
                self.done.append(finished)
                continue
            try:
                if isinstance(artifact, Exception):
                    raise artifact
                own, yardstick = _subset(cell, tests, references[cell.model])
                result, arrays = measure_cell(
                    cell, artifact, targets[part_key(cell.target)], own, yardstick, self.plan.rig.measure,
                    self._commands(cell), self.bundle.scratch(cell.id), self.progress,
                )  # fmt: skip
                result = self.bundle.write_cell(result, arrays)
            except Interrupted:
                raise
            except (Exception, SystemExit) as error:
                why = self.failures.add(cell.id, error)
                # The error of the run tells it at the end; among many cells it is wanted at once as well.
                self.progress.log(f"{label}: FAILED" + (f": {why}" if len(self.plan.cells) > 1 else ""))
                continue
            self.done.append(result)
            self.progress.log(f"{label}: {_headline(result)}")

    def _tell_failed_references(self) -> None:
        """Why a network could not be run for comparison, unless a cell failed for the same reason and tells it."""
        for name, reason in self.stages.failed_references:
            if not any(reason in note.message for note in self.failures.notes):
                self.progress.log(f"reference {name}: {reason}")

    def _finished(self, cell: Cell, artifact: Artifact | Exception, label: str) -> CellResult | None:
        """What an earlier run measured of a cell, if it is whole and of the same network."""
        try:
            result = self.bundle.read_cell(cell.id)
            if result is None or isinstance(artifact, Exception) or not _same_network(result.artifact, artifact):
                return None
            self.bundle.samples(cell.id)
        except StorageError as error:
            self.progress.log(f"{label}: {error.message} It is measured again.")
            return None
        return result

    def _result(self, models: dict[str, Artifact], artifacts: dict[str, Artifact | Exception]) -> RunResult:
        done, header = self.done, self.header
        assert header.model is not None
        assert header.dataset is not None
        return RunResult(
            name=self.plan.rig.name, version=BUNDLE_VERSION, edgerig=__version__, created=header.created,
            finished=now(), model=header.model, models=header.models, dataset=header.dataset,
            host=observe(), cells=tuple(done),
            sizes=size_rows(models, self.plan, artifacts), commands=header.commands, interruptions=header.interruptions,
            stages=self.stages.log, planned=header.cells,
            warnings=(*self.shortages, *self.stages.notes, *_about_machines(done)),
        )  # fmt: skip

    def _model_info(self, part: ModelPart, model: Artifact, artifacts: dict[str, Artifact | Exception]) -> ModelInfo:
        chains = [(), *(chain for label, chain in self.plan.chains if label == part.label)]
        entries = [artifacts[chain_key(part.label, chain)] for chain in chains]
        own = [entry for entry in entries if isinstance(entry, Artifact)]
        return model_info(model, part.label, part.file or f"trained: {part.use}", own)

    def _dataset_info(self) -> DatasetInfo:
        test = self.dataset.split("test")
        try:
            train = len(self.dataset.split("train"))
        except EdgerigError:
            train = 0  # a dataset of test samples alone is enough to measure with
        return DatasetInfo(
            name=self.dataset.name, task=self.dataset.task, classes=self.dataset.classes, test_samples=len(test),
            train_samples=train, fingerprint=test.fingerprint, options=self.plan.rig.dataset.options,
        )  # fmt: skip

    def _commands(self, cell: Cell) -> tuple[str, ...]:
        base = self.header.commands[0] if self.header.commands else "edgerig run rig.yaml"
        only = shlex.quote(re.sub(r"([*?[])", r"[\1]", cell.id))
        return (base, f"edgerig run {self.bundle.path}/rig.yaml --only {only} --out again")


def _same_network(one: Artifact, other: Artifact) -> bool:
    """Whether two are one file that is given the same inputs and judged by the same output."""
    return all(
        getattr(one, name) == getattr(other, name)
        for name in ("sha256", "preprocessing", "inputs", "outputs", "judged_output", "classes")
    )


def _headline(result: CellResult) -> str:
    parts = [f"{metric.name} {metric.text}" for metric in result.quality.metrics[:1]]
    steady, counted = result.latency.steady, result.instructions
    if isinstance(steady, Measurement):
        batch = "" if result.batch == 1 else f" of {result.batch} samples"
        parts.append(f"{microseconds(steady)} an inference{batch}")
    if isinstance(counted, Measurement):
        parts.append(f"{counted.value:,.0f} instructions")
    return ", ".join(parts)


def _about_machines(cells: list[CellResult]) -> tuple[str, ...]:
    """What is to be said of each machine once, not of each of its numbers."""
    return tuple(dict.fromkeys(text for cell in cells for text in judge_kind(cell.machine)))


def _subset(cell: Cell, tests: EvaluationSamples, reference: Reference) -> tuple[EvaluationSamples, Reference]:
    """The samples of a cell that runs only some, and what the reference says of those."""
    if cell.samples is None or cell.samples >= len(tests):
        return tests, reference
    some, places = tests.part(cell.samples)
    scores = reference.scores
    return some, reference if isinstance(scores, Unavailable) else msgspec.structs.replace(
        reference, scores=scores[places]
    )
