"""Lead a plan through its stages into a bundle."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from edgerig import __version__, files
from edgerig.artifact import Artifact
from edgerig.bounded import bounded
from edgerig.compilers.sizes import size_table
from edgerig.datasets.base import Dataset
from edgerig.datasets.fitting import check_size
from edgerig.engine.cache import StageCache
from edgerig.engine.cell import measure_cell
from edgerig.engine.info import model_info
from edgerig.engine.stages import Stages, place_artifact
from edgerig.engine.testset import Reference, TestSet
from edgerig.errors import EdgerigError, InferenceError, Interrupted, StorageError, TargetError, UsageError
from edgerig.measure.judge import judge_kind
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.measure.machine import cores_text, observe
from edgerig.models.files import open_artifact
from edgerig.plugins import make
from edgerig.progress import Progress
from edgerig.results.bundle import Bundle, Header
from edgerig.results.types import (
    BUNDLE_VERSION,
    CellFailure,
    CellResult,
    DatasetInfo,
    ModelInfo,
    RunResult,
    VariantSize,
)
from edgerig.spec.parse import rig_to_builtins, rig_to_yaml
from edgerig.spec.plan import Cell, Plan, chain_key, part_key
from edgerig.spec.types import Measure, ModelPart
from edgerig.targets.base import Target
from edgerig.targets.resolve import target_for


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a plan: where to, and whether to go on with what is there."""

    out: Path
    resume: bool = False
    command: str = ""


def execute(plan: Plan, options: Options, progress: Progress | None = None) -> RunResult:
    """Run a plan into the bundle ``options.out``.

    A finished bundle that is already there is moved aside; an unfinished one is gone on with if ``resume``, else
    refused if something is measured there. Devices are looked for before anything else is done; a run that fails
    before its first cell leaves the folder as it was.

    Raises:
        TargetError: A device is not there.
        UsageError: The folder holds an unfinished run, or one of another plan, or no bundle at all.
        Interrupted: Ctrl-C; finished cells are kept.
        EdgerigError: A stage failed, or cells failed (the rest is measured and kept).
    """
    progress = progress or Progress()
    bundle = Bundle(options.out)
    if options.resume and bundle.exists and bundle.finished:
        _check_same_plan(bundle, plan)
        progress.log(f"{options.out} is finished: nothing is left to measure")
        return bundle.result()
    moved: Path | None = None
    try:
        header, moved = _prepare_bundle(bundle, plan, options)
        if moved is not None:
            progress.log(f"the bundle that was in {bundle.path} is now in {moved}")
        with bounded():
            return _Run(plan, bundle, header, progress).execute()
    except (KeyboardInterrupt, Interrupted) as error:
        done = sum(bundle.read_cell(cell.id) is not None for cell in plan.cells)
        now = _now()
        bundle.write_header(
            msgspec.structs.replace(
                bundle.header(), interruptions=(*bundle.header().interruptions, f"stopped by the user at {now}")
            )
        )
        raise Interrupted(
            f"Stopped: {done} of {len(plan.cells)} cells are finished and kept in {options.out}.",
            "Go on with --resume.",
        ) from error
    except EdgerigError:
        _take_back(bundle, moved, progress)
        raise
    finally:
        bundle.unlock()


