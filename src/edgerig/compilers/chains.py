"""Runs several compilers on one model: all are checked before the first one starts, and each step runs once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from edgerig import plugins
from edgerig.artifact import Artifact, Preprocessing
from edgerig.compilers.base import ModelCompiler
from edgerig.datasets.base import Dataset
from edgerig.environments import choice
from edgerig.errors import CompileError, EdgerigError, IncompatibleError, UnknownNameError, UsageError, foreign_trace
from edgerig.plugins import convert_settings, describe, find
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
    """One compiled file. ``payload``: bytes that the network takes on a device (of a C array, not of its text)."""

    compiler: str
    artifact: Artifact
    payload: int


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A compiler that failed, and why."""

    compiler: str
    error: str
    message: str
    hint: str | None
    #: Where an engine or a plugin raised what it should not have.
    trace: str | None = None


class Chains(msgspec.Struct, frozen=True):
    """The steps to each target, and what ``all`` left out, with the reason."""

    steps: tuple[tuple[ModelCompiler, ...], ...]
    skipped: tuple[str, ...] = ()


def plan_chains(targets: Sequence[str], options: dict[str, Any], artifact: Artifact, dataset: Dataset | None) -> Chains:
    """The compilers to run on ``artifact``, each after the ones whose output it needs.

    Args:
        targets: Compiler names; ``all`` stands for every one that is installed and can read the artifact.
        options: Settings, ``key`` for every compiler that has it, or ``compiler.key`` for one.
        artifact: The model.
        dataset: To calibrate with.

    Raises:
        UnknownNameError: A compiler or a setting is not known.
        SpecError: A setting's value is not valid.
        IncompatibleError: A compiler refuses the artifact.
        MissingExtraError: An engine is not installed.
        UsageError: A compiler calibrates, and there is no dataset.
    """
    names = list(dict.fromkeys(name for target in targets for name in _expand(target)))
    makers = _configure(names, options)
    steps, skipped = [], []
    for name in names:
        chain = _chain(makers[name], artifact, makers)
        try:
            _check(chain, artifact)
        except UsageError as error:
            if name in targets:
                raise
            skipped.append(f"{name}: {error.message} {error.hint or ''}".rstrip())
            continue
        if name not in targets and _changes_nothing(chain[0], artifact) and len(chain) == 1:
            skipped.append(f"{name}: {Path(artifact.path).name} is that already.")
            continue
        refused = chain[0].refuses_content(artifact) if name not in targets else None
        if refused is not None:
            skipped.append(f"{name}: {Path(artifact.path).name} cannot be compiled: {refused}.")
            continue
        steps.append(chain)
    if not steps:
        reasons = "\n".join(f"  - {reason}" for reason in skipped)
        raise UsageError(f"Nothing can be made of {Path(artifact.path).name}:\n{reasons}")
    needy = [chain[-1].name for chain in steps if any(step.needs_dataset for step in chain)]
    if needy and dataset is None:
        raise UsageError(
            f"Calibration needs samples, and there is no dataset: {', '.join(needy)}.",
            "Name one, for example --dataset mnist.",
        )
    return Chains(tuple(steps), tuple(skipped))


def compile_chains(
    chains: Chains, artifact: Artifact, out: Path, dataset: Dataset | None, progress: Progress
) -> tuple[list[CompiledFile], list[Failure]]:
    """Run the chains; a step that several of them share runs once.

    A compiler that fails does not stop the others.

    Raises:
        StorageError, Interrupted, ...: Any error that is not of one compiler; files made before it are kept.
    """
    finished: dict[str, CompiledFile] = {}
    failures: dict[str, Failure] = {}
    for chain in chains.steps:
        current, payload = artifact, artifact.size
        for compiler in chain:
            if compiler.name not in finished:
                try:
                    folder = _folder(compiler, chains, artifact, out)
                    result = compiler.compile(current, folder, dataset, progress)
                except (CompileError, IncompatibleError) as error:
                    failures.setdefault(chain[-1].name, _failure(chain[-1], error))
                    break
                size = compiler.payload(result, payload)
                finished[compiler.name] = CompiledFile(compiler=compiler.name, artifact=result, payload=size)
            current, payload = finished[compiler.name].artifact, finished[compiler.name].payload
    return list(finished.values()), list(failures.values())


def _folder(compiler: ModelCompiler, chains: Chains, artifact: Artifact, out: Path) -> Path:
    """The output folder of a compiler; one that fills a folder gets a subfolder where ``out`` has other files, too."""
    single = [len(chain) for chain in chains.steps] == [1]
    return out / f"{Path(artifact.path).stem}_{compiler.name}" if compiler.folder and not single else out


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
    known = [name for name in plugins.names("compiler") if name not in NOT_IN_ALL]
    return [name for name in ORDER if name in known] + [name for name in known if name not in ORDER]


def _configure(names: list[str], options: dict[str, Any]) -> dict[str, ModelCompiler]:
    """Instances of the named compilers with their share of ``options``."""
    kinds = {name: find("compiler", name, ModelCompiler) for name in names}
    known = {name: {key for key, _, _ in describe(kind.Settings)} for name, kind in kinds.items()}
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
    return {
        name: kind(convert_settings(kind.Settings, shares[name], f"compiler {name!r}")) for name, kind in kinds.items()
    }


def _chain(compiler: ModelCompiler, artifact: Artifact, makers: dict[str, ModelCompiler]) -> tuple[ModelCompiler, ...]:
    """``compiler`` after those that must run before it for this artifact."""
    if compiler.after is None or artifact.format in compiler.direct:
        return (compiler,)
    before = makers.get(compiler.after) or find("compiler", compiler.after, ModelCompiler)()
    if before.makes == artifact.format or before.refuses(artifact.format, artifact.scheme):
        return (compiler,)
    return (*_chain(before, artifact, makers), compiler)


def _check(chain: tuple[ModelCompiler, ...], artifact: Artifact) -> None:
    format, scheme = artifact.format, artifact.scheme
    for step in chain:
        reason = step.refuses(format, scheme)
        if reason:
            raise IncompatibleError(f"{Path(artifact.path).name} cannot be compiled: {reason}.")
        lacking = choice.missing(type(step), choice.python_of(step.settings))
        if lacking is not None:
            raise lacking
        format, scheme = step.makes, step.scheme or scheme


def _changes_nothing(compiler: ModelCompiler, artifact: Artifact) -> bool:
    return (compiler.makes, compiler.scheme) == (artifact.format, artifact.scheme)


def _failure(compiler: ModelCompiler, error: EdgerigError) -> Failure:
    return Failure(
        compiler=compiler.name,
        error=type(error).__name__,
        message=error.message,
        hint=error.hint,
        trace=foreign_trace(error),
    )
