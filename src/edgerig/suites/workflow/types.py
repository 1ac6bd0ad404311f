"""The workflow file as typed objects."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

#: Names of workflows and steps: what Kubernetes, Argo and Airflow all take.
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?")
#: Names of parameters, inputs and outputs: they stand in conditions and in `${..}`.
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")

Value = str | int | float | bool
Duration = Annotated[str, Meta(description="a time with its unit: 90 s, 10 min, 2 h")]


class StoreInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A dataset's version in a store."""

    store: Annotated[
        str,
        Meta(
            description="address of a dataset, such as s3://lab/street@7; without @N the newest version when the step "
            "begins; a relative folder lies in the workflow's output folder"
        ),
    ]


class StoreOutput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A dataset in a store, to which the step adds a version."""

    store: Annotated[
        str,
        Meta(
            description="address of a dataset without a version, such as s3://lab/street; a relative folder lies in "
            "the workflow's output folder"
        ),
    ]


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One edgerig command, with what it reads and what it makes."""

    run: Annotated[
        str | tuple[str, ...],
        Meta(
            description="an edgerig command without the word edgerig; ${inputs.NAME}, ${outputs.NAME} and "
            "${PARAMETER} stand for paths and values"
        ),
    ]
    inputs: Annotated[
        dict[str, str | StoreInput],
        Meta(description="by name: STEP.OUTPUT, STEP.OUTPUT/FILE, a path relative to this file, or {store: ADDRESS}"),
    ] = {}
    outputs: Annotated[
        dict[str, str | StoreOutput],
        Meta(description="by name: a file or folder relative to the step's own folder, or {store: ADDRESS}"),
    ] = {}
    after: Annotated[
        str | tuple[str, ...],
        Meta(description="steps that must be done before, besides those whose outputs are inputs"),
    ] = ()
    when: Annotated[
        str | None,
        Meta(
            description="run it only if this holds, such as `start < 2 and train`; else its last result is taken "
            "where another step needs it"
        ),
    ] = None
    retries: Annotated[int, Meta(ge=0, le=100, description="further attempts after one that failed")] = 0
    wait: Annotated[Duration, Meta(description="time before the next attempt")] = "1 s"
    timeout: Annotated[Duration | None, Meta(description="an attempt that takes longer is stopped, and has failed")] = (
        None
    )
    stop_after: Annotated[
        Duration | None,
        Meta(description="for commands without an end, such as serve: stop it after this time; that is its success"),
    ] = None
    measures: Annotated[
        bool | None,
        Meta(description="whether it must run alone on this machine; by default commands that measure do"),
    ] = None
    always: Annotated[
        bool | None,
        Meta(
            description="run it even if nothing changed; by default commands that change what is outside: serve, "
            "push, firmware flash"
        ),
    ] = None


class WorkflowFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workflow file."""

    steps: Annotated[dict[str, Step], Meta(description="the steps by name", min_length=1)]
    name: Annotated[
        str | None, Meta(description="what it is called, and its folder below runs/; by default the file's name")
    ] = None
    parameters: Annotated[
        dict[str, Value],
        Meta(description="values by name, with their defaults; --param NAME=VALUE changes one"),
    ] = {}


class Made(msgspec.Struct, frozen=True):
    """An input that another step makes: one of its outputs, or a file ``within`` an output that is a folder."""

    step: str
    output: str
    within: str = ""

    def __str__(self) -> str:
        return f"{self.step}.{self.output}{'/' if self.within else ''}{self.within}"


#: An input is made by a step, a path, or the address of a dataset with its version.
Source = Made | Path | StoreInput
Target = str | StoreOutput


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step with its parameters filled in and its references resolved.

    Attributes:
        words: The command; ``${inputs.NAME}`` and ``${outputs.NAME}`` are still in it.
        needs: The steps before it.
        holds: Whether its condition holds.
        when: The condition as in the file.
        seconds: `timeout`, `stop_after` and `wait` in seconds.
    """

    name: str
    words: tuple[str, ...]
    inputs: dict[str, Source]
    outputs: dict[str, Target]
    needs: tuple[str, ...]
    holds: bool
    when: str | None
    retries: int
    wait: float
    timeout: float | None
    stop_after: float | None
    measures: bool
    always: bool

    @property
    def command(self) -> str:
        """The command's name, of a group with that of its member: ``firmware flash``."""
        second = self.words[1] if len(self.words) > 1 and self.words[0] in GROUPS else ""
        return f"{self.words[0]} {second}".strip()


class Workflow(msgspec.Struct, frozen=True, kw_only=True):
    """A validated workflow: its steps in an order in which each comes after those that it needs."""

    name: str
    file: Path
    parameters: dict[str, Value]
    steps: dict[str, PlannedStep]
    #: The file's own text of each step, for exports.
    declared: WorkflowFile

    @property
    def folder(self) -> Path:
        """The folder of the file: base of relative inputs, and where plugins beside the file lie."""
        return self.file.parent


#: Commands that have commands of their own.
GROUPS = frozenset({"firmware", "data", "mlperf-tiny", "digits", "history", "agent", "workflow"})
#: Commands whose figures another step on the same machine would spoil.
MEASURING = frozenset({"run", "bench", "compare", "gate", "test", "layers", "stress", "mlperf-tiny run"})
#: Commands that change what lies outside of the workflow, so that an earlier result says little of how it is now.
OUTSIDE = frozenset({"serve", "push", "firmware flash"})
#: Commands that go on from what an interrupted one left, with --resume.
RESUMING = frozenset({"train", "run", "gate"})
