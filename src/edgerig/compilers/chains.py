"""Runs several compilers on one model: all are checked before the first one starts, and each step runs once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgerig import files, formats, plugin_names
from edgerig.artifact import Artifact, Preprocessing
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.result import output_path
from edgerig.compilers.steps import PLUS, State, Step, label_of, names_of, steps_to
from edgerig.datasets.base import Dataset
from edgerig.environments import choice
from edgerig.errors import CompileError, EdgerigError, IncompatibleError, UnknownNameError, UsageError, foreign_trace
from edgerig.plugins import describe, find, make
from edgerig.progress import Progress

ALL = "all"
#: The order of ``all``; compilers of plugins come after these.
ORDER = ("float32", "float16", "dynamic", "int8", "int16x8", "onnx", "onnx-int8", "c-array", "c")

#: Compilers that ``all`` leaves out: a search or a training takes as long as many others, and some write what a single
#: engine reads.
NOT_IN_ALL = frozenset(
    {
        "mixed",
        "qat-int8",
        "qat-onnx-int8",
        "edgetpu",
        "openvino",
        "openvino-int8",
        "ncnn",
        "ncnn-float16",
        "mnn",
        "mnn-float16",
        "mnn-dynamic",
        "mnn-int8",
        "executorch",
        "executorch-int8",
        "tensorrt",
        "tensorrt-float16",
        "tensorrt-int8",
        "iree",
        "tvm",
        "prune-channels",
        "prune",
        "cluster",
    }
)


class CompiledFile(msgspec.Struct, frozen=True, kw_only=True):
    """One compiled file. ``compiler``: the one that made it, after others ``prune+int8``; ``payload``: bytes that the
    network takes on a device (of a C array, not of its text)."""

    compiler: str
    artifact: Artifact
    payload: int


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A chain of compilers that failed, and why."""

    compiler: str
    error: str
    message: str
    hint: str | None
    #: Where an engine or a plugin raised what it should not have.
    trace: str | None = None


class Chains(msgspec.Struct, frozen=True):
    """The chain to each target, and what ``all`` left out, with the reason."""

    chains: tuple[tuple[Step, ...], ...]
    skipped: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[tuple[ModelCompiler, ...], ...]:
        """The compilers of each chain."""
        return tuple(tuple(step.compiler for step in chain) for chain in self.chains)

    @property
    def need_dataset(self) -> bool:
        """Whether any compiler calibrates or trains."""
        return any(compiler.needs_dataset for chain in self.steps for compiler in chain)


def plan_chains(targets: Sequence[str], options: dict[str, Any], artifact: Artifact, dataset: Dataset | None) -> Chains:
    """The compilers to run on ``artifact``, each after the ones whose output it needs.

    Args:
        targets: Compiler names, or chains of them (``prune+int8``); ``all`` stands for every one that is installed and
            can read the artifact.
        options: Settings, ``key`` for every compiler that has it, or ``compiler.key`` for one.
        artifact: The model.
        dataset: To calibrate with.

    Raises:
        UnknownNameError: A compiler or a setting is not known.
        SpecError: A setting's value is not valid.
        IncompatibleError: A compiler refuses the artifact, or what the one before it in a chain makes.
        MissingExtraError: An engine is not installed.
        UsageError: A compiler calibrates, and there is no dataset.
    """
    labels = list(dict.fromkeys(name for target in targets for name in _expand(target)))
    makers = _configure(list(dict.fromkeys(name for label in labels for name in names_of(label))), options)
    start = State.of(artifact)
    chains, skipped = [], []
    for label in labels:
        try:
            chain = _chain([makers[name] for name in names_of(label)], start, makers, artifact)
        except UsageError as error:
            if label in targets:
                raise
            skipped.append(f"{label}: {error.message} {error.hint or ''}".rstrip())
            continue
        if label not in targets and _changes_nothing(chain[0].compiler, artifact) and len(chain) == 1:
            skipped.append(f"{label}: {Path(artifact.path).name} is that already.")
            continue
        refused = chain[0].compiler.refuses_content(artifact) if label not in targets else None
        if refused is not None:
            skipped.append(f"{label}: {Path(artifact.path).name} cannot be compiled: {refused}.")
            continue
        chains.append(chain)
    if not chains:
        reasons = "\n".join(f"  - {reason}" for reason in skipped)
        raise UsageError(f"Nothing can be made of {Path(artifact.path).name}:\n{reasons}")
    needy = [label_of(chain) for chain in chains if any(step.compiler.needs_dataset for step in chain)]
    if needy and dataset is None:
        raise UsageError(
            f"There are no samples to calibrate or train with, as there is no dataset: {', '.join(needy)}.",
            "Name one, for example --dataset mnist.",
        )
    return Chains(tuple(chains), tuple(skipped))