class _Run:
    def __init__(self, plan: Plan, bundle: Bundle, header: Header, progress: Progress) -> None:
        self.plan, self.bundle, self.header, self.progress = plan, bundle, header, progress
        rig = plan.rig
        self.dataset = make("dataset", rig.dataset.use, Dataset, rig.dataset.options)
        self.stages = Stages(StageCache(), self.dataset, progress)
        self.briefs: dict[str, str] = {}
        self.shortages: list[str] = []

    def execute(self) -> RunResult:
        with self._targets() as targets:
            self._check_sizes()
            self.dataset.prepare(self.progress)
            self.shortages = self._shortages()
            models = {part.label: self.stages.model(part) for part in self.plan.models}
            beside = {
                part.label: self.stages.model(part)
                for part in self.plan.rig.models
                if part.file and part.label not in models
            }
            tests = TestSet(self.dataset, self.plan.rig.measure.samples)
            artifacts = self._compile(models)
            self._describe(models, artifacts)
            references = self.stages.references(self.plan.models, models | beside, tests)
            failures = self._cells(targets, artifacts, tests, references)
        result = self._result(models, artifacts, failures)
        if failures:
            raise _failed(failures, self.briefs, len(self.plan.cells), self.bundle)
        self.bundle.write_result(result)
        return result

    def _check_sizes(self) -> None:
        """Refuse the user's networks that cannot take the dataset's samples before these are fetched."""
        for part in self.plan.models:
            if part.file:
                check_size(self.dataset, open_artifact(Path(part.file)))

    def _shortages(self) -> list[str]:
        """Which cells ask for more samples than there are; said before anything is trained or measured."""
        total, asked = len(self.dataset.split("test")), self.plan.rig.measure.samples
        most = total if asked is None else min(asked, total)
        name, found = self.dataset.name, []
        if asked is not None and asked > total:
            text = f"{name} has {total:,} test samples, and {asked:,} were asked for: all {total:,} are run."
            self.progress.log(text)
            # Nobody need have asked for the default.
            found += [text] if asked != Measure().samples else []
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
                    stack.callback(target.close)
                    state = target.check()
                    self.progress.log(f"target {cell.target.use}: {state.cpu}, {cores_text(state)}, {state.system}")
                    targets[key] = target
            yield targets

    def _compile(self, models: dict[str, Artifact]) -> dict[str, Artifact]:
        """Key of model and chain to artifact, placed in the bundle; the empty chain is the model itself."""
        built = {chain_key(label, ()): model for label, model in models.items()}
        for label, chain in self.plan.chains:
            built[chain_key(label, chain)] = self.stages.compile(built[chain_key(label, chain[:-1])], chain[-1])
        return {key: place_artifact(artifact, self.bundle.artifacts) for key, artifact in built.items()}

    def _describe(self, models: dict[str, Artifact], artifacts: dict[str, Artifact]) -> None:
        """Put what is known before measuring into the header, so that an unfinished bundle can be shown."""
        infos = tuple(self._model_info(part, models[part.label], artifacts) for part in self.plan.models)
        self.header = msgspec.structs.replace(self.header, model=infos[0], models=infos, dataset=self._dataset_info())
        self.bundle.write_header(self.header)

    def _cells(
        self, targets: dict[str, Target], artifacts: dict[str, Artifact], tests: TestSet,
        references: dict[str, Reference],
    ) -> list[CellFailure]:  # fmt: skip
        failures = []
        for number, cell in enumerate(self.plan.cells, 1):
            artifact = artifacts[chain_key(cell.model, cell.compilers)]
            label = f"[{number}/{len(self.plan.cells)}] {cell.id}"
            finished = self.bundle.read_cell(cell.id)
            if finished is not None and finished.artifact.sha256 == artifact.sha256:
                self.progress.log(f"{label}: finished before")
                continue
            try:
                own, yardstick = _fewer(cell, tests, references[cell.model])
                result, arrays = measure_cell(
                    cell, artifact, targets[part_key(cell.target)], own, yardstick, self.plan.rig.measure,
                    self._commands(cell), self.bundle.scratch(cell.id), self.progress,
                )  # fmt: skip
            except (TargetError, InferenceError) as error:
                failure = CellFailure(id=cell.id, error=type(error).__name__, message=str(error), time=_now())
                self.bundle.write_failure(failure)
                failures.append(failure)
                self.briefs[cell.id] = _brief(error)
                self.progress.log(f"{label}: FAILED: {error.message}")
                continue
            self.bundle.write_cell(result, arrays)
            self.progress.log(f"{label}: {_headline(result)}")
        return failures

    def _result(
        self, models: dict[str, Artifact], artifacts: dict[str, Artifact], failures: list[CellFailure]
    ) -> RunResult:
        done = [cell for item in self.plan.cells if (cell := self.bundle.read_cell(item.id)) is not None]
        header = self.header
        assert header.model is not None
        assert header.dataset is not None
        return RunResult(
            name=self.plan.rig.name, version=BUNDLE_VERSION, edgerig=__version__, created=header.created,
            finished=_now(), model=header.model, models=header.models, dataset=header.dataset,
            host=observe(), cells=tuple(done),
            sizes=_sizes(models, self.plan, artifacts), commands=header.commands, interruptions=header.interruptions,
            stages=self.stages.log, warnings=(*self.shortages, *_about_machines(done)),
            failures=tuple(failures), planned=header.cells,
        )  # fmt: skip

    def _model_info(self, part: ModelPart, model: Artifact, artifacts: dict[str, Artifact]) -> ModelInfo:
        chains = [(), *(chain for label, chain in self.plan.chains if label == part.label)]
        own = [artifacts[chain_key(part.label, chain)] for chain in chains]
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
        return (base, f"edgerig run {self.bundle.path}/rig.yaml --only '{cell.id}' --out again")


