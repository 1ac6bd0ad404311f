"""One step of a workflow file with its parameters filled in and its references resolved."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from edgerig.errors import SpecError, UnknownNameError, nearest
from edgerig.suites.workflow.conditions import condition_holds
from edgerig.suites.workflow.types import (
    GROUPS,
    MEASURING,
    OUTSIDE,
    Made,
    PlannedStep,
    Source,
    Step,
    StoreInput,
    StoreOutput,
    Target,
    Value,
    WorkflowFile,
)
from edgerig.suites.workflow.words import fill_parameters, parse_duration, references, split_command

_MADE = re.compile(r"([a-z0-9][a-z0-9-]*)\.([A-Za-z_]\w*)((?:/[^/]+)*)")


def step_needs(step: Step, file: WorkflowFile) -> tuple[str, ...]:
    """The steps that must be done before ``step``.

    Raises:
        UnknownNameError: `after` names a step that there is not.
    """
    after = (step.after,) if isinstance(step.after, str) else step.after
    for name in after:
        if name not in file.steps:
            raise UnknownNameError("step", name, file.steps)
    outputs = [_made(source, file) for source in step.inputs.values() if isinstance(source, str)]
    return tuple(dict.fromkeys([*(output.step for output in outputs if output is not None), *after]))


def plan_step(name: str, step: Step, file: WorkflowFile, needs: tuple[str, ...], folder: Path) -> PlannedStep:
    """The step as it is run.

    Args:
        needs: From `step_needs`.
        folder: Base of relative inputs.

    Raises:
        SpecError: A command, time, path or condition is none; an input is made by nobody.
        UnknownNameError: A reference names what there is not.
    """
    parameters = file.parameters
    words = tuple(fill_parameters(word, parameters) for word in split_command(step.run))
    for word in words:
        _check_references(word, step)
    command = " ".join(words[:2] if words[0] in GROUPS else words[:1])
    holds = step.when is None or condition_holds(step.when, parameters)
    return PlannedStep(
        name=name,
        words=words,
        inputs={key: _source(key, value, file, folder, holds) for key, value in step.inputs.items()},
        outputs={key: _target(key, value, parameters) for key, value in step.outputs.items()},
        needs=needs,
        holds=holds,
        when=step.when,
        retries=step.retries,
        wait=parse_duration(step.wait, "wait"),
        timeout=parse_duration(step.timeout, "timeout") if step.timeout else None,
        stop_after=parse_duration(step.stop_after, "stop_after") if step.stop_after else None,
        measures=step.measures if step.measures is not None else command in MEASURING,
        always=step.always if step.always is not None else command in OUTSIDE,
    )


def _check_references(word: str, step: Step) -> None:
    for reference in references(word):
        group, _, key = reference.partition(".")
        declared = step.inputs if group == "inputs" else step.outputs
        if key not in declared:
            raise UnknownNameError(f"name in {group}", key, declared)


def _made(source: str, file: WorkflowFile) -> Made | None:
    """The output that a reference means; None where it is a path."""
    match = _MADE.fullmatch(source)
    if match is None or match[1] not in file.steps:
        return None
    outputs = file.steps[match[1]].outputs
    if match[2] not in outputs:
        raise UnknownNameError(f"output of step '{match[1]}'", match[2], outputs)
    within = match[3].lstrip("/")
    if within and not isinstance(outputs[match[2]], str):
        raise SpecError(f"{source}: that output is a dataset in a store; no file lies within it")
    if ".." in PurePosixPath(within).parts:
        raise SpecError(f"{source}: '..' leads out of that output")
    return Made(match[1], match[2], within)


def _source(key: str, value: str | StoreInput, file: WorkflowFile, folder: Path, holds: bool) -> Source:
    if isinstance(value, StoreInput):
        return StoreInput(fill_parameters(value.store, file.parameters))
    output = _made(value, file)
    if output is not None:
        return output
    filled = fill_parameters(value, file.parameters)
    if references(filled):
        raise SpecError(f"inputs.{key}: {value!r}: an input is named as STEP.OUTPUT, without ${{}}")
    path = folder / Path(filled).expanduser()
    if holds and not path.exists():
        known = [f"{step}.{output}" for step, entry in file.steps.items() for output in entry.outputs]
        near = nearest(filled, [*known, *(str(item.name) for item in folder.iterdir())])
        raise SpecError(
            f"inputs.{key}: nobody makes {filled!r}: it is no output of a step, and there is no file {path}",
            f"Did you mean {near!r}?" if near else f"Outputs of steps: {', '.join(known) or 'none'}.",
        )
    return path


def _target(key: str, value: str | StoreOutput, parameters: dict[str, Value]) -> Target:
    if isinstance(value, StoreOutput):
        address = fill_parameters(value.store, parameters)
        if re.search(r"@\d+$", address):
            raise SpecError(f"outputs.{key}: {address}: a step adds a version; leave out the @")
        return StoreOutput(address)
    filled = fill_parameters(value, parameters)
    path = PurePosixPath(filled)
    if not filled or path.is_absolute() or ".." in path.parts or path == PurePosixPath("."):
        raise SpecError(
            f"outputs.{key}: {filled!r} is not a path within the step's own folder", "Such as: model/unet.keras"
        )
    return str(path)