def compile_chains(
    chains: Chains, artifact: Artifact, out: Path, dataset: Dataset | None, progress: Progress
) -> tuple[list[CompiledFile], list[Failure]]:
    """Run the chains; the steps with which several of them begin run once.

    A step that fails ends its chain, and those that begin with the same steps; the others go on.

    Raises:
        StorageError, Interrupted, ...: Any error that is not of one compiler; files made before it are kept.
    """
    finished: dict[tuple[str, ...], CompiledFile] = {}
    #: By labels, too: int8 and float32+int8 of a Keras network are one file, and each was asked for.
    labelled: dict[tuple[str, tuple[str, ...]], CompiledFile] = {}
    failed: dict[tuple[str, ...], EdgerigError] = {}
    failures: list[Failure] = []
    taken: set[Path] = set()
    for chain in chains.chains:
        current, payload = artifact, artifact.size
        for end in range(1, len(chain) + 1):
            key = tuple(_identity(step.compiler) for step in chain[:end])
            compiler, label = chain[end - 1].compiler, label_of(chain[:end])
            if key not in finished and key not in failed:
                try:
                    folder = _folder(compiler, label, chains, artifact, current, out, taken)
                    result = compiler.compile(current, folder, dataset, progress)
                    size = compiler.payload(result, payload)
                    finished[key] = CompiledFile(compiler=label, artifact=result, payload=size)
                except (CompileError, IncompatibleError) as error:
                    failed[key] = error
            if key in failed:
                failures.append(_failure(label_of(chain), failed[key]))
                break
            current, payload = finished[key].artifact, finished[key].payload
            labelled[label, key] = msgspec.structs.replace(finished[key], compiler=label)
    return list(labelled.values()), failures


def _folder(
    step: ModelCompiler, label: str, chains: Chains, artifact: Artifact, current: Artifact, out: Path, taken: set[Path]
) -> Path:
    """The output folder of a step of a chain; one that fills a folder gets a subfolder where ``out`` has other files,
    too, and so does one whose file another chain has written there, by the paths that are ``taken``."""
    single = [len(chain) for chain in chains.chains] == [1]
    own = f"{Path(artifact.path).stem}_{label.replace(PLUS, '_')}" if step.folder else label
    # Compilers of one name, as a user's own may have edgerig's, have results of one label.
    apart = (own if number == 1 else f"{own}-{number}" for number in itertools.count(1))
    folders = itertools.chain([out] if single or not step.folder else [], (out / name for name in apart))

    for folder in folders:
        path = folder
        if not step.folder:
            path = output_path(current, folder, step.name, formats.named(step.makes), step.scheme)
        if path not in taken:
            break
    taken.add(path)
    return folder


def _identity(compiler: ModelCompiler) -> str:
    """Equal for compilers that do the same; a class of the user's may have the name of another compiler."""
    kind = type(compiler)
    return f"{kind.__module__}:{kind.__qualname__} {files.canonical_json(compiler.settings).decode()}"


def for_dataset(artifact: Artifact, dataset: Dataset) -> Artifact:
    """``artifact`` with the dataset's preprocessing and classes, where it has none of its own.

    A user's file without a description has no preprocessing of its own; one that edgerig trained or compiled for a
    dataset has.
    """
    brought = not artifact.origins or artifact.origins[0].tool == "file"
    if brought and artifact.preprocessing == Preprocessing():
        artifact = msgspec.structs.replace(artifact, preprocessing=dataset.preprocessing)
    if not artifact.classes:
        artifact = msgspec.structs.replace(artifact, classes=dataset.classes)
    return artifact


def _expand(target: str) -> list[str]:
    if target != ALL:
        return [target]
    known = [name for name in plugin_names.names("compiler") if name not in NOT_IN_ALL]
    return [name for name in ORDER if name in known] + [name for name in known if name not in ORDER]


def _configure(names: list[str], options: dict[str, Any]) -> dict[str, ModelCompiler]:
    """Instances of the named compilers with their share of ``options``."""
    return {name: make("compiler", name, ModelCompiler, share) for name, share in shares_of(names, options).items()}


def shares_of(names: Sequence[str], options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The settings of each of the named compilers among ``options``, ``key`` for every one that has it, or
    ``compiler.key``.

    Raises:
        UnknownNameError: One is of none of them.
    """
    known = {name: {key for key, _, _ in describe(find("compiler", name, ModelCompiler).Settings)} for name in names}
    shares: dict[str, dict[str, Any]] = {name: {} for name in names}
    for option, value in options.items():
        owner, dot, key = option.rpartition(".")
        owners = [name for name in names if not dot or name.replace("-", "_") == owner.replace("-", "_")]
        if not owners:
            raise UnknownNameError("compiler in an option", owner, names)
        takers = [name for name in owners if key in known[name]]
        if not takers:
            raise UnknownNameError(
                f"setting of {', '.join(owners)}", key, set().union(*(known[name] for name in owners))
            )
        for name in takers:
            shares[name][key] = value
    return shares


def _chain(
    named: list[ModelCompiler], start: State, makers: dict[str, ModelCompiler], artifact: Artifact
) -> tuple[Step, ...]:
    """The steps to the last of ``named``, all of whose engines are installed.

    Raises:
        IncompatibleError, MissingExtraError: It cannot be.
    """

    def make_known(name: str) -> ModelCompiler:
        return makers.get(name) or make("compiler", name, ModelCompiler)

    try:
        steps = steps_to(named, start, make_known)
    except IncompatibleError as error:
        raise IncompatibleError(f"{Path(artifact.path).name} cannot be compiled: {error.message}.") from error
    for step in steps:
        lacking = choice.missing(type(step.compiler), choice.python_of(step.compiler.settings))
        if lacking is not None:
            raise lacking
    return steps


def _changes_nothing(compiler: ModelCompiler, artifact: Artifact) -> bool:
    return (compiler.makes, compiler.scheme) == (artifact.format, artifact.scheme)


def _failure(label: str, error: EdgerigError) -> Failure:
    return Failure(
        compiler=label,
        error=type(error).__name__,
        message=error.message,
        hint=error.hint,
        trace=foreign_trace(error),
    )