def _prepare_bundle(bundle: Bundle, plan: Plan, options: Options) -> tuple[Header, Path | None]:
    """The header of a bundle that is locked and ready, and where the finished one went that was there."""
    moved = None
    if bundle.exists:
        if bundle.finished:
            moved = bundle.archive()
        elif bundle.begun and not options.resume:
            raise UsageError(
                f"{bundle.path} holds a run that is not finished.", "Go on with --resume, or choose another --out."
            )
    elif bundle.path.exists() and (not bundle.path.is_dir() or any(p.name != ".lock" for p in bundle.path.iterdir())):
        raise StorageError(f"{bundle.path} exists and is no bundle.", "Choose another --out; nothing was touched.")
    bundle.lock()
    if bundle.begun:
        header = _check_same_plan(bundle, plan)
        header = msgspec.structs.replace(header, interruptions=(*header.interruptions, f"resumed at {_now()}"))
        bundle.write_header(header)
        return header, None
    bundle.clear()
    header = Header(
        version=BUNDLE_VERSION, name=plan.rig.name, edgerig=__version__, created=_now(), plan_hash=_plan_hash(plan),
        rig=rig_to_builtins(plan.rig), cells=tuple(cell.id for cell in plan.cells),
        commands=(options.command,) if options.command else (),
    )  # fmt: skip
    bundle.write_header(header)
    files.write_text(bundle.path / "rig.yaml", rig_to_yaml(plan.rig))
    return header, moved


def _take_back(bundle: Bundle, moved: Path | None, progress: Progress) -> None:
    """After a failure before the first cell: leave the folder as it was before the run."""
    if not bundle.locked or bundle.begun or any(bundle.path.glob("cells/*/failure.json")):
        return
    bundle.clear()
    bundle.unlock()
    with contextlib.suppress(OSError):
        bundle.path.rmdir()
        if moved is not None:
            moved.rename(bundle.path)
            progress.log(f"the bundle that was in {bundle.path} is there again")


def _check_same_plan(bundle: Bundle, plan: Plan) -> Header:
    header = bundle.header()
    if header.plan_hash != _plan_hash(plan):
        raise UsageError(
            f"{bundle.path} holds a run of another rig or selection; it cannot be resumed with this one.",
            "Resume with the same rig file, --set and --only, or choose another --out.",
        )
    return header


def _plan_hash(plan: Plan) -> str:
    return files.digest([rig_to_builtins(plan.rig), [cell.id for cell in plan.cells]])


def _sizes(models: dict[str, Artifact], plan: Plan, artifacts: dict[str, Artifact]) -> tuple[VariantSize, ...]:
    """Every file against the first model's."""
    (first, model), *others = models.items()
    files_ = {f"{label} ({other.format})": other.size for label, other in others}
    variants = {
        cell.variant: artifacts[chain_key(cell.model, cell.compilers)].size for cell in plan.cells if cell.compilers
    }
    rows = size_table((f"{first} ({model.format})", model.size), [*files_.items(), *variants.items()])
    return tuple(VariantSize(name=r.name, bytes=r.bytes, ratio=r.ratio, saving=r.saving) for r in rows)


def _headline(result: CellResult) -> str:
    parts = [f"{metric.name} {metric.value:.2%}" for metric in result.quality.metrics[:1]]
    steady, counted = result.latency.steady, result.instructions
    if isinstance(steady, Measurement):
        kind = "" if steady.kind == "measured" else f", {steady.kind}"
        batch = "" if result.batch == 1 else f" of {result.batch} samples"
        parts.append(f"{steady.value * 1e6:,.1f} us an inference{batch}{kind}")
    if isinstance(counted, Measurement):
        parts.append(f"{counted.value:,.0f} instructions")
    return ", ".join(parts)


def _about_machines(cells: list[CellResult]) -> tuple[str, ...]:
    """What is to be said of each machine once, not of each of its numbers."""
    return tuple(dict.fromkeys(text for cell in cells for text in judge_kind(cell.machine)))


def _brief(error: EdgerigError) -> str:
    """An error on one line: of a message with a table, its first line. The hint stays."""
    first, _, rest = error.message.strip().partition("\n")
    text = f"{first.rstrip(' :.')}." if rest else first
    return " ".join(f"{text} {error.hint or ''}".split())


def _failed(failures: list[CellFailure], briefs: dict[str, str], cells: int, bundle: Bundle) -> EdgerigError:
    kind = TargetError if all(f.error == "TargetError" for f in failures) else InferenceError
    lines = "\n".join(f"  - {f.id}: {briefs[f.id]}" for f in failures)
    hints = [f"What is measured is kept in {bundle.path}; go on with --resume."] if bundle.begun else []
    if any(briefs[f.id] != " ".join(f.message.split()) for f in failures):
        hints.append(f"All that was said stands in {bundle.path}/cells/*/failure.json.")
    message = f"{len(failures)} of {cells} cells could not be measured:\n{lines}"
    return kind(message, " ".join(hints) or None)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _fewer(cell: Cell, tests: TestSet, reference: Reference) -> tuple[TestSet, Reference]:
    """The samples of a cell that runs only some, and what the reference says of those."""
    if cell.samples is None or cell.samples >= len(tests):
        return tests, reference
    some, places = tests.part(cell.samples)
    scores = reference.scores
    return some, reference if isinstance(scores, Unavailable) else msgspec.structs.replace(
        reference, scores=scores[places]
    )
