"""From a workflow file to a validated workflow: all problems are collected and reported at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from edgerig.errors import EdgerigError, SpecError, UnknownNameError, nearest
from edgerig.rig.document import Document, Location, parse_scalar, read_document, set_value
from edgerig.setting_values import readable
from edgerig.suites.workflow.graph import in_order, output_problems
from edgerig.suites.workflow.plan import plan_step, step_needs
from edgerig.suites.workflow.types import NAME, WORD, Step, Value, Workflow, WorkflowFile

KIND = "workflow file"
T = TypeVar("T")


def load_workflow(
    path: Path,
    settings: Sequence[str] = (),
    parameters: Sequence[str] = (),
    commands: Collection[str] = (),
) -> Workflow:
    """The workflow of a file.

    Args:
        settings: ``KEY=VALUE``: changes of the file, such as ``steps.train.retries=2``.
        parameters: ``NAME=VALUE``: values of its parameters.
        commands: The commands that there are; empty: they are not checked.

    Raises:
        SpecError: Lists every problem, one per line, each with its position in the file.
    """
    document = read_document(path, KIND, "steps and, mostly, name and parameters")
    if "steps" not in document.data and {"model", "models", "parts"} & document.data.keys():
        raise SpecError(f"{document.name} is a rig file, and no workflow.", "edgerig run FILE measures it.")
    for assignment in settings:
        set_value(document, assignment)
    reader = _Reader(document, commands)
    workflow = reader.workflow(path.absolute(), parameters)
    if reader.problems or workflow is None:
        count = len(reader.problems)
        listed = "\n".join(f"  - {problem}" for problem in reader.problems)
        raise SpecError(f"{path.name} has {count} problem{'s' if count != 1 else ''}:\n{listed}")
    return workflow


class _Reader:
    def __init__(self, document: Document, commands: Collection[str]) -> None:
        self.document, self.commands = document, commands
        self.problems: list[str] = []

    def workflow(self, path: Path, assignments: Sequence[str]) -> Workflow | None:
        data = self.document.data
        self.known_keys(data, WorkflowFile, ())
        if not isinstance(data.get("steps"), dict) or not data["steps"]:
            self.problem((), "the key 'steps' is missing: a mapping of a name to a step")
            return None
        name = data.get("name", path.stem)
        self.named(name, ("name",), "a workflow")
        parameters = self.parameters(data.get("parameters") or {}, assignments)
        declared = {key: self.step(key, entry) for key, entry in data["steps"].items()}
        steps = {key: step for key, step in declared.items() if step is not None}
        if self.problems:
            return None
        file = WorkflowFile(steps=steps, name=name, parameters=parameters)
        return self.planned(file, path)

    def planned(self, file: WorkflowFile, path: Path) -> Workflow | None:
        """The workflow with references resolved."""
        needs: dict[str, tuple[str, ...]] = {}
        for name, step in file.steps.items():
            step_needed = self.attempt(("steps", name), lambda step=step: step_needs(step, file))  # type: ignore[misc]
            needs[name] = step_needed or ()
        order = self.attempt(("steps",), lambda: in_order(needs)) if not self.problems else None
        planned = {}
        for name in order or file.steps:
            step = file.steps[name]
            planned_step = self.attempt(
                ("steps", name),
                lambda name=name, step=step: plan_step(name, step, file, needs[name], path.parent),  # type: ignore[misc]
            )
            if planned_step is not None:
                planned[name] = planned_step
                self.known_command(name, planned_step.words[0])
        self.problems += output_problems({name: step.outputs for name, step in planned.items()}, needs)
        if self.problems or file.name is None:
            return None
        return Workflow(name=file.name, file=path, parameters=file.parameters, steps=planned, declared=file)

    def step(self, name: str, data: Any) -> Step | None:
        location = ("steps", name)
        self.named(name, location, "a step")
        if not isinstance(data, dict):
            self.problem(location, "a step is a mapping with the key run, and mostly inputs and outputs")
            return None
        self.known_keys(data, Step, location)
        for group in ("inputs", "outputs"):
            for key in data.get(group) or {} if isinstance(data.get(group) or {}, dict) else ():
                if not WORD.fullmatch(key):
                    self.problem((*location, group, key), "a name of letters, digits and _ is needed")
        if "run" not in data:
            self.problem(location, "the key 'run' is missing: an edgerig command")
            return None
        known = {key: value for key, value in data.items() if key in Step.__struct_fields__ and value is not None}
        try:
            return msgspec.convert(known, Step)
        except msgspec.ValidationError as error:
            self.problem(location, readable(str(error), Step))
            return None

    def parameters(self, data: Any, assignments: Sequence[str]) -> dict[str, Value]:
        if not isinstance(data, dict):
            self.problem(("parameters",), "must be a mapping of names to values")
            return {}
        values: dict[str, Value] = {}
        for name, value in data.items():
            if not WORD.fullmatch(name):
                self.problem(("parameters", name), "a name of letters, digits and _ is needed")
            elif not isinstance(value, str | int | float | bool):
                self.problem(("parameters", name), "must be a text, a number, or true or false")
            else:
                values[name] = value
        for assignment in assignments:
            name, equals, text = assignment.partition("=")
            if not equals:
                raise SpecError(f"--param {assignment!r}: write it as name=value.", "For example: --param epochs=3")
            if name not in values:
                raise UnknownNameError("parameter", name, values)
            values[name] = _same_type(name, values[name], text)
        return values

    def known_keys(self, data: dict[str, Any], kind: type[msgspec.Struct], location: Location) -> None:
        for key in data:
            if key not in kind.__struct_fields__:
                near = nearest(key, kind.__struct_fields__)
                known = ", ".join(kind.__struct_fields__)
                text = f"unknown key {key!r}; " + (f"did you mean {near!r}? " if near else "")
                self.problem(location, f"{text}Known: {known}", key)

    def known_command(self, step: str, name: str) -> None:
        if self.commands and name not in self.commands:
            error = UnknownNameError("command", name, self.commands)
            self.problem(("steps", step), f"{error.message} {error.hint}", "run")
        elif name == "workflow":
            self.problem(("steps", step), "a workflow cannot be a step of one", "run")

    def named(self, name: Any, location: Location, what: str) -> None:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            self.problem(location, f"{str(name)[:60]!r} cannot name {what}: small letters, digits and - (at most 52)")

    def attempt(self, location: Location, work: Callable[[], T]) -> T | None:
        """The result of ``work``; its error becomes a problem there."""
        try:
            return work()
        except EdgerigError as error:
            self.problem(location, f"{error.message}{f' ({error.hint})' if error.hint else ''}")
            return None

    def problem(self, location: Location, text: str, key: str | None = None) -> None:
        self.problems.append(f"{self.document.where(location, key)}: {text}")


def _same_type(name: str, default: Value, text: str) -> Value:
    """The value of ``--param``, of the type that its default has."""
    if isinstance(default, str):
        return text
    value = parse_scalar(text)
    fitting = int | float if isinstance(default, float) else type(default)
    if not isinstance(value, fitting) or (isinstance(value, bool) and not isinstance(default, bool)):
        kind = {bool: "true or false", int: "a whole number"}.get(type(default), "a number")
        raise SpecError(f"--param {name}: {text[:80]!r} is not {kind}, as its default {default!r} is.")
    return float(value) if isinstance(default, float) else value
